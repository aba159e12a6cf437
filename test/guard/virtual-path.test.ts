/** Goal: one canonical form, whatever the spelling; nothing that is no path gets one. */
import t from 'tap';
import { baseName, childPath, isWithin, parentPath, virtualPath } from '../../src/guard/virtual-path.ts';
import { codeOf } from '../support/throws.ts';

t.test('spellings of a path', async (t) => {
  const table: readonly [string, string][] = [
    ['', '/'],
    ['.', '/'],
    ['/', '/'],
    ['..', '/'],
    ['/../../..', '/'],
    ['a', '/a'],
    ['/a/', '/a'],
    ['//a///b//', '/a/b'],
    ['./a/./b/.', '/a/b'],
    ['a/../b', '/b'],
    ['/a/../../b', '/b'],
    ['/a/...', '/a/...'],
    ['a b', '/a b'],
    ['-rf', '/-rf'],
    ['a\\..\\b', '/a\\..\\b'],
    ['%2e%2e/a', '/%2e%2e/a'],
    ['~', '/~'],
    ['\udcff', '/\udcff'],
  ];
  for (const [written, expected] of table) t.equal(virtualPath(written), expected, JSON.stringify(written));
});

t.test('what is no path', async (t) => {
  t.equal(await codeOf(() => virtualPath('a\0b')), 'INVALID_NAME');
  t.equal(await codeOf(() => virtualPath('x'.repeat(256))), 'NAME_TOO_LONG');
  t.equal(await codeOf(() => virtualPath('ü'.repeat(128))), 'NAME_TOO_LONG', 'bytes count, not characters');
  t.equal(await codeOf(() => virtualPath('a/'.repeat(2049))), 'NAME_TOO_LONG');
  t.equal(await codeOf(() => virtualPath('a/'.repeat(257))), 'NAME_TOO_LONG');
  t.equal(virtualPath('x'.repeat(255)), `/${'x'.repeat(255)}`);
});

t.test('a child is one component', async (t) => {
  t.equal(childPath(virtualPath('a'), 'b'), '/a/b');
  for (const name of ['', '.', '..', 'a/b', '/', 'a\0']) {
    t.equal(await codeOf(() => childPath(virtualPath('a'), name)), 'INVALID_NAME', JSON.stringify(name));
  }
});

t.test('relations are by component, not by prefix', async (t) => {
  t.ok(isWithin(virtualPath('a/b'), virtualPath('a')));
  t.ok(isWithin(virtualPath('a'), virtualPath('a')));
  t.ok(isWithin(virtualPath('a'), virtualPath('/')));
  t.notOk(isWithin(virtualPath('ab'), virtualPath('a')));
  t.equal(parentPath(virtualPath('a/b')), '/a');
  t.equal(parentPath(virtualPath('a')), '/');
  t.equal(baseName(virtualPath('a/b')), 'b');
  t.equal(baseName(virtualPath('/')), '');
});
