/** Goal: a catalog that can't be written for a while holds up no one else, and what was done meanwhile is noted after all. */
import t from 'tap';
import { setTimeout as pause } from 'node:timers/promises';
import Libsql from 'libsql';
import { virtualPath } from '../../src/guard/virtual-path.ts';
import { wrongIn } from '../support/catalog.ts';
import { put } from '../support/guarded-box.ts';
import { codeOf } from '../support/throws.ts';
import { VersionVault } from '../support/version-vault.ts';

const lockedMs = 700;

t.test(
  'while another process has the database, the event loop goes on, and the write gets its turn',
  async (t) => {
    const vault = await VersionVault.open(t);
    const files = await vault.session();
    const other = new Libsql(vault.place.file);
    t.teardown(() => other.close());
    other.exec('begin immediate');
    const startedMs = performance.now();
    setTimeout(() => other.exec('commit'), lockedMs);
    let [longestMs, lastMs] = [0, startedMs];
    const ticks = setInterval(() => {
      longestMs = Math.max(longestMs, performance.now() - lastMs);
      lastMs = performance.now();
    }, 1);
    await files.makeDirectory(virtualPath('d'), 0o755);
    clearInterval(ticks);
    t.ok(performance.now() - startedMs >= lockedMs, 'it waited');
    t.ok(longestMs < lockedMs / 2, `nothing else waited longer than ${Math.round(longestMs)} ms`);
    t.comment(`longest turn: ${longestMs.toFixed(1)} ms`);
    t.same(await vault.used(), [0, 1]);
  },
);

t.test('what can not be noted is noted later, without a restart', async (t) => {
  const failures: unknown[] = [];
  const vault = await VersionVault.open(t, ['alice'], { onFailure: (error) => failures.push(error) });
  const files = await vault.session();
  const other = new Libsql(vault.place.file);
  t.teardown(() => other.close());
  await put(files, 'old', '123');
  const upload = await files.upload(virtualPath('a'), {
    existing: 'replace',
    missing: 'create',
    newFileMode: 0o644,
  });
  await upload.write(Buffer.from('12345'), 0);
  other.exec(`create trigger broken before insert on entries begin select raise(abort, 'broken'); end`);
  other.exec(`create trigger stuck before update on entries begin select raise(abort, 'stuck'); end`);
  await upload.commit('closed');
  t.equal(
    await codeOf(() => files.rename(virtualPath('old'), virtualPath('new'), { replace: false })),
    'no error',
  );
  t.match(failures.map(String), [/broken/u, /stuck/u]);
  t.match(await vault.catalog.usage('alice'), { bytes: 3, files: 1 }, 'not noted');
  other.exec('drop trigger broken');
  other.exec('drop trigger stuck');
  for (let waits = 0; waits < 100; waits += 1) {
    await pause(100);
    if ((await vault.catalog.entryAt(vault.place.root, virtualPath('new'))) !== undefined) break;
  }
  t.same(await vault.used(), [8, 2]);
  t.match(await vault.catalog.entryAt(vault.place.root, virtualPath('new')), { user: 'alice' });
  t.same(await wrongIn(vault.catalog, vault.place.root), {});
});

t.test('what was changed while nothing could be claimed is found later', async (t) => {
  const vault = await VersionVault.open(t, ['alice'], { onFailure: () => undefined });
  const files = await vault.session({}, [], () => undefined);
  const other = new Libsql(vault.place.file);
  t.teardown(() => other.close());
  other.exec(`create trigger broken before insert on reservations begin select raise(abort, 'broken'); end`);
  await put(files, 'a', '12345');
  await files.rename(virtualPath('a'), virtualPath('b'), { replace: false });
  other.exec('drop trigger broken');
  for (let waits = 0; waits < 100; waits += 1) {
    await pause(100);
    if ((await vault.catalog.usage('alice')).bytes === 5) break;
  }
  t.same(await vault.used(), [5, 1]);
  t.same(await wrongIn(vault.catalog, vault.place.root), {});
});
