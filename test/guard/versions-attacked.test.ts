/** Goal: no order of allowed requests, no clock and no odd name takes away what is to stay. */
import t, { type Test } from 'tap';
import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Files } from '../../src/guard/files.ts';
import { virtualPath } from '../../src/guard/virtual-path.ts';
import { openDiskStore } from '../../src/storage/disk-store.ts';
import type { Rule, VersionPolicy } from '../../src/users/rule.ts';
import type { User } from '../../src/users/user.ts';
import { create, get, put, rename } from '../support/guarded-box.ts';
import { codeOf } from '../support/throws.ts';
import { VersionVault, versionsOf } from '../support/version-vault.ts';

const dayMs = 24 * 60 * 60 * 1000;
const versions: VersionPolicy = { versionsMax: 10, ageMsMax: 90 * dayMs };
const anyPath = { place: '', key: '', allow: [], deny: [] };

/** What is under a rule of the test and is retained, and what is elsewhere and may be removed. */
const wormAndOther: readonly Rule[] = [
  { ...anyPath, path: '/worm/**', preset: 'full', retainMs: 30 * dayMs },
  { ...anyPath, path: '/**', preset: 'full' },
];

async function makeDirectories(files: Files, ...paths: readonly string[]): Promise<void> {
  for (const path of paths) await files.makeDirectory(virtualPath(path), 0o755);
}

/** The contents of all versions of a file, oldest first. */
async function versionContents(files: Files, path: string): Promise<string[]> {
  const contents: string[] = [];
  for (const name of await versionsOf(files, path))
    contents.push(await get(files, `/.versions/${path}/${name}`));
  return contents;
}

/** Sets the clock for the rest of a test. */
function setClock(t: Test, nowMs: () => number): void {
  const RealDate = Date;
  t.teardown(() => void (globalThis.Date = RealDate));
  globalThis.Date = class extends RealDate {
    constructor(time: number | string = nowMs()) {
      super(time);
    }
    static override now(): number {
      return nowMs();
    }
  } as DateConstructor;
}

t.test('a directory that is moved under a change takes no retained file along', async (t) => {
  await t.test('an upload that began before', async (t) => {
    const vault = await VersionVault.open(t);
    const [files, other] = [
      await vault.session({ rules: wormAndOther }),
      await vault.session({ rules: wormAndOther }),
    ];
    await makeDirectories(files, 'worm', 'd');
    const upload = await files.upload(virtualPath('d/a'), create);
    await upload.write(Buffer.from('late'), 0);
    await rename(other, 'd', 'worm/d');
    await put(other, 'worm/d/a', 'retained');
    await upload.commit('closed').catch(() => undefined);
    t.equal(await get(other, 'worm/d/a'), 'retained');
  });
  await t.test('append-only: no committed byte is replaced', async (t) => {
    const vault = await VersionVault.open(t);
    const rules: readonly Rule[] = [
      { ...anyPath, path: '/log/**', preset: 'append-only', allow: ['rename'] },
      { ...anyPath, path: '/**', preset: 'full' },
    ];
    const files = await vault.session({ rules });
    await makeDirectories(files, 'log', 'd');
    const upload = await files.upload(virtualPath('d/a'), create);
    await upload.write(Buffer.from('late'), 0);
    await rename(files, 'd', 'log/d');
    await put(files, 'log/d/a', 'committed');
    t.equal(await codeOf(() => upload.commit('closed')), 'ALREADY_EXISTS');
    t.equal(await get(files, 'log/d/a'), 'committed');
  });
  await t.test('a place that was found before: removal, rename away, rename onto it', async (t) => {
    const vault = await VersionVault.open(t);
    const store = openDiskStore(vault.root, 'none');
    t.teardown(() => store.close());
    mkdirSync(join(vault.root, 'd'));
    mkdirSync(join(vault.root, 'worm'));
    for (const name of ['d/a', 'b']) writeFileSync(join(vault.root, name), name);
    const find = async (path: string) => {
      const place = await store.locate(virtualPath(path), { follow: false });
      t.teardown(() => place.close());
      return place;
    };
    const [a, b, elsewhere] = [await find('/d/a'), await find('/b'), await find('/c')];
    await (await find('/d')).moveTo(await find('/worm/d'), { replace: false });
    t.equal(await codeOf(() => a.remove()), 'NOT_FOUND');
    t.equal(await codeOf(() => a.remove({ keepVersion: true })), 'NOT_FOUND');
    t.equal(await codeOf(() => a.moveTo(elsewhere, { replace: true })), 'NOT_FOUND');
    t.equal(await codeOf(() => a.moveTo(elsewhere, { replace: false })), 'NOT_FOUND');
    t.equal(await codeOf(() => b.moveTo(a, { replace: true })), 'NOT_FOUND');
    t.equal(await codeOf(() => b.moveTo(a, { replace: true, keepVersion: true })), 'NOT_FOUND');
    t.equal(readFileSync(join(vault.root, 'worm/d/a'), 'utf8'), 'd/a');
  });
});

