/** Goal: whatever replaces or removes a file, the old one stays as a version as long as the rules say, and no client can touch it. */
import t from 'tap';
import { createHash } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { verifyStored } from '../../src/catalog/verify.ts';
import type { Files, UploadOptions } from '../../src/guard/files.ts';
import { versionName, versionTimeMs } from '../../src/guard/version-path.ts';
import { rootPath, virtualPath } from '../../src/guard/virtual-path.ts';
import { openDiskStore } from '../../src/storage/disk-store.ts';
import type { Rule, VersionPolicy } from '../../src/users/rule.ts';
import type { User } from '../../src/users/user.ts';
import { get, list, put, rename } from '../support/guarded-box.ts';
import { othersGetTurns } from '../support/longest-wait.ts';
import { codeOf } from '../support/throws.ts';
import { VersionVault, versionsOf } from '../support/version-vault.ts';

const dayMs = 24 * 60 * 60 * 1000;
const versions: VersionPolicy = { versionsMax: 10, ageMsMax: 90 * dayMs };

async function remove(files: Files, path: string): Promise<void> {
  await files.remove(virtualPath(path));
}

/** What the only version of a file says. */
async function onlyVersion(files: Files, path: string): Promise<string> {
  const names = await versionsOf(files, path);
  return names.length === 1 ? await get(files, `/.versions/${path}/${names[0]}`) : `${names.length} versions`;
}

t.test('whatever takes a file away leaves a version', async (t) => {
  const ways: Readonly<Record<string, (files: Files) => Promise<void>>> = {
    overwrite: (files) => put(files, 'a', 'new'),
    'an overwrite without TRUNC': (files) => put(files, 'a', 'new', { existing: 'modify' }),
    append: (files) => put(files, 'a', 'new', { existing: 'modify', append: true }),
    'another size': (files) => files.setAttributes(virtualPath('a'), { sizeBytes: 1 }, { follow: true }),
    'an overwrite through a link': (files) => put(files, 'link', 'new'),
    remove: (files) => remove(files, 'a'),
    'a rename onto it': async (files) => {
      await put(files, 'b', 'other');
      await rename(files, 'b', 'a', true);
    },
  };
  for (const [way, act] of Object.entries(ways)) {
    await t.test(way, async (t) => {
      const vault = await VersionVault.open(t);
      const files = await vault.session({ versions });
      await put(files, 'a', 'old');
      symlinkSync('a', join(vault.root, 'link'));
      const { ino } = statSync(join(vault.root, 'a'));
      await act(files);
      t.equal(await onlyVersion(files, 'a'), 'old');
      const area = join(vault.root, '.scpd', 'versions', 'a');
      t.equal(
        statSync(join(area, readdirSync(area)[0] ?? '')).ino,
        ino,
        'it is the very file: nothing was copied',
      );
    });
  }
});

t.test('without versions nothing is kept, and ".versions" is a name like any other', async (t) => {
  const vault = await VersionVault.open(t);
  const files = await vault.session();
  await put(files, 'a', 'old');
  await put(files, 'a', 'new');
  t.notOk(existsSync(join(vault.root, '.scpd', 'versions')));
  await files.makeDirectory(virtualPath('.versions'), 0o755);
  await put(files, '.versions/mine', 'mine');
  t.equal(await get(files, '.versions/mine'), 'mine');
  t.strictSame(await list(files, '/'), ['.versions', 'a']);
});

