/** Goal: a journal is one chain, whatever happens to its process; what is open when it dies is ended; nothing forges. */
import t from 'tap';
import { appendFileSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chain, genesisHash, readLink } from '../../src/audit/chain.ts';
import { checkpointText } from '../../src/audit/checkpoint.ts';
import { journalFileName, openFileJournal } from '../../src/audit/file-journal.ts';
import { readPublicKeyFile } from '../../src/audit/journal-key.ts';
import type { AuditRecord } from '../../src/audit/record.ts';
import { auditCheckpointRecords, auditQueueRecordsMax } from '../../src/limits.ts';
import { testSession } from '../support/checked-journal.ts';
import {
  clientRecordsIn,
  linesIn,
  openTestJournal,
  recordOf,
  recordsIn,
  said,
  testJournalOptions,
} from '../support/journal.ts';

const transfer = '01938f00-0000-7000-8000-000000000001';

function begin(path: string, facts: Partial<AuditRecord> = {}): AuditRecord {
  return {
    ...recordOf({ path, operation: 'upload', phase: 'begin', transfer, direction: 'in' }),
    ...facts,
  };
}

t.test('records are lines, in order, chained, settled when they are there', async (t) => {
  const directory = join(t.testdir({}), 'new', 'audit');
  const journal = await openTestJournal(t, { directory });
  for (let index = 0; index < 1000; index += 1) journal.append(recordOf({ path: `/${index}` }));
  await Promise.all([journal.settled(), journal.settled()]);
  const paths = clientRecordsIn(directory).map(({ path }) => path);
  t.strictSame(
    paths,
    Array.from({ length: 1000 }, (_, index) => `/${index}`),
  );
  journal.append(recordOf({ path: '/last' }));
  await journal.close();
  t.equal(clientRecordsIn(directory).length, 1001, 'closing writes what waits');
  for (const [name, mode] of [
    ['.', 0o700],
    [journalFileName, 0o600],
    ['journal-key', 0o600],
    ['journal-key.pub', 0o644],
  ] as const)
    t.equal(statSync(join(directory, name)).mode & 0o777, mode, name);
  let prev = genesisHash;
  for (const [index, line] of linesIn(directory).entries()) {
    const link = readLink(Buffer.from(line));
    t.match(link, { seq: index + 1, prev, isSound: true });
    prev = link?.hash ?? '';
  }
});

t.test('checkpoints: so many records, and the end, are signed', async (t) => {
  const directory = t.testdir({});
  const journal = await openTestJournal(t, { directory });
  for (let index = 0; index < 2.5 * auditCheckpointRecords; index += 1)
    journal.append(recordOf({ path: `/${index}` }));
  await journal.close();
  const records = recordsIn(directory);
  const signed = records.filter(({ operation }) => operation === 'checkpoint');
  t.equal(signed.length, 3);
  t.equal(records.at(-1)?.operation, 'checkpoint');
  const key = await readPublicKeyFile(join(directory, 'journal-key.pub'));
  for (const record of signed) {
    t.ok(key.verifies(checkpointText(record), record.journal?.signature ?? ''));
    t.notOk(key.verifies(checkpointText({ ...record, seq: 1 }), record.journal?.signature ?? ''));
    t.equal(record.journal?.signer, key.id);
  }
});

t.test('it goes on where it ended; what a crash tore is set aside', async (t) => {
  const directory = t.testdir({});
  let journal = await openTestJournal(t, { directory });
  journal.append(recordOf({ path: '/one' }));
  await journal.close();
  const before = linesIn(directory).length;
  appendFileSync(join(directory, journalFileName), `{"seq":99,"torn":\n{"more"`);
  journal = await openTestJournal(t, { directory });
  journal.append(recordOf({ path: '/two' }));
  await journal.close();
  const records = recordsIn(directory);
  t.strictSame(
    records.map(({ seq }) => seq),
    records.map((_, index) => index + 1),
  );
  t.match(records[before], { operation: 'journal', path: 'opened', journal: { tornBytes: 25 } });
  const aside = readdirSync(directory).find((name) => name.includes('.torn-')) ?? '';
  t.equal(readFileSync(join(directory, aside), 'utf8'), '{"seq":99,"torn":\n{"more"');
});

