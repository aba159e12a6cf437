/** A catalog with a root, as a server has it, and the door in front of it. */
import type { Test } from 'tap';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCatalog, type CatalogRoot, type SqliteCatalog } from '../../src/catalog/catalog.ts';
import type { Quota } from '../../src/guard/ledger.ts';
import { openDiskStore } from '../../src/storage/disk-store.ts';
import { bootId, isProcessAlive, ownProcess } from '../../src/storage/process-identity.ts';

export const processes = { own: ownProcess, boot: bootId(), isAlive: isProcessAlive };

export interface CatalogPlace {
  readonly directory: string;
  readonly file: string;
  readonly root: CatalogRoot;
}

/** A directory with an empty root; removed when the test ends. */
export function makeCatalogPlace(t: Test, users: readonly string[] = ['alice']): CatalogPlace {
  const directory = mkdtempSync(join(tmpdir(), 'scpd-catalog-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  mkdirSync(join(directory, 'root'));
  return {
    directory,
    file: join(directory, 'var', 'catalog.db'),
    root: { hostPath: join(directory, 'root'), users },
  };
}

/** Opens the catalog of a place as a server does at its start. */
export async function startCatalog(
  { file, root }: Pick<CatalogPlace, 'file' | 'root'>,
  onFailure: (error: unknown) => void = () => undefined,
): Promise<SqliteCatalog> {
  const catalog = await openCatalog({ file, damaged: 'replace', processes, onFailure });
  for await (const recovered of catalog.recover([root], ({ hostPath }) => openDiskStore(hostPath, 'none')))
    void recovered;
  return catalog;
}

/** What a look at all of the disk finds wrong in the catalog: nothing, if all is well. Counts that are wrong by no entry, too. */
export async function wrongIn(catalog: SqliteCatalog, root: CatalogRoot): Promise<object> {
  const store = openDiskStore(root.hostPath, 'none');
  try {
    const { entries: _entries, ...changes } = await catalog.survey(root, store);
    const wrong = Object.entries(changes).filter(([, count]) => count > 0);
    const sums = await catalog.recount();
    return Object.fromEntries(sums.length === 0 ? wrong : [...wrong, ['sums', sums]]);
  } finally {
    store.close();
  }
}

/** Everything that is known, as one value to compare; without what differs from one disk or day to another. */
export async function contentOf(catalog: SqliteCatalog, root: CatalogRoot): Promise<object> {
  const entries: Record<string, object> = {};
  for await (const { path, inode, modifiedMs, storedAt, ...facts } of catalog.entries(root, '/' as never)) {
    void inode;
    void modifiedMs;
    void storedAt;
    entries[path] = facts;
  }
  return entries;
}

export const noQuota: Quota = {};
