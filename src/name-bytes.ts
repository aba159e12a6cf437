/**
 * File names are bytes; the rest of the program wants strings. The two are mapped one to one: valid UTF-8 is itself, and
 * each byte 0x80-0xff that is not part of valid UTF-8 becomes the lone surrogate U+DC80-U+DCFF (the scheme of Python's
 * PEP 383). So a name survives the round trip byte for byte, two different names never become one string, and an
 * ordinary name reads as itself in rules, logs and tests.
 */
import { isUtf8 } from 'node:buffer';

const surrogateBase = 0xdc00;

/** Bytes of a name → string. Never fails and never loses a byte. */
export function decodeName(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  let text = '';
  let offset = 0;
  while (offset < bytes.length) {
    const length = utf8SequenceLength(bytes, offset);
    if (length === 0) {
      text += String.fromCharCode(surrogateBase + (bytes[offset] ?? 0));
      offset += 1;
    } else {
      text += bytes.toString('utf8', offset, offset + length);
      offset += length;
    }
  }
  return text;
}

/** String → the bytes it was decoded from. A string that `decodeName` never made may throw a RangeError. */
export function encodeName(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text, 'utf8');
  const parts: Buffer[] = [];
  for (const character of text) {
    const codePoint = character.codePointAt(0) ?? 0;
    if (codePoint < 0xd800 || codePoint > 0xdfff) {
      parts.push(Buffer.from(character, 'utf8'));
    } else if (codePoint >= surrogateBase + 0x80 && codePoint <= surrogateBase + 0xff) {
      parts.push(Buffer.of(codePoint - surrogateBase));
    } else {
      throw new RangeError('a lone surrogate that stands for no byte');
    }
  }
  return Buffer.concat(parts);
}

/** Whether a string takes more bytes than that. Throws as `encodeName`. */
export function takesMoreBytes(text: string, bytesMax: number): boolean {
  // Three bytes for each unit of UTF-16 at most: nearly all texts are too short to be looked at.
  if (text.length * 3 <= bytesMax && text.isWellFormed()) return false;
  return encodeName(text).length > bytesMax;
}

/**
 * Text that a terminal, a log or a client may be shown: one line, no control characters, no bidirectional overrides; what
 * is not shown is written as \xHH or \u{HHHH}. At most `lengthMax` characters.
 */
export function printable(text: string, lengthMax = 500): string {
  if (text.length < lengthMax && !unprintable.test(text)) return text; // as nearly all texts are
  let shown = '';
  for (const character of text) {
    shown += unprintable.test(character) ? escaped(character) : character;
    if (shown.length >= lengthMax) return `${shown.slice(0, lengthMax - 1)}…`;
  }
  return shown;
}

/** C0, DEL, C1, line separators, bidirectional marks and overrides, the byte-order mark, and lone surrogates. */
const unprintable = /[\p{Cc}\p{Cs}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/u;

function escaped(character: string): string {
  const codePoint = character.codePointAt(0) ?? 0;
  const byte = codePoint >= 0xdc80 && codePoint <= 0xdcff ? codePoint - surrogateBase : codePoint;
  return byte <= 0xff ? `\\x${byte.toString(16).padStart(2, '0')}` : `\\u{${codePoint.toString(16)}}`;
}

/** Length of the valid UTF-8 sequence at `offset`, or 0 where there is none. */
function utf8SequenceLength(bytes: Buffer, offset: number): number {
  const lead = bytes[offset] ?? 0;
  const length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  const end = offset + length;
  return end <= bytes.length && isUtf8(bytes.subarray(offset, end)) ? length : 0;
}
