/** Goal: a worker's records get to the one writer, who syncs when somebody waits, and a success is never told too early. */
import t from 'tap';
import { setTimeout as pause } from 'node:timers/promises';
import { serverRecord, type AuditRecord, type SharedJournal } from '../../src/audit/record.ts';
import { workerBatchRecordsMax, workerRecordsMax } from '../../src/limits.ts';
import { JournalBridge } from '../../src/supervisor/journal-bridge.ts';
import { JournalProxy } from '../../src/supervisor/journal-proxy.ts';
import { codeOf } from '../support/throws.ts';

/** A journal that counts, and fails on demand. */
class CountingJournal implements SharedJournal {
  readonly records: AuditRecord[] = [];
  settles = 0;
  fails = false;
  isFull = false;

  ensureWritable(): void {}

  append(record: AuditRecord): boolean {
    if (this.isFull) return false;
    this.records.push(record);
    return true;
  }

  async settled(): Promise<void> {
    this.settles += 1;
    await pause(1);
    if (this.fails) throw new Error('the disk is broken');
  }

  abandon(): readonly AuditRecord[] {
    return [];
  }
}

/** Both ends, with a channel between them that takes its time. */
function channel() {
  const journal = new CountingJournal();
  const bridge = new JournalBridge({
    journal,
    process: '1',
    recordsBefore: 0,
    alsoAwait: () => Promise.resolve(),
    answer: (answer) => setImmediate(() => proxy.onSettled(answer)),
    onLost: () => undefined,
  });
  const proxy = new JournalProxy((records, waits) => setImmediate(() => bridge.receive(records, waits)));
  const append = (path: string): boolean =>
    proxy.append(serverRecord({ operation: 'stat', outcome: 'done', path }));
  return { journal, bridge, proxy, append };
}

t.test('who waits is answered after one sync, and the others cost none', async (t) => {
  const { journal, proxy, append } = channel();
  for (let index = 0; index < 5; index += 1) {
    append(`alone ${index}`);
    await pause(2);
  }
  for (let waitedMs = 0; waitedMs < 10_000 && journal.records.length < 5; waitedMs += 1) await pause(1);
  t.equal(journal.records.length, 5);
  t.equal(journal.settles, 0, 'nobody waits');
  append('waited for');
  await Promise.all([proxy.settled(), proxy.settled()]);
  t.equal(journal.records.length, 6);
  t.equal(journal.settles, 1);
  t.equal(proxy.waiting, 0);
  await proxy.settled();
  t.equal(journal.settles, 1, 'what is on disk is not asked for again');
  append('before somebody waits');
  for (let waitedMs = 0; waitedMs < 10_000 && journal.records.length < 7; waitedMs += 1) await pause(1);
  await proxy.settled();
  t.equal(journal.settles, 2, 'records that were sent before');
});

t.test('what nobody waits for travels with what somebody does', async (t) => {
  const sent: [records: number, waits: boolean][] = [];
  const proxy = new JournalProxy((records, waits) => sent.push([records.length, waits]));
  const append = (): boolean => proxy.append(serverRecord({ operation: 'stat', outcome: 'done', path: '/' }));
  append();
  await pause(0);
  t.strictSame(sent, [], 'it waits for company');
  append();
  void proxy.settled();
  await Promise.resolve();
  await Promise.resolve();
  t.strictSame(sent.splice(0), [[2, true]], 'who waits does not');
  for (let index = 0; index < workerBatchRecordsMax; index += 1) append();
  await Promise.resolve();
  t.strictSame(sent.splice(0), [[workerBatchRecordsMax, false]], 'nor do many');
  append();
  for (let waitedMs = 0; waitedMs < 10_000 && sent.length === 0; waitedMs += 1) await pause(1);
  t.strictSame(sent, [[1, false]], 'nor does it wait for long');
});

t.test('what nobody waits for is known to be on disk in the end', async (t) => {
  const { journal, proxy, append } = channel();
  append('alone');
  for (let waitedMs = 0; waitedMs < 10_000 && proxy.waiting > 0; waitedMs += 50) await pause(50);
  t.equal(proxy.waiting, 0);
  t.equal(journal.settles, 1);
});

t.test('more records than may wait at once, of which none is waited for', async (t) => {
  const { proxy, append } = channel();
  let lost = 0;
  for (let index = 0; index < 3 * workerRecordsMax; index += 1) {
    if (!append(`${index}`)) lost += 1;
    if (index % 100 === 0) await pause(1);
  }
  t.equal(lost, 0);
  t.ok(proxy.waiting < workerRecordsMax);
});

t.test('a disk that fails is told to who waits, and tried until it works', async (t) => {
  const { journal, proxy, append } = channel();
  journal.fails = true;
  append('first');
  t.equal(await codeOf(() => proxy.settled()), 'AUDIT_FAILED');
  t.throws(() => proxy.ensureWritable());
  journal.fails = false;
  for (let waitedMs = 0; waitedMs < 5000 && proxy.waiting > 0; waitedMs += 50) await pause(50);
  t.doesNotThrow(() => proxy.ensureWritable());
  append('second');
  await proxy.settled();
});

t.test('without its supervisor nothing is promised', async (t) => {
  const { proxy, append } = channel();
  append('first');
  const waiting = codeOf(() => proxy.settled());
  proxy.lose();
  t.equal(await waiting, 'AUDIT_FAILED');
  t.notOk(append('second'));
  t.equal(await codeOf(() => proxy.settled()), 'AUDIT_FAILED');
});

t.test('a record that is lost fails whoever waits, now and later', async (t) => {
  const { journal, proxy, append } = channel();
  const outcome = async (): Promise<string | undefined> =>
    await Promise.race([codeOf(() => proxy.settled()), pause(2000).then(() => 'no answer')]);
  append('before');
  const earlier = outcome();
  await pause(0);
  journal.isFull = true;
  append('lost');
  t.equal(await outcome(), 'AUDIT_FAILED');
  await earlier; // in time or not: it is on disk
  t.equal(await codeOf(async () => proxy.ensureWritable()), 'AUDIT_FAILED', 'nothing is begun any more');
  journal.isFull = false;
  append('after');
  t.equal(await outcome(), 'AUDIT_FAILED', 'a record before it is missing');
  t.match(journal.records.at(-1), { path: 'after' }, 'it is written all the same');
});
