/** Goal: several processes share a catalog without promising anything twice, and one that is killed leaves it right. */
import t from 'tap';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CatalogError, openCatalog } from '../../src/catalog/catalog.ts';
import { virtualPath } from '../../src/guard/virtual-path.ts';
import { openDiskStore } from '../../src/storage/disk-store.ts';
import { makeCatalogPlace, processes, startCatalog } from '../support/catalog.ts';

const worker = fileURLToPath(new URL('../support/catalog-worker.ts', import.meta.url));

function start(words: readonly string[]): ChildProcess {
  return spawn(process.execPath, [...process.execArgv, worker, ...words], {
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: 60_000,
    killSignal: 'SIGKILL',
  });
}

async function firstLine(child: ChildProcess): Promise<string> {
  for await (const bytes of child.stdout ?? []) return String(bytes).trim();
  return '';
}

t.test('three processes claim at once: all of the quota and no more', async (t) => {
  const place = makeCatalogPlace(t);
  await (await startCatalog(place)).close();
  const words = ['claim', place.file, place.root.hostPath, '1500'];
  const children = [start(words), start(words), start(words)];
  const granted = await Promise.all(children.map(firstLine));
  t.equal(
    granted.map(Number).reduce((sum, one) => sum + one, 0),
    150,
    granted.join(' + '),
  );
  const beside = await startCatalog(place);
  t.equal((await beside.usage('alice')).reservedBytes, 1500, 'claims of the living stand');
  await beside.close();
  children.forEach((child) => child.stdin?.end());
  await Promise.all(children.map(async (child) => once(child, 'exit')));
  const after = await startCatalog(place);
  t.match(
    await after.usage('alice'),
    { reservedBytes: 0, reservedFiles: 0 },
    'those of the dead are dropped',
  );
  await after.close();
});

t.test('after the loss of the machine everything is counted again', async (t) => {
  const place = makeCatalogPlace(t);
  const first = await openCatalog({
    file: place.file,
    damaged: 'refuse',
    processes: { own: '1-1', boot: 'another boot', isAlive: () => true },
  });
  for await (const recovered of first.recover([place.root], ({ hostPath }) =>
    openDiskStore(hostPath, 'none'),
  ))
    t.ok(recovered.whole);
  // It ends without a word, and what its last commits noted is lost.
  await first.database.close();
  writeFileSync(join(place.root.hostPath, 'a'), 'content');
  const catalog = await startCatalog(place);
  t.match(await catalog.usage('alice'), { bytes: 7, files: 1 });
  await catalog.close();
});

t.test('a damaged or missing catalog is made anew by a server, and refused by others', async (t) => {
  const place = makeCatalogPlace(t);
  writeFileSync(join(place.root.hostPath, 'a'), 'content');
  await (await startCatalog(place)).close();
  for (const suffix of ['-wal', '-shm']) rmSync(`${place.file}${suffix}`, { force: true });
  writeFileSync(place.file, Buffer.alloc(8192, 0x41));
  for (const damaged of ['refuse', 'checked'] as const)
    await t.rejects(openCatalog({ file: place.file, damaged, processes }), CatalogError);
  const catalog = await startCatalog(place);
  t.equal(catalog.beginning.kind, 'replaced');
  if (catalog.beginning.kind === 'replaced') t.match(readFileSync(catalog.beginning.keptAs), /^AAAA/);
  t.match(await catalog.usage('alice'), { bytes: 7, files: 1 });
  t.match(await catalog.entryAt(place.root, virtualPath('a')), { user: 'alice', sha256: null });
  await catalog.close();
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${place.file}${suffix}`, { force: true });
  const again = await startCatalog(place);
  t.equal(again.beginning.kind, 'new');
  t.match(await again.usage('alice'), { bytes: 7, files: 1 });
  await again.close();
});
