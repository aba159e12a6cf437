/** An in-process server with a small session that echoes, swallows and pours, and stock clients to run against it. */
import { createHash } from 'node:crypto';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type t from 'tap';
import { generateHostKey } from '../../src/ssh/host-keys.ts';
import { connectionFacts } from '../../src/ssh/connection-facts.ts';
import type { SshEvents } from '../../src/ssh/events.ts';
import { createSshServer } from '../../src/ssh/server.ts';
import type { SshServerLimits, SshServerOptions } from '../../src/ssh/server.ts';
import type { AdmissionLimits } from '../../src/supervisor/admission.ts';
import { Front } from '../../src/supervisor/front.ts';
import type { Channel, SessionRequest } from '../../src/session/channel.ts';
import type { StartSession } from '../../src/session/start.ts';
import { createUserDirectory } from '../../src/users/directory.ts';
import { HostileClient } from './hostile-client.ts';

export type Test = Pick<typeof t, 'teardown'>;

export const keys = {
  ed25519: generateHostKey('ed25519', 'alice@test'),
  ecdsa: generateHostKey('ecdsa', 'alice@test'),
  rsa: generateHostKey('rsa', 'alice@test'),
  stranger: generateHostKey('ed25519', 'stranger@test'),
} as const;
export type KeyName = keyof typeof keys;

const hostKeys = (['ed25519', 'ecdsa', 'rsa'] as const).map((type) => generateHostKey(type, 'host@test'));

type EventName = Exclude<keyof SshEvents, 'keysExchanged'>;
export type RecordedEvent = {
  [Name in EventName]: { readonly event: Name; readonly facts: Parameters<SshEvents[Name]> };
}[EventName];

/** The SSH side and the sockets that it is reached by. */
export interface ListeningServer {
  listen(address: { readonly host: string; readonly port: number }): Promise<{ port: number }>;
  close(options: { readonly drainSeconds: number }): Promise<void>;
}

type Limits = SshServerLimits & AdmissionLimits;

export async function listeningServer(
  options: SshServerOptions & { readonly limits: Limits },
): Promise<ListeningServer> {
  const server = await createSshServer(options);
  const { limits, events, log } = options;
  const front = new Front({
    limits,
    take: (socket, seat) => server.accept(socket, seat),
    refused: (socket, reason) => events.connectionRefused({ connection: connectionFacts(socket), reason }),
    log,
  });
  return {
    listen: async (address) => {
      await front.listen([address]);
      return { port: front.addresses[0]?.port ?? 0 };
    },
    close: async (closing) => {
      front.close();
      await server.close(closing);
    },
  };
}

export interface Harness {
  readonly server: ListeningServer;
  readonly port: number;
  readonly directory: string;
  readonly events: RecordedEvent[];
  readonly sessions: SessionRequest[];
  readonly log: string[];
  /** Waits until an event of this name was told. */
  until<Name extends EventName>(event: Name, count?: number): Promise<Parameters<SshEvents[Name]>[]>;
  of<Name extends EventName>(event: Name): Parameters<SshEvents[Name]>[];
  ssh(args: readonly string[], options?: RunOptions): Promise<RunResult>;
  hostile(options?: { readonly local?: string }): Promise<HostileClient>;
}

export interface HarnessOptions {
  readonly limits?: Partial<Limits>;
  readonly rekeyBytes?: number;
  readonly startSession?: StartSession;
}

const defaultLimits: Limits = {
  loginGraceSeconds: 20,
  authAttempts: 6,
  connections: 100,
  connectionsPerIp: 100,
  connectionsPerUser: 100,
  unauthenticatedConnections: 50,
  idleSeconds: 60,
};

