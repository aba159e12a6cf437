/** Goal: what was settled is on disk, whole lines only; a journal that can't be written says so and recovers. */
import t, { type Test } from 'tap';
import { appendFileSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { FileJournal, journalFileName, openFileJournal } from '../../src/audit/file-journal.ts';
import type { AuditRecord } from '../../src/audit/record.ts';
import { auditQueueRecordsMax } from '../../src/limits.ts';
import { checkRecord, testSession } from '../support/checked-journal.ts';
import { codeOf } from '../support/throws.ts';

function record(path: string): AuditRecord {
  return { time: new Date().toISOString(), ...testSession, operation: 'mkdir', outcome: 'done', path };
}

function readRecords(directory: string): AuditRecord[] {
  const text = readFileSync(join(directory, journalFileName), 'utf8');
  t.ok(text === '' || text.endsWith('\n'));
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as AuditRecord);
}

async function openJournal(t: Test, directory: string): Promise<FileJournal> {
  return await openFileJournal({ directory, sync: true, onFailure: (error) => t.fail(String(error)) });
}

t.test('records are lines, in order, settled when they are there', async (t) => {
  const directory = join(t.testdir({}), 'new', 'audit');
  const journal = await openJournal(t, directory);
  for (let index = 0; index < 1000; index += 1) journal.append(record(`/${index}`));
  await Promise.all([journal.settled(), journal.settled()]);
  const paths = readRecords(directory).map((written) => written.path);
  t.strictSame(
    paths,
    Array.from({ length: 1000 }, (_, index) => `/${index}`),
  );
  readRecords(directory).forEach(checkRecord);
  journal.append(record('/last'));
  await journal.close();
  t.equal(readRecords(directory).length, 1001, 'closing writes what waits');
  t.equal(statSync(join(directory, journalFileName)).mode & 0o777, 0o600);
  t.equal(statSync(directory).mode & 0o777, 0o700);
});

t.test('it goes on where it ended, and closes a line that a crash tore', async (t) => {
  const directory = t.testdir({});
  let journal = await openJournal(t, directory);
  journal.append(record('/one'));
  await journal.close();
  appendFileSync(join(directory, journalFileName), '{"torn":');
  journal = await openJournal(t, directory);
  journal.append(record('/two'));
  await journal.close();
  const lines = readFileSync(join(directory, journalFileName), 'utf8').split('\n');
  t.match(lines, [/"\/one"/, '{"torn":', /"\/two"/, '']);
});

t.test('nothing in a record can pass for another', async (t) => {
  const directory = t.testdir({});
  const journal = await openJournal(t, directory);
  journal.append(record('/a\n{"user":"root"}\x1b[2J\u2028\u202e\udcff'));
  await journal.close();
  const text = readFileSync(join(directory, journalFileName), 'utf8');
  t.equal(text.split('\n').length, 2);
  t.match(readRecords(directory)[0]?.path, '/a\\x0a{"user":"root"}\\x1b[2J\\u{2028}\\u{202e}\\xff');
});

t.test('a link in its place is not followed', async (t) => {
  const directory = t.testdir({ elsewhere: 'x' });
  symlinkSync('elsewhere', join(directory, journalFileName));
  await t.rejects(openJournal(t, directory));
});

/** A disk that fails on demand, in front of a real file. */
async function failingFile(t: Test) {
  const path = join(t.testdir({ [journalFileName]: '' }), journalFileName);
  const file = await open(path, 'r+');
  const fault = { writeBytesMax: Infinity, syncFails: false };
  const write = file.write.bind(file) as (...parameters: unknown[]) => Promise<{ bytesWritten: number }>;
  const datasync = file.datasync.bind(file);
  Object.assign(file, {
    write: async (bytes: Buffer, offset: number, length: number, position: number) => {
      if (fault.writeBytesMax === 0) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
      const written = Math.min(length, fault.writeBytesMax);
      fault.writeBytesMax -= written;
      return await write(bytes, offset, written, position);
    },
    datasync: async () => {
      if (fault.syncFails) throw Object.assign(new Error('broken'), { code: 'EIO' });
      await datasync();
    },
  });
  const failures: unknown[] = [];
  const journal = new FileJournal(file, 0, {
    directory: '',
    sync: true,
    onFailure: (error) => failures.push(error),
  });
  return { path, fault, failures, journal };
}

t.test('a full disk: nothing settles, no torn line, no record lost', async (t) => {
  const { path, fault, failures, journal } = await failingFile(t);
  fault.writeBytesMax = 100;
  journal.append(record('/one'));
  t.equal(await codeOf(() => journal.settled()), 'AUDIT_FAILED');
  t.equal(await codeOf(() => journal.ensureWritable()), 'AUDIT_FAILED');
  t.equal(failures.length, 1);
  t.equal(readFileSync(path, 'utf8'), '', 'the half line was cut off');
  journal.append(record('/two'));
  t.equal(await codeOf(() => journal.settled()), 'AUDIT_FAILED', 'still full');
  fault.writeBytesMax = Infinity;
  await journal.settled();
  t.equal(await codeOf(() => journal.ensureWritable()), 'no error');
  const paths = readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as AuditRecord).path);
  t.strictSame(paths, ['/one', '/two']);
  await journal.close();
});

t.test('a failed fsync is a failure, and it recovers unasked', async (t) => {
  const { fault, journal } = await failingFile(t);
  fault.syncFails = true;
  journal.append(record('/one'));
  t.equal(await codeOf(() => journal.settled()), 'AUDIT_FAILED');
  fault.syncFails = false;
  while ((await codeOf(() => journal.ensureWritable())) !== 'no error') {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await journal.close();
});

t.test('the queue has an end', async (t) => {
  const { fault, journal } = await failingFile(t);
  fault.writeBytesMax = 0;
  let accepted = 0;
  while (accepted <= auditQueueRecordsMax && journal.append(record('/x'))) accepted += 1;
  t.equal(accepted, auditQueueRecordsMax);
  fault.writeBytesMax = Infinity;
  await journal.close();
});

t.test('an empty settle is at once', async (t) => {
  const directory = t.testdir({});
  writeFileSync(join(directory, journalFileName), '');
  const journal = await openJournal(t, directory);
  await journal.settled();
  await journal.close();
});
