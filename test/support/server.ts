/** A real scpd in a process and a place of its own, started the way its user starts it: init, serve, signals. */
import type { Test } from 'tap';
import { spawn, type ChildProcess } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { WrittenRecord } from '../../src/audit/record.ts';
import { checkRecord } from './checked-journal.ts';
import { run, type Finished, type RunOptions } from './clients.ts';
import { signal as signalProcess } from './processes/until.ts';

const program = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const readyMsMax = 60_000;
const recordMsMax = 5000;
/** So long nothing is written when a client is gone. */
const recordRestMs = 400;

export interface ServerOptions {
  /** Users beside "demo", who has the preset `full`. All log in with the demo key. */
  readonly users?: Readonly<Record<string, object>>;
  readonly limits?: Readonly<Record<string, number | string>>;
  /** Further keys of the configuration. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** The directory to make its place in. Default: that of temporary files. */
  readonly below?: string;
  /** Adds to the place what the configuration names, before the first start. */
  readonly prepare?: (place: string) => void | Promise<void>;
  /** Told when its process is about to be started. */
  readonly onSpawn?: () => void;
  /** A module that is loaded into the server's processes before anything else: what makes them misbehave. */
  readonly preload?: string;
}

/** Whatever it is that ends a server which was started for it. */
export type Owner = Pick<Test, 'teardown'>;

export class TestServer {
  readonly place: string;
  preload: string | undefined;
  #port = 0;
  #process: ChildProcess | undefined;
  /** The process that serves: another one, after a restart. */
  #pid = 0;
  #log = '';
  #printed = '';

  constructor(place: string) {
    this.place = place;
  }

  get port(): number {
    return this.#port;
  }

  /** The host path of what a user sees as `path`. */
  stored(path: string, user = 'demo'): string {
    return join(this.place, 'var', user, path);
  }

  /** Everything that the server logged. */
  get log(): string {
    return this.#log;
  }

  /** Everything that was printed on the standard output, also by processes that took over. */
  get printed(): string {
    return this.#printed;
  }

  /** Has nobody read the standard output, or somebody again. */
  readOutput(isRead: boolean): void {
    if (isRead) this.#process?.stdout?.resume();
    else this.#process?.stdout?.pause();
  }

  get pid(): number {
    return this.#pid;
  }

  /** The processes that serve: the children of this one. */
  get workers(): number[] {
    if (this.pid === 0) return [];
    const path = `/proc/${this.pid}/task/${this.pid}/children`;
    return existsSync(path) ? readFileSync(path, 'utf8').split(' ').map(Number).filter(Boolean) : [];
  }

  /** Options by which OpenSSH's ssh, scp and sftp find the key and the host key, and ask nothing. */
  get sshOptions(): string[] {
    const file = (name: string): string => join(this.place, 'keys', 'demo', name);
    const options = [
      `UserKnownHostsFile=${file('known_hosts')}`,
      'GlobalKnownHostsFile=none',
      'BatchMode=yes',
    ];
    return [
      '-F',
      'none',
      '-i',
      file('id_ed25519'),
      ...[...options, 'IdentitiesOnly=yes'].flatMap((o) => ['-o', o]),
    ];
  }

  /** Runs OpenSSH's scp in one of its two protocols; `remote(path)` names a file here. */
  async scp(
    protocol: 'scp' | 'sftp',
    parameters: readonly string[],
    options?: RunOptions,
  ): Promise<Finished> {
    const mode = protocol === 'scp' ? ['-O'] : ['-s'];
    return await run('scp', [...mode, '-P', String(this.port), ...this.sshOptions, ...parameters], options);
  }

  async sftp(
    batch: string,
    user = 'demo',
    { port = this.port, ...options }: RunOptions & { readonly port?: number } = {},
  ): Promise<Finished> {
    return await run('sftp', ['-b', '-', '-P', String(port), ...this.sshOptions, `${user}@127.0.0.1`], {
      ...options,
      input: batch,
    });
  }

  async ssh(parameters: readonly string[], user = 'demo', options?: RunOptions): Promise<Finished> {
    return await run(
      'ssh',
      ['-p', String(this.port), ...this.sshOptions, `${user}@127.0.0.1`, ...parameters],
      options,
    );
  }