t.test(
  'another user of the root moves nothing out of its retention, nor from where versions are kept',
  async (t) => {
    const vault = await VersionVault.open(t, ['alice', 'bob']);
    const facts = { root: vault.root, fileBytesMax: 2 ** 40 };
    const aliceUser: User = {
      ...facts,
      name: 'alice',
      rules: [
        { ...anyPath, path: '/worm/**', preset: 'full', retainMs: 30 * dayMs },
        { ...anyPath, path: '/saved/**', preset: 'backup' },
        { ...anyPath, path: '/**', preset: 'full' },
      ],
    };
    const bobUser: User = { ...facts, name: 'bob', preset: 'full' };
    const alice = await vault.session(aliceUser, [bobUser]);
    const bob = await vault.session(bobUser, [aliceUser]);
    await makeDirectories(alice, 'worm', 'worm/d', 'saved', 'saved/d', 'other');
    for (const path of ['worm/d/a', 'saved/d/a', 'saved/b']) await put(alice, path, path);
    for (const [who, files] of Object.entries({ alice, bob })) {
      t.equal(await codeOf(() => rename(files, 'worm/d', 'other/d')), 'PERMISSION_DENIED', who);
      t.equal(await codeOf(() => rename(files, 'worm', 'gone')), 'PERMISSION_DENIED', who);
      t.equal(await codeOf(() => rename(files, 'saved/d', 'other/d')), 'PERMISSION_DENIED', who);
      t.equal(await codeOf(() => rename(files, 'saved/b', 'other/b')), 'PERMISSION_DENIED', who);
    }
    await rename(bob, 'worm/d', 'worm/e');
    await rename(bob, 'saved/d', 'saved/e');
    await rename(bob, 'saved/b', 'saved/c');
    await rename(alice, 'saved/c', 'worm/c');
  },
);

t.test('clocks', async (t) => {
  await t.test('set back: the newest version is still the newest', async (t) => {
    const vault = await VersionVault.open(t);
    const files = await vault.session({ versions: { versionsMax: 2, ageMsMax: 90 * dayMs } });
    for (const content of ['one', 'two', 'three']) await put(files, 'a', content);
    const now = Date.now();
    setClock(t, () => now - dayMs);
    await put(files, 'a', 'four');
    t.strictSame(await versionContents(files, 'a'), ['two', 'three']);
    await put(files, 'a', 'five');
    t.strictSame(await versionContents(files, 'a'), ['three', 'four']);
  });
});

t.test('a rename that fails leaves no version', async (t) => {
  const vault = await VersionVault.open(t);
  const files = await vault.session({ versions });
  await put(files, 'a', 'old');
  await makeDirectories(files, 'd');
  t.not(await codeOf(() => rename(files, 'd', 'a', true)), undefined);
  t.strictSame(await versionsOf(files, 'a').catch(() => []), []);
});

t.test(
  'a second name of a file that a crash left makes no version old, and takes no room of one',
  async (t) => {
    const vault = await VersionVault.open(t);
    const files = await vault.session({ versions: { versionsMax: 1, ageMsMax: dayMs } });
    await put(files, 'a', 'one');
    await put(files, 'a', 'two');
    const area = join(vault.root, '.scpd', 'versions', 'a');
    const long = '20200101T000000.000Z';
    const store = openDiskStore(vault.root, 'none');
    t.teardown(() => store.close());
    rmSync(join(area, readdirSync(area)[0] ?? ''));
    linkSync(join(vault.root, 'a'), join(area, long));
    await vault.catalog.survey(vault.place.root, store);
    await put(files, 'a', 'three');
    t.strictSame(await versionContents(files, 'a'), ['two'], 'it is as old as its replacement');
    t.strictSame(await vault.catalog.recount(), []);
    const { added, corrected, removed } = await vault.catalog.survey(vault.place.root, store);
    t.strictSame([added, corrected, removed], [0, 0, 0]);
    t.strictSame(await vault.used(), [3 + 5, 2]);
  },
);

