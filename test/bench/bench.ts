/**
 * `make bench` and `make bench-quick`: scpd beside Debian's sshd, on one machine, in one run, with the same keys and the same
 * client; and beside ProFTPD, in fewer rounds, where it is installed. Options: `--quick`, `--rows=PATTERN`,
 * `--places=tmpfs,disk`, `--rounds=N`, `--second-rounds=N` (0: no ProFTPD), `--results=FILE` (results are added to it),
 * `--line=MS,BITS_PER_SECOND` (with 0,1e11 it tells whether the program that is the long line holds anybody up).
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Desk } from './clients.ts';
import { measure, median, ratioOf, type Result } from './measure.ts';
import { Cleanup, sshdMissing, startScpd, startSshd, type Peer } from './peers.ts';
import { proftpdMissing, startProftpd } from './proftpd.ts';
import { allRows, quickRows, type Row } from './rows.ts';

const memoryDirectory = '/dev/shm';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rows: { type: 'string', default: '' },
    places: { type: 'string' },
    rounds: { type: 'string' },
    'second-rounds': { type: 'string' },
    results: { type: 'string' },
    line: { type: 'string', default: '80,1e9' },
  },
});
const [roundTripMs = 0, bitsPerSecond = 0] = options.line.split(',').map(Number);
const places = (options.places ?? (options.quick ? 'tmpfs' : 'tmpfs,disk')).split(',');
const rounds = Number(options.rounds ?? (options.quick ? 3 : 7));
const secondRounds = Number(options['second-rounds'] ?? (options.quick ? 0 : 3));
const rows = (options.quick ? quickRows : allRows).filter(({ name }) => new RegExp(options.rows).test(name));

const problem = sshdMissing();
if (problem === undefined) await run();
else {
  process.stderr.write(`${problem}\n`);
  process.exitCode = 1;
}

async function run(): Promise<void> {
  for (const place of places) {
    const cleanup = new Cleanup();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => void cleanup.run().finally(() => process.exit(1)));
    }
    try {
      await runPlace(place, cleanup);
    } finally {
      await cleanup.run();
    }
  }
}

/** All rows with the servers' files in one place. The client's files are in memory always. */
async function runPlace(place: string, cleanup: Cleanup): Promise<void> {
  const below = mkdtempSync(join(place === 'tmpfs' ? memoryDirectory : tmpdir(), 'scpd-bench-'));
  cleanup.teardown(() => rmSync(below, { recursive: true, force: true }));
  const desk = new Desk(mkdtempSync(join(memoryDirectory, 'scpd-desk-')));
  cleanup.teardown(() => rmSync(desk.directory, { recursive: true, force: true }));
  const full = await startScpd(cleanup, 'full', below);
  const relaxed = options.quick ? [] : [await startScpd(cleanup, 'none', below)];
  const second = await startSecond(cleanup, full, below);
  const peers = [await startSshd(cleanup, full.keys, below), full, ...relaxed, ...second];
  const lines = await startLines(cleanup, peers);
  for (const peer of peers) await desk.meet(peer, [peer.port, lines.get(peer) ?? peer.port]);
  for (const row of rows) await runRow(row, { place, desk, peers, lines });
}

/** The peer beside sshd, if it is wanted and installed. */
async function startSecond(cleanup: Cleanup, { keys }: Peer, below: string): Promise<Peer[]> {
  if (secondRounds === 0) return [];
  const missing = proftpdMissing();
  if (missing === undefined) return [await startProftpd(cleanup, keys, below)];
  process.stderr.write(`${missing}\n`);
  return [];
}

interface Surroundings {
  readonly place: string;
  readonly desk: Desk;
  readonly peers: readonly Peer[];
  readonly lines: ReadonlyMap<Peer, number>;
}

async function runRow(row: Row, { lines, ...surroundings }: Surroundings): Promise<void> {
  const farPort = async (peer: Peer): Promise<number> => lines.get(peer) ?? peer.port;
  const result = await measure(row, { ...surroundings, rounds, secondRounds, far: farPort });
  print(result);
  if (options.results !== undefined) keep(options.results, result);
}

function print(result: Result): void {
  const taken = Object.entries(result.samples).filter(([, samples]) => samples.length > 0);
  const parts = taken.map(([peer, samples]) => {
    const seconds = median(samples.map((sample) => sample.seconds));
    const cpu = median(samples.map((sample) => sample.serverCpuSeconds));
    const ratio = ratioOf(result, peer);
    const versus =
      peer === 'sshd' || ratio === undefined
        ? ''
        : ` ×${ratio.ratio.toFixed(2)} (${ratio.low.toFixed(2)}–${ratio.high.toFixed(2)})`;
    return `${peer} ${seconds.toFixed(2)} s, cpu ${cpu.toFixed(2)} s${versus}`;
  });
  process.stdout.write(`${result.place}: ${result.row} (goal ×${result.goal}): ${parts.join('; ')}\n`);
  for (const [peer, why] of Object.entries(result.unable))
    process.stdout.write(`  not with ${peer}: ${why}\n`);
}

/** Adds a result to a file, in the place of an earlier one of the same row. */
function keep(file: string, result: Result): void {
  const earlier = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Result[]) : [];
  const others = earlier.filter(({ row, place }) => row !== result.row || place !== result.place);
  writeFileSync(file, JSON.stringify([...others, result]));
}

/** A long line to each peer. */
async function startLines(cleanup: Cleanup, peers: readonly Peer[]): Promise<Map<Peer, number>> {
  const lines = new Map<Peer, number>();
  for (const peer of peers) {
    const program = fileURLToPath(new URL('delay-proxy.ts', import.meta.url));
    const parameters = [peer.port, roundTripMs, bitsPerSecond].map(String);
    const child = spawn(process.execPath, ['--import=@tapjs/typescript/import', program, ...parameters], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    cleanup.teardown(() => child.kill('SIGTERM'));
    const port = await new Promise<number>((resolve, reject) => {
      child.stdout.once('data', (bytes: Buffer) => resolve(Number(bytes.toString('utf8'))));
      child.once('exit', () => reject(new Error('the long line does not start')));
    });
    lines.set(peer, port);
  }
  return lines;
}
