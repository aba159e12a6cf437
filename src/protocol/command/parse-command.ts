/**
 * What the command of an exec request asks for. The allow-list is short: scp's two server modes, the SFTP server by its
 * usual names, and the few companion commands of `programs.ts`. Everything else is refused with a line that says so; no
 * program is ever started.
 */
import { decodeName, printable } from '../../name-bytes.ts';
import { companionNamed, type CompanionName } from './programs.ts';
import { shellWords, type ShellWord, type ShellWords } from './shell-words.ts';

/** `scp -t`: the client sends files. Paths are as the client wrote them, through `decodeName`. */
export interface ScpSinkCommand {
  readonly kind: 'scp-sink';
  readonly recursive: boolean;
  readonly preserve: boolean;
  readonly targetMustBeDirectory: boolean;
  readonly verbose: boolean;
  readonly target: string;
  /** The target as a pattern: a shell would take it for the one thing that matches it. */
  readonly targetPattern: string;
}

/** A path as the client wrote it, and as a pattern in which what was quoted has backslashes. */
export interface CommandPath {
  readonly text: string;
  readonly pattern: string;
}

/** `scp -f`: the client fetches files. */
export interface ScpSourceCommand {
  readonly kind: 'scp-source';
  readonly recursive: boolean;
  readonly preserve: boolean;
  readonly verbose: boolean;
  /** At least one. */
  readonly sources: readonly CommandPath[];
}

/** One of the commands that go with scp. */
export interface CompanionCommand {
  readonly kind: 'companion';
  readonly name: CompanionName;
  /** As they are: to a file name the empty one means nothing, to `echo` it does. */
  readonly parameters: readonly CommandPath[];
}

export type Command =
  | ScpSinkCommand
  | ScpSourceCommand
  | CompanionCommand
  | { readonly kind: 'sftp-server' }
  /** An scp command that can't be served; the client is told with a reply of the SCP protocol. */
  | { readonly kind: 'scp-refused'; readonly words: string }
  /** Everything else; the client is told with a line on its standard error. */
  | { readonly kind: 'refused'; readonly words: string };

export interface ParseOptions {
  /** The name of the login, for `~name`. */
  readonly userName?: string;
  /** What becomes of `scp -t two words`: shells refuse it; `join` takes it for the name "two words". */
  readonly unquotedSpaces?: 'refuse' | 'join';
}

/** Reads the raw bytes of an exec request. Never throws. */
export function parseCommand(bytes: Buffer, options: ParseOptions = {}): Command {
  if (isSftpFallback(bytes)) return { kind: 'sftp-server' };
  const split = commandWords(bytes, options);
  if (split.kind === 'refused') return refused(split.reason);
  return commandOfWords(split.words, 'exec', options);
}

/** The same for words that were split already. */
export function commandOfWords(
  words: readonly ShellWord[],
  where: 'exec' | 'shell',
  options: ParseOptions = {},
): Command {
  const [program, ...rest] = words;
  const name = programName(program?.text ?? '');
  if (name === 'scp') return scpCommand(rest, options);
  const companion = companionNamed(name, where);
  if (companion !== undefined) return { kind: 'companion', name: companion, parameters: rest };
  if (programName(words.at(-1)?.text ?? '') === 'sftp-server') return { kind: 'sftp-server' };
  if (name === '') return refused('the command is empty');
  return refused(`${printable(name, 100)} is not available, this account only transfers files (scp, sftp)`);
}

/** `echo` prints what is no variable here; elsewhere a `$` that is not quoted is refused. */
function commandWords(bytes: Buffer, { userName }: ParseOptions): ShellWords {
  const home = userName === undefined ? {} : { userName };
  if (!/^echo(\s|$)/.test(bytes.toString('latin1', 0, 5))) return shellWords(bytes, home);
  return shellWords(bytes, { ...home, variable: () => '' });
}

/**
 * What psftp and WinSCP execute when they suppose that there is no sftp subsystem: lines of
 * `test -x PATH && exec PATH`, and `exec sftp-server` last. The text can mean nothing else.
 */
function isSftpFallback(bytes: Buffer): boolean {
  if (bytes.length > 1024) return false;
  const lines = decodeName(bytes).trimEnd().split('\n');
  return lines.every((line) => /^(test -x [\w./-]+ && )?exec ([\w./-]*\/)?sftp-server$/.test(line));
}

function scpCommand(words: readonly ShellWord[], options: ParseOptions): Command {
  const letters = new Set<string>();
  let index = 0;
  for (; index < words.length; index += 1) {
    const word = words[index]?.text ?? '';
    if (word === '--') {
      index += 1;
      break;
    }
    if (word === '-' || !word.startsWith('-')) break;
    for (const letter of word.slice(1)) {
      if (!'tfrpdvq'.includes(letter)) return refused(`scp: unknown option -${printable(letter)}, ${usage}`);
      letters.add(letter);
    }
  }
  return scpMode(letters, words.slice(index), options);
}

function scpMode(
  letters: ReadonlySet<string>,
  words: readonly ShellWord[],
  { unquotedSpaces = 'refuse' }: ParseOptions,
): Command {
  const common = {
    recursive: letters.has('r'),
    preserve: letters.has('p'),
    verbose: letters.has('v'),
  };
  const [isSink, isSource] = [letters.has('t'), letters.has('f')];
  if (!isSink && !isSource && words.length > 1) return refused(`scp: ${noWayOn}`);
  if (isSink === isSource) return refused(`scp: ${usage}`);
  if (isSource) {
    if (words.length === 0) return { kind: 'scp-refused', words: 'no file was named' };
    return { kind: 'scp-source', ...common, sources: words.map(pathOf) };
  }
  if (words.length > 1 && unquotedSpaces === 'refuse')
    return { kind: 'scp-refused', words: 'ambiguous target (quote a name that has blanks)' };
  const { text: target, pattern: targetPattern } = pathOf(joined(words));
  return {
    kind: 'scp-sink',
    ...common,
    targetMustBeDirectory: letters.has('d'),
    target,
    targetPattern,
  };
}

const usage = 'expected: scp -t|-f [-r] [-p] [-d] [-v] [-q] [--] PATH';
/** What `scp -R one:file two:file` asks the first server for. */
const noWayOn = 'copying from here to another host is not available, run scp -3 instead of scp -R';

/** One word of several, with the blanks between them. */
function joined(words: readonly ShellWord[]): CommandPath {
  const join = (part: (word: ShellWord) => string): string =>
    words.map((word, index) => (index === 0 ? '' : word.blanksBefore) + part(word)).join('');
  return { text: join(({ text }) => text), pattern: join(({ pattern }) => pattern) };
}

/** The empty path is where a login starts. */
function pathOf({ text, pattern }: CommandPath): CommandPath {
  return text === '' ? { text: '.', pattern: '.' } : { text, pattern };
}

function refused(reason: string): Command {
  return { kind: 'refused', words: `command not allowed: ${reason}` };
}

function programName(word: string): string {
  return word.slice(word.lastIndexOf('/') + 1);
}
