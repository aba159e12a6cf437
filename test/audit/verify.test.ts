/** Goal: whatever is done to a journal is found, and said with the number of the record; what was not touched is fine. */
import t, { type Test } from 'tap';
import { readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chain, readLink, type Head } from '../../src/audit/chain.ts';
import { journalFileName } from '../../src/audit/file-journal.ts';
import { generateJournalKey, readPublicKey, readPublicKeyFile } from '../../src/audit/journal-key.ts';
import type { WrittenRecord } from '../../src/audit/record.ts';
import { verifyJournal, type JournalFinding } from '../../src/audit/verify.ts';
import { openTestJournal, recordOf } from '../support/journal.ts';

/** A journal of 40 records in one file: 1 "opened", 2 to 38 changes, 39 "closed", 40 a checkpoint. */
async function madeJournal(t: Test, fileBytesMax?: number): Promise<string> {
  const directory = t.testdir({});
  const journal = await openTestJournal(t, { directory, ...(fileBytesMax && { fileBytesMax }) });
  for (let index = 2; index <= 38; index += 1) journal.append(recordOf({ path: `/${index}` }));
  await journal.close();
  return directory;
}

async function findings(directory: string, expectHead?: Head): Promise<JournalFinding[]> {
  const key = await readPublicKeyFile(join(directory, 'journal-key.pub'));
  const found: JournalFinding[] = [];
  for await (const finding of verifyJournal({ directory, key, expectHead })) found.push(finding);
  return found;
}

function brief(found: readonly JournalFinding[]): string[] {
  return found.map(({ kind, seq, until }) => `${kind} ${seq}${until === undefined ? '' : `-${until}`}`);
}

/** Makes the hashes from a line on anew, as somebody without the key can. */
function rechained(lines: readonly string[], from: number): string[] {
  const before = readLink(Buffer.from(lines[from - 2] ?? ''));
  let head: Head = before ?? { seq: 0, hash: '0'.repeat(64) };
  return lines.map((line, index) => {
    if (index < from - 1) return line;
    const { seq: _seq, prev: _prev, hash: _hash, ...record } = JSON.parse(line) as WrittenRecord;
    const { journal, attempt, ...facts } = record;
    const linked = chain(facts, head, { attempt, journal });
    head = linked;
    return linked.line.trimEnd();
  });
}

const at = (lines: readonly string[], seq: number): string => lines[seq - 1] ?? '';
const without = (lines: readonly string[], from: number, until = from): string[] =>
  lines.filter((_, index) => index + 1 < from || index + 1 > until);
const edited = (line: string): string => line.replace('"path":"/', '"path":"/forged');

