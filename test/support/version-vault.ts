/** A root on disk with a catalog, and sessions of users whose old files stay as versions. */
import type { Test } from 'tap';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { SessionJournal } from '../../src/audit/session-journal.ts';
import type { SqliteCatalog } from '../../src/catalog/catalog.ts';
import type { Files } from '../../src/guard/files.ts';
import type { DirectoryQuota } from '../../src/guard/ledger.ts';
import { createGuardedFiles } from '../../src/guard/guarded-files.ts';
import { QuotaKeeper } from '../../src/guard/quota.ts';
import { versionTimeMs } from '../../src/guard/version-path.ts';
import { openDiskStore } from '../../src/storage/disk-store.ts';
import type { User } from '../../src/users/user.ts';
import { makeCatalogPlace, startCatalog, type CatalogPlace } from './catalog.ts';
import { CheckedJournal, testSession } from './checked-journal.ts';
import { list } from './guarded-box.ts';

export interface VaultOptions {
  /** Told of what could not be noted at once. */
  readonly onFailure?: (error: unknown) => void;
  readonly directoryQuotas?: readonly DirectoryQuota[];
}

export class VersionVault {
  readonly place: CatalogPlace;
  readonly catalog: SqliteCatalog;
  readonly journal = new CheckedJournal();
  readonly #test: Test;

  private constructor(t: Test, place: CatalogPlace, catalog: SqliteCatalog) {
    this.#test = t;
    this.place = place;
    this.catalog = catalog;
  }

  static async open(
    t: Test,
    users: readonly string[] = ['alice'],
    { onFailure = (error) => t.fail(String(error)), directoryQuotas = [] }: VaultOptions = {},
  ): Promise<VersionVault> {
    const made = makeCatalogPlace(t, users);
    const place = { ...made, root: { ...made.root, directoryQuotas } };
    const catalog = await startCatalog(place, onFailure);
    t.teardown(() => catalog.close());
    return new VersionVault(t, place, catalog);
  }

  get root(): string {
    return this.place.root.hostPath;
  }

  /** A new session. The preset is `full` unless `facts` says otherwise. */
  async session(
    facts: Partial<User> = {},
    sharing: readonly User[] = [],
    onFailure: (error: unknown) => void = (error) => this.#test.fail(String(error)),
  ): Promise<Files> {
    const user: User = {
      name: 'alice',
      root: this.root,
      fileBytesMax: 2 ** 40,
      ownershipMs: 600_000,
      ...(facts.rules === undefined ? { preset: 'full' } : {}),
      ...facts,
    };
    const quota = user.quota ?? {};
    const files = createGuardedFiles({
      user,
      sharing,
      store: openDiskStore(this.root, 'full'),
      journal: new SessionJournal(this.journal, testSession),
      quota: new QuotaKeeper({
        ledger: await this.catalog.ledger({ root: this.place.root, user: user.name, quota }),
        quota,
        sharesQuotas: (this.place.root.directoryQuotas ?? []).length > 0,
        freeBytesMin: 0,
        onFailure,
      }),
    });
    this.#test.teardown(() => files.close('INTERNAL'));
    return files;
  }

  /** Bytes and entries of a user, as the catalog has them; nothing may be claimed. */
  async used(user = 'alice'): Promise<readonly [bytes: number, files: number]> {
    const { bytes, files, reservedBytes, reservedFiles } = await this.catalog.usage(user);
    this.#test.equal(reservedBytes + reservedFiles, 0, 'nothing is claimed');
    return [bytes, files];
  }

  /** Everything in the version area of the disk, with `TIME` for each version's name. */
  onDisk(): string[] {
    const area = join(this.root, '.scpd', 'versions');
    return readdirSync(area, { recursive: true, encoding: 'utf8' })
      .map((path) =>
        path
          .split('/')
          .map((name) => (versionTimeMs(name) === undefined ? name : 'TIME'))
          .join('/'),
      )
      .sort();
  }
}

/** Names of the versions of a file as a client lists them, oldest first. */
export async function versionsOf(files: Files, path: string): Promise<string[]> {
  return (await list(files, `/.versions/${path}`)).filter((name) => versionTimeMs(name) !== undefined);
}
