/** Goal: rights on one's own end with the file that was one's own, and with its time, however it is named. */
import t from 'tap';
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { virtualPath } from '../../src/guard/virtual-path.ts';
import { GuardedBox, put, rename, stat } from '../support/guarded-box.ts';
import { codeOf } from '../support/throws.ts';

t.test('append-only: a hard link or a rename gives no more time to change the mode', async (t) => {
  const box = new GuardedBox(t, t.testdir({}));
  const first = box.session({ preset: 'append-only' });
  await put(first, '/a');
  await put(first, '/b');
  await first.close('CONNECTION_LOST');
  box.nowMs += 599_000;
  const files = box.session({ preset: 'append-only' });
  const chmod = (path: string): Promise<void> =>
    files.setAttributes(virtualPath(path), { mode: 0 }, { follow: false });
  await files.makeHardLink(virtualPath('/a'), virtualPath('/a2'));
  await rename(files, '/b', '/b2');
  box.nowMs += 2000;
  t.equal(await codeOf(() => chmod('/a2')), 'PERMISSION_DENIED');
  t.equal(await codeOf(() => chmod('/b2')), 'PERMISSION_DENIED');
  t.equal(statSync(join(box.root, 'a')).mode & 0o777, 0o644);
});

for (const how of ['by another of its name', 'in its place, with its inode'] as const) {
  t.test(`drop-box: what the host has put there is nobody's (${how})`, async (t) => {
    const box = new GuardedBox(t, t.testdir({}));
    const files = box.session({ preset: 'drop-box' });
    await put(files, '/report');
    await files.makeDirectory(virtualPath('/d'), 0o755);
    t.equal(await stat(files, '/report'), 3);
    const file = join(box.root, 'report');
    if (how === 'by another of its name') {
      writeFileSync(join(box.root, 'host'), 'of the host');
      renameSync(join(box.root, 'host'), file);
    } else {
      rmSync(file);
      await new Promise((resolve) => setTimeout(resolve, 20)); // births are told apart by the kernel's clock
      writeFileSync(file, 'of the host');
    }
    t.equal(await codeOf(() => stat(files, '/report')), 'NOT_FOUND');
    t.equal(await codeOf(() => put(files, '/report')), 'PERMISSION_DENIED');
    t.equal(await codeOf(() => files.remove(virtualPath('/report'))), 'NOT_FOUND');
    t.equal(await codeOf(() => rename(files, '/report', '/mine')), 'NOT_FOUND');
    t.equal(readFileSync(file, 'utf8'), 'of the host');
    t.equal(await codeOf(() => stat(files, '/d')), 'no error', 'what was not touched is own as before');
    await put(files, '/again');
    await put(files, '/again', 'longer');
    t.equal(await stat(files, '/again'), 6, 'an overwrite by its owner is own');
    await rename(files, '/again', '/renamed');
    t.equal(await stat(files, '/renamed'), 6);
  });
}
