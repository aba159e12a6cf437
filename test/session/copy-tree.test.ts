/** Goal: `cp -r` never copies a directory into itself, whatever links lead there. */
import t from 'tap';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { virtualPath } from '../../src/guard/virtual-path.ts';
import { copyTree } from '../../src/session/command-tree.ts';
import { GuardedBox } from '../support/guarded-box.ts';
import { codeOf } from '../support/throws.ts';

const table: readonly [name: string, from: string, to: string, code: string][] = [
  ['into itself', '/a', '/a/copy', 'INVALID_RENAME'],
  ['onto itself', '/a', '/a', 'INVALID_RENAME'],
  ['the root, by a link to it', '/to-root', '/copy', 'INVALID_RENAME'],
  ['by a link in the target', '/a', '/to-a/copy', 'INVALID_RENAME'],
  ['by links at both ends', '/to-a', '/to-a/copy', 'INVALID_RENAME'],
  ['by a link further down', '/a', '/trap', 'INVALID_RENAME'],
  ['a directory beside it, by a link', '/to-a', '/copy', 'no error'],
  ['to where a link leads, elsewhere', '/a', '/to-other/copy', 'no error'],
];

for (const [name, from, to, code] of table) {
  t.test(name, async (t) => {
    const box = new GuardedBox(t, t.testdir({ a: { sub: { deeper: { file: 'x' } } }, other: {}, trap: {} }));
    const link = (target: string, path: string): void => symlinkSync(target, join(box.root, path));
    link('.', 'to-root');
    link('a', 'to-a');
    link('other', 'to-other');
    link('../a/sub/deeper', 'trap/sub');
    const files = box.session({ preset: 'full' });
    const copy = (): Promise<void> =>
      copyTree(files, virtualPath(from), { to: virtualPath(to), recursive: true });
    t.equal(await codeOf(copy), code);
    t.strictSame(readdirSync(join(box.root, 'a')), ['sub'], 'nothing came into what was copied');
    t.strictSame(readdirSync(join(box.root, 'a', 'sub', 'deeper')), ['file']);
    if (to !== from) t.equal(existsSync(join(box.root, to, 'sub/deeper/file')), code === 'no error');
  });
}

t.test('links to directories within a tree are not entered', async (t) => {
  const box = new GuardedBox(t, t.testdir({ a: { file: 'x' } }));
  mkdirSync(join(box.root, 'a', 'sub'));
  symlinkSync('..', join(box.root, 'a', 'sub', 'up'));
  writeFileSync(join(box.root, 'a', 'sub', 'z'), 'z');
  const files = box.session({ preset: 'full' });
  const copy = (): Promise<void> =>
    copyTree(files, virtualPath('/a'), { to: virtualPath('/copy'), recursive: true });
  t.equal(await codeOf(copy), 'TOO_MANY_LINKS');
  t.notOk(existsSync(join(box.root, 'copy', 'sub', 'up')));
});