t.test('a version can be looked at and nothing else', async (t) => {
  const vault = await VersionVault.open(t);
  const files = await vault.session({ versions });
  await files.makeDirectory(virtualPath('d'), 0o755);
  await put(files, 'd/a', 'old');
  await put(files, 'd/a', 'new');
  const [name = ''] = await versionsOf(files, 'd/a');
  const version = virtualPath(`/.versions/d/a/${name}`);
  t.match(await files.stat(version, { follow: true }), { kind: 'file', sizeBytes: 3 });
  t.match(await files.stat(virtualPath('.versions'), { follow: false }), { kind: 'directory' });
  t.strictSame(await list(files, '.versions'), ['d']);
  t.strictSame(await list(files, '.versions/d'), ['a']);
  t.strictSame(await list(files, '/'), ['d'], 'the area is in no listing');
  const sha256 = await files.hash(version, { algorithm: 'sha256' });
  t.strictSame(sha256, createHash('sha256').update('old').digest());
  const attempts: Readonly<Record<string, () => Promise<unknown>>> = {
    overwrite: () => put(files, version, 'x'),
    append: () => put(files, version, 'x', { existing: 'modify', append: true }),
    create: () => put(files, '/.versions/new', 'x'),
    remove: () => remove(files, version),
    mkdir: () => files.makeDirectory(virtualPath('/.versions/x'), 0o755),
    'mkdir of the area': () => files.makeDirectory(virtualPath('/.versions'), 0o755),
    rmdir: () => files.removeDirectory(virtualPath('/.versions/d')),
    'rename away': () => rename(files, version, 'stolen'),
    'rename onto it': () => rename(files, 'd/a', version, true),
    'rename of the area': () => rename(files, '/.versions', '/x'),
    mode: () => files.setAttributes(version, { mode: 0o777 }, { follow: true }),
    size: () => files.setAttributes(version, { sizeBytes: 0 }, { follow: true }),
    symlink: () => files.makeLink(virtualPath('/.versions/link'), 'x'),
    'hard link of it': () => files.makeHardLink(version, virtualPath('/second')),
    'by its place': () => get(files, `/.scpd/versions/d/a/${name}`),
  };
  for (const [what, act] of Object.entries(attempts)) t.equal(await codeOf(act), 'PERMISSION_DENIED', what);
  symlinkSync(`.scpd/versions/d/a/${name}`, join(vault.root, 'way-in'));
  t.equal(await codeOf(() => get(files, 'way-in')), 'PERMISSION_DENIED', 'by a link that the host made');
  t.equal(await onlyVersion(files, 'd/a'), 'old');
  t.equal(await get(files, 'd/a'), 'new');
});

t.test('who may not look at a file may not look at its versions', async (t) => {
  const vault = await VersionVault.open(t);
  const rule = { place: '', key: '', allow: [], deny: [], versions };
  const rules: readonly Rule[] = [
    { ...rule, path: '/secret/**', allow: ['create', 'overwrite', 'mkdir'] },
    { ...rule, path: '/**', preset: 'full' },
  ];
  const files = await vault.session({ rules });
  await files.makeDirectory(virtualPath('secret'), 0o755);
  for (const content of ['old', 'new']) {
    await put(files, 'secret/a', content);
    await put(files, 'open', content);
  }
  t.strictSame(await list(files, '.versions'), ['open']);
  t.equal(await codeOf(() => list(files, '.versions/secret')), 'PERMISSION_DENIED');
  t.equal(await codeOf(() => list(files, '.versions/secret/a')), 'PERMISSION_DENIED');
  const all = vault.onDisk();
  t.strictSame(all, ['open', 'open/TIME', 'secret', 'secret/a', 'secret/a/TIME']);
});

t.test('the number of versions is bounded; the newest stay', async (t) => {
  const vault = await VersionVault.open(t);
  const files = await vault.session({ versions: { versionsMax: 3, ageMsMax: dayMs } });
  for (let number = 1; number <= 6; number += 1) await put(files, 'a', `content ${number}`);
  const contents: string[] = [];
  for (const name of await versionsOf(files, 'a')) contents.push(await get(files, `/.versions/a/${name}`));
  t.strictSame(contents.sort(), ['content 3', 'content 4', 'content 5']);
  t.strictSame(await vault.used(), [4 * 9, 4], 'what is dropped counts no longer');
  t.equal(vault.journal.records.filter(({ operation }) => operation === 'prune').length, 2);
  t.match(
    vault.journal.records.find(({ operation }) => operation === 'prune')?.path,
    /^\/\.versions\/a\/\d{8}T/,
  );
});

t.test('versions grow too old, but the last one that is known to be whole stays', async (t) => {
  const vault = await VersionVault.open(t);
  const files = await vault.session({ versions: { versionsMax: 10, ageMsMax: 1500 } });
  const options: UploadOptions = { existing: 'replace', missing: 'create', newFileMode: 0o644 };
  const upload = await files.upload(virtualPath('a'), options);
  await upload.write(Buffer.from('whole'), 0);
  await upload.commit('verified');
  await put(files, 'a', 'closed 1');
  await put(files, 'a', 'closed 2');
  await setTimeout(1600);
  await put(files, 'a', 'closed 3');
  const contents: string[] = [];
  for (const name of await versionsOf(files, 'a')) contents.push(await get(files, `/.versions/a/${name}`));
  t.strictSame(contents, ['whole', 'closed 2']);
});

