/**
 * `make bench-audit`: makes a journal of so many records (10 million, or the first parameter) and says how long it takes to
 * write, verify and search it. Needs some 2 GB below the temporary directory.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { monthMs, openBenchJournal, setClock, transferRecord } from './audit-records.ts';

const count = Number(process.argv[2] ?? 10_000_000);
const directory = mkdtempSync(join(tmpdir(), 'scpd-bench-audit-'));
const program = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const mib = 1024 * 1024;

try {
  await write();
  search();
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function report(what: string, startedMs: number): void {
  const seconds = (performance.now() - startedMs) / 1000;
  const perSecond = Math.round(count / seconds).toLocaleString('en');
  say(`${what.padEnd(34)}${seconds.toFixed(1).padStart(8)} s ${perSecond.padStart(12)} records/s`);
}

async function write(): Promise<void> {
  let written = 0;
  const beganMs = Date.now() - monthMs;
  const resetClock = setClock(() => beganMs + (monthMs * written) / count);
  let startedMs = performance.now();
  const journal = await openBenchJournal(directory, { sync: true });
  for (; written < count; written += 1) {
    journal.append(transferRecord(written));
    if (written % 1000 === 999) await journal.settled();
  }
  report('write, a sync each 1000', startedMs);
  startedMs = performance.now();
  await journal.close();
  for (let opened = 0; opened < 2; opened += 1)
    await (await openBenchJournal(directory, { sync: true })).close();
  report('close, compress the rest, open', startedMs);
  resetClock();
  const names = readdirSync(directory);
  const bytes = names.reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
  const each = (bytes / count).toFixed(0);
  say(`on disk: ${(bytes / mib).toFixed(0)} MiB in ${names.length} files, ${each} bytes a record`);
}

function search(): void {
  const { path } = transferRecord(14);
  timed('verify', ['verify']);
  timed('search the last hour', ['search', '--since', '1h', '--limit', '100000']);
  timed('search a day of one user', ['search', '--since', '2d', '--until', '1d', '--user', 'user7']);
  timed('search a user that is not there', ['search', '--user', 'nobody']);
  timed('search all by path', ['search', '--path', path ?? '']);
  timed('report of a week', ['report', '--since', '7d', '--json']);
}

function timed(what: string, words: readonly string[]): void {
  const startedMs = performance.now();
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [program, 'audit', ...words, '--dir', directory],
    { encoding: 'utf8', maxBuffer: 256 * mib },
  );
  report(what, startedMs);
  say(`  exit ${status}: ${stdout.trim().split('\n').at(-1)?.slice(0, 160)}${stderr}`);
}
