/** Goal: no path, link or race leads out of the root; what is beneath is found where it is. */
import t, { type Test } from 'tap';
import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { virtualPath } from '../../src/guard/virtual-path.ts';
import { checkSandbox } from '../../src/storage/self-check.ts';
import { walk } from '../../src/storage/walk.ts';
import { codeOf } from '../support/throws.ts';

function makeTree(t: Test): { readonly root: number } {
  const place = t.testdir({
    root: { a: { b: { file: 'inside' } } },
    outside: 'secret',
    'root-evil': { x: 'secret' },
  });
  const rootPath = join(place, 'root');
  symlinkSync('b', join(rootPath, 'a', 'to-b'));
  symlinkSync('b/file', join(rootPath, 'a', 'to-file'));
  symlinkSync('/a/b/file', join(rootPath, 'absolute'));
  symlinkSync('../outside', join(rootPath, 'up'));
  symlinkSync('../../../../../../etc/passwd', join(rootPath, 'a', 'far-up'));
  symlinkSync('/etc/passwd', join(rootPath, 'host-absolute'));
  symlinkSync('nothing', join(rootPath, 'dangling'));
  symlinkSync('loop-2', join(rootPath, 'loop-1'));
  symlinkSync('loop-1', join(rootPath, 'loop-2'));
  symlinkSync('a/b/..', join(rootPath, 'ends-in-dots'));
  symlinkSync('.', join(rootPath, 'here'));
  symlinkSync('/proc/self/root', join(rootPath, 'magic'));
  const root = openSync(rootPath, constants.O_RDONLY | constants.O_DIRECTORY);
  t.teardown(() => closeSync(root));
  return { root };
}

function find(
  root: number,
  path: string,
  follow = true,
): { path: string; there: boolean; throughLink: boolean } {
  const found = walk(root, virtualPath(path), { follow });
  closeSync(found.parent);
  return { path: found.path, there: found.stats !== undefined, throughLink: found.throughLink };
}

t.test('where paths end', async (t) => {
  const { root } = makeTree(t);
  const table: readonly [path: string, end: string, there: boolean][] = [
    ['/', '/', true],
    ['/a/b/file', '/a/b/file', true],
    ['/a/b/nothing', '/a/b/nothing', false],
    ['/a/to-b/file', '/a/b/file', true],
    ['/a/to-file', '/a/b/file', true],
    ['/absolute', '/a/b/file', true],
    ['/up', '/outside', false],
    ['/dangling', '/nothing', false],
    ['/ends-in-dots', '/a', true],
    ['/here', '/', true],
    ['/here/here/a', '/a', true],
  ];
  for (const [path, end, there] of table) t.match(find(root, path), { path: end, there }, path);
  t.match(find(root, '/up', false), { path: '/up', there: true, throughLink: false }, 'a link itself');
  t.match(find(root, '/dangling'), { throughLink: true });
  t.equal(await codeOf(() => find(root, '/a/far-up')), 'NOT_FOUND', '/etc does not exist beneath');
  t.equal(await codeOf(() => find(root, '/host-absolute')), 'NOT_FOUND', '/etc does not exist beneath');
  t.equal(await codeOf(() => find(root, '/magic')), 'NOT_FOUND', '/proc does not exist beneath');
  t.equal(await codeOf(() => find(root, '/loop-1')), 'TOO_MANY_LINKS');
  t.equal(await codeOf(() => find(root, '/a/b/file/x')), 'NOT_A_DIRECTORY');
  t.equal(await codeOf(() => find(root, '/missing/x')), 'NOT_FOUND');
});

t.test('where no link is followed', async (t) => {
  const { root } = makeTree(t);
  const codes: Readonly<Record<string, string>> = {
    '/': 'no error',
    '/a/b/file': 'no error',
    '/a/b/nothing': 'no error',
    '/a/to-b/file': 'LINK_REFUSED',
    '/a/to-file': 'LINK_REFUSED',
    '/absolute': 'LINK_REFUSED',
    '/up': 'LINK_REFUSED',
    '/a/far-up': 'LINK_REFUSED',
    '/dangling': 'LINK_REFUSED',
    '/loop-1': 'LINK_REFUSED',
    '/here/a': 'LINK_REFUSED',
    '/a/b/file/x': 'NOT_A_DIRECTORY',
    '/missing/x': 'NOT_FOUND',
  };
  const openBefore = readdirSync('/proc/self/fd').length;
  for (const [path, code] of Object.entries(codes)) {
    const seen = await codeOf(() =>
      closeSync(walk(root, virtualPath(path), { follow: true, links: 'refuse' }).parent),
    );
    t.equal(seen, code, path);
  }
  t.equal(readdirSync('/proc/self/fd').length, openBefore);
  const link = walk(root, virtualPath('/a/to-file'), { follow: false, links: 'refuse' });
  closeSync(link.parent);
  t.match(link, { path: '/a/to-file', throughLink: false }, 'the link itself can be looked at');
});

t.test('no descriptor is left behind', async (t) => {
  const { root } = makeTree(t);
  const openBefore = readdirSync('/proc/self/fd').length;
  for (const path of ['/a/b/file', '/loop-1', '/a/b/file/x', '/missing/x', '/here/here/a', '/ends-in-dots']) {
    await codeOf(() => find(root, path));
  }
  t.equal(readdirSync('/proc/self/fd').length, openBefore);
});

t.test('the place stays pinned when its directory is moved away', async (t) => {
  const place = t.testdir({ root: { d: { file: 'x' } }, outside: { file: 'secret' } });
  const root = openSync(join(place, 'root'), constants.O_RDONLY | constants.O_DIRECTORY);
  t.teardown(() => closeSync(root));
  const found = walk(root, virtualPath('/d/new'), { follow: true });
  t.teardown(() => closeSync(found.parent));
  const inode = fstatSync(found.parent).ino;
  const { renameSync } = await import('node:fs');
  renameSync(join(place, 'root', 'd'), join(place, 'root', 'moved'));
  symlinkSync(join(place, 'outside'), join(place, 'root', 'd'));
  writeFileSync(`/proc/self/fd/${found.parent}/new`, 'y');
  t.equal(fstatSync(found.parent).ino, inode);
  t.strictSame(readdirSync(join(place, 'outside')), ['file']);
  t.strictSame(readdirSync(join(place, 'root', 'moved')).sort(), ['file', 'new']);
});

t.test('the self-check passes here', async (t) => {
  t.doesNotThrow(() => checkSandbox());
});

t.test('a deep tree', async (t) => {
  const place = t.testdir({ root: {} });
  const root = openSync(join(place, 'root'), constants.O_RDONLY | constants.O_DIRECTORY);
  t.teardown(() => closeSync(root));
  const deep = Array.from({ length: 200 }, () => 'd').join('/');
  mkdirSync(join(place, 'root', deep), { recursive: true });
  t.match(find(root, deep), { path: `/${deep}`, there: true });
});
