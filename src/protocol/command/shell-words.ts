/**
 * Splits a command as `sh` would, without a shell: SCP clients quote file names for the shell that they expect behind
 * an exec request, so its words, quotes and backslashes must be understood - and nothing else of it. Whatever a shell
 * would act upon (expansions, operators, redirections, a second line) is refused; nothing is ever executed.
 * Bytes are kept exactly: a word goes through `decodeName`.
 */
import { commandBytesMax, commandWordsMax } from '../../limits.ts';
import { decodeName } from '../../name-bytes.ts';

export interface ShellWord {
  /** The word without its quotes. */
  readonly text: string;
  /** The same as a pattern (`glob/`): a quoted character that means something there has a backslash before it. */
  readonly pattern: string;
  /** The blanks between the word before and this one. */
  readonly blanksBefore: string;
}

export type ShellWords =
  | { readonly kind: 'words'; readonly words: readonly ShellWord[] }
  | { readonly kind: 'refused'; readonly reason: string };

export interface ShellWordsOptions {
  /** The name of the login: `~name` means the same as `~`. */
  readonly userName?: string;
  /** The value of `$NAME`, `${NAME}` or `$?`, which are refused where this is not given. */
  readonly variable?: (name: string) => string;
}

/**
 * The words of a command. Quoting is that of POSIX.1-2024, Shell Command Language, section 2.2. A leading unquoted `~`,
 * `~/` or `~name` of the login names the directory where a login starts, which relative names mean anyway: it is
 * dropped. Somebody else's `~name` is a plain name, as it is to a shell that knows nobody of that name.
 */
export function shellWords(command: Buffer, options: ShellWordsOptions = {}): ShellWords {
  if (command.length > commandBytesMax) return { kind: 'refused', reason: 'the command is too long' };
  try {
    return { kind: 'words', words: new Splitter(command, options).words() };
  } catch (error) {
    if (error instanceof Refusal) return { kind: 'refused', reason: error.message };
    throw error;
  }
}

/** Never leaves this module. */
class Refusal extends Error {
  override readonly name = 'Refusal';
}

const tab = 0x09;
const newline = 0x0a;
const space = 0x20;
const doubleQuote = 0x22;
const dollar = 0x24;
const singleQuote = 0x27;
const backslash = 0x5c;
const backtick = 0x60;
const tilde = 0x7e;

/** What a shell would act upon outside quotes. */
const operators = new Set(Buffer.from(';|&`$()<>\n\r'));
/** What a backslash makes literal inside double quotes; before anything else it stands for itself. */
const escapedInDoubleQuotes = new Set([dollar, backtick, doubleQuote, backslash]);
/** What means something in a pattern, in or outside of brackets. */
const patternBytes = new Set(Buffer.from('*?[]{},\\!^-:'));

/** A word being read: its bytes, and those of its pattern. */
interface OpenWord {
  readonly bytes: number[];
  readonly pattern: number[];
  readonly blanksBefore: string;
}

class Splitter {
  readonly #command: Buffer;
  readonly #options: ShellWordsOptions;
  readonly #words: ShellWord[] = [];
  #offset = 0;
  #blanks = '';
  /** Undefined between words, so that `''` is a word and a blank is not. */
  #word: OpenWord | undefined;

  constructor(command: Buffer, options: ShellWordsOptions) {
    this.#command = command;
    this.#options = options;
  }

  words(): readonly ShellWord[] {
    if (this.#command.includes(0)) throw new Refusal('a NUL byte is in the command');
    const end = this.#endWithoutBlanks();
    while (this.#offset < end) {
      const byte = this.#command[this.#offset] ?? 0;
      if (byte === space || byte === tab) this.#readBlank(byte);
      else this.#readPiece(byte);
    }
    this.#endWord();
    return this.#words;
  }

  /** A line end behind the command is no second command. A backslash before it would be unterminated anyway. */
  #endWithoutBlanks(): number {
    let end = this.#command.length;
    while (end > 0 && (this.#command[end - 1] === newline || this.#command[end - 1] === 0x0d)) end -= 1;
    return end;
  }

  #readBlank(byte: number): void {
    this.#endWord();
    this.#offset += 1;
    this.#blanks += String.fromCharCode(byte);
  }

  #endWord(): void {
    if (this.#word === undefined) return;
    if (this.#words.length === commandWordsMax) throw new Refusal('the command has too many words');
    const { bytes, pattern, blanksBefore } = this.#word;
    this.#words.push({
      text: decodeName(Buffer.from(bytes)),
      pattern: decodeName(Buffer.from(pattern)),
      blanksBefore,
    });
    this.#word = undefined;
    this.#blanks = '';
  }

