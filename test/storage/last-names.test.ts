/**
 * Goal: nobody waits while the kernel gives back the room of a large file that somebody has replaced or given up. Method: no
 * call that this thread itself makes is the last one to hold such a file.
 */
import t, { type Test } from 'tap';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import type { Place, Store } from '../../src/guard/store.ts';
import { virtualPath } from '../../src/guard/virtual-path.ts';
import { freedAtOnceBytesMax } from '../../src/limits.ts';
import { openDiskStore } from '../../src/storage/disk-store.ts';
import { host } from '../../src/storage/host-calls.ts';
import { orphanBytes, sweepStagingArea } from '../../src/storage/staging-area.ts';

const sizeBytes = 2 * freedAtOnceBytesMax;

/** The large files without a name that are open here. */
function nameless(): number[] {
  return fs
    .readdirSync('/proc/self/fd')
    .map(Number)
    .filter((descriptor) => {
      try {
        const stats = fs.fstatSync(descriptor);
        return stats.isFile() && stats.nlink === 0 && stats.size > freedAtOnceBytesMax;
      } catch {
        return false; // the one by which the directory was read
      }
    });
}

/** What ends a large file in this thread from now on. */
function watch(t: Test): string[] {
  const freed: string[] = [];
  const [{ closeSync }, { renameSync }] = [fs, host];
  fs.closeSync = (descriptor) => {
    if (nameless().length === 1 && nameless()[0] === descriptor) freed.push('close');
    closeSync(descriptor);
  };
  syncBuiltinESMExports();
  const rename: typeof renameSync = (from, to) => {
    const isLarge = (fs.statSync(to, { throwIfNoEntry: false })?.size ?? 0) > freedAtOnceBytesMax;
    renameSync(from, to);
    if (isLarge && nameless().length === 0) freed.push('rename');
  };
  Object.assign(host, { renameSync: rename });
  t.teardown(() => {
    fs.closeSync = closeSync;
    syncBuiltinESMExports();
    Object.assign(host, { renameSync });
  });
  return freed;
}

/** Answers how many turns of the event loop there were since. */
function countTurns(t: Test): () => number {
  let turns = 0;
  let next: NodeJS.Immediate;
  const count = (): void => {
    turns += 1;
    next = setImmediate(count);
  };
  next = setImmediate(count);
  t.teardown(() => clearImmediate(next));
  return () => turns;
}

type Way = (at: <T>(path: string, act: (place: Place) => Promise<T>) => Promise<T>) => Promise<void>;

const staging = { keepContent: false, exclusive: false, newFileMode: 0o644 };

const ways: Readonly<Record<string, Way>> = {
  'an upload that is given up': async (at) => {
    const staged = await at('/new', (place) => place.stage(staging));
    await staged.setAttributes({ sizeBytes });
    await staged.discard();
  },
  'an upload in its place': async (at) => {
    await (await at('/large', (place) => place.stage(staging))).publish();
  },
  'an upload that might have kept its content': async (at) => {
    const staged = await at('/large', (place) => place.stage({ ...staging, keepContent: true }));
    await staged.setAttributes({ sizeBytes: 0 });
    await staged.publish();
  },
  'a download that outlasts it': async (at) => {
    const file = await at('/large', (place) => place.open());
    await at('/large', (place) => place.remove());
    await file.close();
  },
  'a rename onto it': async (at) => {
    await at('/small', (from) => at('/large', (to) => from.moveTo(to, { replace: true })));
  },
};

for (const [name, way] of Object.entries(ways)) {
  t.test(name, async (t) => {
    const root = t.testdir({ large: '', small: 'small' });
    fs.truncateSync(join(root, 'large'), sizeBytes);
    const store: Store = openDiskStore(root, 'full');
    t.teardown(() => store.close());
    const freed = watch(t);
    await way(async (path, act) => {
      const place = await store.locate(virtualPath(path), { follow: true });
      return await act(place).finally(() => place.close());
    });
    for (let waitedMs = 0; nameless().length > 0 && waitedMs < 5000; waitedMs += 10)
      await new Promise((resolve) => setTimeout(resolve, 10));
    t.same(nameless(), [], 'it is closed in the end');
    t.same(freed, []);
  });
}

t.test('what dead processes left is removed while others have their turns', async (t) => {
  const root = t.testdir({ '.scpd': { staging: {} } });
  const area = join(root, '.scpd', 'staging');
  for (let count = 0; count < 100; count += 1) fs.writeFileSync(join(area, `1-1-${count}`), '');
  const turns = countTurns(t);
  t.equal((await orphanBytes(root)).size, 100);
  t.ok(turns() > 100, 'to look at each');
  const [one, other] = await Promise.all([sweepStagingArea(root), sweepStagingArea(root)]);
  t.equal(one + other, 100, 'by two sweeps at once, as at a reload');
  t.ok(turns() > 200, 'to remove each');
  t.strictSame(fs.readdirSync(area), []);
});
