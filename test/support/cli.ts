/** Runs the built scpd as its user does and tells what came out. `make test` builds it first. */
import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const endMsMax = 60_000;

export interface CliResult {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCli {
  readonly process: ChildProcess;
  /** Resolves with the first match in what was printed so far; rejects if the program ends without it. */
  waitFor(pattern: RegExp): Promise<RegExpExecArray>;
  readonly ended: Promise<CliResult>;
}

export interface CliOptions {
  /** Another program to run the same way. */
  readonly script?: string;
  /** Run as this user and group; only root can ask for it. */
  readonly userId?: number | undefined;
  /** A descriptor that it has as its standard output; nothing of it is told then. */
  readonly stdout?: number;
}

/** Starts `scpd ...words` in `cwd`. */
export function startCli(words: readonly string[], cwd: string, options: CliOptions = {}): RunningCli {
  const { script = program, userId, stdout = 'pipe' } = options;
  // tap has itself loaded into every Node by NODE_OPTIONS, and then writes where another user may not.
  const [file = '', ...parameters] = [
    ...(userId === undefined ? [] : ['env', '-u', 'NODE_OPTIONS']),
    process.execPath,
    script,
    ...words,
  ];
  const child = spawn(file, parameters, {
    cwd,
    ...(userId === undefined ? {} : { uid: userId, gid: userId }),
    stdio: ['ignore', stdout, 'pipe'],
    timeout: endMsMax,
    killSignal: 'SIGKILL',
  });
  const printed = { stdout: '', stderr: '' };
  const listeners = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.on('data', (bytes: Buffer) => {
      printed[name] += bytes.toString('utf8');
      for (const listener of listeners) listener();
    });
  }
  const ended = new Promise<CliResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode, signal) => resolve({ exitCode, signal, ...printed }));
  });
  const waitFor = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(printed.stdout) ?? pattern.exec(printed.stderr);
        if (match !== null) resolve(match);
      };
      listeners.add(look);
      look();
      const fail = (): void =>
        reject(new Error(`ended without ${String(pattern)}: ${JSON.stringify(printed)}`));
      ended.then(fail, reject);
    });
  return { process: child, waitFor, ended };
}

/** Runs `scpd ...words` in `cwd` to its end. */
export async function runCli(
  words: readonly string[],
  cwd: string,
  options?: CliOptions,
): Promise<CliResult> {
  return await startCli(words, cwd, options).ended;
}