  /** Records so far, each checked against the schema. */
  records(): WrittenRecord[] {
    const path = join(this.place, 'var', 'audit', 'audit.jsonl');
    if (!existsSync(path)) return [];
    const records = readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as WrittenRecord);
    records.forEach(checkRecord);
    return records;
  }

  /**
   * The newest record of an operation that has not merely begun, once the journal is at rest after it. A refusal is told
   * before it is on disk: only successes wait for that.
   */
  async newest(operation: WrittenRecord['operation']): Promise<WrittenRecord | undefined> {
    let [count, restMs] = [0, 0];
    for (let waitedMs = 0; waitedMs < recordMsMax; waitedMs += 20) {
      const records = this.records().filter((record) => record.protocol !== 'server');
      restMs = records.length === count ? restMs + 20 : 0;
      count = records.length;
      const found = records.findLast((record) => record.operation === operation && record.phase !== 'begin');
      if (found !== undefined && restMs >= recordRestMs) return found;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return undefined;
  }

  /** Names in the staging area of a user: what an upload left behind. */
  staged(user = 'demo'): string[] {
    const path = this.stored('.scpd/staging', user);
    return existsSync(path) ? readdirSync(path) : [];
  }

  /** What the server is started with besides the environment of the tests. */
  protected get environment(): Readonly<Record<string, string>> {
    return {};
  }

  /** To be called once, with the port that it listens on. */
  protected listening(port: number): void {
    this.#port = port;
    this.#writeKnownHosts();
  }

  async start(): Promise<void> {
    const child = spawn(
      process.execPath,
      [program, 'serve', '--config', join(this.place, 'config', 'scpd.json')],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          ...process.env,
          NODE_OPTIONS: this.preload === undefined ? '' : `--import=${this.preload}`,
          ...this.environment,
        },
      },
    );
    this.#process = child;
    this.#pid = child.pid ?? 0;
    child.stderr.on('data', (bytes: Buffer) => (this.#log += bytes.toString('utf8')));
    const listening = await new Promise<number>((resolve, reject) => {
      let printed = '';
      let isReady = false;
      const timer = setTimeout(() => reject(new Error(`not ready: ${this.#log}`)), readyMsMax);
      child.stdout.setEncoding('utf8');
      child.stdout.on('data', (text: string) => {
        this.#printed += text;
        if (isReady) return;
        printed += text;
        const port = /listening on \S+:(\d+)/.exec(printed)?.[1];
        isReady = port !== undefined;
        if (port !== undefined) {
          clearTimeout(timer);
          resolve(Number(port));
        }
      });
      child.once('exit', (status) => {
        clearTimeout(timer);
        reject(new Error(`scpd ended with ${status}: ${this.#log}`));
      });
    });
    this.listening(listening);
  }

  /** Has another process take over; rejects if none does. */
  async restart(): Promise<void> {
    const path = join(this.place, 'config', 'scpd.json');
    const answer = await run(process.execPath, [program, 'restart', '--json', '--config', path], {
      environment: { NODE_OPTIONS: '' },
    });
    if (answer.status !== 0) throw new Error(`not restarted: ${answer.stdout}${answer.stderr}`);
    this.follow((JSON.parse(answer.stdout) as { pid: number }).pid);
  }

  /** This process has taken over. */
  follow(pid: number): void {
    this.#pid = pid;
  }

  /** Ends it by a signal and says how it ended; of a process that took over, nobody hears how. */
  async end(
    signal: NodeJS.Signals,
  ): Promise<{ readonly status: number | null; readonly signal: NodeJS.Signals | null }> {
    const child = this.#process;
    if (child !== undefined && this.#pid !== child.pid) {
      try {
        signalProcess(this.#pid, signal);
      } catch {
        // It is gone.
      }
      for (let waitedMs = 0; waitedMs < 60_000 && existsSync(`/proc/${this.#pid}`); waitedMs += 20)
        await new Promise((resolve) => setTimeout(resolve, 20));
      return { status: null, signal: null };
    }
    if (child === undefined || child.exitCode !== null || child.signalCode !== null)
      return { status: 0, signal: null };
    const ended = new Promise<{ status: number | null; signal: NodeJS.Signals | null }>((resolve) =>
      child.once('exit', (status, by) => resolve({ status, signal: by })),
    );
    child.kill(signal);
    return await ended;
  }

  /** Makes the host keys known for a port by which clients reach it. */
  knowHostAt(port: number): void {
    appendFileSync(join(this.place, 'keys', 'demo', 'known_hosts'), this.#knownHosts(port));
  }

  #writeKnownHosts(): void {
    writeFileSync(join(this.place, 'keys', 'demo', 'known_hosts'), this.#knownHosts(this.#port));
  }

  #knownHosts(port: number): string {
    const keys = ['ed25519', 'ecdsa', 'rsa'].map((type) =>
      readFileSync(join(this.place, 'keys', 'host', `ssh_host_${type}_key.pub`), 'utf8')
        .split(' ')
        .slice(0, 2)
        .join(' '),
    );
    return keys.map((key) => `[127.0.0.1]:${port} ${key}\n`).join('');
  }
}

/** `user@host:path` for scp; IPv4 literals need no brackets. */
export function remote(path: string, user = 'demo'): string {
  return `${user}@127.0.0.1:${path}`;
}

/** Sets up a place with `scpd init`, adds users, and starts. Everything is gone when the test ends. */
export async function startServer(t: Owner, options: ServerOptions = {}): Promise<TestServer> {
  return await startServerOf(t, (place) => new TestServer(place), options);
}

/** The same for a server that is more than a `TestServer`. */
export async function startServerOf<T extends TestServer>(
  t: Owner,
  make: (place: string) => T,
  options: ServerOptions = {},
): Promise<T> {
  const place = mkdtempSync(join(options.below ?? tmpdir(), 'scpd-test-'));
  const server = make(place);
  t.teardown(async () => {
    await server.end('SIGKILL');
    rmSync(place, { recursive: true, force: true });
  });
  const initialised = await run(process.execPath, [program, 'init', '--dir', place]);
  if (initialised.status !== 0) throw new Error(`scpd init: ${initialised.stderr}`);
  writeConfig(place, options);
  await options.prepare?.(place);
  options.onSpawn?.();
  server.preload = options.preload;
  await server.start();
  return server;
}

function writeConfig(place: string, { users = {}, limits = {}, settings: more = {} }: ServerOptions): void {
  const account = (name: string, settings: object): object => {
    mkdirSync(join(place, 'var', name), { recursive: true });
    return { root: `../var/${name}`, authorizedKeys: '../keys/users/demo', preset: 'full', ...settings };
  };
  const others = Object.entries(users).map(([name, settings]) => [name, account(name, settings)] as const);
  const config = {
    listen: [{ host: '127.0.0.1', port: 0 }],
    hostKeys: ['ed25519', 'ecdsa', 'rsa'].map((type) => `../keys/host/ssh_host_${type}_key`),
    audit: { dir: '../var/audit' },
    workers: 0,
    limits,
    ...more,
    users: { demo: account('demo', {}), ...Object.fromEntries(others) },
  };
  writeFileSync(join(place, 'config', 'scpd.json'), JSON.stringify(config, null, 2));
}
