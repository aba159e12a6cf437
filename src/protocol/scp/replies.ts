/**
 * What either side of the SCP protocol answers: `\0` for yes, `\x01text\n` for no and go on, `\x02text\n` for no and
 * good-bye. The text ends up on somebody's terminal, so it is one printable line of bounded length, whatever it quotes.
 */
import { ProtocolError } from '../../errors.ts';
import { printable } from '../../name-bytes.ts';

const lineBytesMax = 500;
const pathBytesMax = 300; // leaves room for the words behind it

/** A yes. A fresh buffer each time, because it is handed on. */
export function okReply(): Buffer {
  return Buffer.of(0);
}

/** `scp: WORDS`, as scp.c words its complaints; the peer goes on with the next file. */
export function warningReply(words: string): Buffer {
  return reply(0x01, words);
}

/** The same, and the peer gives up. */
export function fatalReply(words: string): Buffer {
  return reply(0x02, words);
}

/** `PATH: WORDS` for a reply; of a long path the beginning is shown. */
export function aboutPath(path: string, words: string): string {
  return `${shortened(printable(path), pathBytesMax)}: ${words}`;
}

/** What the one answer of a peer says. */
export type ScpAnswer =
  { readonly kind: 'ok' } | { readonly kind: 'error'; readonly fatal: boolean; readonly message: string };

/** Which of the answers begins with this byte; undefined if it needs a text. Throws `ProtocolError` for none. */
export function answerOf(byte: number): ScpAnswer | undefined {
  if (byte === 0x00) return { kind: 'ok' };
  if (byte === 0x01 || byte === 0x02) return undefined;
  throw new ProtocolError('expected an answer');
}

function reply(level: 0x01 | 0x02, words: string): Buffer {
  const line = shortened(`scp: ${printable(words)}`, lineBytesMax - 2);
  return Buffer.from(`${String.fromCharCode(level)}${line}\n`);
}

/** At most `bytesMax` bytes of UTF-8, cut between characters. */
function shortened(text: string, bytesMax: number): string {
  if (Buffer.byteLength(text) <= bytesMax) return text;
  let kept = '';
  let bytes = Buffer.byteLength('…');
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > bytesMax) break;
    kept += character;
  }
  return `${kept}…`;
}
