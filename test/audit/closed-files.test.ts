/** Goal: closed files are compressed, found by their index, and taken out only when they may be; the chain holds throughout. */
import t, { type Test } from 'tap';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { blocksOf, type Block } from '../../src/audit/block-index.ts';
import { removeOld } from '../../src/audit/housekeeping.ts';
import { journalFiles } from '../../src/audit/journal-files.ts';
import { readPublicKeyFile } from '../../src/audit/journal-key.ts';
import { queryJournal, type JournalQuery } from '../../src/audit/journal-query.ts';
import { verifyJournal } from '../../src/audit/verify.ts';
import { openTestJournal, recordOf, recordsIn } from '../support/journal.ts';

const dayMs = 86_400_000;

/** Some 200 records a file; half of them a day old, of another user. */
async function madeJournal(directory: string, t: Test, keep = {}): Promise<void> {
  const journal = await openTestJournal(t, { directory, fileBytesMax: 100_000, keep });
  for (let index = 0; index < 1000; index += 1) {
    const old = { time: new Date(Date.now() - dayMs).toISOString(), user: 'bob' };
    journal.append({ ...recordOf({ path: `/${index}` }), ...(index < 500 ? old : {}) });
    if (index % 100 === 0) await journal.settled();
  }
  await journal.close();
  // What a closing server leaves undone the next start does.
  await (await openTestJournal(t, { directory, fileBytesMax: 100_000, keep })).close();
}

async function findings(directory: string): Promise<unknown[]> {
  const key = await readPublicKeyFile(join(directory, 'journal-key.pub'));
  const found: unknown[] = [];
  for await (const finding of verifyJournal({ directory, key })) found.push(finding);
  return found;
}

async function paths(directory: string, query: JournalQuery): Promise<(string | null)[]> {
  const found: (string | null)[] = [];
  for await (const { path } of queryJournal(directory, query)) found.push(path);
  return found;
}

t.test('closed files are compressed, and are one chain with the rest', async (t) => {
  const directory = t.testdir({});
  await madeJournal(directory, t);
  const closed = (await journalFiles(directory)).filter(({ firstSeq }) => firstSeq !== Infinity);
  t.ok(closed.length >= 3, `${closed.length} closed files`);
  for (const file of closed) {
    t.ok(file.isCompressed, file.name);
    t.equal(statSync(file.path).mode & 0o777, 0o600);
    t.ok(file.bytes < gunzipSync(readFileSync(file.path)).length / 3, 'to less than a third');
    t.ok(await blocksOf(file), 'with an index');
  }
  t.notOk(readdirSync(directory).some((name) => name.endsWith('.part')));
  t.strictSame(await findings(directory), []);
  t.equal(recordsIn(directory).filter(({ operation }) => operation === 'mkdir').length, 1000);
});

t.test('what is sought is found, with the index and without', async (t) => {
  const directory = t.testdir({});
  await madeJournal(directory, t);
  const rows: readonly (readonly [string, JournalQuery, number])[] = [
    ['all', { operation: 'mkdir' }, 1000],
    ['of a user', { user: 'bob' }, 500],
    ['of nobody', { user: 'carol' }, 0],
    ['since', { sinceMs: Date.now() - dayMs / 2, operation: 'mkdir' }, 500],
    ['until', { untilMs: Date.now() - dayMs / 2 }, 500],
    ['by path', { path: (path) => path.startsWith('/99') }, 11],
    ['by path, with a text that is in it', { path: (path) => path === '/990', pathText: '990' }, 1],
    ['by a text that is nowhere', { path: () => true, pathText: 'nowhere' }, 0],
    ['by number', { id: '7' }, 1],
    ['by session', { id: 'session-1', operation: 'mkdir' }, 1000],
    ['of an outcome', { outcome: 'refused' }, 0],
    ['of bytes', { bytesMin: 1 }, 0],
  ];
  for (const way of ['with', 'without'] as const) {
    if (way === 'without')
      for (const name of readdirSync(directory)) if (name.endsWith('.index')) rmSync(join(directory, name));
    for (const [what, query, count] of rows)
      t.equal((await paths(directory, query)).length, count, `${what}, ${way} an index`);
  }
});

