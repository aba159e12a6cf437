// Makes a journal of so many records (10 million by default) and says how long it takes to write, verify and search it.
// Usage: node scripts/bench-audit.mjs [RECORDS]; `make bench-audit` runs it. Needs dist/ and some 2 GB below the temporary directory.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openFileJournal } from '../dist/audit/file-journal.js';

const count = Number(process.argv[2] ?? 10_000_000);
const directory = mkdtempSync(join(tmpdir(), 'scpd-bench-audit-'));
const say = (line) => process.stdout.write(`${line}\n`);
const complain = (fields, words) => say(`${words}: ${JSON.stringify(fields)}`);
const quiet = { info: () => undefined, warn: complain, error: complain };
const options = {
  directory,
  sync: true,
  onFailure: 'refuse',
  fileBytesMax: 64 * 2 ** 20,
  fileMsMax: 366 * 86_400_000,
  keep: {},
  processes: { own: 'bench', isAlive: () => false },
  log: quiet,
};

/** Time goes by as in the records, so that what the journal adds by itself stands where it would. */
const RealDate = Date;
let nowMs = RealDate.now() - 30 * 86_400_000;
globalThis.Date = class extends RealDate {
  constructor(...parameters) {
    super(...(parameters.length === 0 ? [nowMs] : parameters));
  }
  static now() {
    return nowMs;
  }
};

/** A month of uploads by 50 users, begin and end. */
function recordOf(index) {
  const begin = index % 2 === 0;
  const upload = Math.floor(index / 2);
  const bytes = (upload * 7919) % 10_000_000;
  const hex = upload.toString(16).padStart(12, '0');
  return {
    time: new Date().toISOString(),
    connection: `01938f00-0000-7000-8000-${hex}`,
    session: `01938f00-0001-7000-8000-${hex}`,
    user: `user${upload % 50}`,
    key: `SHA256:${'A'.repeat(43)}`,
    address: `192.0.2.${upload % 250}`,
    client: 'OpenSSH_9.2p1 Debian-2',
    protocol: 'sftp',
    operation: 'upload',
    phase: begin ? 'begin' : 'end',
    transfer: `01938f00-0002-7000-8000-${hex}`,
    direction: 'in',
    outcome: 'done',
    path: `/incoming/2026/${upload % 365}/report-${upload}.csv`,
    ...(begin
      ? {}
      : { bytes, sha256: hex.padStart(64, '5'), mode: '0644', durationMs: 40, verdict: 'closed' }),
  };
}

function report(what, startedMs, per = count) {
  const seconds = (performance.now() - startedMs) / 1000;
  say(
    `${what.padEnd(34)}${seconds.toFixed(1).padStart(8)} s ${Math.round(per / seconds)
      .toLocaleString('en')
      .padStart(12)} records/s`,
  );
}

function timed(what, words) {
  const startedMs = performance.now();
  const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));
  const done = spawnSync(process.execPath, [main, 'audit', ...words, '--dir', directory], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  report(what, startedMs);
  return `  exit ${done.status}: ${done.stdout.trim().split('\n').at(-1).slice(0, 160)}${done.stderr}`;
}

try {
  let startedMs = performance.now();
  let journal = await openFileJournal(options);
  for (let index = 0; index < count; index += 1) {
    nowMs += (30 * 86_400_000) / count;
    journal.append(recordOf(index));
    if (index % 1000 === 999) await journal.settled();
  }
  report('write, a sync each 1000', startedMs);
  startedMs = performance.now();
  await journal.close();
  journal = await openFileJournal(options);
  await journal.close();
  journal = await openFileJournal(options);
  await journal.close();
  report('close, compress the rest, open', startedMs);
  const bytes = readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
  say(
    `on disk: ${(bytes / 2 ** 20).toFixed(0)} MiB in ${readdirSync(directory).length} files, ${(bytes / count).toFixed(0)} bytes a record`,
  );
  say(timed('verify', ['verify']));
  say(timed('search the last hour', ['search', '--since', '1h', '--limit', '100000']));
  say(timed('search a day of one user', ['search', '--since', '2d', '--until', '1d', '--user', 'user7']));
  say(timed('search a user that is not there', ['search', '--user', 'nobody']));
  say(timed('search all by path', ['search', '--path', '/incoming/2026/7/report-7.csv']));
  say(timed('report of a week', ['report', '--since', '7d', '--json']));
} finally {
  rmSync(directory, { recursive: true, force: true });
}
