/** The servers that are compared: scpd as it is shipped, and Debian's sshd with the same keys and internal-sftp. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { availableParallelism, userInfo } from 'node:os';
import { join } from 'node:path';
import { startServer, type TestServer } from '../support/server.ts';

const sshdProgram = '/usr/sbin/sshd';
const readyMsMax = 10_000;

export type Durability = 'full' | 'none';

export interface Peer {
  /** As it is called in tables. */
  readonly name: string;
  readonly port: number;
  /** By which a client logs in. */
  readonly user: string;
  readonly pid: number;
  /** The host path of the directory in which it stores and finds files. */
  readonly directory: string;
  /** The path by which a client names something in that directory. */
  path(name: string): string;
  /** It runs no commands, which rclone has to be told. */
  readonly isWithoutShell?: true;
  /** From the start of its process to the first connection that it takes. */
  readonly readyMs: number;
  /** Where the keys are that all peers share. */
  readonly keys: PeerKeys;
}

export interface PeerKeys {
  readonly client: string;
  readonly hostDirectory: string;
}

/** What ends the peers and removes their files at the end. */
export class Cleanup {
  readonly #steps: (() => unknown)[] = [];

  teardown(step: () => unknown): void {
    this.#steps.unshift(step);
  }

  async run(): Promise<void> {
    for (const step of this.#steps.splice(0)) await step();
  }
}

/** scpd as shipped: hashing, staging and audit on; as many workers as cores. */
export async function startScpd(cleanup: Cleanup, durability: Durability, below: string): Promise<Peer> {
  let began = 0;
  const server: TestServer = await startServer(cleanup, {
    below,
    onSpawn: () => (began = performance.now()),
    settings: { durability, workers: 'auto' },
    limits: {
      connections: 2048,
      connectionsPerIp: 2048,
      connectionsPerUser: 2048,
      unauthenticatedConnections: 1024,
    },
  });
  const readyMs = performance.now() - began;
  return {
    name: `scpd ${durability}`,
    port: server.port,
    user: 'demo',
    pid: server.pid,
    directory: server.stored(''),
    path: (name) => `/${name}`,
    readyMs,
    keys: {
      client: join(server.place, 'keys/demo/id_ed25519'),
      hostDirectory: join(server.place, 'keys/host'),
    },
  };
}

/** Why sshd can't be started here; undefined if it can. */
export function sshdMissing(): string | undefined {
  if (!existsSync(sshdProgram))
    return `${sshdProgram} is not there; the comparison needs it: apt-get install openssh-server`;
  if (!existsSync('/run/sshd') && userInfo().uid !== 0)
    return 'sshd wants the directory /run/sshd, which only root can make: sudo mkdir /run/sshd';
  return undefined;
}

/** OpenSSH's sshd with the keys of a scpd, which its user reaches as the user who runs this. */
export async function startSshd(cleanup: Cleanup, keys: PeerKeys, below: string): Promise<Peer> {
  const place = join(below, `sshd-${process.pid}`);
  const directory = join(place, 'files');
  mkdirSync(directory, { recursive: true });
  if (!existsSync('/run/sshd')) mkdirSync('/run/sshd', { mode: 0o755 });
  const port = await freePort();
  const settings = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    ...['ed25519', 'ecdsa', 'rsa'].map(
      (type) => `HostKey ${join(keys.hostDirectory, `ssh_host_${type}_key`)}`,
    ),
    `AuthorizedKeysFile ${keys.client}.pub`,
    'Subsystem sftp internal-sftp',
    `PidFile ${join(place, 'pid')}`,
    'UsePAM no',
    'StrictModes no',
    'PasswordAuthentication no',
    'PermitRootLogin yes',
    'MaxStartups 1000:30:2000',
    'MaxSessions 1000',
    'LogLevel ERROR',
  ];
  const configuration = join(place, 'sshd_config');
  writeFileSync(configuration, `${settings.join('\n')}\n`);
  const began = performance.now();
  const child = spawn(sshdProgram, ['-D', '-e', '-f', configuration], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaints = '';
  child.stderr.on('data', (bytes: Buffer) => (complaints += bytes.toString('utf8')));
  cleanup.teardown(() => end(child));
  await accepts(port, () => `sshd does not start: ${complaints}`);
  const { username: user } = userInfo();
  return {
    name: 'sshd',
    port,
    user,
    pid: child.pid ?? 0,
    directory,
    path: (name) => join(directory, name),
    readyMs: performance.now() - began,
    keys,
  };
}

/** The lines of a known_hosts file by which a peer's host keys are known, at each of the ports that lead to it. */
export function knownHostLines({ keys }: Peer, ports: readonly number[]): string[] {
  return ['ed25519', 'ecdsa', 'rsa'].flatMap((type) => {
    const line = readFileSync(join(keys.hostDirectory, `ssh_host_${type}_key.pub`), 'utf8');
    return ports.map((port) => `[127.0.0.1]:${port} ${line.split(' ').slice(0, 2).join(' ')}\n`);
  });
}

/** How many workers scpd has: as many as there are cores. */
export const coreCount = availableParallelism();

export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}

export async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

export async function accepts(port: number, problem: () => string): Promise<void> {
  const deadline = performance.now() + readyMsMax;
  while (performance.now() < deadline) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error(problem());
}
