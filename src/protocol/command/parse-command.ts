/**
 * What the command of an exec request asks for. The allow-list is short: scp's two server modes and the SFTP server by
 * its usual names. Everything else is refused with a line that says so; no program is ever started.
 */
import { decodeName, printable } from '../../name-bytes.ts';
import { shellWords } from './shell-words.ts';

/** `scp -t`: the client sends files. Paths are as the client wrote them, through `decodeName`. */
export interface ScpSinkCommand {
  readonly kind: 'scp-sink';
  readonly recursive: boolean;
  readonly preserve: boolean;
  readonly targetMustBeDirectory: boolean;
  readonly verbose: boolean;
  readonly target: string;
}

/** `scp -f`: the client fetches files. */
export interface ScpSourceCommand {
  readonly kind: 'scp-source';
  readonly recursive: boolean;
  readonly preserve: boolean;
  readonly verbose: boolean;
  /** At least one. */
  readonly sources: readonly string[];
}

export type Command =
  | ScpSinkCommand
  | ScpSourceCommand
  | { readonly kind: 'sftp-server' }
  /** An scp command that can't be served; the client is told with a reply of the SCP protocol. */
  | { readonly kind: 'scp-refused'; readonly words: string }
  /** Everything else; the client is told with a line on its standard error. */
  | { readonly kind: 'refused'; readonly words: string };

/** Reads the raw bytes of an exec request. Never throws. */
export function parseCommand(bytes: Buffer): Command {
  if (isSftpFallback(bytes)) return { kind: 'sftp-server' };
  const split = shellWords(bytes);
  if (split.kind === 'refused') return refused(split.reason);
  const [program = '', ...rest] = split.words;
  if (programName(program) === 'scp') return scpCommand(rest);
  if (programName(split.words.at(-1) ?? '') === 'sftp-server') return { kind: 'sftp-server' };
  if (program === '') return refused('the command is empty');
  return refused(
    `${printable(programName(program), 100)} is not available, this account only transfers files (scp, sftp)`,
  );
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

function scpCommand(words: readonly string[]): Command {
  const letters = new Set<string>();
  let index = 0;
  for (; index < words.length; index += 1) {
    const word = words[index] ?? '';
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
  return scpMode(
    letters,
    words.slice(index).map((path) => (path === '' ? '.' : path)),
  );
}

function scpMode(letters: ReadonlySet<string>, paths: readonly string[]): Command {
  const common = {
    recursive: letters.has('r'),
    preserve: letters.has('p'),
    verbose: letters.has('v'),
  };
  if (letters.has('t') === letters.has('f')) return refused(`scp: ${usage}`);
  if (letters.has('f')) {
    if (paths.length === 0) return { kind: 'scp-refused', words: 'no file was named' };
    return { kind: 'scp-source', ...common, sources: paths };
  }
  if (paths.length > 1)
    return { kind: 'scp-refused', words: 'ambiguous target (quote a name that has blanks)' };
  return { kind: 'scp-sink', ...common, targetMustBeDirectory: letters.has('d'), target: paths[0] ?? '.' };
}

const usage = 'expected: scp -t|-f [-r] [-p] [-d] [-v] [-q] [--] PATH';

function refused(reason: string): Command {
  return { kind: 'refused', words: `command not allowed: ${reason}` };
}

function programName(word: string): string {
  return word.slice(word.lastIndexOf('/') + 1);
}