  #readPiece(byte: number): void {
    const word = (this.#word ??= { bytes: [], pattern: [], blanksBefore: this.#blanks });
    if (byte === singleQuote) this.#readSingleQuoted(word);
    else if (byte === doubleQuote) this.#readDoubleQuoted(word);
    else if (byte === backslash) this.#readEscaped(word);
    else if (byte === dollar && this.#options.variable !== undefined) this.#readVariable(word);
    else if (operators.has(byte))
      throw new Refusal(`${nameOf(byte)} has no meaning here unless it is quoted`);
    else if (byte === tilde && this.#isAtWordStart()) this.#readTilde(word);
    else {
      word.bytes.push(byte);
      word.pattern.push(byte);
      this.#offset += 1;
    }
  }

  #readSingleQuoted(word: OpenWord): void {
    const end = this.#command.indexOf(singleQuote, this.#offset + 1);
    if (end === -1) throw new Refusal('a quote is not closed');
    for (const byte of this.#command.subarray(this.#offset + 1, end)) pushQuoted(word, byte);
    this.#offset = end + 1;
  }

  #readDoubleQuoted(word: OpenWord): void {
    this.#offset += 1;
    for (;;) {
      const byte = this.#command[this.#offset];
      if (byte === undefined) throw new Refusal('a quote is not closed');
      if (byte === doubleQuote) break;
      if (byte === dollar && this.#options.variable !== undefined) this.#readVariable(word);
      else if (byte === dollar || byte === backtick) {
        throw new Refusal(`${nameOf(byte)} has no meaning here unless it is quoted with ' or \\`);
      } else if (byte === backslash) this.#readEscapedInDoubleQuotes(word);
      else {
        pushQuoted(word, byte);
        this.#offset += 1;
      }
    }
    this.#offset += 1;
  }

  #readEscapedInDoubleQuotes(word: OpenWord): void {
    const next = this.#command[this.#offset + 1];
    if (next === newline) {
      this.#offset += 2;
    } else if (next !== undefined && escapedInDoubleQuotes.has(next)) {
      pushQuoted(word, next);
      this.#offset += 2;
    } else {
      pushQuoted(word, backslash);
      this.#offset += 1;
    }
  }

  /** One byte is enough also before a multibyte character: the bytes behind the first are ordinary. */
  #readEscaped(word: OpenWord): void {
    const next = this.#command[this.#offset + 1];
    if (next === undefined) throw new Refusal('the command ends in a backslash');
    if (next !== newline) pushQuoted(word, next);
    this.#offset += 2;
  }

  #readVariable(word: OpenWord): void {
    const rest = this.#command.toString('latin1', this.#offset, this.#offset + 64);
    const [text, braced, name = braced] = /^\$(?:\{(\w+)\}|(\w+|\?))/.exec(rest) ?? [];
    if (text === undefined) throw new Refusal('"$" has no meaning here unless it is quoted');
    const value = this.#options.variable?.(name ?? '') ?? '';
    for (const byte of Buffer.from(value)) pushQuoted(word, byte);
    this.#offset += text.length;
  }

  #isAtWordStart(): boolean {
    const previous = this.#command[this.#offset - 1];
    return previous === undefined || previous === space || previous === tab;
  }

  /** `~` and `~name` end at a slash or with the word; a quote in the name makes all of it plain. */
  #readTilde(word: OpenWord): void {
    const rest = this.#command.subarray(this.#offset + 1);
    const length = rest.findIndex((byte) => !isOfUserName(byte));
    const name = rest.toString('latin1', 0, length === -1 ? rest.length : length);
    const behind = String.fromCharCode(rest[name.length] ?? space);
    const isHome = name === '' || name === this.#options.userName;
    if (isHome && '/ \t\r\n'.includes(behind)) {
      this.#offset += 1 + name.length + (behind === '/' ? 1 : 0);
    } else {
      word.bytes.push(tilde);
      word.pattern.push(tilde);
      this.#offset += 1;
    }
  }
}

function pushQuoted(word: OpenWord, byte: number): void {
  word.bytes.push(byte);
  if (patternBytes.has(byte)) word.pattern.push(backslash);
  word.pattern.push(byte);
}

function isOfUserName(byte: number): boolean {
  return /[\w.-]/.test(String.fromCharCode(byte));
}

function nameOf(byte: number): string {
  return byte === newline || byte === 0x0d ? 'a line break' : `"${String.fromCharCode(byte)}"`;
}