t.test('an index that is wrong is none', async (t) => {
  const directory = t.testdir({});
  await madeJournal(directory, t);
  for (const name of readdirSync(directory))
    if (name.endsWith('.index')) writeFileSync(join(directory, name), '{"version":1,"blocks":[]}');
  t.equal((await paths(directory, { operation: 'mkdir' })).length, 1000);
});

t.test('an index that would hide records is found', async (t) => {
  const directory = t.testdir({});
  await madeJournal(directory, t);
  const name = readdirSync(directory).find((one) => one.endsWith('.index')) ?? '';
  const text = readFileSync(join(directory, name), 'utf8');
  const [block] = (JSON.parse(text) as { blocks: Block[] }).blocks;
  if (block === undefined) throw new Error('no block');
  const half = Math.floor(block.bytes / 2);
  for (const [what, blocks] of [
    ['times', [{ ...block, minMs: 0, maxMs: 1 }]],
    ['users', [{ ...block, users: ['carol'] }]],
    ['users', [{ ...block, users: 7 }]],
    ['places', [{ ...block, records: block.records - 1 }]],
    ['places', [{ ...block, firstSeq: block.firstSeq + 1 }]],
    [
      'places',
      [
        { ...block, bytes: half },
        { ...block, offset: half, bytes: block.bytes - half },
      ],
    ],
  ] as const) {
    writeFileSync(join(directory, name), JSON.stringify({ version: 1, blocks }));
    const detail = `wrong ${what}, in the block of record ${block.firstSeq}`;
    t.match(await findings(directory), [{ kind: 'index', file: name, detail }], JSON.stringify(blocks));
  }
  writeFileSync(join(directory, name), JSON.stringify({ version: 1, blocks: [{ ...block, users: null }] }));
  t.strictSame(await findings(directory), [], 'that hides nothing');
  writeFileSync(join(directory, name), text);
  t.strictSame(await findings(directory), []);
});

t.test('what is too old or too much is taken out, and a record says so', async (t) => {
  for (const keep of [{ bytesMax: 1 }, { msMax: 1 }]) {
    const directory = t.testdir({});
    await madeJournal(directory, t, keep);
    const records = recordsIn(directory);
    t.ok((records[0]?.seq ?? 0) > 200, `begins at ${records[0]?.seq}`);
    t.ok(records.some(({ path, journal }) => path === 'removed' && journal?.removed !== undefined));
    t.strictSame(await findings(directory), [], 'the chain is whole without them');
  }
});

t.test('a file that does not end with a signed checkpoint stays', async (t) => {
  const directory = t.testdir({});
  await madeJournal(directory, t);
  const [first] = await journalFiles(directory);
  const path = first?.path.replace('.gz', '') ?? '';
  const lines = gunzipSync(readFileSync(`${path}.gz`))
    .toString('utf8')
    .trimEnd()
    .split('\n');
  writeFileSync(path, `${lines.slice(0, -1).join('\n')}\n`);
  rmSync(`${path}.gz`);
  const kept: string[] = [];
  await removeOld({
    directory,
    keep: { bytesMax: 1 },
    key: await readPublicKeyFile(join(directory, 'journal-key.pub')),
    openSince: null,
    announce: async () => void t.fail('nothing goes'),
    keptBack: (name) => void kept.push(name),
  });
  t.equal(kept.length, 1);
});

t.test('what is still open keeps its file', async (t) => {
  const directory = t.testdir({});
  await madeJournal(directory, t);
  await removeOld({
    directory,
    keep: { bytesMax: 1 },
    key: await readPublicKeyFile(join(directory, 'journal-key.pub')),
    openSince: 3,
    announce: async () => void t.fail('nothing goes'),
    keptBack: (name) => t.fail(name),
  });
});
