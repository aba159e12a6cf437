/**
 * Goal: in whatever order things happen and are noted, the catalog says what the disk says. Method: the interleavings that
 * once lost entries are forced, one act of each; then as many acts at once as it takes, by chance.
 */
import t, { type Test } from 'tap';
import { mkdirSync, renameSync, rmdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { SessionJournal } from '../../src/audit/session-journal.ts';
import type { Files } from '../../src/guard/files.ts';
import { createGuardedFiles } from '../../src/guard/guarded-files.ts';
import type { Claim, Ledger, Look } from '../../src/guard/ledger.ts';
import { QuotaKeeper } from '../../src/guard/quota.ts';
import type { Store } from '../../src/guard/store.ts';
import { versionDirectory } from '../../src/guard/version-path.ts';
import { childPath, rootPath, virtualPath } from '../../src/guard/virtual-path.ts';
import { openDiskStore } from '../../src/storage/disk-store.ts';
import { wrongIn } from '../support/catalog.ts';
import { Chance } from '../support/chance.ts';
import { CheckedJournal, testSession } from '../support/checked-journal.ts';
import { put, rename } from '../support/guarded-box.ts';
import { codeOf } from '../support/throws.ts';
import { VersionVault, versionsOf } from '../support/version-vault.ts';

interface Box {
  readonly vault: VersionVault;
  readonly files: Files;
  readonly ledger: Ledger;
  readonly store: Store;
  readonly look: Look;
  readonly host: (path: string) => string;
}

async function openBox(t: Test): Promise<Box> {
  const vault = await VersionVault.open(t);
  const files = await vault.session();
  const ledger = await vault.catalog.ledger({ root: vault.place.root, user: 'alice', quota: {} });
  const store = openDiskStore(vault.root, 'none');
  const top = await store.locate(rootPath, { follow: false });
  t.teardown(() => {
    top.close();
    store.close();
  });
  return {
    vault,
    files,
    ledger,
    store,
    look: (path) => top.lookAt(path),
    host: (path) => join(vault.root, path),
  };
}

/** A claim on something that is made. */
async function claimOn({ ledger }: Box, path: string): Promise<Claim> {
  const claim = await ledger.claim({ path: virtualPath(path), bytes: 0, creates: true });
  if (claim === undefined) throw new Error('refused');
  return claim;
}

async function right(t: Test, { vault }: Box): Promise<void> {
  t.same(await wrongIn(vault.catalog, vault.place.root), {});
  await vault.used();
}

t.test('a move is made and noted in one step: nothing is claimed or noted in between', async (t) => {
  const box = await openBox(t);
  await put(box.files, 'a', 'content');
  const [from, to] = [virtualPath('a'), virtualPath('b')];
  const claim = await box.ledger.claim({ path: from, target: to, bytes: 0, creates: false });
  const order: string[] = [];
  const act = async (): Promise<{ path: typeof to }> => {
    void claimOn(box, 'other').then(async (other) => {
      order.push('claimed');
      await other.release();
    });
    for (let turns = 0; turns < 20; turns += 1) await turn();
    renameSync(box.host('a'), box.host('b'));
    order.push('moved');
    return { path: to };
  };
  await claim?.move(act, box.look);
  while (order.length < 2) await turn();
  t.same(order, ['moved', 'claimed']);
  await right(t, box);
});

t.test('a directory is renamed after it was made and before that is noted', async (t) => {
  const box = await openBox(t);
  const making = await claimOn(box, 'd');
  mkdirSync(box.host('d'));
  const upload = await box.files.upload(virtualPath('d/x'), {
    existing: 'replace',
    missing: 'create',
    newFileMode: 0o644,
  });
  await rename(box.files, 'd', 'e');
  mkdirSync(box.host('d'));
  await making.made(box.look);
  await upload.write(Buffer.from('12345'), 0);
  await upload.commit('closed');
  await right(t, box);
  t.same(await box.vault.used(), [5, 3]);
});

t.test('a file is replaced, renamed and replaced again before the first is noted', async (t) => {
  const box = await openBox(t);
  await put(box.files, 'a', 'old');
  const making = await claimOn(box, 'a');
  writeFileSync(box.host('staged'), 'newer');
  renameSync(box.host('staged'), box.host('a'));
  const inode = box.look(virtualPath('a'))?.inode ?? '';
  await rename(box.files, 'a', 'b');
  await put(box.files, 'a', 'newest');
  await making.made(box.look, { inode, sha256: 'f'.repeat(64), verdict: 'closed' });
  await right(t, box);
  t.same(await box.vault.used(), [11, 2]);
  const moved = await box.ledger.entryAt(virtualPath('b'));
  t.match(moved, { sha256: 'f'.repeat(64), verdict: 'closed' }, 'its hash went with it');
});

t.test('a file becomes a version in a directory that is then renamed, before it is noted', async (t) => {
  const box = await openBox(t);
  const files = await box.vault.session({ versions: { versionsMax: 10, ageMsMax: 1_000_000_000 } });
  await files.makeDirectory(virtualPath('d'), 0o755);
  const making = await claimOn(box, 'd/a');
  writeFileSync(box.host('d/a'), 'first');
  const inode = box.look(virtualPath('d/a'))?.inode ?? '';
  await put(files, 'd/a', 'second');
  await rename(files, 'd', 'e');
  await making.made(box.look, { inode, sha256: 'f'.repeat(64), verdict: 'verified' });
  const [name = ''] = await versionsOf(files, 'd/a');
  const version = await box.ledger.entryAt(childPath(versionDirectory(virtualPath('d/a')), name));
  t.match(version, { sha256: 'f'.repeat(64), verdict: 'verified' });
});

t.test('a removal is noted when the name is another one’s in a new directory', async (t) => {
  const box = await openBox(t);
  for (const name of ['d', 'e']) await box.files.makeDirectory(virtualPath(name), 0o755);
  for (const name of ['d/a', 'e/a']) await put(box.files, name, name);
  const removing = await box.ledger.claim({ path: virtualPath('d/a'), bytes: 0, creates: false });
  unlinkSync(box.host('d/a'));
  await rename(box.files, 'e', 'd', true);
  await removing?.removed(box.look);
  await right(t, box);
  t.same(await box.vault.used(), [3, 2]);
});

t.test('a directory is removed and made again by another, and that is noted first', async (t) => {
  const box = await openBox(t);
  await box.files.makeDirectory(virtualPath('d'), 0o755);
  const removing = await box.ledger.claim({ path: virtualPath('d'), bytes: 0, creates: false });
  rmdirSync(box.host('d'));
  await box.files.makeDirectory(virtualPath('d'), 0o755);
  await put(box.files, 'd/a', 'content');
  await removing?.removed(box.look);
  await right(t, box);
  t.same(await box.vault.used(), [7, 2]);
});

t.test('a directory is renamed between the look for a place and the claim on it', async (t) => {
  const box = await openBox(t);
  await box.files.makeDirectory(virtualPath('d'), 0o755);
  let renames = 0;
  const late: Ledger = {
    usage: () => box.ledger.usage(),
    sharedAt: (path) => box.ledger.sharedAt(path),
    entryAt: (path) => box.ledger.entryAt(path),
    unclaimed: () => box.ledger.unclaimed(),
    partialAt: (path) => box.ledger.partialAt(path),
    takePartial: (id, options) => box.ledger.takePartial(id, options),
    claim: async (request) => {
      renames += 1;
      await rename(box.files, renames % 2 === 1 ? 'd' : 'e', renames % 2 === 1 ? 'e' : 'd');
      return await box.ledger.claim(request);
    },
  };
  const files = createGuardedFiles({
    user: { name: 'alice', root: box.vault.root, preset: 'full', fileBytesMax: 100 },
    store: openDiskStore(box.vault.root, 'none'),
    journal: new SessionJournal(new CheckedJournal(), testSession),
    quota: new QuotaKeeper({ ledger: late, quota: {}, freeBytesMin: 0, onFailure: () => undefined }),
  });
  t.teardown(() => files.close('INTERNAL'));
  t.equal(await codeOf(() => put(files, 'd/x')), 'NOT_FOUND');
  t.equal(await codeOf(() => files.makeDirectory(virtualPath('e/x'), 0o755)), 'NOT_FOUND');
  await put(box.files, 'd/x');
  t.equal(await codeOf(() => rename(files, 'd/x', 'y')), 'NOT_FOUND');
  await right(t, box);
});

t.test('many acts at once, and all is well after each of them', async (t) => {
  const box = await openBox(t);
  const chance = new Chance(31);
  const names = ['a', 'b', 'c', 'd', 'd/a', 'd/b', 'e', 'e/a'];
  const pick = (): string => chance.pick(names);
  const acts: readonly (() => Promise<unknown>)[] = [
    () => put(box.files, pick(), 'x'.repeat(chance.below(300))),
    () => put(box.files, pick(), 'y'),
    () => box.files.remove(virtualPath(pick())),
    () => rename(box.files, pick(), pick(), true),
    () => rename(box.files, pick(), pick(), chance.below(2) === 0),
    () => box.files.makeDirectory(virtualPath(pick()), 0o755),
    () => box.files.removeDirectory(virtualPath(pick())),
  ];
  for (let round = 1; round <= 60; round += 1) {
    const codes = await Promise.all(Array.from({ length: 12 }, () => codeOf(chance.pick(acts))));
    const wrong = await wrongIn(box.vault.catalog, box.vault.place.root);
    t.same(wrong, {}, `round ${round}: ${codes.join(' ')}`);
    await box.vault.used();
  }
});
