/** Runs real client programs and says plainly when one is not installed. */
import { spawn, spawnSync } from 'node:child_process';

export interface Finished {
  /** Exit status; null if a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly input?: string | Buffer;
  /** Beside this process's own. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Kills the program when it is aborted. */
  readonly kill?: AbortSignal | undefined;
  /** After this long the program is killed and the promise rejects. */
  readonly timeoutMs?: number;
}

/** Runs a program to its end. Never through a shell. */
export function run(
  program: string,
  parameters: readonly string[],
  options: RunOptions = {},
): Promise<Finished> {
  const { cwd, input, environment, kill, timeoutMs = 60_000 } = options;
  const env = { ...process.env, ...environment };
  return new Promise((resolve, reject) => {
    const child = spawn(program, parameters, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'] });
    kill?.addEventListener('abort', () => child.kill('SIGKILL'));
    const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
    child.stdout.on('data', (bytes: Buffer) => stdout.push(bytes));
    child.stderr.on('data', (bytes: Buffer) => stderr.push(bytes));
    child.stdin.on('error', () => undefined); // it may end without reading
    child.stdin.end(input);
    const text = (parts: Buffer[]): string => Buffer.concat(parts).toString('utf8');
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`${program} ${parameters.join(' ')} hung: ${text(stdout)}${text(stderr)}`));
    }, timeoutMs);
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      resolve({ status, signal, stdout: text(stdout), stderr: text(stderr) });
    });
  });
}

/**
 * For tap's `skip`: false if the program is there, else the reason. CI installs every client and allows no skip, so there
 * the answer is always false and the test fails for want of the program.
 */
export function missing(program: string): string | false {
  if (process.env['CI'] === 'true') return false;
  const { error } = spawnSync(program, ['-V'], { stdio: 'ignore' });
  return error === undefined ? false : `${program} is not installed`;
}
