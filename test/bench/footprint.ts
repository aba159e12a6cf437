/**
 * What the servers hold in memory: with nobody connected, for each idle connection, and at most during one large upload; and
 * how long they take to start. Prints a table for docs/performance.md. `footprint.ts [CONNECTIONS] [UPLOAD_MIB]`.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeRandom } from '../support/content.ts';
import { Desk } from './clients.ts';
import { Cleanup, sshdMissing, startScpd, startSshd, type Peer } from './peers.ts';
import { memoryBytesOf, peakBytesOf } from './process-tree.ts';

const mib = 1024 * 1024;
const kib = 1024;
const settleMs = 3000;
const [connections = 50, uploadMib = 1024] = process.argv.slice(2).map(Number);

const problem = sshdMissing();
if (problem !== undefined) throw new Error(problem);
const cleanup = new Cleanup();
try {
  await measureAll();
} finally {
  await cleanup.run();
}

async function measureAll(): Promise<void> {
  const below = mkdtempSync('/dev/shm/scpd-bench-');
  cleanup.teardown(() => rmSync(below, { recursive: true, force: true }));
  const desk = new Desk(mkdtempSync('/dev/shm/scpd-desk-'));
  cleanup.teardown(() => rmSync(desk.directory, { recursive: true, force: true }));
  const scpd = await startScpd(cleanup, 'full', below);
  const sshd = await startSshd(cleanup, scpd.keys, below);
  writeRandom(desk.file('large'), uploadMib * mib);
  process.stdout.write(
    `| | ready after | nobody connected | each of ${connections} idle connections | most during a put of ${uploadMib} MiB |\n`,
  );
  process.stdout.write('| --- | --- | --- | --- | --- |\n');
  for (const peer of [sshd, scpd]) {
    await desk.meet(peer, [peer.port]);
    await measurePeer(peer, desk);
  }
}

async function measurePeer(peer: Peer, desk: Desk): Promise<void> {
  const aloneBytes = memoryBytesOf(peer.pid);
  const peakBytes = await peakBytesOf(peer.pid, desk.copy('scp', peer, putLarge(desk)));
  rmSync(join(peer.directory, 'large'));
  await pause(settleMs);
  const beforeBytes = memoryBytesOf(peer.pid);
  const clients = Array.from({ length: connections }, () =>
    spawn('ssh', ['-N', '-p', String(peer.port), ...desk.sshOptions(peer), `${peer.user}@127.0.0.1`], {
      stdio: 'ignore',
    }),
  );
  await pause(settleMs + connections * 200);
  const eachBytes = (memoryBytesOf(peer.pid) - beforeBytes) / connections;
  if (clients.some(({ exitCode }) => exitCode !== null)) throw new Error(`${peer.name} did not keep all`);
  clients.forEach((client) => client.kill('SIGTERM'));
  const cells = [
    peer.name,
    `${Math.round(peer.readyMs)} ms`,
    `${Math.round(aloneBytes / mib)} MiB`,
    `${Math.round(eachBytes / kib)} KiB`,
    `${Math.round(peakBytes / mib)} MiB`,
  ];
  process.stdout.write(`| ${cells.join(' | ')} |\n`);
}

function putLarge(desk: Desk): Parameters<Desk['copy']>[2] {
  return { direction: 'put', local: desk.file('large'), remote: 'large' };
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