t.test('counting: versions count for their user, or do not', async (t) => {
  const vault = await VersionVault.open(t);
  const files = await vault.session({ versions, quota: { bytesMax: 100 } });
  await put(files, 'a', 'x'.repeat(40));
  await put(files, 'a', 'y'.repeat(40));
  t.strictSame(await vault.used(), [80, 2]);
  t.equal(
    await codeOf(() => put(files, 'a', '', { declaredBytes: 40 })),
    'QUOTA_EXCEEDED',
    'the old one makes no room',
  );
  await remove(files, 'a');
  t.strictSame(await vault.used(), [80, 2], 'nor does a removal');

  const free = await VersionVault.open(t);
  const uncounted = await free.session({ versions, quota: { bytesMax: 100, countsVersions: false } });
  for (const letter of 'xyz') await put(uncounted, 'a', letter.repeat(90));
  t.strictSame(await free.used(), [90, 1]);
  await remove(uncounted, 'a');
  t.strictSame(await free.used(), [0, 0]);
  t.equal((await versionsOf(uncounted, 'a')).length, 3);
});

t.test('the catalog knows versions: it verifies them and finds them again', async (t) => {
  const vault = await VersionVault.open(t);
  const files = await vault.session({ versions });
  await put(files, 'a', 'one');
  await put(files, 'a', 'two');
  await rename(files, 'a', 'b');
  await put(files, 'b', 'three');
  await remove(files, 'b');
  const store = openDiskStore(vault.root, 'none');
  t.teardown(() => store.close());
  const findings = async (): Promise<object[]> => {
    const { catalog, place } = vault;
    const found: object[] = [];
    const request = { catalog, root: place.root, store, below: rootPath, progress: () => undefined };
    for await (const finding of verifyStored(request)) found.push(finding);
    return found;
  };
  t.strictSame(await findings(), []);
  t.strictSame(await vault.used(), [3 + 3 + 5, 3]);
  t.strictSame(await vault.catalog.recount(), []);
  const before = await vault.catalog.survey(vault.place.root, store);
  t.strictSame(before, { entries: 3, added: 0, corrected: 0, removed: 0 });

  const [name = ''] = readdirSync(join(vault.root, '.scpd', 'versions', 'a'));
  writeFileSync(join(vault.root, '.scpd', 'versions', 'a', name), 'bad');
  t.match(await findings(), [{ kind: 'changed', path: `/.scpd/versions/a/${name}` }]);
});

t.test('a crash between the two names of an old file leaves no second version', async (t) => {
  const vault = await VersionVault.open(t);
  const files = await vault.session({ versions });
  await put(files, 'a', 'old');
  const area = join(vault.root, '.scpd', 'versions', 'a');
  mkdirSync(area, { recursive: true });
  linkSync(join(vault.root, 'a'), join(area, versionName(Date.now(), 0)));
  await put(files, 'a', 'new');
  t.equal(await onlyVersion(files, 'a'), 'old');
  await remove(files, 'a');
  linkSync(join(area, readdirSync(area).sort().at(-1) ?? ''), join(vault.root, 'a'));
  await remove(files, 'a');
  t.notOk(existsSync(join(vault.root, 'a')), 'a removal removes the name all the same');
  t.equal((await versionsOf(files, 'a')).length, 2);
});

t.test('many at once: each replaced file stays', async (t) => {
  const vault = await VersionVault.open(t);
  const policy = { versionsMax: 1000, ageMsMax: dayMs };
  const sessions = await Promise.all(Array.from({ length: 8 }, () => vault.session({ versions: policy })));
  await Promise.all(
    sessions.map(async (files, session) => {
      for (let round = 0; round < 10; round += 1) await put(files, 'a', `${session}-${round}`);
    }),
  );
  const [files] = sessions;
  if (files === undefined) return;
  const contents = new Set([await get(files, 'a')]);
  for (const name of await versionsOf(files, 'a')) contents.add(await get(files, `/.versions/a/${name}`));
  t.equal(contents.size, 80);
  const store = openDiskStore(vault.root, 'none');
  t.teardown(() => store.close());
  t.strictSame(await vault.catalog.recount(), []);
  const { added, corrected, removed } = await vault.catalog.survey(vault.place.root, store);
  t.strictSame([added, corrected, removed], [0, 0, 0]);
});

