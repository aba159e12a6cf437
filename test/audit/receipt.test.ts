/** Goal: only a receipt as it was signed passes; a disk that hangs or fails holds up nobody for long; the oldest go first. */
import t from 'tap';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chain, genesis } from '../../src/audit/chain.ts';
import { openJournalKey, type JournalKey } from '../../src/audit/journal-key.ts';
import { readReceipt, receiptFor, signedReceipt } from '../../src/audit/receipt.ts';
import { Receipts } from '../../src/audit/receipts.ts';
import { serverRecord, type AuditRecord, type WrittenRecord } from '../../src/audit/record.ts';
import { receiptsMax, receiptsPruneEvery } from '../../src/limits.ts';
import { ReceiptArea } from '../../src/storage/receipt-area.ts';

const place = mkdtempSync(join(tmpdir(), 'scpd-receipt-'));
t.teardown(() => rmSync(place, { recursive: true, force: true }));

async function newKey(name: string): Promise<JournalKey> {
  mkdirSync(join(place, name));
  return (await openJournalKey(join(place, name))).key;
}

const upload: AuditRecord = {
  ...serverRecord({ operation: 'upload', phase: 'end', outcome: 'done', path: '/in/a"b.pdf' }),
  user: 'sender',
  key: 'SHA256:n5sPGzIPhHyHol1tIYDX8HYamsN+nAV3RDd6F5gUT+M',
  bytes: 10,
  sha256: 'ab'.repeat(32),
  verdict: 'closed',
  transfer: '01a213a4-2e4f-7085-8d1d-95505a879be7',
};
const written = (record: AuditRecord): string => chain(record, genesis).line;

t.test('what is not as it was signed does not pass', async (t) => {
  const [key, other] = [await newKey('one'), await newKey('other')];
  const statement = receiptFor(JSON.parse(written(upload)) as WrittenRecord, key.id);
  if (statement === undefined) throw new Error('no receipt');
  const text = signedReceipt(statement, key);
  t.strictSame(readReceipt(text, key), { kind: 'good', statement });
  t.equal(readReceipt(JSON.stringify(JSON.parse(text)), key).kind, 'good', 'white space says nothing');
  t.strictSame(readReceipt(text, other), { kind: 'other-key', signer: key.id });
  for (const field of Object.keys(statement)) {
    const before = statement[field as keyof typeof statement];
    const after = typeof before === 'number' ? before + 1 : `${before ?? ''}x`;
    const changed = { scpdReceipt: 1, ...JSON.parse(text), statement: { ...statement, [field]: after } };
    t.not(readReceipt(JSON.stringify(changed), key).kind, 'good', field);
    t.not(readReceipt(JSON.stringify(changed), other).kind, 'good', field);
    const { [field as 'path']: _gone, ...rest } = statement;
    t.equal(readReceipt(JSON.stringify({ ...changed, statement: rest }), key).kind, 'no-receipt', field);
  }
  const foreign = signedReceipt({ ...statement, signer: key.id }, other);
  t.equal(readReceipt(foreign, key).kind, 'changed', 'another key in our name');
  for (const more of ['{"scpdReceipt":2', '[', 'null', '', text.replace('"size"', '"note": "paid", "size"')])
    t.equal(readReceipt(more, key).kind, 'no-receipt', more.slice(0, 20));
  const failed = { ...upload, outcome: 'failed', verdict: 'aborted' } as const;
  for (const record of [failed, { ...upload, phase: 'begin' }, { ...upload, operation: 'download' }] as const)
    t.equal(receiptFor(JSON.parse(written(record)) as WrittenRecord, key.id), undefined);
});

interface Said {
  readonly warnings: string[];
  readonly receipts: Receipts;
}

async function receiptsWith(name: string, write: () => Promise<void>): Promise<Said> {
  const warnings: string[] = [];
  const quiet = () => undefined;
  const log = { info: quiet, error: quiet, warn: (_: object, words: string) => void warnings.push(words) };
  const receipts = new Receipts(log);
  receipts.configure(new Map([['sender', { write }]]));
  receipts.begin(await newKey(name));
  return { warnings, receipts };
}

t.test('a disk that hangs is waited for once, and a failure is said once', async (t) => {
  let go: () => void = () => undefined;
  const hanging = new Promise<void>((resolve) => (go = resolve));
  const { receipts } = await receiptsWith('hanging', () => hanging);
  receipts.saw([written(upload)]);
  const began = performance.now();
  await receipts.settled();
  t.ok(performance.now() - began >= 900, 'waited for');
  receipts.saw([written(upload)]);
  const again = performance.now();
  await receipts.settled();
  t.ok(performance.now() - again < 500, 'not again');
  go();
  await new Promise((resolve) => setImmediate(resolve));

  const failing = await receiptsWith('failing', () => Promise.reject(new Error('no space')));
  failing.receipts.saw([written(upload), written(upload), written({ ...upload, user: 'without' })]);
  await failing.receipts.settled();
  t.equal(failing.warnings.length, 1);

  const stuck = await receiptsWith('stuck', () => new Promise<void>(() => undefined));
  stuck.receipts.saw(Array.from({ length: 1100 }, () => written(upload)));
  t.equal(stuck.warnings.length, 1, 'too many wait');
});

t.test('the oldest go when there are too many', async (t) => {
  const directory = join(place, 'root', '.scpd', 'receipts', 'sender');
  mkdirSync(directory, { recursive: true });
  for (let number = 0; number < receiptsMax + 5; number += 1)
    writeFileSync(join(directory, `2025${String(number).padStart(6, '0')}`), '');
  const area = new ReceiptArea({ root: join(place, 'root') }, 'sender');
  for (let number = 0; number <= receiptsPruneEvery; number += 1)
    await area.write({ name: `2026-${String(number).padStart(6, '0')}`, id: `id${number}`, text: 'x' });
  const names = readdirSync(directory).toSorted();
  t.equal(names.length, receiptsMax);
  t.equal(names[0], `2025${String(5 + receiptsPruneEvery + 1).padStart(6, '0')}`);
  t.equal(names.at(-1), `2026-${String(receiptsPruneEvery).padStart(6, '0')}`);
  t.strictSame(readdirSync(join(place, 'root', '.scpd', 'staging')), []);
});

t.test('nothing is put where the root was, while its disk is away', async (t) => {
  const root = join(place, 'empty');
  mkdirSync(root);
  const area = new ReceiptArea({ root, rootInode: '1' }, 'sender');
  await t.rejects(area.write({ name: '2026', id: 'id', text: 'x' }), { code: 'STORAGE_FAILED' });
  t.strictSame(readdirSync(root), []);
});
