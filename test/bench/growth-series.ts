/** What grows with the work of one client, or with the number of clients: file sizes, connections, directories, trees. */
import { spawn, type ChildProcess } from 'node:child_process';
import { linkSync, mkdirSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../support/clients.ts';
import { writeRandom } from '../support/content.ts';
import { clientMsMax, type Desk } from './clients.ts';
import type { Point } from './growth-page.ts';
import type { Peer } from './peers.ts';
import { memoryBytesOf, peakBytesOf } from './process-tree.ts';

const mib = 1024 ** 2;
/** What takes less than this is done again, and the shortest time counts. */
const repeatedSecondsMax = 3;
const repetitions = 3;
/** Beyond this a file that is sent is a hole: it takes no room, and costs the server the same. */
const randomBytesMax = 64 * mib;
const filesPerDirectory = 1000;

export interface Ground {
  readonly peer: Peer;
  readonly desk: Desk;
  readonly keep: (point: Point) => void;
}

/** One file, put and fetched. */
export async function filesOfSize({ peer, desk, keep }: Ground, sizes: readonly number[]): Promise<void> {
  for (const amount of sizes) {
    const [local, back] = [desk.file('sent'), desk.file('fetched')];
    makeFile(local, amount);
    const point = { amount, shown: sizeShown(amount) };
    const put = (): Promise<void> => desk.copy('scp', peer, { direction: 'put', local, remote: 'one' });
    keep({ ...point, series: 'put of one file, by its size in bytes', ...(await timed(peer, put)) });
    rmSync(local);
    const get = (): Promise<void> => desk.copy('scp', peer, { direction: 'get', local: back, remote: 'one' });
    keep({ ...point, series: 'get of one file, by its size in bytes', ...(await timed(peer, get)) });
    if (statSync(back).size !== amount)
      throw new Error(`${statSync(back).size} of ${amount} bytes came back`);
    rmSync(back);
    rmSync(join(peer.directory, 'one'));
  }
}

/** A put of 16 MiB while others are logged in. */
export async function connectionsOpen(
  { peer, desk, keep }: Ground,
  counts: readonly number[],
): Promise<void> {
  const local = desk.file('sixteen');
  writeRandom(local, 16 * mib);
  const clients: ChildProcess[] = [];
  try {
    for (const amount of counts) {
      while (clients.length < amount - 1) {
        clients.push(
          spawn('ssh', ['-N', '-p', String(peer.port), ...desk.sshOptions(peer), `${peer.user}@127.0.0.1`], {
            stdio: 'ignore',
          }),
        );
        await pause(60);
      }
      await pause(3000);
      const lost = clients.filter(({ exitCode }) => exitCode !== null).length;
      if (lost > 0) throw new Error(`${lost} of ${clients.length} connections were not kept`);
      const put = (): Promise<void> => desk.copy('scp', peer, { direction: 'put', local, remote: 'one' });
      keep({ series: 'put of 16 MiB, by connections', ...countOf(amount), ...(await timed(peer, put)) });
    }
  } finally {
    clients.forEach((client) => client.kill('SIGTERM'));
  }
  rmSync(local);
  await pause(3000);
}

/** `ls` of a directory. */
export async function entriesListed({ peer, desk, keep }: Ground, counts: readonly number[]): Promise<void> {
  const directory = join(peer.directory, 'many');
  mkdirSync(directory);
  let made = 0;
  for (const amount of counts) {
    for (; made < amount; made += 1) writeFileSync(join(directory, `entry-${made}`), '');
    const list = async (): Promise<void> => {
      const { status, stdout, stderr } = await sftp(desk, peer, 'ls -1f many\n');
      const listed = stdout.split('\n').filter((line) => line.includes('entry-')).length;
      if (status !== 0 || listed !== amount) throw new Error(`${listed} of ${amount} entries: ${stderr}`);
    };
    keep({ series: 'ls of a directory, by its entries', ...countOf(amount), ...(await timed(peer, list)) });
  }
  rmSync(directory, { recursive: true });
}

/** `scp -r` of files of 100 bytes, a thousand in each directory. Those that are sent are all one file, by many names. */
export async function treesCopied(
  { peer, desk, keep }: Ground,
  counts: readonly number[],
  directions: readonly string[],
): Promise<void> {
  for (const amount of counts) {
    const [local, back] = [desk.file('tree'), desk.file('tree-back')];
    const copied = join(peer.directory, 'copied');
    makeTree(directions.includes('put') ? local : copied, amount);
    const put = async (): Promise<void> => {
      rmSync(copied, { recursive: true, force: true });
      await desk.copy('scp', peer, { direction: 'put', local, remote: 'copied', recursive: true });
    };
    if (directions.includes('put'))
      keep({ series: 'scp -r put, by its files', ...countOf(amount), ...(await timed(peer, put)) });
    checkTree(copied, amount);
    rmSync(local, { recursive: true, force: true });
    const get = async (): Promise<void> => {
      rmSync(back, { recursive: true, force: true });
      await desk.copy('scp', peer, { direction: 'get', local: back, remote: 'copied', recursive: true });
    };
    if (directions.includes('get')) {
      keep({ series: 'scp -r get, by its files', ...countOf(amount), ...(await timed(peer, get)) });
      checkTree(back, amount);
      rmSync(back, { recursive: true });
    }
    rmSync(copied, { recursive: true });
  }
}

/** An sftp client with its commands. */
export async function sftp(desk: Desk, peer: Peer, commands: string): ReturnType<typeof run> {
  const parameters = ['-b', '-', '-P', String(peer.port), ...desk.sshOptions(peer), `${peer.user}@127.0.0.1`];
  return await run('sftp', parameters, { input: commands, timeoutMs: clientMsMax });
}

/** The shortest of a few runs, or of one that is long. */
export async function timed(
  peer: Peer,
  act: () => Promise<void>,
): Promise<Pick<Point, 'seconds' | 'peakBytes'>> {
  let [seconds, peakBytes] = [Infinity, 0];
  for (let repetition = 0; repetition < repetitions; repetition += 1) {
    const began = performance.now();
    let took = 0;
    const work = act().then(() => (took = (performance.now() - began) / 1000));
    peakBytes = Math.max(peakBytes, await peakBytesOf(peer.pid, work), memoryBytesOf(peer.pid));
    seconds = Math.min(seconds, took);
    if (seconds > repeatedSecondsMax) break;
  }
  return { seconds, peakBytes };
}

export function countOf(amount: number): Pick<Point, 'amount' | 'shown'> {
  return { amount, shown: amount.toLocaleString('en') };
}

function makeFile(path: string, bytes: number): void {
  writeRandom(path, Math.min(bytes, randomBytesMax));
  truncateSync(path, bytes);
}

function makeTree(path: string, files: number): void {
  mkdirSync(path);
  const content = join(path, '..', 'tree-content');
  for (let index = 0; index < files; index += 1) {
    const directory = join(path, String(Math.floor(index / filesPerDirectory)));
    if (index % filesPerDirectory === 0) {
      mkdirSync(directory);
      // A file system holds only so many names for one file.
      rmSync(content, { force: true });
      writeFileSync(content, 'scpd'.repeat(25));
    }
    linkSync(content, join(directory, `file-${index}`));
  }
  rmSync(content);
}

function checkTree(path: string, files: number): void {
  const came = readdirSync(path).reduce((sum, name) => sum + readdirSync(join(path, name)).length, 0);
  if (came !== files) throw new Error(`${came} of ${files} files came`);
}

function sizeShown(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  const power = Math.floor(Math.log2(bytes) / 10);
  return `${bytes / 1024 ** power} ${units[power] ?? ''}`;
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