t.test('retention', async (t) => {
  const retained: Partial<User> = { retainMs: 30 * dayMs };
  await t.test('a file can not be removed, by anyone; replaced it stays as a version', async (t) => {
    const vault = await VersionVault.open(t, ['alice', 'bob']);
    const alice = await vault.session(retained);
    const aliceUser: User = { name: 'alice', root: vault.root, preset: 'full', fileBytesMax: 1, ...retained };
    const bob = await vault.session({ name: 'bob' }, [aliceUser]);
    await put(alice, 'a', 'old');
    for (const files of [alice, bob]) t.equal(await codeOf(() => remove(files, 'a')), 'RETAINED');
    await put(bob, 'a', 'new');
    t.equal(await onlyVersion(alice, 'a'), 'old');
    t.match(vault.journal.records.filter(({ error }) => error === 'RETAINED').length, 2);
  });
  await t.test('versions that are retained are not dropped', async (t) => {
    const vault = await VersionVault.open(t);
    const files = await vault.session({ ...retained, versions: { versionsMax: 1, ageMsMax: dayMs } });
    for (let number = 1; number <= 5; number += 1) await put(files, 'a', `content ${number}`);
    t.equal((await versionsOf(files, 'a')).length, 4);
  });
  await t.test('however many are retained, others have their turns', async (t) => {
    const vault = await VersionVault.open(t);
    const files = await vault.session({ ...retained, versions: { versionsMax: 1, ageMsMax: dayMs } });
    for (const content of ['old', 'new']) await put(files, 'a', content);
    const area = join(vault.root, '.scpd', 'versions', 'a');
    for (let count = 0; count < 3000; count += 1) writeFileSync(join(area, versionName(count, 0)), '');
    await othersGetTurns(t, () => put(files, 'a', 'newest'));
  });
  await t.test('moving a file, or a directory, out of its retention is refused', async (t) => {
    const vault = await VersionVault.open(t);
    const rule = { place: '', key: '', allow: [], deny: [], preset: 'full' } as const;
    const rules: readonly Rule[] = [
      { ...rule, path: '/worm/**', retainMs: dayMs },
      { ...rule, path: '/**' },
    ];
    const files = await vault.session({ rules });
    for (const name of ['worm', 'worm/d', 'other']) await files.makeDirectory(virtualPath(name), 0o755);
    await put(files, 'worm/d/a.tmp', 'x');
    await rename(files, 'worm/d/a.tmp', 'worm/d/a');
    t.equal(await codeOf(() => rename(files, 'worm/d/a', 'other/a')), 'RETAINED');
    t.equal(await codeOf(() => rename(files, 'worm/d', 'other/d')), 'PERMISSION_DENIED');
    await put(files, 'b', 'x');
    await rename(files, 'b', 'worm/b');
    t.equal(await codeOf(() => remove(files, 'worm/b')), 'RETAINED', 'what is moved in is retained');
  });
  await t.test('what nobody knows is retained', async (t) => {
    const vault = await VersionVault.open(t);
    const files = await vault.session(retained);
    writeFileSync(join(vault.root, 'a'), 'by the host');
    t.equal(await codeOf(() => remove(files, 'a')), 'RETAINED');
  });
  await t.test(
    'a file that came while the clock was set back is retained from the latest time known',
    async (t) => {
      const vault = await VersionVault.open(t);
      const files = await vault.session(retained);
      await put(files, 'before', 'x');
      const RealDate = Date;
      t.teardown(() => void (globalThis.Date = RealDate));
      globalThis.Date = class extends RealDate {
        constructor(time: number | string = 0) {
          super(time);
        }
        static override now(): number {
          return 0;
        }
      } as DateConstructor;
      await put(files, 'a', 'x');
      t.equal(
        await codeOf(() => remove(files, 'before')),
        'RETAINED',
        'and a clock in the past ends nothing',
      );
      globalThis.Date = RealDate;
      t.equal(await codeOf(() => remove(files, 'a')), 'RETAINED');
    },
  );
  await t.test('it ends', async (t) => {
    const vault = await VersionVault.open(t);
    const files = await vault.session({ retainMs: 1500 });
    await put(files, 'a', 'old');
    t.equal(await codeOf(() => remove(files, 'a')), 'RETAINED');
    await setTimeout(1600);
    await remove(files, 'a');
    t.equal(await onlyVersion(files, 'a'), 'old');
  });
});

t.test('names of versions', async (t) => {
  const name = versionName(Date.UTC(2026, 10, 25, 10, 11, 12, 131), 0);
  t.equal(name, '20261125T101112.131Z');
  t.equal(versionTimeMs(name), Date.UTC(2026, 10, 25, 10, 11, 12, 131));
  t.equal(versionTimeMs(`${name}-12`), versionTimeMs(name));
  for (const other of ['20261125', `${name}.gz`, `a${name}`, '']) t.equal(versionTimeMs(other), undefined);
});