t.test('files as deep as they may be', async (t) => {
  const vault = await VersionVault.open(t);
  const files = await vault.session({ versions: { versionsMax: 2, ageMsMax: dayMs } });
  let path = '';
  for (let depth = 1; depth < 256; depth += 1) {
    path += '/d';
    await files.makeDirectory(virtualPath(path), 0o755);
  }
  path += '/f';
  for (const content of ['one', 'two', 'three', 'four']) await put(files, path, content);
  t.strictSame(
    vault.journal.records.filter(({ operation, outcome }) => operation === 'prune' && outcome !== 'done'),
    [],
  );
  const store = openDiskStore(vault.root, 'none');
  t.teardown(() => store.close());
  const { added, corrected, removed } = await vault.catalog.survey(vault.place.root, store);
  t.strictSame([added, corrected, removed], [0, 0, 0]);
  t.strictSame(await vault.used(), [255 * 0 + 3 + 5 + 4, 255 + 3]);
});

t.test('a blind user does not learn whether there are versions', async (t) => {
  const vault = await VersionVault.open(t, ['alice', 'bob']);
  const facts = { root: vault.root, fileBytesMax: 2 ** 40, versions };
  const alice = await vault.session({ ...facts, name: 'alice' });
  const rules: readonly Rule[] = [{ ...anyPath, path: '/box/**', preset: 'drop-box' }];
  const bob = await vault.session({ ...facts, name: 'bob', rules });
  await makeDirectories(alice, 'box');
  const ask = async (): Promise<unknown[]> =>
    await Promise.all(
      ['/.versions', '/.versions/box', '/.versions/box/a', '/.versions/none'].flatMap((path) => [
        codeOf(() => bob.stat(virtualPath(path), { follow: true })),
        codeOf(() => bob.list(virtualPath(path))),
        codeOf(() => get(bob, path)),
        codeOf(() => put(bob, path)),
        codeOf(() => rename(bob, path, 'box/x')),
        codeOf(() => bob.remove(virtualPath(path))),
      ]),
    );
  const before = await ask();
  for (const content of ['one', 'two']) await put(alice, 'box/a', content);
  t.strictSame(await ask(), before);
});

t.test('names that look like those of versions', async (t) => {
  const vault = await VersionVault.open(t);
  const rules: readonly Rule[] = [
    { ...anyPath, path: '/d/[29]*', allow: ['create', 'overwrite', 'delete'], versions },
    { ...anyPath, path: '/**', preset: 'full', versions },
  ];
  const files = await vault.session({ versions });
  const ruled = await vault.session({ rules });
  for (const content of ['file one', 'file two']) await put(files, 'd', content);
  await files.remove(virtualPath('d'));
  const [time = ''] = await versionsOf(files, 'd');
  await makeDirectories(files, 'd');
  const long = '99991231T235959.999Z-99999999999999999999';
  const names = [time, long, `${time}.`];
  for (const name of names) for (const content of ['one', 'two']) await put(files, `d/${name}`, content);
  t.equal((await versionsOf(files, 'd')).length, 2, 'they are not taken for versions of the directory');
  for (const name of names) {
    const shown = name === long ? `d/${name}` : `d/${name}.`;
    t.strictSame(await versionContents(files, shown), ['one'], name);
    t.equal(await codeOf(() => versionsOf(ruled, shown)), 'PERMISSION_DENIED', 'their own rule decides');
    await files.remove(virtualPath(`d/${name}`));
  }
  await files.removeDirectory(virtualPath('d'));
  for (const content of ['file three', 'file four']) await put(files, 'd', content);
  t.strictSame((await versionContents(files, 'd')).at(-1), 'file three');
});
