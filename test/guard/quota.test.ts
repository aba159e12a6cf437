/** Goal: whatever a client does, what is on the disk stays within its quota, and the count is what a count would give. */
import t, { type Test } from 'tap';
import { linkSync, lstatSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SqliteCatalog } from '../../src/catalog/catalog.ts';
import { SessionJournal } from '../../src/audit/session-journal.ts';
import type { Files, UploadOptions } from '../../src/guard/files.ts';
import { createGuardedFiles } from '../../src/guard/guarded-files.ts';
import type { Ledger, Quota } from '../../src/guard/ledger.ts';
import { noLedger, QuotaKeeper } from '../../src/guard/quota.ts';
import { virtualPath } from '../../src/guard/virtual-path.ts';
import { quotaStepBytes } from '../../src/limits.ts';
import { openDiskStore } from '../../src/storage/disk-store.ts';
import { makeCatalogPlace, startCatalog, type CatalogPlace } from '../support/catalog.ts';
import { CheckedJournal, testSession } from '../support/checked-journal.ts';
import { randomNumbers } from '../support/random-numbers.ts';
import { codeOf } from '../support/throws.ts';

interface Vault {
  readonly place: CatalogPlace;
  readonly catalog: SqliteCatalog;
  readonly files: Files;
  readonly journal: CheckedJournal;
  /** Bytes and files, as the catalog has them. */
  readonly used: () => Promise<readonly [number, number]>;
}

interface VaultOptions {
  readonly quota: Quota;
  readonly freeBytesMin?: number;
  readonly ledger?: Ledger;
}

async function openVault(t: Test, { quota, freeBytesMin = 0, ledger }: VaultOptions): Promise<Vault> {
  const place = makeCatalogPlace(t);
  const catalog = await startCatalog(place);
  const journal = new CheckedJournal();
  const root = place.root.hostPath;
  const files = createGuardedFiles({
    user: { name: 'alice', root, preset: 'full', fileBytesMax: 2 ** 40 },
    store: openDiskStore(root, 'none'),
    journal: new SessionJournal(journal, testSession),
    quota: new QuotaKeeper({
      ledger: ledger ?? (await catalog.ledger({ root: place.root, user: 'alice', quota })),
      quota,
      freeBytesMin,
      onFailure: () => undefined,
    }),
  });
  t.teardown(async () => {
    await files.close('INTERNAL');
    await catalog.close();
  });
  const used: Vault['used'] = async () => {
    const { bytes, files: count, reservedBytes, reservedFiles } = await catalog.usage('alice');
    if (reservedBytes !== 0 || reservedFiles !== 0)
      t.fail(`still claimed: ${reservedBytes}, ${reservedFiles}`);
    return [bytes, count];
  };
  return { place, catalog, files, journal, used };
}

const options: UploadOptions = { existing: 'replace', missing: 'create', newFileMode: 0o644 };

async function put(
  files: Files,
  path: string,
  bytes: number,
  more: Partial<UploadOptions> = {},
): Promise<void> {
  const upload = await files.upload(virtualPath(path), { ...options, ...more });
  try {
    await upload.write(Buffer.alloc(bytes), 0);
  } catch (error) {
    await upload.abort('QUOTA_EXCEEDED');
    throw error;
  }
  await upload.commit('verified');
}

/** Bytes and entries below a directory of the host, counted there. */
function counted(directory: string): readonly [number, number] {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  const stored = names.filter((name) => !name.startsWith('.scpd'));
  const sizes = stored.map((name) => lstatSync(join(directory, name))).filter((stats) => stats.isFile());
  return [sizes.reduce((sum, { size }) => sum + size, 0), stored.length];
}

t.test('a declared size is refused before a byte comes', async (t) => {
  const { files, journal, used, place } = await openVault(t, { quota: { bytesMax: 100 } });
  t.equal(await codeOf(() => put(files, 'a', 0, { declaredBytes: 101 })), 'QUOTA_EXCEEDED');
  t.match(journal.records.at(-1), { operation: 'upload', outcome: 'refused', error: 'QUOTA_EXCEEDED' });
  await put(files, 'a', 100, { declaredBytes: 100 });
  t.equal(await codeOf(() => put(files, 'b', 0, { declaredBytes: 1 })), 'QUOTA_EXCEEDED');
  await put(files, 'b', 0, { declaredBytes: 0 });
  t.strictSame(await used(), [100, 2]);
  t.strictSame(counted(place.root.hostPath), [100, 2]);
});

t.test('without a declared size: refused at the byte that is too many, and the last one fits', async (t) => {
  const quota = { bytesMax: quotaStepBytes + 10 };
  const { files, used, place } = await openVault(t, { quota });
  const upload = await files.upload(virtualPath('a'), options);
  await upload.write(Buffer.alloc(quotaStepBytes), 0);
  await upload.write(Buffer.alloc(10), quotaStepBytes);
  t.equal(await codeOf(() => upload.write(Buffer.alloc(1), quotaStepBytes + 10)), 'QUOTA_EXCEEDED');
  t.equal(await codeOf(() => upload.commit('closed')), 'QUOTA_EXCEEDED', 'and it can not be committed');
  t.strictSame(await used(), [0, 0]);
  t.strictSame(readdirSync(join(place.root.hostPath, '.scpd', 'staging')), []);
});

