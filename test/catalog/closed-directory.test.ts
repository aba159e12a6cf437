/** Goal: a directory that a client has closed to the daemon keeps no server from starting, and loses no count. */
import t from 'tap';
import { chmodSync, chownSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { openDiskStore } from '../../src/storage/disk-store.ts';
import { makeCatalogPlace, startCatalog } from '../support/catalog.ts';

const nobody = 65534;

t.test('a survey leaves it as it is known', async (t) => {
  const place = makeCatalogPlace(t);
  const closed = join(place.root.hostPath, 'closed');
  mkdirSync(closed);
  writeFileSync(join(closed, 'inside'), '12345');
  writeFileSync(join(place.root.hostPath, 'open'), '123');
  const catalog = await startCatalog(place);
  const before = await catalog.usage('alice');
  t.match(before, { bytes: 8, files: 3 });
  if (process.getuid?.() === 0) {
    // Root may read everything, so the survey is made as somebody who may not.
    for (const name of ['.', ...readdirSync(place.root.hostPath)])
      chownSync(join(place.root.hostPath, name), nobody, nobody);
    chmodSync(dirname(place.root.hostPath), 0o755);
    process.seteuid?.(nobody);
    t.teardown(() => process.seteuid?.(0));
  }
  for (const mode of [0o000, 0o300, 0o400]) {
    chmodSync(closed, mode);
    const store = openDiskStore(place.root.hostPath, 'none');
    t.match(await catalog.survey(place.root, store), { added: 0, removed: 0 }, mode.toString(8));
    store.close();
    t.match(await catalog.usage('alice'), { bytes: 8, files: 3 });
  }
  chmodSync(closed, 0o755);
  if (process.getuid?.() === 0) process.seteuid?.(0);
  await catalog.close();
});