t.test('what is no journal is set aside whole', async (t) => {
  const old = '{"time":"2026-01-01T00:00:00.000Z","operation":"upload"}\n';
  const directory = t.testdir({ [journalFileName]: old });
  const journal = await openTestJournal(t, { directory });
  journal.append(recordOf({ path: '/new' }));
  await journal.close();
  t.equal(recordsIn(directory)[0]?.seq, 1);
  const aside = readdirSync(directory).find((name) => name.includes('not-a-journal')) ?? '';
  t.equal(readFileSync(join(directory, aside), 'utf8'), old);
  t.match(said.at(-1), /is none \(or one of an earlier version\)/);
});

t.test('nothing in a record can pass for another', async (t) => {
  const directory = t.testdir({});
  const journal = await openTestJournal(t, { directory });
  const path = '/a\n{"user":"root"}\x1b[2J\u2028\u202e\udcff","hash":"';
  journal.append(recordOf({ path }));
  journal.append(recordOf({ path: '/a\\x0a' }));
  await journal.close();
  const [odd, plain] = clientRecordsIn(directory);
  t.match(odd?.path, '/a\\x0a{"user":"root"}\\x1b[2J\\u{2028}\\u{202e}\\xff","hash":"');
  const bytes = Buffer.from('/a\n{"user":"root"}\x1b[2J\u2028\u202e', 'utf8');
  t.same(
    Buffer.from(odd?.pathBytes ?? '', 'base64'),
    Buffer.concat([bytes, Buffer.of(0xff), Buffer.from('","hash":"')]),
  );
  t.equal(plain?.path, '/a\\x0a');
  t.equal(plain?.pathBytes, undefined, 'a path that shows itself needs no bytes');
});

t.test('a link in its place is not followed', async (t) => {
  const directory = t.testdir({ elsewhere: 'x' });
  symlinkSync('elsewhere', join(directory, journalFileName));
  await t.rejects(openFileJournal(testJournalOptions({ directory })));
});

t.test('one writer', async (t) => {
  const directory = t.testdir({});
  const journal = await openTestJournal(t, { directory, processes: { own: '42-1', isAlive: () => true } });
  const second = { own: '43-1', isAlive: (name: string) => name === '42-1' };
  await t.rejects(
    openFileJournal(testJournalOptions({ directory, processes: second })),
    /process 42 writes it already/,
  );
  await journal.close();
  await (await openTestJournal(t, { directory, processes: second })).close();
  writeFileSync(join(directory, 'audit.lock'), '42-1\n');
  const third = { own: '44-1', isAlive: () => false };
  await (await openTestJournal(t, { directory, processes: third })).close();
});

t.test('a key that others can read is not used', async (t) => {
  const directory = t.testdir({ 'journal-key': 'x' });
  await t.rejects(openFileJournal(testJournalOptions({ directory })), /open to others: chmod 600/);
});

t.test('what a dead process has begun is ended, with what had come', async (t) => {
  const directory = t.testdir({});
  const journal = await openTestJournal(t, { directory });
  const other = transfer.replace(/1$/, '2');
  journal.append(begin('/dead'), 'worker 1');
  journal.append(begin('/alive', { transfer: other }), 'worker 2');
  const session = '01938f00-0000-7000-8000-00000000000a';
  journal.append(
    { ...recordOf({ path: 'sftp', operation: 'session', phase: 'begin' }), session },
    'worker 1',
  );
  journal.abandon('worker 1', () => 7);
  journal.abandon('worker 1', () => 8);
  await journal.settled();
  const ended = clientRecordsIn(directory).filter(({ phase }) => phase === 'end');
  t.equal(ended.length, 2, 'once each');
  t.match(ended[0], {
    ...testSession,
    operation: 'upload',
    transfer,
    direction: 'in',
    path: '/dead',
    outcome: 'failed',
    verdict: 'aborted',
    error: 'INTERRUPTED',
    bytes: 7,
    attempt: 1,
  });
  t.match(ended[1], { operation: 'session', session, outcome: 'failed', error: 'INTERRUPTED' });
});

