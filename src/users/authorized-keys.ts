/**
 * Reads OpenSSH's authorized_keys format (sshd(8), "AUTHORIZED_KEYS FILE FORMAT"). Pure: bytes in, keys and complaints
 * out. A key is accepted only if everything its line says is true here: an option that we do not enforce makes the key
 * refused, because a key that was meant to be limited must not become an unlimited one.
 */
import { authorizedKeysLinesMax } from '../limits.ts';
import { keyFingerprint, parsePublicKey } from './public-key.ts';
import type { PublicKey } from './public-key.ts';
import { WireError } from './wire.ts';

export interface AuthorizedKey {
  readonly key: PublicKey;
  readonly blob: Buffer;
  readonly fingerprint: string;
  readonly line: number;
  readonly comment: string;
}

/** A line that holds no key that may log in. `words` never quote the line. */
export interface RefusedLine {
  readonly line: number;
  readonly words: string;
}

export interface AuthorizedKeys {
  readonly keys: readonly AuthorizedKey[];
  readonly refused: readonly RefusedLine[];
}

/** Options that only forbid what nobody may do here anyway. */
const optionsThatHold = new Set([
  'restrict',
  'no-pty',
  'no-port-forwarding',
  'no-agent-forwarding',
  'no-x11-forwarding',
  'no-user-rc',
]);

/** Ways to write a key type in a line → the types that the key itself may then have (sshkey_type_from_name). */
const lineTypes = new Map<string, readonly string[]>([
  ['ssh-ed25519', ['ssh-ed25519']],
  ['ed25519', ['ssh-ed25519']],
  ['ecdsa-sha2-nistp256', ['ecdsa-sha2-nistp256']],
  ['ecdsa-sha2-nistp384', ['ecdsa-sha2-nistp384']],
  ['ecdsa-sha2-nistp521', ['ecdsa-sha2-nistp521']],
  ['ecdsa', ['ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521']],
  ['ssh-rsa', ['ssh-rsa']],
  ['rsa-sha2-256', ['ssh-rsa']],
  ['rsa-sha2-512', ['ssh-rsa']],
  ['rsa', ['ssh-rsa']],
]);

/** Key types that OpenSSH knows and we refuse, so that the complaint names the reason. */
const refusedTypes: readonly (readonly [RegExp, string])[] = [
  [/-cert-v0[01]@openssh\.com$/u, 'certificates are not supported'],
  [/^(sk-|webauthn-sk-)/u, 'hardware security keys are not supported'],
  [/^(ssh-dss|dsa)$/u, 'DSA keys are too weak'],
  [/^ssh-[\w.@-]+$/u, 'this key type is not supported'],
];

/** Parses a whole file. Never throws: a line that is wrong is in `refused`, and the others are good. */
export function parseAuthorizedKeys(content: Buffer): AuthorizedKeys {
  const keys: AuthorizedKey[] = [];
  const refused: RefusedLine[] = [];
  // Latin-1 maps each byte to one character, so no byte can hide another; comments are decoded when they are shown.
  const text = content.toString('latin1').replace(/^\u00ef\u00bb\u00bf/u, '');
  for (const [index, raw] of text.split('\n').entries()) {
    const line = index + 1;
    if (line > authorizedKeysLinesMax) {
      refused.push({
        line,
        words: `the file is longer than ${authorizedKeysLinesMax} lines; the rest is not read`,
      });
      break;
    }
    const entry = raw.replace(/\r$/u, '').replace(/^[ \t]+/u, '');
    if (entry === '' || entry.startsWith('#')) continue;
    try {
      keys.push({ ...parseEntry(entry), line });
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      refused.push({ line, words: error.message });
    }
  }
  return { keys, refused };
}

function parseEntry(entry: string): Omit<AuthorizedKey, 'line'> {
  if (entry.includes('\0')) throw new WireError('the line holds a NUL byte');
  const direct = splitWord(entry);
  if (isKeyType(direct.word)) return parseKey(direct.word, direct.rest);
  const { options, rest } = splitOptions(entry);
  const typed = splitWord(rest);
  if (!isKeyType(typed.word))
    throw new WireError('the line is not of the form "[options] type key [comment]"');
  for (const option of options) checkOption(option);
  return parseKey(typed.word, typed.rest);
}

function isKeyType(word: string): boolean {
  return lineTypes.has(word.toLowerCase()) || refusedTypes.some(([pattern]) => pattern.test(word));
}

function parseKey(word: string, rest: string): Omit<AuthorizedKey, 'line'> {
  const types = lineTypes.get(word.toLowerCase());
  if (types === undefined) {
    throw new WireError(
      refusedTypes.find(([pattern]) => pattern.test(word))?.[1] ?? 'this key type is not supported',
    );
  }
  const { word: base64, rest: comment } = splitWord(rest);
  const blob = Buffer.from(base64, 'base64');
  // Node skips what is not base64; a key must be nothing but base64, padding included.
  if (blob.length === 0 || blob.toString('base64') !== base64)
    throw new WireError('the key is not valid base64');
  const key = parsePublicKey(blob);
  if (!types.includes(key.type)) throw new WireError('the key is not of the type that the line names');
  return {
    key,
    blob,
    fingerprint: keyFingerprint(blob),
    comment: Buffer.from(comment.trim(), 'latin1').toString('utf8'),
  };
}

function checkOption(option: string): void {
  if (optionsThatHold.has(option.toLowerCase())) return;
  const name = /^[a-z0-9-]{1,40}/iu.exec(option)?.[0];
  if (name === undefined) throw new WireError('an option is malformed');
  throw new WireError(`the option "${name}" is not supported, so the key is refused`);
}

function splitWord(text: string): { word: string; rest: string } {
  const match = /^([^ \t]*)[ \t]*/u.exec(text);
  const word = match?.[1] ?? '';
  return { word, rest: text.slice(match?.[0].length ?? 0) };
}

/** Options are separated by commas and end at a blank outside of quotes; inside, `\"` is a quote (auth-options.c). */
function splitOptions(entry: string): { options: readonly string[]; rest: string } {
  const options: string[] = [];
  let option = '';
  let quoted = false;
  let offset = 0;
  for (; offset < entry.length; offset += 1) {
    const character = entry[offset] ?? '';
    if (character === '\\' && entry[offset + 1] === '"') {
      option += '"';
      offset += 1;
    } else if (character === '"') {
      quoted = !quoted;
    } else if (!quoted && (character === ' ' || character === '\t')) {
      break;
    } else if (!quoted && character === ',') {
      options.push(option);
      option = '';
    } else {
      option += character;
    }
  }
  if (quoted) throw new WireError('a quote is not closed');
  options.push(option);
  return { options, rest: entry.slice(offset).replace(/^[ \t]+/u, '') };
}
