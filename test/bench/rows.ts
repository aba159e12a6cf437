/** What is measured: each row is one piece of work that a client does with one peer, timed from its start to its end. */
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync, cpSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { writeRandom } from '../support/content.ts';
import type { Client, Desk } from './clients.ts';
import type { Peer } from './peers.ts';

const kib = 1024;
const mib = 1024 * kib;

export interface Row {
  readonly name: string;
  /** What scpd's speed divided by sshd's is to be at least. */
  readonly goal: number;
  /** Whether files are stored: then durability makes a difference. */
  readonly stores: boolean;
  /** What is transferred in all. */
  readonly bytes: number;
  readonly transfers: number;
  /** Untimed, before each run. */
  prepare(desk: Desk, peer: Peer): void;
  run(desk: Desk, peer: Peer, far: Far): Promise<void>;
  /** Untimed, after each run: throws if what came is not what was sent, and removes it. */
  check(desk: Desk, peer: Peer): void;
}

/** Answers the port by which a peer is far away. */
export type Far = (peer: Peer) => Promise<number>;

interface Work {
  readonly client: Client;
  readonly direction: 'put' | 'get';
  readonly goal: number;
  readonly bytes: number;
  /** Copies of the file, each by a client of its own. */
  readonly copies?: number;
  /** Clients at one time. */
  readonly parallel?: number;
  readonly isFar?: boolean;
}

/** One file, or many copies of it by as many clients. */
function fileRow(work: Work): Row {
  const { client, direction, bytes, copies = 1, parallel = 1, isFar = false } = work;
  const source = `file-${bytes}`;
  const targets = Array.from({ length: copies }, (_, index) => `copy-${index}`);
  const target = (desk: Desk, peer: Peer): string => (direction === 'put' ? peer.directory : desk.directory);
  const remove = (desk: Desk, peer: Peer): void => {
    for (const name of targets) rmSync(join(target(desk, peer), name), { force: true });
  };
  return {
    ...work,
    name: fileRowName(work),
    stores: direction === 'put',
    bytes: bytes * copies,
    transfers: copies,
    prepare: (desk, peer) => {
      makeFile(join(direction === 'put' ? desk.directory : peer.directory, source), bytes);
      remove(desk, peer);
    },
    run: async (desk, peer, far) => {
      const port = isFar ? await far(peer) : peer.port;
      const waiting = [...targets];
      const oneByOne = async (): Promise<void> => {
        for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
          const [local, remote] = direction === 'put' ? [desk.file(source), name] : [desk.file(name), source];
          await desk.copy(client, peer, { direction, local, remote, port });
        }
      };
      await Promise.all(Array.from({ length: parallel }, oneByOne));
    },
    check: (desk, peer) => {
      for (const name of targets) {
        const { size } = statSync(join(target(desk, peer), name));
        if (size !== bytes) throw new Error(`${fileRowName(work)}: ${size} of ${bytes} bytes came`);
      }
      remove(desk, peer);
    },
  };
}

function fileRowName({ client, direction, bytes, copies = 1, parallel = 1, isFar = false }: Work): string {
  const size =
    bytes >= 1024 * mib
      ? `${bytes / 1024 / mib} GiB`
      : bytes >= mib
        ? `${bytes / mib} MiB`
        : `${bytes / kib} KiB`;
  const each = copies === 1 ? '' : copies === parallel ? `${parallel} parallel ` : `${copies} × `;
  const how = copies === parallel ? '' : `, new connections, ${parallel} at a time`;
  return `\`${client}\` ${direction} ${each}${size}${how}${isFar ? ', 80 ms round trip, 1 Gbit/s' : ''}`;
}

/** A directory with many small files, by one client. */
function treeRow(client: Client, direction: 'put' | 'get', options: { files: number; goal: number }): Row {
  const { files, goal } = options;
  const bytes = 4 * kib;
  const source = `tree-${files}`;
  const target = (desk: Desk, peer: Peer): string =>
    join(direction === 'put' ? peer.directory : desk.directory, 'copied');
  const name = `\`${client} -r\` ${direction} ${files.toLocaleString('en')} files of 4 KiB`;
  return {
    name,
    goal,
    stores: direction === 'put',
    bytes: files * bytes,
    transfers: files,
    prepare: (desk, peer) => {
      makeTree(join(direction === 'put' ? desk.directory : peer.directory, source), files, bytes);
      rmSync(target(desk, peer), { recursive: true, force: true });
    },
    run: async (desk, peer) => {
      const [local, remote] =
        direction === 'put' ? [desk.file(source), 'copied'] : [desk.file('copied'), source];
      await desk.copy(client, peer, { direction, local, remote, recursive: true });
    },
    check: (desk, peer) => {
      const came = readdirSync(target(desk, peer)).length;
      if (came !== files) throw new Error(`${name}: ${came} of ${files} files came`);
      rmSync(target(desk, peer), { recursive: true, force: true });
    },
  };
}

function makeFile(path: string, bytes: number): void {
  if (!existsSync(path)) writeRandom(path, bytes);
}

function makeTree(path: string, files: number, bytes: number): void {
  if (existsSync(path)) return;
  const content = Buffer.alloc(bytes, 'scpd');
  mkdirSync(`${path}.new`, { recursive: true });
  for (let index = 0; index < files; index += 1) writeFileSync(join(`${path}.new`, `file-${index}`), content);
  cpSync(`${path}.new`, path, { recursive: true });
  rmSync(`${path}.new`, { recursive: true });
}

const directions = ['put', 'get'] as const;

export const allRows: readonly Row[] = [
  ...directions.map((direction) => fileRow({ client: 'scp', direction, bytes: 1024 * mib, goal: 1.5 })),
  ...directions.map((direction) => fileRow({ client: 'scp -O', direction, bytes: 1024 * mib, goal: 1.3 })),
  ...(['scp', 'scp -O'] as const).flatMap((client) =>
    directions.map((direction) => treeRow(client, direction, { files: 10_000, goal: 1.5 })),
  ),
  ...[1, 16].map((parallel) =>
    fileRow({ client: 'scp', direction: 'put', bytes: kib, copies: 6 * parallel + 26, parallel, goal: 2 }),
  ),
  ...directions.map((direction) =>
    fileRow({ client: 'scp', direction, bytes: 256 * mib, copies: 16, parallel: 16, goal: 1 }),
  ),
  ...(['pscp', 'rclone'] as const).flatMap((client) =>
    directions.map((direction) => fileRow({ client, direction, bytes: 256 * mib, goal: 1 })),
  ),
  fileRow({ client: 'scp', direction: 'put', bytes: 256 * mib, isFar: true, goal: 3 }),
];

/** Enough to see a regression, in less than two minutes. */
export const quickRows: readonly Row[] = [
  ...directions.map((direction) => fileRow({ client: 'scp', direction, bytes: 256 * mib, goal: 1.5 })),
  ...directions.map((direction) => fileRow({ client: 'scp -O', direction, bytes: 256 * mib, goal: 1.3 })),
  ...(['scp', 'scp -O'] as const).flatMap((client) =>
    directions.map((direction) => treeRow(client, direction, { files: 500, goal: 1.5 })),
  ),
  fileRow({ client: 'scp', direction: 'put', bytes: kib, copies: 48, parallel: 16, goal: 2 }),
];
