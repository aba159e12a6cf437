/** Goal: in a drop-box nothing tells what has a name that is taken, nor, where names give way, that it is taken at all. */
import t from 'tap';
import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Files, UploadOptions } from '../../src/guard/files.ts';
import { virtualPath } from '../../src/guard/virtual-path.ts';
import { GuardedBox, put, rename } from '../support/guarded-box.ts';
import { codeOf } from '../support/throws.ts';

/** Whatever may have a name that is not the sender's. */
const others: Readonly<Record<string, (path: string) => void>> = {
  file: (path) => writeFileSync(path, 'secret'),
  directory: (path) => mkdirSync(path),
  fifo: (path) => execFileSync('mkfifo', [path]),
  'link-to-file': (path) => symlinkSync('file', path),
  'link-to-directory': (path) => symlinkSync('directory', path),
  'link-to-nothing': (path) => symlinkSync('nothing', path),
  'link-into-nothing': (path) => symlinkSync('nothing/at/all', path),
  'link-into-file': (path) => symlinkSync('file/x', path),
  'link-to-itself': (path) => symlinkSync('link-to-itself', path),
  'link-to-where-nothing-is-allowed': (path) => symlinkSync('../out/file', path),
  'link-out-of-the-root': (path) => symlinkSync('../../../../etc/passwd', path),
};

function fill(root: string): void {
  mkdirSync(join(root, 'in'));
  mkdirSync(join(root, 'out'));
  for (const [name, make] of Object.entries(others)) make(join(root, 'in', name));
}

const upload =
  (options: Partial<UploadOptions>) =>
  (files: Files, path: string): Promise<void> =>
    put(files, path, 'mine', options);

const attempts: Readonly<Record<string, (files: Files, path: string) => Promise<unknown>>> = {
  'scp, or OPEN with TRUNC': upload({}),
  'OPEN with CREAT': upload({ existing: 'modify' }),
  'OPEN with EXCL': upload({ existing: 'refuse' }),
  MKDIR: (files, path) => files.makeDirectory(virtualPath(path), 0o755),
  RENAME: (files, path) => rename(files, '/in/own', path),
  'posix-rename': (files, path) => rename(files, '/in/own', path, true),
};

t.test(
  'a name that is taken is refused in the same words, whatever has it and how it is asked',
  async (t) => {
    const box = new GuardedBox(t, t.testdir({}));
    fill(box.root);
    const before = readdirSync(join(box.root, 'in'));
    const files = box.session({ rules: [{ path: '/in/**', preset: 'drop-box' }] });
    await put(files, '/in/own');
    for (const [how, attempt] of Object.entries(attempts)) {
      // What may be renamed at all is one's own, so there a no is that nothing is there.
      const expected = how === 'posix-rename' ? 'NOT_FOUND' : 'PERMISSION_DENIED';
      for (const name of Object.keys(others))
        t.equal(await codeOf(() => attempt(files, `/in/${name}`)), expected, `${how}: ${name}`);
    }
    for (const name of [...Object.keys(others), 'free']) {
      const asked = (): Promise<void> => upload({ missing: 'refuse' })(files, `/in/${name}`);
      t.equal(await codeOf(asked), 'PERMISSION_DENIED', `without CREAT: ${name}`);
    }
    t.strictSame(readdirSync(join(box.root, 'in')).sort(), [...before, 'own'].sort());
    t.equal(readFileSync(join(box.root, 'in', 'file'), 'utf8'), 'secret');
  },
);

t.test('where names give way, only a directory shows', async (t) => {
  const box = new GuardedBox(t, t.testdir({}));
  fill(box.root);
  const user = { rules: [{ path: '/in/**', preset: 'drop-box' }], onConflict: 'rename' } as const;
  const [files, renaming] = [box.session(user), box.session({ ...user, name: 'bob' })];
  for (const name of Object.keys(others)) {
    const expected = name === 'directory' ? 'PERMISSION_DENIED' : 'no error';
    t.equal(await codeOf(() => put(files, `/in/${name}`, 'mine')), expected, name);
    if (expected !== 'no error') continue;
    t.equal(readFileSync(join(box.root, 'in', `${name}.1`), 'utf8'), 'mine', name);
    await put(renaming, '/in/own');
    t.equal(await codeOf(() => rename(renaming, '/in/own', `/in/${name}`)), 'no error', `renamed to ${name}`);
    t.equal(readFileSync(join(box.root, 'in', `${name}.2`), 'utf8'), 'new', name);
  }
  t.ok(lstatSync(join(box.root, 'in', 'link-to-file')).isSymbolicLink(), 'what was there stays');
  t.equal(readFileSync(join(box.root, 'in', 'file'), 'utf8'), 'secret');
});
