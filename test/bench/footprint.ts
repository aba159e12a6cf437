/**
 * What the servers hold in memory: with nobody connected, for each idle connection, at most during one large upload, and at most
 * during many uploads at once; and how long they take to start. Prints a table for docs/performance.md.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeRandom } from '../support/content.ts';
import { Desk } from './clients.ts';
import { Cleanup, sshdMissing, startScpd, startSshd, type Peer } from './peers.ts';
import { memoryBytesOf, peakBytesOf } from './process-tree.ts';

const mib = 1024 * 1024;
const kib = 1024;
const settleMs = 3000;
const sampleMs = 100;
const betweenLoginsMs = 100;
/** How often each server is started; the shortest time counts. */
const starts = 3;

const { values: options } = parseArgs({
  options: {
    /** Of which twice as many are opened. */
    connections: { type: 'string', default: '100' },
    'upload-mib': { type: 'string', default: '512' },
    /** Uploads at once; 0: none. */
    parallel: { type: 'string', default: '0' },
    'parallel-mib': { type: 'string', default: '16' },
    /** Where files are stored. In memory unless they are too large for that. */
    below: { type: 'string', default: '/dev/shm' },
  },
});
const connections = Number(options.connections);
const uploadMib = Number(options['upload-mib']);
const parallel = Number(options.parallel);
const parallelMib = Number(options['parallel-mib']);

const problem = sshdMissing();
if (problem !== undefined) throw new Error(problem);
const cleanup = new Cleanup();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void cleanup.run().finally(() => process.exit(1)));
}
try {
  await measureAll();
} finally {
  await cleanup.run();
}

async function measureAll(): Promise<void> {
  const below = mkdtempSync(join(options.below, 'scpd-bench-'));
  cleanup.teardown(() => rmSync(below, { recursive: true, force: true }));
  const desk = new Desk(mkdtempSync('/dev/shm/scpd-desk-'));
  cleanup.teardown(() => rmSync(desk.directory, { recursive: true, force: true }));
  // A hole takes no room, and costs the server the same.
  writeFileSync(desk.file('large'), '');
  truncateSync(desk.file('large'), uploadMib * mib);
  writeRandom(desk.file('small'), parallelMib * mib);
  const heads = [
    '',
    'ready after',
    'nobody connected',
    `each of ${connections} idle connections`,
    `most during a put of ${uploadMib} MiB`,
    ...(parallel === 0 ? [] : [`most during ${parallel} puts of ${parallelMib} MiB at once`]),
  ];
  process.stdout.write(`| ${heads.join(' | ')} |\n|${' --- |'.repeat(heads.length)}\n`);
  const scpd = await quickest((own) => startScpd(own, 'full', below));
  const sshd = await quickest((own) => startSshd(own, scpd.peer.keys, below));
  for (const { peer, readyMs } of [sshd, scpd]) {
    await desk.meet(peer, [peer.port]);
    await measurePeer(peer, readyMs, desk);
  }
}

/** Starts a server some times over, and leaves the last one running. */
async function quickest(
  start: (cleanup: Cleanup) => Promise<Peer>,
): Promise<{ peer: Peer; readyMs: number }> {
  let readyMs = Infinity;
  for (let count = 1; count < starts; count += 1) {
    const own = new Cleanup();
    readyMs = Math.min(readyMs, (await start(own)).readyMs);
    await own.run();
  }
  const peer = await start(cleanup);
  return { peer, readyMs: Math.min(readyMs, peer.readyMs) };
}

async function measurePeer(peer: Peer, readyMs: number, desk: Desk): Promise<void> {
  await pause(settleMs);
  const aloneBytes = memoryBytesOf(peer.pid);
  const eachBytes = await eachIdleBytes(peer, desk);
  const large = desk.copy('scp', peer, { direction: 'put', local: desk.file('large'), remote: 'large' });
  const peakBytes = await peakBytesOf(peer.pid, large);
  rmSync(join(peer.directory, 'large'));
  await pause(settleMs);
  const cells = [
    peer.name,
    `${Math.round(readyMs)} ms`,
    `${Math.round(aloneBytes / mib)} MiB`,
    `${Math.round(eachBytes / kib)} KiB`,
    `${Math.round(peakBytes / mib)} MiB`,
    ...(parallel === 0 ? [] : [await mostAtOnce(peer, desk)]),
  ];
  process.stdout.write(`| ${cells.join(' | ')} |\n`);
}

/** Of the second half of twice as many: the first ones bring along what is there once. */
async function eachIdleBytes(peer: Peer, desk: Desk): Promise<number> {
  const clients: ChildProcess[] = [];
  const more = async (): Promise<number> => {
    for (let count = 0; count < connections; count += 1) {
      clients.push(
        spawn('ssh', ['-N', '-p', String(peer.port), ...desk.sshOptions(peer), `${peer.user}@127.0.0.1`], {
          stdio: 'ignore',
        }),
      );
      await pause(betweenLoginsMs);
    }
    await pause(settleMs);
    return memoryBytesOf(peer.pid);
  };
  try {
    const firstBytes = await more();
    const eachBytes = ((await more()) - firstBytes) / connections;
    if (clients.some(({ exitCode }) => exitCode !== null)) throw new Error(`${peer.name} did not keep all`);
    return eachBytes;
  } finally {
    clients.forEach((client) => client.kill('SIGTERM'));
    await pause(settleMs);
  }
}

/** Memory during many uploads, and how many of them scpd had at one time: logins take time, so the first may have ended. */
async function mostAtOnce(peer: Peer, desk: Desk): Promise<string> {
  const staging = join(peer.directory, '.scpd/staging');
  let atOnce = 0;
  const timer = setInterval(() => {
    if (existsSync(staging)) atOnce = Math.max(atOnce, readdirSync(staging).length);
  }, sampleMs);
  const names = Array.from({ length: parallel }, (_, index) => `parallel-${index}`);
  const puts = names.map((remote) =>
    desk.copy('scp', peer, { direction: 'put', local: desk.file('small'), remote }),
  );
  const peakBytes = await peakBytesOf(peer.pid, Promise.all(puts));
  clearInterval(timer);
  for (const name of names) rmSync(join(peer.directory, name));
  return `${Math.round(peakBytes / mib)} MiB${atOnce > 0 ? ` (${atOnce} at one time)` : ''}`;
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
