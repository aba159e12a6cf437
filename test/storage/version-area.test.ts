/** Goal: an old file is kept as it is, under a name that tells when it was replaced; nothing of it is copied or lost. */
import t, { type Test } from 'tap';
import {
  closeSync,
  constants,
  existsSync,
  openSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { virtualPath } from '../../src/guard/virtual-path.ts';
import {
  dropVersion,
  keepVersion,
  listVersions,
  moveToVersions,
  versionTime,
  type Original,
} from '../../src/storage/version-area.ts';
import { walk } from '../../src/storage/walk.ts';
import { codeOf } from '../support/throws.ts';

function openRoot(t: Test): { rootPath: string; root: number } {
  const rootPath = t.testdir({ directory: { file: 'first' } });
  const root = openSync(rootPath, constants.O_RDONLY | constants.O_DIRECTORY);
  t.teardown(() => closeSync(root));
  return { rootPath, root };
}

function originalAt(t: Test, root: number, path: string): Original {
  const found = walk(root, virtualPath(path), { follow: true });
  t.teardown(() => closeSync(found.parent));
  return { root, parent: found.parent, name: found.name, path: found.path };
}

t.test('a kept file stands under both names until it is replaced', async (t) => {
  const { rootPath, root } = openRoot(t);
  const changes: number[] = [];
  const before = Date.now();
  const kept = keepVersion(originalAt(t, root, 'directory/file'), (directory) => changes.push(directory));
  const path = join(rootPath, '.scpd/versions/directory/file', kept?.name ?? '');
  t.equal(statSync(path).ino, statSync(join(rootPath, 'directory/file')).ino, 'the file itself, not a copy');
  t.ok(changes.length > 0, 'directories to be synced');
  const time = versionTime(kept?.name ?? '') ?? 0;
  t.ok(time >= before && time <= Date.now());
  writeFileSync(join(rootPath, 'new'), 'second');
  const { renameSync } = await import('node:fs');
  renameSync(join(rootPath, 'new'), join(rootPath, 'directory/file'));
  t.equal(readFileSync(path, 'utf8'), 'first');
  t.equal(statSync(join(rootPath, '.scpd/versions')).mode & 0o777, 0o700);
});

t.test('many versions, oldest first, also within one millisecond', async (t) => {
  const { root } = openRoot(t);
  const names = Array.from(
    { length: 20 },
    () => keepVersion(originalAt(t, root, 'directory/file'), () => undefined)?.name,
  );
  t.equal(new Set(names).size, 20);
  const listed = listVersions(root, virtualPath('directory/file'));
  t.equal(listed.length, 20);
  t.match(listed[0], { sizeBytes: 5 });
  t.strictSame(listVersions(root, virtualPath('directory')), [], 'a directory has none');
  t.strictSame(listVersions(root, virtualPath('nothing')), []);
});

t.test('a removed file is moved; dropped versions take their empty directories along', async (t) => {
  const { rootPath, root } = openRoot(t);
  const moved = moveToVersions(originalAt(t, root, 'directory/file'), () => undefined);
  t.notOk(existsSync(join(rootPath, 'directory/file')));
  dropVersion(root, virtualPath('directory/file'), moved?.name ?? '');
  t.strictSame(readdirSync(join(rootPath, '.scpd/versions')), []);
});

t.test('what is no file has no versions', async (t) => {
  const { rootPath, root } = openRoot(t);
  symlinkSync('directory/file', join(rootPath, 'link'));
  const found = walk(root, virtualPath('link'), { follow: false });
  t.teardown(() => closeSync(found.parent));
  t.equal(
    keepVersion({ root, ...found }, () => undefined),
    undefined,
    'a link',
  );
  t.equal(
    keepVersion(originalAt(t, root, 'directory'), () => undefined),
    undefined,
    'a directory',
  );
  t.equal(
    keepVersion(originalAt(t, root, 'nothing'), () => undefined),
    undefined,
    'nothing',
  );
});

t.test('where the area can not be made, the old file is not given up', async (t) => {
  const { rootPath, root } = openRoot(t);
  writeFileSync(join(rootPath, '.scpd'), 'in the way');
  t.equal(
    await codeOf(() => keepVersion(originalAt(t, root, 'directory/file'), () => undefined)),
    'STORAGE_FAILED',
  );
  t.equal(readFileSync(join(rootPath, 'directory/file'), 'utf8'), 'first');
});

t.test('names of versions', async (t) => {
  t.equal(versionTime('20261121T063245.123Z'), Date.UTC(2026, 10, 21, 6, 32, 45, 123));
  t.equal(versionTime('20261121T063245.123Z-7'), Date.UTC(2026, 10, 21, 6, 32, 45, 123));
  t.equal(versionTime('2026'), undefined);
});

t.test('descriptors do not leak', async (t) => {
  const { root } = openRoot(t);
  const original = originalAt(t, root, 'directory/file');
  const openBefore = readdirSync('/proc/self/fd').length;
  for (let round = 0; round < 10; round += 1) {
    const kept = keepVersion(original, () => undefined);
    listVersions(root, original.path);
    dropVersion(root, original.path, kept?.name ?? '');
    listVersions(root, virtualPath('missing/one'));
  }
  t.equal(readdirSync('/proc/self/fd').length, openBefore);
});