t.test('many uploads at once never promise more than there is', async (t) => {
  const { files, used, place } = await openVault(t, { quota: { bytesMax: 1000, filesMax: 30 } });
  const uploads = Array.from({ length: 40 }, (_, index) => {
    const declared = index % 2 === 0 ? { declaredBytes: 90 } : {};
    return codeOf(() => put(files, `f${index}`, 90, declared));
  });
  const codes = await Promise.all(uploads);
  t.ok(codes.includes('QUOTA_EXCEEDED'));
  t.ok(codes.every((code) => code === 'no error' || code === 'QUOTA_EXCEEDED'));
  const [bytes, count] = await used();
  t.equal(bytes, 90 * codes.filter((code) => code === 'no error').length);
  t.ok(bytes <= 1000);
  t.strictSame(counted(place.root.hostPath), [bytes, count]);
});

t.test('ten can replace ten within fifteen', async (t) => {
  const { files, used } = await openVault(t, { quota: { bytesMax: 15 } });
  await put(files, 'a', 10, { declaredBytes: 10 });
  await put(files, 'a', 10, { declaredBytes: 10 });
  t.strictSame(await used(), [10, 1]);
  await put(files, 'a', 15);
  t.equal(await codeOf(() => put(files, 'a', 16)), 'QUOTA_EXCEEDED');
  t.strictSame(await used(), [15, 1]);
});

t.test('every way to change the tree is counted', async (t) => {
  const { files, used, place, catalog } = await openVault(t, { quota: { bytesMax: 1000, filesMax: 7 } });
  const root = place.root.hostPath;
  const agree = async (words: string): Promise<void> => {
    t.strictSame(await used(), counted(root), words);
  };
  await put(files, 'a', 100);
  await files.makeDirectory(virtualPath('d'), 0o755);
  await put(files, 'd/b', 50);
  await agree('uploads and mkdir');
  await files.setAttributes(virtualPath('a'), { sizeBytes: 30 }, { follow: true });
  await agree('truncated');
  await files.setAttributes(virtualPath('a'), { sizeBytes: 60, modifiedSeconds: 1000 }, { follow: true });
  await agree('extended, with a hole');
  t.equal(
    await codeOf(() => files.setAttributes(virtualPath('a'), { sizeBytes: 951 }, { follow: true })),
    'QUOTA_EXCEEDED',
  );
  await agree('extended too far');
  await files.makeLink(virtualPath('l'), 'a');
  await files.makeHardLink(virtualPath('a'), virtualPath('h'));
  await agree('links');
  await put(files, 'l', 70);
  await agree('an upload through a link is one of what it leads to');
  await files.rename(virtualPath('d'), virtualPath('e'), { replace: false });
  await agree('a directory renamed');
  await files.rename(virtualPath('e/b'), virtualPath('a'), { replace: true });
  await agree('a file renamed over another');
  const kept = await files.upload(virtualPath('a'), { ...options, existing: 'modify' });
  await kept.write(Buffer.alloc(10), 60);
  await kept.commit('closed');
  await agree('appended');
  for (const name of ['x', 'y', 'z']) await files.makeDirectory(virtualPath(name), 0o755);
  t.equal(await codeOf(() => files.makeDirectory(virtualPath('no'), 0o755)), 'QUOTA_EXCEEDED');
  t.equal(await codeOf(() => files.makeLink(virtualPath('no'), 'a')), 'QUOTA_EXCEEDED');
  t.equal(await codeOf(() => files.makeHardLink(virtualPath('a'), virtualPath('no'))), 'QUOTA_EXCEEDED');
  await agree('as many entries as may be');
  for (const name of ['e', 'x', 'y', 'z']) await files.removeDirectory(virtualPath(name));
  for (const name of ['h', 'l']) await files.remove(virtualPath(name));
  await agree('removed');
  const dropped = await files.upload(virtualPath('q'), { ...options, declaredBytes: 500 });
  t.equal((await catalog.usage('alice')).reservedBytes, 500);
  await dropped.abort('CONNECTION_LOST');
  await agree('aborted');
  t.same(await catalog.survey(place.root, openDiskStore(root, 'none')), {
    entries: 1,
    added: 0,
    corrected: 0,
    removed: 0,
  });
  t.same(await catalog.recount(), []);
});

