/**
 * `make bench-growth`: what scpd takes as its work grows, in seconds and in memory: larger files, more connections, larger
 * directories. Writes a table and a plot (by Debian's gnuplot-nox) for docs/performance.md. Files are in memory.
 * `growth.ts PAGE PLOT [LARGEST_MIB]`
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from '../support/clients.ts';
import { writeRandom } from '../support/content.ts';
import { Desk } from './clients.ts';
import { writeBetween } from './page.ts';
import { Cleanup, startScpd, type Peer } from './peers.ts';
import { memoryBytesOf, peakBytesOf } from './process-tree.ts';

const kib = 1024;
const mib = 1024 * kib;
const clientMsMax = 600_000;
const [page = '', plot = '', largest = '4096'] = process.argv.slice(2);
const largestMib = Number(largest);

interface Point {
  /** How much work: bytes, connections, entries. */
  readonly amount: number;
  readonly shown: string;
  readonly seconds: number;
  readonly peakBytes: number;
}

interface Series {
  readonly name: string;
  readonly points: readonly Point[];
}

const cleanup = new Cleanup();
try {
  const below = mkdtempSync('/dev/shm/scpd-growth-');
  cleanup.teardown(() => rmSync(below, { recursive: true, force: true }));
  const desk = new Desk(mkdtempSync('/dev/shm/scpd-desk-'));
  cleanup.teardown(() => rmSync(desk.directory, { recursive: true, force: true }));
  const peer = await startScpd(cleanup, 'full', below);
  await desk.meet(peer, [peer.port]);
  await timed(peer, desk.copy('scp', peer, { direction: 'put', local: desk.file('none'), remote: 'first' }));
  const series = [
    ...(await filesOfSize(peer, desk)),
    await connectionsOpen(peer, desk),
    await entriesListed(peer, desk),
  ];
  writeBetween(page, 'bench-growth', [
    ...table(series),
    '',
    `![Seconds by the amount of work](growth.svg)`,
    '',
  ]);
  draw(series);
} finally {
  await cleanup.run();
}

/** One file, put and fetched. */
async function filesOfSize(peer: Peer, desk: Desk): Promise<readonly Series[]> {
  const [put, get]: [Point[], Point[]] = [[], []];
  for (let sizeBytes = kib; sizeBytes <= largestMib * mib; sizeBytes *= 16) {
    const [local, back] = [desk.file('sent'), desk.file('fetched')];
    writeRandom(local, sizeBytes);
    const point = async (done: Promise<void>): Promise<Point> => ({
      amount: sizeBytes,
      shown: sizeShown(sizeBytes),
      ...(await timed(peer, done)),
    });
    put.push(await point(desk.copy('scp', peer, { direction: 'put', local, remote: 'one' })));
    rmSync(local);
    get.push(await point(desk.copy('scp', peer, { direction: 'get', local: back, remote: 'one' })));
    rmSync(back);
  }
  rmSync(join(peer.directory, 'one'));
  return [
    { name: 'put of one file, by its size in bytes', points: put },
    { name: 'get of one file, by its size in bytes', points: get },
  ];
}

/** A put of 16 MiB while others are logged in. */
async function connectionsOpen(peer: Peer, desk: Desk): Promise<Series> {
  const local = desk.file('sixteen');
  writeRandom(local, 16 * mib);
  const points: Point[] = [];
  const clients: ChildProcess[] = [];
  try {
    for (const amount of [1, 10, 100, 500, 1000]) {
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
      const done = desk.copy('scp', peer, { direction: 'put', local, remote: 'one' });
      points.push({ amount, shown: String(amount), ...(await timed(peer, done)) });
    }
  } finally {
    clients.forEach((client) => client.kill('SIGTERM'));
  }
  await pause(3000);
  return { name: 'put of 16 MiB, by connections', points };
}

/** `ls` of a directory. */
async function entriesListed(peer: Peer, desk: Desk): Promise<Series> {
  const points: Point[] = [];
  const directory = join(peer.directory, 'many');
  mkdirSync(directory);
  let made = 0;
  for (const amount of [10, 1000, 100_000, 1_000_000]) {
    for (; made < amount; made += 1) writeFileSync(join(directory, `entry-${made}`), '');
    const done = run(
      'sftp',
      ['-b', '-', '-P', String(peer.port), ...desk.sshOptions(peer), `${peer.user}@127.0.0.1`],
      {
        input: 'ls -1f many\n',
        timeoutMs: clientMsMax,
      },
    ).then(({ status, stdout, stderr }) => {
      const listed = stdout.split('\n').filter((line) => line.includes('entry-')).length;
      if (status !== 0 || listed !== amount) throw new Error(`${listed} of ${amount} entries: ${stderr}`);
    });
    points.push({ amount, shown: String(amount), ...(await timed(peer, done)) });
  }
  return { name: 'ls of a directory, by its entries', points };
}

async function timed(peer: Peer, done: Promise<void>): Promise<Pick<Point, 'seconds' | 'peakBytes'>> {
  const began = performance.now();
  let seconds = 0;
  const work = done.then(() => (seconds = (performance.now() - began) / 1000));
  const peakBytes = await peakBytesOf(peer.pid, work);
  return { seconds, peakBytes: Math.max(peakBytes, memoryBytesOf(peer.pid)) };
}

function table(series: readonly Series[]): string[] {
  const rows = series.flatMap(({ name, points }) =>
    points.map(
      ({ shown, seconds, peakBytes }) =>
        `| ${name} | ${shown} | ${seconds.toFixed(2)} s | ${Math.round(peakBytes / mib)} MiB |`,
    ),
  );
  return [
    '| what | amount | time | memory of all processes, at most |',
    '| --- | --- | --- | --- |',
    ...rows,
  ];
}

/** Each series on two logarithmic axes: what is linear is a straight line that rises no steeper than the dotted one. */
function draw(series: readonly Series[]): void {
  mkdirSync(dirname(plot), { recursive: true });
  const blocks = series.map(({ points }, index) =>
    [`$series${index} << END`, ...points.map(({ amount, seconds }) => `${amount} ${seconds}`), 'END'].join(
      '\n',
    ),
  );
  const lines = series.map(
    ({ name }, index) => `$series${index} with linespoints linewidth 2 title "${name}"`,
  );
  const program = [
    'set terminal svg size 900,520 background "white"',
    `set output "${plot}"`,
    'set logscale xy',
    'set format x "10^{%L}"',
    'set xlabel "amount of work"',
    'set ylabel "seconds"',
    'set grid',
    'set key outside bottom center',
    ...blocks,
    `plot [*:*] [0.05:*] ${lines.join(', ')}, x / 1e8 with lines dashtype 3 linecolor "gray" title "linear: 100 MB/s"`,
  ];
  execFileSync('gnuplot', [], { input: program.join('\n') });
}

function sizeShown(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  const power = Math.floor(Math.log2(bytes) / 10);
  return `${bytes / 1024 ** power} ${units[power] ?? ''}`;
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
