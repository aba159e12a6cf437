/** Goal: what is known, what it sums up to and what is claimed never disagree, and never exceed a quota. */
import t from 'tap';
import { statSync } from 'node:fs';
import type { Content, Ledger } from '../../src/guard/ledger.ts';
import type { StoredAttributes } from '../../src/guard/store.ts';
import { virtualPath } from '../../src/guard/virtual-path.ts';
import type { SqliteCatalog } from '../../src/catalog/catalog.ts';
import { makeCatalogPlace, startCatalog, type CatalogPlace } from '../support/catalog.ts';
import { randomNumbers } from '../support/random-numbers.ts';

let lastInode = 0;

function file(sizeBytes: number, inode = String((lastInode += 1))): StoredAttributes {
  return {
    kind: 'file',
    sizeBytes,
    mode: 0o644,
    modifiedSeconds: 1_700_000_000.123,
    accessedSeconds: 0,
    linkCount: 1,
    inode,
    identity: inode,
  };
}

const contentOfFile = (found: StoredAttributes): Content => ({
  inode: found.inode,
  sha256: 'a'.repeat(64),
  verdict: 'verified',
});

/** An upload without a disk. False if it was refused. */
async function upload(ledger: Ledger, path: string, bytes: number): Promise<boolean> {
  const claim = await ledger.claim({ path: virtualPath(path), bytes, creates: true });
  if (claim === undefined) return false;
  const found = file(bytes);
  await claim.made(() => found, contentOfFile(found));
  return true;
}

async function remove(ledger: Ledger, path: string): Promise<void> {
  const claim = await ledger.claim({ path: virtualPath(path), bytes: 0, creates: false });
  await claim?.removed(() => undefined);
}

async function move(ledger: Ledger, from: string, to: string): Promise<boolean> {
  const claim = await ledger.claim({
    path: virtualPath(from),
    target: virtualPath(to),
    bytes: 0,
    creates: false,
  });
  await claim?.move(
    async () => ({ path: virtualPath(to) }),
    () => undefined,
  );
  return claim !== undefined;
}

async function open(
  t: Parameters<typeof makeCatalogPlace>[0],
  quota: { bytesMax?: number; filesMax?: number },
): Promise<{ place: CatalogPlace; catalog: SqliteCatalog; ledger: Ledger }> {
  const place = makeCatalogPlace(t, ['alice', 'bob']);
  const catalog = await startCatalog(place);
  t.teardown(() => catalog.close());
  return { place, catalog, ledger: await catalog.ledger({ root: place.root, user: 'alice', quota }) };
}

t.test('the file is closed to others', async (t) => {
  const { place } = await open(t, {});
  for (const suffix of ['', '-wal', '-shm'])
    t.equal(statSync(`${place.file}${suffix}`).mode & 0o777, 0o600, suffix);
});

t.test('an overwrite claims only what it adds', async (t) => {
  const { ledger } = await open(t, { bytesMax: 15 });
  t.ok(await upload(ledger, 'a', 10));
  t.ok(await upload(ledger, 'a', 10), '10 in the place of 10 within 15');
  t.notOk(await upload(ledger, 'b', 6));
  t.ok(await upload(ledger, 'b', 5), 'just full');
  t.notOk(await upload(ledger, 'a', 11));
  t.ok(await upload(ledger, 'a', 3));
  t.same(await ledger.usage(), { bytes: 8, files: 2, reservedBytes: 0, reservedFiles: 0 });
});

t.test('what a removed file frees goes to the upload that is replacing it', async (t) => {
  const { ledger } = await open(t, { bytesMax: 15 });
  await upload(ledger, 'a', 10);
  const replacing = await ledger.claim({ path: virtualPath('a'), bytes: 10, creates: true });
  t.equal((await ledger.usage()).reservedBytes, 0);
  await remove(ledger, 'a');
  t.same(await ledger.usage(), { bytes: 0, files: 0, reservedBytes: 10, reservedFiles: 1 });
  t.notOk(await upload(ledger, 'b', 6));
  await replacing?.release();
  t.ok(await upload(ledger, 'b', 6));
});

t.test('a file can not be renamed away from under an upload that counts on its bytes', async (t) => {
  const { ledger } = await open(t, { bytesMax: 15 });
  await upload(ledger, 'a', 10);
  const replacing = await ledger.claim({ path: virtualPath('a'), bytes: 10, creates: true });
  t.notOk(await move(ledger, 'a', 'b'));
  await replacing?.release();
  t.ok(await move(ledger, 'a', 'b'));
  t.equal((await ledger.entryAt(virtualPath('b')))?.sizeBytes, 10);
});

t.test('what stands apart counts whole', async (t) => {
  const { ledger } = await open(t, { bytesMax: 15 });
  await upload(ledger, 'a', 10);
  t.equal(await ledger.claim({ path: virtualPath('a'), bytes: 10, creates: true, apart: true }), undefined);
});

t.test('a claim grows as far as the quota goes', async (t) => {
  const { ledger } = await open(t, { bytesMax: 100 });
  const claim = await ledger.claim({ path: virtualPath('a'), bytes: 0, creates: true });
  t.ok(await claim?.resize(60));
  t.notOk(await claim?.resize(101));
  t.equal((await ledger.usage()).reservedBytes, 60, 'a refusal changes nothing');
  t.ok(await claim?.resize(100));
  await claim?.release();
  await claim?.release();
  t.same(await ledger.usage(), { bytes: 0, files: 0, reservedBytes: 0, reservedFiles: 0 });
});

