/**
 * Goal: what `settle` says is durable was fsynced: files and directories whose mode or times were changed as well as the
 * directories of new names. Method: every fsync is noted, with the path that it was asked for; some are made to fail.
 */
import t, { type Test } from 'tap';
import { chmodSync, chownSync, mkdirSync, readdirSync, readlinkSync, statSync, symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { virtualPath } from '../../src/guard/virtual-path.ts';
import type { AttributeChange } from '../../src/guard/files.ts';
import type { Store } from '../../src/guard/store.ts';
import { openDiskStore } from '../../src/storage/disk-store.ts';
import { host } from '../../src/storage/host-calls.ts';
import { codeOf } from '../support/throws.ts';

interface Watched {
  readonly root: string;
  readonly store: Store;
  readonly synced: string[];
  /** Makes each later fsync fail. */
  fail: boolean;
}

function watch(t: Test, root: string, durability: 'full' | 'none' = 'full'): Watched {
  const { fsync } = host;
  const watched: Watched = { root, store: openDiskStore(root, durability), synced: [], fail: false };
  const noting = async (descriptor: number): Promise<void> => {
    watched.synced.push(`/${relative(root, readlinkSync(`/proc/self/fd/${descriptor}`))}`);
    if (watched.fail) throw Object.assign(new Error('EIO'), { code: 'EIO' });
    await fsync(descriptor);
  };
  Object.assign(host, { fsync: noting });
  t.teardown(() => {
    Object.assign(host, { fsync });
    watched.store.close();
  });
  return watched;
}

async function change(store: Store, path: string, wanted: AttributeChange): Promise<void> {
  const place = await store.locate(virtualPath(path), { follow: false });
  await place.setAttributes(wanted).finally(() => place.close());
}

const dated = { modifiedSeconds: 1e9, accessedSeconds: 1e9 };

t.test('mode and times are on disk before a success', async (t) => {
  const root = t.testdir({ file: 'x', directory: { inner: 'x' } });
  const { store, synced } = watch(t, root);
  await change(store, '/file', { mode: 0o600 });
  await store.settle();
  t.strictSame(synced.splice(0), ['/file']);
  await change(store, '/directory', dated);
  await store.settle();
  t.strictSame(synced.splice(0), ['/directory']);
  await change(store, '/file', { mode: 0o640 });
  await change(store, '/file', dated);
  await change(store, '/directory', { mode: 0o750, ...dated });
  const place = await store.locate(virtualPath('/directory/new'), { follow: false });
  await place.makeDirectory(0o755);
  place.close();
  await store.settle();
  t.strictSame(synced.splice(0).sort(), ['/directory', '/file'], 'once each, however often they changed');
  await store.settle();
  t.strictSame(synced, []);
  t.match(statSync(join(root, 'file')), { mode: 0o100640, mtimeMs: 1e12 });
});

t.test('not with durability none, nor for the times of a link, which can not be synced', async (t) => {
  const root = t.testdir({ file: 'x' });
  symlinkSync('file', join(root, 'link'));
  const relaxed = watch(t, root, 'none');
  await change(relaxed.store, '/file', dated);
  await relaxed.store.settle();
  t.strictSame(relaxed.synced, []);
  const { store, synced } = watch(t, root);
  await change(store, '/link', dated);
  await store.settle();
  t.strictSame(synced, []);
});

t.test('a mode that keeps the daemon out as well', async (t) => {
  const root = t.testdir({ shut: 'x', opened: 'x', writable: 'x', directory: {} });
  const modes = { shut: 0, opened: 0, writable: 0o200, directory: 0 };
  for (const [name, mode] of Object.entries(modes)) {
    if (process.getuid?.() === 0) chownSync(join(root, name), 65_534, 65_534);
    chmodSync(join(root, name), mode);
  }
  const { store, synced } = watch(t, root);
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(65_534);
  t.teardown(() => isRoot && process.seteuid?.(0));
  await change(store, '/shut', dated);
  await change(store, '/opened', { mode: 0o400 });
  await change(store, '/writable', { mode: 0, ...dated });
  await change(store, '/directory', dated);
  await store.settle();
  t.strictSame(synced.sort(), ['/directory', '/opened', '/shut', '/writable']);
  if (isRoot) process.seteuid?.(0);
  const mode = (name: string): number => statSync(join(root, name)).mode & 0o777;
  t.strictSame(Object.keys(modes).map(mode), [0, 0o400, 0, 0], 'and it is as the client wanted it');
  t.equal(statSync(join(root, 'shut')).mtimeMs, 1e12);
});

t.test('many changes hold few descriptors', async (t) => {
  const root = t.testdir({});
  for (let count = 0; count < 300; count += 1) mkdirSync(join(root, String(count)));
  const { store, synced } = watch(t, root);
  const before = readdirSync('/proc/self/fd').length;
  let most = 0;
  for (let count = 0; count < 300; count += 1) {
    await change(store, `/${count}`, dated);
    most = Math.max(most, readdirSync('/proc/self/fd').length - before);
  }
  t.ok(most <= 70, `${most} were open at once`);
  await store.settle();
  t.equal(synced.length, 300);
  t.equal(readdirSync('/proc/self/fd').length, before);
});

t.test('what could not be synced fails this and every later success of the session', async (t) => {
  const root = t.testdir({ file: 'x', other: 'x' });
  const watched = watch(t, root);
  watched.fail = true;
  await change(watched.store, '/file', dated);
  t.equal(await codeOf(() => watched.store.settle()), 'STORAGE_FAILED');
  watched.fail = false;
  await change(watched.store, '/other', dated);
  t.equal(await codeOf(() => watched.store.settle()), 'STORAGE_FAILED');
  const next = openDiskStore(root, 'full');
  await change(next, '/other', dated);
  t.equal(await codeOf(() => next.settle()), 'no error', 'the next session begins anew');
  next.close();
});