t.test('what an earlier run has left open is ended at the start, across files', async (t) => {
  const directory = t.testdir({});
  let journal = await openTestJournal(t, { directory, fileBytesMax: 4000 });
  journal.append(begin('/old'));
  for (let index = 0; index < 50; index += 1) journal.append(recordOf({ path: `/${index}` }));
  await journal.settled();
  const names = readdirSync(directory).filter((name) => name.startsWith('audit-'));
  t.ok(names.length > 2, `rotated: ${names.length}`);
  // No close: as if it had been killed. The lock is of a process that is not alive.
  journal = await openTestJournal(t, { directory, bytesOf: (id) => (id === transfer ? 123 : undefined) });
  await journal.close();
  const ended = clientRecordsIn(directory).filter(({ phase }) => phase === 'end');
  t.match(ended, [{ transfer, path: '/old', verdict: 'aborted', error: 'INTERRUPTED', bytes: 123 }]);
  journal = await openTestJournal(t, { directory });
  await journal.close();
  t.equal(clientRecordsIn(directory).filter(({ phase }) => phase === 'end').length, 1, 'only once');
});

t.test('tries of one path in a row are counted, also over a restart', async (t) => {
  const directory = t.testdir({});
  let journal = await openTestJournal(t, { directory });
  const end = { phase: 'end', bytes: 0, durationMs: 0 } as const;
  const failed = { ...end, outcome: 'failed', verdict: 'aborted', error: 'CONNECTION_LOST' } as const;
  const done = { ...end, outcome: 'done', verdict: 'closed', sha256: '0'.repeat(64), mode: '0644' } as const;
  journal.append(begin('/x'));
  journal.append(begin('/x', failed));
  journal.append(begin('/other'));
  journal.append(begin('/other', done));
  journal.append(recordOf({ path: '/x', operation: 'upload', outcome: 'refused', error: 'NO_SPACE' }));
  await journal.close();
  journal = await openTestJournal(t, { directory });
  journal.append(begin('/x'));
  journal.append(begin('/x', done));
  journal.append(begin('/x'));
  await journal.close();
  const attempts = clientRecordsIn(directory).map(({ path, attempt }) => [path, attempt]);
  t.strictSame(attempts, [
    ['/x', 1],
    ['/x', 1],
    ['/other', 1],
    ['/other', 1],
    ['/x', 2],
    ['/x', 3],
    ['/x', 3],
    ['/x', 1],
  ]);
});

t.test('the queue has an end; with "continue" what is beyond is counted', async (t) => {
  for (const onFailure of ['refuse', 'continue'] as const) {
    const directory = t.testdir({});
    const journal = await openTestJournal(t, { directory, onFailure });
    let accepted = 0;
    while (accepted <= auditQueueRecordsMax && journal.append(recordOf({ path: '/x' }))) accepted += 1;
    t.ok(accepted > 0.9 * auditQueueRecordsMax, `${accepted} accepted`);
    t.equal(accepted > auditQueueRecordsMax, onFailure === 'continue');
    await journal.close();
  }
});

t.test('a line is checked with nothing but sha256', async (t) => {
  const { line, hash } = chain(recordOf({ path: '/x' }), { seq: 41, hash: 'a'.repeat(64) });
  t.match(line, /^\{"seq":42,"time":"[^"]+",.*,"prev":"a{64}","hash":"[0-9a-f]{64}"\}\n$/);
  const { createHash } = await import('node:crypto');
  const body = line.slice(0, line.lastIndexOf(',"hash"'));
  t.equal(createHash('sha256').update(body).digest('hex'), hash);
});