t.test('files, directories and links count as files', async (t) => {
  const { ledger } = await open(t, { filesMax: 2 });
  t.ok(await upload(ledger, 'a', 0));
  const directory = await ledger.claim({ path: virtualPath('d'), bytes: 0, creates: true });
  await directory?.made(() => ({ ...file(4096), kind: 'directory' }));
  t.same(await ledger.usage(), { bytes: 0, files: 2, reservedBytes: 0, reservedFiles: 0 });
  t.notOk(await upload(ledger, 'b', 0));
  t.ok(await upload(ledger, 'a', 0), 'an overwrite adds none');
});

t.test('a directory is moved with all that is in it, and the claims below it', async (t) => {
  const { ledger } = await open(t, {});
  for (const path of ['d/x', 'd/y/z', 'd0', 'd!', 'dd', 'e']) await upload(ledger, path, 1);
  const odd = 'd/\udcff\udc80';
  await upload(ledger, odd, 1);
  const directory = await ledger.claim({ path: virtualPath('d'), bytes: 0, creates: true });
  await directory?.made(() => ({ ...file(4096), kind: 'directory' }));
  const into = await ledger.claim({ path: virtualPath('d/y/new'), bytes: 7, creates: true });
  await move(ledger, 'd', 'moved');
  const found = file(7);
  await into?.made(() => found, contentOfFile(found));
  const paths = ['moved', 'moved/x', 'moved/y/z', 'moved/y/new', 'moved/\udcff\udc80', 'd0', 'd!', 'dd', 'e'];
  for (const path of paths) t.ok(await ledger.entryAt(virtualPath(path)), path);
  for (const path of ['d', 'd/x', 'd/y/new', odd]) t.notOk(await ledger.entryAt(virtualPath(path)), path);
  t.same(await ledger.usage(), { bytes: 14, files: 9, reservedBytes: 0, reservedFiles: 0 });
});

t.test('a rename over a file frees what that took', async (t) => {
  const { ledger } = await open(t, {});
  await upload(ledger, 'a', 3);
  await upload(ledger, 'b', 5);
  await move(ledger, 'a', 'b');
  t.same(await ledger.usage(), { bytes: 3, files: 1, reservedBytes: 0, reservedFiles: 0 });
});

t.test('in a root of several users each pays for what it stored last', async (t) => {
  const { catalog, place, ledger } = await open(t, { bytesMax: 10 });
  const bob = await catalog.ledger({ root: place.root, user: 'bob', quota: {} });
  await upload(bob, 'a', 8);
  t.notOk(await upload(ledger, 'a', 11), 'what bob has there is no room of alice');
  t.ok(await upload(ledger, 'a', 10));
  t.equal((await ledger.usage()).bytes, 10);
  t.equal((await bob.usage()).bytes, 0);
});

t.test('the last to look has the last word, whatever order the notes come in', async (t) => {
  const { ledger } = await open(t, {});
  const [first, second] = [file(1), file(2)];
  const claims = await Promise.all(
    [1, 2].map((bytes) => ledger.claim({ path: virtualPath('a'), bytes, creates: true })),
  );
  await claims[1]?.made(() => second, contentOfFile(second));
  await claims[0]?.made(() => second, contentOfFile(first));
  t.equal((await ledger.entryAt(virtualPath('a')))?.inode, second.inode);
  t.same(await ledger.usage(), { bytes: 2, files: 1, reservedBytes: 0, reservedFiles: 0 });
});

t.test('a hash is kept through a change of times, unless it was of something else already', async (t) => {
  const { ledger } = await open(t, {});
  const before = file(3);
  const made = await ledger.claim({ path: virtualPath('a'), bytes: 3, creates: true });
  await made?.made(() => before, contentOfFile(before));
  const dated = { ...before, modifiedSeconds: 5 };
  const changing = await ledger.claim({ path: virtualPath('a'), bytes: 0, creates: false });
  await changing?.changed(() => dated, before);
  t.match(await ledger.entryAt(virtualPath('a')), { sha256: 'a'.repeat(64), modifiedMs: 5000 });
  const again = await ledger.claim({ path: virtualPath('a'), bytes: 0, creates: false });
  await again?.changed(() => ({ ...before, modifiedSeconds: 7 }), { ...before, modifiedSeconds: 6 });
  t.match(await ledger.entryAt(virtualPath('a')), { sha256: null, modifiedMs: 7000 });
});

t.test('random changes at once: sums as counted, never above the quota', async (t) => {
  const bytesMax = 200;
  const { catalog, ledger } = await open(t, { bytesMax, filesMax: 12 });
  const chance = randomNumbers(4711);
  const names = ['a', 'b', 'c', 'd/a', 'd/b', 'e/a'];
  const pick = (): string => names[chance(names.length)] ?? 'a';
  for (let round = 0; round < 60; round += 1) {
    const acts = Array.from({ length: 8 }, async () => {
      const kind = chance(4);
      if (kind === 0) await remove(ledger, pick());
      else if (kind === 1) await move(ledger, pick(), pick());
      else await upload(ledger, pick(), chance(90));
      const { bytes, reservedBytes, files, reservedFiles } = await ledger.usage();
      if (bytes + reservedBytes > bytesMax) t.fail(`${bytes} + ${reservedBytes} bytes in round ${round}`);
      if (files + reservedFiles > 12) t.fail('too many files');
    });
    await Promise.all(acts);
  }
  t.match(await ledger.usage(), { reservedBytes: 0, reservedFiles: 0 });
  t.same(await catalog.recount(), [], 'a count of everything finds the same');
});