const tampering: readonly (readonly [
  what: string,
  tamper: (lines: string[]) => string[],
  expected: string[],
])[] = [
  ['nothing', (lines) => lines, []],
  ['a record is changed', (lines) => lines.with(9, edited(at(lines, 10))), ['changed 10']],
  [
    'the first record is changed',
    (lines) => lines.with(0, at(lines, 1).replace('opened', 'open')),
    ['changed 1'],
  ],
  ['one byte of a hash', (lines) => lines.with(9, at(lines, 10).replace(/.(?="\}$)/, 'x')), ['changed 10']],
  [
    'a record is changed, and its own hash made anew',
    (lines) => lines.with(9, rechained(lines.with(9, edited(at(lines, 10))), 10)[9] ?? ''),
    ['unlinked 10'],
  ],
  [
    'a record is changed, and all hashes after it made anew',
    (lines) => rechained(lines.with(9, edited(at(lines, 10))), 10),
    ['signature 40'],
  ],
  ['a record is no JSON any more', (lines) => lines.with(9, 'nonsense'), ['changed 10']],
  ['a record is removed', (lines) => without(lines, 10), ['removed 10-10']],
  ['records are removed', (lines) => without(lines, 10, 20), ['removed 10-20']],
  [
    'records are removed, hashes made anew',
    (lines) => rechained(without(lines, 10, 20), 10),
    ['signature 29'],
  ],
  ['the beginning is removed', (lines) => without(lines, 1, 4), ['beginning 1-4']],
  ['a record is inserted again', (lines) => lines.toSpliced(20, 0, at(lines, 10)), ['inserted 10']],
  [
    'a record is made up and inserted',
    (lines) => {
      const head = readLink(Buffer.from(at(lines, 20))) ?? { seq: 0, hash: '' };
      return lines.toSpliced(20, 0, chain(recordOf({ path: '/never' }), head).line.trimEnd());
    },
    ['inserted 21', 'unlinked 21'],
  ],
  [
    'two records change places',
    (lines) => lines.with(9, at(lines, 11)).with(10, at(lines, 10)),
    ['moved 10'],
  ],
  [
    'a record is moved to a later place',
    (lines) => without(lines, 10).toSpliced(19, 0, at(lines, 10)),
    ['moved 10'],
  ],
  [
    'a checkpoint is forged',
    (lines) => rechained(lines, 40).map((line) => line.replace(/"signature":"..../, '"signature":"AAAA')),
    ['changed 40'],
  ],
  ['the end is cut off', (lines) => lines.slice(0, 30), ['head 31-40']],
  ['the last record is cut off', (lines) => lines.slice(0, 39), ['head 40-40']],
  [
    'the end is cut off, and another made',
    (lines) => rechained([...lines.slice(0, 30), ...lines.slice(0, 20)], 31),
    ['head 40'],
  ],
];

t.test('tampering', async (t) => {
  for (const [what, tamper, expected] of tampering) {
    const directory = await madeJournal(t);
    const path = join(directory, journalFileName);
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
    t.equal(lines.length, 40);
    const expectHead = readLink(Buffer.from(at(lines, 40)));
    writeFileSync(path, `${tamper(lines).join('\n')}\n`);
    const found = brief(await findings(directory, expectHead));
    const withoutHead = found.filter((line) => !line.startsWith('head') || expected.includes(line));
    t.strictSame(withoutHead, expected, what);
    const isTail = expected.some((line) => line.startsWith('head'));
    t.strictSame(
      brief(await findings(directory)),
      expected.filter((line) => !line.startsWith('head')),
      `${what}, without a head`,
    );
    if (isTail) t.ok(found.length > 0, 'a tail is proved by a head that was kept');
  }
});

t.test('over several files: whole ones are missed, too, and what stands across them', async (t) => {
  const rows: readonly (readonly [string, (directory: string, names: string[]) => void, RegExp[]])[] = [
    ['nothing', () => undefined, []],
    ['a file is removed', (directory, names) => rmSync(join(directory, names[1] ?? '')), [/^removed /]],
    [
      'the first file is removed',
      (directory, names) => rmSync(join(directory, names[0] ?? '')),
      [/^beginning 1-/],
    ],
    [
      'two files change places',
      (directory, names) => {
        renameSync(join(directory, names[0] ?? ''), join(directory, 'x'));
        renameSync(join(directory, names[1] ?? ''), join(directory, names[0] ?? ''));
        renameSync(join(directory, 'x'), join(directory, names[1] ?? ''));
      },
      [/^(moved|inserted) 1$/],
    ],
    ['the newest file is removed', (directory) => rmSync(join(directory, journalFileName)), [/^head /]],
  ];
  for (const [what, tamper, expected] of rows) {
    const directory = await madeJournal(t, 4000);
    const names = readdirSync(directory).filter((name) => name.startsWith('audit-'));
    t.ok(names.length >= 3, `${names.length} files`);
    const text = readFileSync(join(directory, journalFileName), 'utf8').trimEnd().split('\n').at(-1) ?? '';
    const expectHead = readLink(Buffer.from(text));
    tamper(directory, names);
    const found = brief(await findings(directory, expectHead));
    if (expected.length === 0) t.strictSame(found, [], what);
    for (const pattern of expected)
      t.ok(
        found.some((line) => pattern.test(line)),
        `${what}: ${found.join(', ')}`,
      );
  }
});

t.test('another key', async (t) => {
  const directory = await madeJournal(t);
  const key = readPublicKey(generateJournalKey().publicKey);
  const found: JournalFinding[] = [];
  for await (const finding of verifyJournal({ directory, key })) found.push(finding);
  t.match(found, [{ kind: 'signature', seq: 40, detail: /^signed by the key SHA256:/ }]);
});

t.test('the server may be writing: a line that is not whole yet is none', async (t) => {
  const directory = await madeJournal(t);
  writeFileSync(join(directory, journalFileName), '{"seq":41,"ti', { flag: 'a' });
  t.strictSame(await findings(directory), []);
});