/** Starts a server for `alice`, who has three keys, and stops it when the test is over. */
export async function startServer(t: Test, options: HarnessOptions = {}): Promise<Harness> {
  const directory = mkdtempSync(join(tmpdir(), 'scpd-ssh-'));
  for (const [name, key] of Object.entries(keys))
    writeFileSync(join(directory, name), key.privateKey, { mode: 0o600 });
  const authorized = [keys.ed25519, keys.ecdsa, keys.rsa].map(({ publicKey }) => publicKey).join('');
  writeFileSync(join(directory, 'authorized_keys'), authorized, { mode: 0o600 });
  const events: RecordedEvent[] = [];
  const sessions: SessionRequest[] = [];
  const log: string[] = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => void log.push(line) });
  const startSession = options.startSession ?? echoSession;
  const user = { name: 'alice', root: directory, preset: 'full', fileBytesMax: 1e9 } as const;
  const server = await listeningServer({
    hostKeys: hostKeys.map(({ privateKey }) => Buffer.from(privateKey)),
    limits: { ...defaultLimits, ...options.limits },
    ...(options.rekeyBytes === undefined ? {} : { rekeyBytes: options.rekeyBytes }),
    users: createUserDirectory(
      [{ user, authorizedKeysFile: join(directory, 'authorized_keys') }],
      () => undefined,
    ),
    startSession: (request, channel, login) => {
      sessions.push(request);
      return startSession(request, channel, login);
    },
    events: recorder(events),
    log: logger,
  });
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  const known = hostKeys.map(({ publicKey }) => `[127.0.0.1]:${port} ${publicKey}`).join('');
  writeFileSync(join(directory, 'known_hosts'), known);
  t.teardown(async () => {
    await server.close({ drainSeconds: 0 });
    rmSync(directory, { recursive: true, force: true });
  });
  const of = <Name extends EventName>(name: Name): Parameters<SshEvents[Name]>[] =>
    events.filter(({ event }) => event === name).map(({ facts }) => facts as Parameters<SshEvents[Name]>);
  return {
    server,
    port,
    directory,
    events,
    sessions,
    log,
    of,
    until: async (name, count = 1) => {
      await eventually(() => of(name).length >= count, `${count} of ${name}`);
      return of(name);
    },
    ssh: (args, runOptions = {}) => run('ssh', sshArgs(directory, port, args), runOptions),
    hostile: (clientOptions = {}) => HostileClient.connect({ port, ...clientOptions }),
  };
}

/** Options for ssh that use only what is in the directory. `-i` is the ed25519 key unless one is given. */
export function sshArgs(directory: string, port: number, args: readonly string[]): string[] {
  const identity = args.includes('-i') ? [] : ['-i', join(directory, 'ed25519')];
  const settings = {
    IdentitiesOnly: 'yes',
    IdentityAgent: 'none',
    BatchMode: 'yes',
    UserKnownHostsFile: join(directory, 'known_hosts'),
    GlobalKnownHostsFile: 'none',
    StrictHostKeyChecking: 'yes',
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  return ['-F', 'none', '-p', String(port), ...identity, ...options, ...args];
}

export interface RunOptions {
  readonly input?: Buffer | string;
  readonly timeoutMs?: number;
}

export interface RunResult {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export async function run(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const child = spawn(command, [...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 60_000);
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  clearTimeout(timer);
  return { code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString('utf8') };
}

/** Waits for something that will be true soon. The bound is only there to fail in the end. */
export async function eventually(isTrue: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!isTrue()) {
    if (Date.now() > deadline) throw new Error(`it never came: ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}

/** What the echo session's `pour` sends: bytes that tell where they are. */
export function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let offset = 0; offset + 4 <= length; offset += 4)
    bytes.writeUInt32BE((offset * 2_654_435_761) >>> 0, offset);
  return bytes;
}

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** `cat`: echo. `swallow`: the SHA-256 of the input. `pour N`: N bytes. `exit N`. `throw`. `wait`: until the input ends. */
export const echoSession: StartSession = async (request, channel) => {
  const command = request.kind === 'exec' ? request.command.toString('latin1') : request.kind;
  const [verb = '', argument = ''] = command.split(' ');
  const program = programs[verb] ?? programs['unknown'];
  await program?.(channel, argument);
};

const programs: Record<string, (channel: Channel, argument: string) => Promise<void>> = {
  cat: async (channel) => {
    for await (const chunk of channel.input) await channel.write(chunk);
    await channel.finish(0);
  },
  swallow: async (channel) => {
    const hash = createHash('sha256');
    for await (const chunk of channel.input) hash.update(chunk);
    await channel.write(Buffer.from(hash.digest('hex')));
    await channel.finish(0);
  },
  pour: async (channel, argument) => {
    const bytes = pattern(Number(argument));
    for (let offset = 0; offset < bytes.length; offset += 100_000) {
      await channel.write(bytes.subarray(offset, offset + 100_000));
    }
    await channel.finish(0);
  },
  exit: (channel, argument) => channel.finish(Number(argument)),
  throw: () => Promise.reject(new Error('on purpose')),
  shell: async (channel) => {
    await channel.writeError('This account only transfers files.');
    await channel.finish(1);
  },
  subsystem: async (channel) => {
    await channel.write(Buffer.from('a subsystem'));
    await channel.finish(0);
  },
  unknown: (channel) => channel.finish(127),
};

function recorder(events: RecordedEvent[]): SshEvents {
  const note =
    <Name extends EventName>(event: Name) =>
    (...facts: Parameters<SshEvents[Name]>): void => {
      events.push({ event, facts } as RecordedEvent);
    };
  return {
    connectionRefused: note('connectionRefused'),
    loginSucceeded: note('loginSucceeded'),
    loginRefused: note('loginRefused'),
    requestRefused: note('requestRefused'),
    connectionClosed: note('connectionClosed'),
  };
}
