/** Goal: lines reach the disk whole, in order and in groups; a disk that fails says so, loses nothing, and recovers. */
import t, { type Test } from 'tap';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { JournalWriter } from '../../src/audit/journal-writer.ts';
import { auditGroupBytesMax } from '../../src/limits.ts';
import { codeOf } from '../support/throws.ts';

interface Fault {
  /** How much room the disk has left. */
  roomBytes: number;
  syncFails: boolean;
}

/** A disk that fails on demand, in front of a real file. */
async function failingWriter(t: Test, { sync = true } = {}) {
  const directory = t.testdir({ 'audit.jsonl': '' });
  const path = join(directory, 'audit.jsonl');
  const file = await open(path, 'r+');
  const fault: Fault = { roomBytes: Infinity, syncFails: false };
  const calls = { writes: 0, syncs: 0 };
  const write = file.write.bind(file) as (...parameters: unknown[]) => Promise<{ bytesWritten: number }>;
  const datasync = file.datasync.bind(file);
  const truncate = file.truncate.bind(file);
  Object.assign(file, {
    write: async (bytes: Buffer, offset: number, length: number, position: number) => {
      calls.writes += 1;
      if (fault.roomBytes === 0) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
      const written = Math.min(length, fault.roomBytes);
      fault.roomBytes -= written;
      return await write(bytes, offset, written, position);
    },
    truncate: async (length: number) => {
      fault.roomBytes += (await file.stat()).size - length;
      await truncate(length);
    },
    datasync: async () => {
      calls.syncs += 1;
      if (fault.syncFails) throw Object.assign(new Error('broken'), { code: 'EIO' });
      await datasync();
    },
  });
  const told = { failures: 0, recoveries: 0, lines: [] as string[], closed: 0 };
  const writer = new JournalWriter(file, 0, {
    directory,
    sync,
    onFailure: () => (told.failures += 1),
    onRecovery: () => (told.recoveries += 1),
    onWritten: (lines) => told.lines.push(...lines),
    onClosed: () => (told.closed += 1),
  });
  t.teardown(() => writer.close().catch(() => undefined));
  return { directory, fault, calls, told, writer, content: () => readFileSync(path, 'utf8') };
}

t.test('many settle with one write and one sync', async (t) => {
  const { writer, calls, content, told } = await failingWriter(t);
  const settled: Promise<void>[] = [];
  for (let seq = 1; seq <= 100; seq += 1) {
    writer.push(`${seq}\n`, seq);
    settled.push(writer.settled(seq));
  }
  await Promise.all(settled);
  t.same(calls, { writes: 1, syncs: 1 });
  const expected = Array.from({ length: 100 }, (_, index) => `${index + 1}\n`);
  t.equal(content(), expected.join(''));
  t.strictSame(told.lines, expected);
  await writer.settled(100);
  t.same(calls, { writes: 1, syncs: 1 }, 'what is on disk needs no further sync');
});

t.test('nobody waits: with the operating system soon, on disk when it is asked for', async (t) => {
  const { writer, calls, content, told } = await failingWriter(t);
  writer.push('one\n', 1);
  while (content() !== 'one\n') await new Promise((resolve) => setTimeout(resolve, 5));
  t.equal(calls.syncs, 0);
  t.strictSame(told.lines, [], 'not told to be on disk');
  writer.sync();
  while (told.lines.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  t.equal(calls.syncs, 1);
  await writer.settled(1);
  t.equal(calls.syncs, 1);
});

t.test('a full disk: nothing settles, no torn line, no record lost', async (t) => {
  const { writer, fault, told, content } = await failingWriter(t);
  fault.roomBytes = 2;
  writer.push('one\n', 1);
  t.equal(await codeOf(() => writer.settled(1)), 'AUDIT_FAILED');
  t.equal(writer.failure?.code, 'AUDIT_FAILED');
  t.equal(content(), '', 'the half line was cut off');
  writer.push('two\n', 2);
  t.equal(await codeOf(() => writer.settled(2)), 'AUDIT_FAILED', 'still full');
  t.equal(told.failures, 1, 'told once');
  fault.roomBytes = Infinity;
  await writer.settled(2);
  t.equal(writer.failure, undefined);
  t.equal(told.recoveries, 1);
  t.equal(content(), 'one\ntwo\n');
});

t.test('after a full disk the backlog needs room for a part of it only', async (t) => {
  const { writer, fault, content } = await failingWriter(t);
  fault.roomBytes = 0;
  const line = `${'x'.repeat(1023)}\n`;
  const count = Math.ceil((3 * auditGroupBytesMax) / line.length);
  for (let seq = 1; seq <= count; seq += 1) writer.push(line, seq);
  t.equal(await codeOf(() => writer.settled(count)), 'AUDIT_FAILED');
  fault.roomBytes = 2.5 * auditGroupBytesMax;
  t.equal(await codeOf(() => writer.settled(count)), 'AUDIT_FAILED', 'not all of it');
  const written = content().length;
  t.ok(written >= 1.4 * auditGroupBytesMax, `what there was room for: ${written}`);
  t.equal(written % line.length, 0, 'in whole lines');
  fault.roomBytes = Infinity;
  await writer.settled(count);
  t.equal(content(), line.repeat(count));
});

t.test(
  'a failed sync is a failure, what was not synced is written again, and it recovers unasked',
  async (t) => {
    const { writer, fault, told, content } = await failingWriter(t);
    fault.syncFails = true;
    writer.push('one\n', 1);
    t.equal(await codeOf(() => writer.settled(1)), 'AUDIT_FAILED');
    t.equal(content(), '');
    fault.syncFails = false;
    while (told.recoveries === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    await writer.settled(1);
    t.equal(content(), 'one\n');
  },
);

t.test('without sync, written is enough', async (t) => {
  const { writer, calls, content } = await failingWriter(t, { sync: false });
  writer.push('one\n', 1);
  await writer.settled(1);
  t.equal(content(), 'one\n');
  t.equal(calls.syncs, 0);
});

t.test('a file is closed after the line that says so, and the next one begun', async (t) => {
  const { writer, directory, told, content } = await failingWriter(t);
  writer.push('one\n', 7);
  writer.push('two\n', 8, 7);
  writer.push('three\n', 9);
  await writer.settled(9);
  t.equal(readFileSync(join(directory, 'audit-000000000007.jsonl'), 'utf8'), 'one\ntwo\n');
  t.equal(content(), 'three\n');
  t.equal(told.closed, 1);
});

t.test('a file that can not be closed yet is closed later, and nothing is written over', async (t) => {
  const { writer, directory, told, content } = await failingWriter(t);
  const closed = join(directory, 'audit-000000000001.jsonl');
  // Renaming it away fails as long as its name is that of a directory in which it would have to lie.
  mkdirSync(join(directory, 'aside'));
  writer.push('one\n', 1, 1);
  await writer.settled(1);
  writer.push('two\n', 2);
  await writer.settled(2);
  t.equal(readFileSync(closed, 'utf8'), 'one\n');
  t.equal(content(), 'two\n');
  t.equal(told.closed, 1);
  writeFileSync(join(directory, 'x'), '');
});