t.test('a directory renamed or removed during an upload into it', async (t) => {
  const { files, used, place, catalog } = await openVault(t, { quota: { bytesMax: 1000 } });
  await files.makeDirectory(virtualPath('d'), 0o755);
  const upload = await files.upload(virtualPath('d/a'), options);
  await upload.write(Buffer.alloc(7), 0);
  await files.rename(virtualPath('d'), virtualPath('e'), { replace: false });
  await upload.commit('closed');
  t.equal((await catalog.entryAt(place.root, virtualPath('e/a')))?.sizeBytes, 7);
  t.strictSame(await used(), counted(place.root.hostPath));
  await files.makeDirectory(virtualPath('f'), 0o755);
  const lost = await files.upload(virtualPath('f/a'), options);
  await files.removeDirectory(virtualPath('f'));
  t.equal(await codeOf(() => lost.commit('closed')), 'NOT_FOUND');
  t.strictSame(await used(), counted(place.root.hostPath));
});

t.test('a storm of random changes ends with the right count', async (t) => {
  const { files, place, catalog } = await openVault(t, { quota: { bytesMax: 2000, filesMax: 14 } });
  const chance = randomNumbers(7);
  const names = ['a', 'b', 'd', 'd/a', 'd/b', 'd/e', 'd/e/a', 'f'];
  const pick = (): ReturnType<typeof virtualPath> => virtualPath(names[chance(names.length)] ?? 'a');
  const acts: readonly (() => Promise<unknown>)[] = [
    () => put(files, pick(), chance(600)),
    () => put(files, pick(), 300, { declaredBytes: 300 }),
    () => put(files, pick(), chance(300), { existing: 'modify' }),
    () => files.remove(pick()),
    () => files.makeDirectory(pick(), 0o755),
    () => files.removeDirectory(pick()),
    () => files.rename(pick(), pick(), { replace: true }),
    () => files.makeHardLink(pick(), pick()),
    () => files.setAttributes(pick(), { sizeBytes: chance(500) }, { follow: false }),
    () => files.setAttributes(pick(), { modifiedSeconds: chance(1e9) }, { follow: false }),
  ];
  for (let round = 0; round < 80; round += 1) {
    await Promise.all(
      Array.from({ length: 6 }, () => codeOf(acts[chance(acts.length)] ?? (() => undefined))),
    );
    const [bytes, entries] = counted(place.root.hostPath);
    if (bytes > 2000 || entries > 14) t.fail(`round ${round}: ${bytes} bytes in ${entries} entries`);
  }
  const { bytes, files: entries, reservedBytes, reservedFiles } = await catalog.usage('alice');
  t.strictSame([bytes, entries], counted(place.root.hostPath));
  t.strictSame([reservedBytes, reservedFiles], [0, 0]);
});

t.test('df tells the smaller of quota and disk', async (t) => {
  const { files } = await openVault(t, { quota: { bytesMax: 1000, filesMax: 10 } });
  await put(files, 'a', 300);
  t.match(await files.space(virtualPath('/')), {
    totalBytes: 1000,
    freeBytes: 700,
    availableBytes: 700,
    totalFiles: 10,
    freeFiles: 9,
  });
  const free = await openVault(t, { quota: {} });
  const space = await free.files.space(virtualPath('/'));
  t.ok(space.totalBytes > 1000);
  const floored = await openVault(t, { quota: {}, freeBytesMin: space.freeBytes * 2 });
  t.equal((await floored.files.space(virtualPath('/'))).availableBytes, 0);
  t.equal(await codeOf(() => put(floored.files, 'a', 1)), 'NO_SPACE');
  t.equal(
    await codeOf(() => put(free.files, 'a', 0, { declaredBytes: 2 ** 39 })),
    'NO_SPACE',
    'no such disk',
  );
});

t.test('a known hash is not computed again, and a stale one is not told', async (t) => {
  const { files, place } = await openVault(t, { quota: {} });
  await put(files, 'a', 3);
  const known = await files.hash(virtualPath('a'), { algorithm: 'sha256' });
  linkSync(join(place.root.hostPath, 'a'), join(place.root.hostPath, 'outside'));
  writeFileSync(join(place.root.hostPath, 'outside'), 'other content');
  t.not((await files.hash(virtualPath('a'), { algorithm: 'sha256' })).toString('hex'), known.toString('hex'));
});

t.test('while the catalog fails, who has a quota is refused and who has none is served', async (t) => {
  const fail = async (): Promise<never> => {
    throw new Error('the disk of the catalog is full');
  };
  const ledger: Ledger = {
    claim: fail,
    usage: fail,
    sharedAt: fail,
    entryAt: fail,
    unclaimed: () => noLedger.unclaimed(),
    partialAt: fail,
    takePartial: fail,
  };
  const limited = await openVault(t, { quota: { bytesMax: 10 }, ledger });
  t.equal(await codeOf(() => put(limited.files, 'a', 1)), 'STORAGE_FAILED');
  const free = await openVault(t, { quota: {}, ledger });
  t.equal(await codeOf(() => put(free.files, 'a', 1)), 'no error');
});
