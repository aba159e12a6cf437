/** What a server takes that has received much: a start, an upload, a look at a file, a search, with so many rows in catalog and journal. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Libsql from 'libsql';
import { compressClosed } from '../../src/audit/housekeeping.ts';
import { run } from '../support/clients.ts';
import { remote, startServer, type TestServer } from '../support/server.ts';
import { openBenchJournal, recordMs, setClock, transferRecord } from './audit-records.ts';
import type { Point } from './growth-page.ts';
import { countOf } from './growth-series.ts';
import type { Cleanup } from './peers.ts';
import { memoryBytesOf, peakBytesOf } from './process-tree.ts';

const program = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const searchMsMax = 3_600_000;
const recordsPerSync = 1000;
/** Of short runs the shortest counts. */
const repetitions = 3;
/** Rows that are inserted in one statement. */
const rowsPerStatement = 1_000_000;

interface Ground {
  readonly cleanup: Cleanup;
  readonly below: string;
  readonly keep: (point: Point) => void;
}

export async function rowsKept({ cleanup, below, keep }: Ground, counts: readonly number[]): Promise<void> {
  const server = await startServer(cleanup, { below, settings: { workers: 'auto' } });
  const file = join(server.place, 'sent');
  writeFileSync(file, 'x'.repeat(1024));
  await sent(server, file, 'first');
  let rows = 0;
  for (const amount of counts) {
    await server.end('SIGTERM');
    fillCatalog(join(server.place, 'var/catalog.db'), rows, amount);
    await fillJournal(join(server.place, 'var/audit'), rows, amount);
    rows = amount;
    const point = async (what: string, act: (repetition: number) => Promise<void>): Promise<void> =>
      keep({
        series: `${what}, by rows of catalog and journal`,
        ...countOf(amount),
        ...(await timed(server, act)),
      });
    await point('start until ready', async (repetition) => {
      if (repetition > 0) await server.end('SIGTERM');
      await server.start();
    });
    await point('put of 1 KiB', (repetition) => sent(server, file, `file-${amount}-${repetition}`));
    await point('ls -l of a file', async () => {
      const { status, stderr } = await server.sftp('ls -l first\n');
      if (status !== 0) throw new Error(stderr);
    });
    await point('audit search of a user that is not there', () => search(server, ['--user', 'nobody']));
    await point('audit search by path', () => search(server, ['--path', '/first']));
    await point('audit search of the last hour', () => search(server, ['--since', '1h']));
  }
}

async function sent(server: TestServer, file: string, name: string): Promise<void> {
  const { status, stderr } = await server.scp('sftp', [file, remote(name)]);
  if (status !== 0) throw new Error(stderr);
}

async function search(server: TestServer, words: readonly string[]): Promise<void> {
  const parameters = [
    program,
    'audit',
    'search',
    ...words,
    '--dir',
    join(server.place, 'var/audit'),
    '--json',
  ];
  const { status, stderr } = await run(process.execPath, parameters, {
    timeoutMs: searchMsMax,
    environment: { NODE_OPTIONS: '' },
  });
  // 1: nothing was found.
  if (status !== 0 && (status !== 1 || stderr !== '')) throw new Error(`audit search: ${stderr}`);
}

/** The stop before a start is not part of it: the time begins when the server that was there is gone. */
async function timed(
  server: TestServer,
  act: (repetition: number) => Promise<void>,
): Promise<Pick<Point, 'seconds' | 'peakBytes'>> {
  let [seconds, peakBytes] = [Infinity, 0];
  for (let repetition = 0; repetition < repetitions; repetition += 1) {
    const began = performance.now();
    let took = 0;
    const work = act(repetition).then(() => (took = (performance.now() - began) / 1000));
    peakBytes = Math.max(peakBytes, await peakBytesOf(server.pid, work), memoryBytesOf(server.pid));
    seconds = Math.min(seconds, took);
  }
  return { seconds, peakBytes };
}

/** Files that are not there: what the catalog knows of others is nothing that an upload looks at. */
function fillCatalog(file: string, from: number, to: number): void {
  const database = new Libsql(file);
  for (let first = from; first < to; first += rowsPerStatement) {
    const last = Math.min(first + rowsPerStatement, to);
    database.exec(`
      insert into entries (root_id, path, kind, user, bytes, modified_ms, inode, sha256, verdict, upload_id, stored_at)
      with recursive numbers(n) as (select ${first} union all select n + 1 from numbers where n + 1 < ${last})
      select (select min(id) from roots), cast(printf('/rows/%03d/file-%08d', n % 1000, n) as blob), 'file', 'demo', 1024,
        1700000000000 + n, '1:' || n, printf('%064x', n), 'closed', printf('01938f00-0002-7000-8000-%012x', n),
        strftime('%Y-%m-%dT%H:%M:%fZ', 1700000000 + n / 100, 'unixepoch') from numbers;
      update usage set files = files + ${last - first}, bytes = bytes + ${1024 * (last - first)} where user = 'demo';
    `);
  }
  database.close();
}

async function fillJournal(directory: string, from: number, to: number): Promise<void> {
  let written = from;
  const resetClock = setClock(() => recordMs(written));
  const journal = await openBenchJournal(directory, { sync: false });
  for (; written < to; written += 1) {
    journal.append(transferRecord(written));
    if (written % recordsPerSync === recordsPerSync - 1) await journal.settled();
  }
  await journal.close();
  resetClock();
  // Not while something else is measured.
  await compressClosed(directory);
}
