/**
 * Splits a command as `sh` would, without a shell: SCP clients quote file names for the shell that they expect behind
 * an exec request, so its words, quotes and backslashes must be understood - and nothing else of it. Whatever a shell
 * would act upon (expansions, operators, redirections, a second line) is refused; nothing is ever executed.
 * Bytes are kept exactly: a word goes through `decodeName`.
 */
import { commandBytesMax, commandWordsMax } from '../../limits.ts';
import { decodeName } from '../../name-bytes.ts';

export type ShellWords =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'refused'; readonly reason: string };

/**
 * The words of a command. Quoting is that of POSIX.1-2024, Shell Command Language, section 2.2. A leading unquoted `~`
 * or `~/` names the directory where a login starts, which relative names mean anyway: it is dropped. Globs and braces
 * are ordinary characters.
 */
export function shellWords(command: Buffer): ShellWords {
  if (command.length > commandBytesMax) return { kind: 'refused', reason: 'the command is too long' };
  try {
    return { kind: 'words', words: new Splitter(command).words() };
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
const slash = 0x2f;
const backslash = 0x5c;
const backtick = 0x60;
const tilde = 0x7e;

/** What a shell would act upon outside quotes. */
const operators = new Set(Buffer.from(';|&`$()<>\n\r'));
/** What a backslash makes literal inside double quotes; before anything else it stands for itself. */
const escapedInDoubleQuotes = new Set([dollar, backtick, doubleQuote, backslash]);

class Splitter {
  readonly #command: Buffer;
  readonly #words: string[] = [];
  #offset = 0;
  /** Bytes of the word being read; undefined between words, so that `''` is a word and a blank is not. */
  #word: number[] | undefined;

  constructor(command: Buffer) {
    this.#command = command;
  }

  words(): readonly string[] {
    if (this.#command.includes(0)) throw new Refusal('a NUL byte is in the command');
    const end = this.#endWithoutBlanks();
    while (this.#offset < end) {
      const byte = this.#command[this.#offset] ?? 0;
      if (byte === space || byte === tab) this.#endWord();
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

  #endWord(): void {
    this.#offset += 1;
    if (this.#word === undefined) return;
    if (this.#words.length === commandWordsMax) throw new Refusal('the command has too many words');
    this.#words.push(decodeName(Buffer.from(this.#word)));
    this.#word = undefined;
  }

  #readPiece(byte: number): void {
    const word = (this.#word ??= []);
    if (byte === singleQuote) this.#readSingleQuoted(word);
    else if (byte === doubleQuote) this.#readDoubleQuoted(word);
    else if (byte === backslash) this.#readEscaped(word);
    else if (operators.has(byte))
      throw new Refusal(`${nameOf(byte)} has no meaning here unless it is quoted`);
    else if (byte === tilde && word.length === 0 && this.#isHome()) this.#skipHome();
    else {
      word.push(byte);
      this.#offset += 1;
    }
  }

  #readSingleQuoted(word: number[]): void {
    const end = this.#command.indexOf(singleQuote, this.#offset + 1);
    if (end === -1) throw new Refusal('a quote is not closed');
    for (const byte of this.#command.subarray(this.#offset + 1, end)) word.push(byte);
    this.#offset = end + 1;
  }

  #readDoubleQuoted(word: number[]): void {
    this.#offset += 1;
    for (;;) {
      const byte = this.#command[this.#offset];
      if (byte === undefined) throw new Refusal('a quote is not closed');
      if (byte === doubleQuote) break;
      if (byte === dollar || byte === backtick) {
        throw new Refusal(`${nameOf(byte)} has no meaning here unless it is quoted with ' or \\`);
      }
      if (byte === backslash) this.#readEscapedInDoubleQuotes(word);
      else {
        word.push(byte);
        this.#offset += 1;
      }
    }
    this.#offset += 1;
  }

  #readEscapedInDoubleQuotes(word: number[]): void {
    const next = this.#command[this.#offset + 1];
    if (next === newline) {
      this.#offset += 2;
    } else if (next !== undefined && escapedInDoubleQuotes.has(next)) {
      word.push(next);
      this.#offset += 2;
    } else {
      word.push(backslash);
      this.#offset += 1;
    }
  }

  /** One byte is enough also before a multibyte character: the bytes behind the first are ordinary. */
  #readEscaped(word: number[]): void {
    const next = this.#command[this.#offset + 1];
    if (next === undefined) throw new Refusal('the command ends in a backslash');
    if (next !== newline) word.push(next);
    this.#offset += 2;
  }

  /** `~` alone or before a slash; `~name` would be somebody else's directory, and is a plain name here. */
  #isHome(): boolean {
    const next = this.#command[this.#offset + 1];
    const previous = this.#command[this.#offset - 1];
    const atStart = previous === undefined || previous === space || previous === tab;
    return atStart && (next === undefined || next === slash || next === space || next === tab);
  }

  #skipHome(): void {
    this.#offset += this.#command[this.#offset + 1] === slash ? 2 : 1;
  }
}

function nameOf(byte: number): string {
  return byte === newline || byte === 0x0d ? 'a line break' : `"${String.fromCharCode(byte)}"`;
}
