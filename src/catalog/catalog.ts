/**
 * What is stored, by whom, and with which hash; how much each user has. One typed interface in front of a database, so
 * that another one can take SQLite's place. Losing it loses nothing: it is made again from the disk and the journal.
 *
 * After a crash `recover` looks at the paths that were being changed; after a power cut, or the loss of the database, at
 * all of each root. Until it has, the sums are not to be trusted, so it runs before anyone is served.
 */
import type { DirectoryQuota, KnownEntry, Ledger, Quota, Usage } from '../guard/ledger.ts';
import type { Store } from '../guard/store.ts';
import { isStoredVersion } from '../guard/version-path.ts';
import { rootPath, type VirtualPath } from '../guard/virtual-path.ts';
import { catalogPageEntries } from '../limits.ts';
import { openDatabase, type Beginning, type Database, type DatabaseOptions } from './database.ts';
import { recountDirectories, setDirectories } from './directories.ts';
import {
  findEntry,
  moveEntries,
  pageOfEntries,
  sumOfFiles,
  newestUploads,
  type LastUpload,
} from './entries.ts';
import { PartialUploads, type SaveLeft } from './partial-uploads.ts';
import { CatalogLedger } from './ledger.ts';
import { knownEntry } from './rows.ts';
import { asPath, pathOf } from './path-bytes.ts';
import { register, type ProcessFacts } from './processes.ts';
import { Repairs } from './repairs.ts';
import { hostPathOf, numberOf } from './roots.ts';
import { endReservation } from './reservations.ts';
import { lookAt, noteOtherNames, survey, type SurveyCounts, type SurveyRequest } from './survey.ts';
import type { ReservationRow } from './tables.ts';
import { recount, usageOf, type Amount } from './usage.ts';

export { CatalogError, type Beginning } from './database.ts';
export type { SaveLeft, WaitingUpload, PartialUploads } from './partial-uploads.ts';
export type { SurveyCounts } from './survey.ts';

export interface CatalogOptions extends DatabaseOptions {
  readonly processes: ProcessFacts;
  /** Told of what can't be noted at the moment; it is tried again. */
  readonly onFailure?: (error: unknown) => void;
}

/** A root and who may store in it. */
export interface CatalogRoot {
  /** Host path without links. */
  readonly hostPath: string;
  readonly users: readonly string[];
  /** Those whose old versions do not count. */
  readonly versionsUncounted?: readonly string[];
  /** Of directories in it, for all its users together. */
  readonly directoryQuotas?: readonly DirectoryQuota[];
}

/** What `recover` has done in one root. */
export interface Recovered {
  readonly root: CatalogRoot;
  /** Whether all of the root was looked at, or only what was being changed when a process ended. */
  readonly whole: boolean;
  readonly paths: number;
  readonly counts: SurveyCounts;
}

export interface UsageCorrection {
  /** Who, or which directory with a quota in which root, has or holds another amount than was known. */
  readonly of: { readonly user: string } | { readonly rootHostPath: string; readonly directory: VirtualPath };
  readonly before: Amount;
  readonly after: Amount;
}

/** An entry and where it is. */
export interface CatalogEntry extends KnownEntry {
  readonly path: VirtualPath;
}

export interface Catalog {
  readonly beginning: Beginning;
  ledger(account: {
    readonly root: CatalogRoot;
    readonly user: string;
    readonly quota: Quota;
  }): Promise<Ledger>;
  usage(user: string): Promise<Usage>;
  /** Uploads that came whole, the newest first, page by page; some pages have none. */
  lastUploads(): AsyncIterable<readonly LastUpload[]>;
  /** Rejects if nothing can be written. */
  checkWritable(): Promise<void>;
  entryAt(root: CatalogRoot, path: VirtualPath): Promise<CatalogEntry | undefined>;
  /** Everything known at and below a path, in the order of its bytes. */
  entries(root: CatalogRoot, below: VirtualPath): AsyncIterable<CatalogEntry>;
  /** How many files are known at and below a path, and how much they hold. */
  filesBelow(root: CatalogRoot, below: VirtualPath): Promise<Amount>;
  /** Whether a change is under way that may concern this path. */
  isChanging(root: CatalogRoot, path: VirtualPath): Promise<boolean>;
  /** Closes what processes that are gone have left open. To be called before anyone is served. */
  recover(
    roots: readonly CatalogRoot[],
    openStore: (root: CatalogRoot) => Store,
    save?: SaveLeft,
  ): AsyncIterable<Recovered>;
  /** What is kept of interrupted uploads. */
  readonly partials: PartialUploads;
  /** Compares all of a root with the disk and makes what is known agree; hashes are kept where nothing has changed. */
  survey(root: CatalogRoot, store: Store): Promise<SurveyCounts>;
  /** Makes the sums anew. */
  recount(): Promise<readonly UsageCorrection[]>;
  close(): Promise<void>;
}

/** Opens the catalog. Throws `CatalogError`. */
export async function openCatalog(options: CatalogOptions): Promise<SqliteCatalog> {
  const { database, beginning } = await openDatabase(options);
  return new SqliteCatalog(database, beginning, options);
}

export class SqliteCatalog implements Catalog {
  readonly beginning: Beginning;
  readonly partials: PartialUploads;
  /** For `rebuild.ts`, which writes what it found. */
  readonly database: Database;
  readonly #processes: ProcessFacts;
  readonly #repairs: Repairs;
  readonly #rootIds = new Map<string, Promise<number>>();
  #openStore: (root: CatalogRoot) => Store = () => {
    throw new Error('nothing can be looked at before recover has been called');
  };

  constructor(database: Database, beginning: Beginning, options: CatalogOptions) {
    this.database = database;
    this.beginning = beginning;
    this.#processes = options.processes;
    this.partials = new PartialUploads(database, (root) => this.rootId(root));
    this.#repairs = new Repairs({
      claim: (id, root) => this.#repairClaim(id, root),
      root: (root) => this.#repairRoot(root),
      report: options.onFailure ?? (() => undefined),
    });
  }

  async ledger({ root, user, quota }: Parameters<Catalog['ledger']>[0]): Promise<Ledger> {
    const { database } = this;
    const process = this.#processes.own;
    const [rootId, repairs] = [await this.rootId(root), this.#repairs];
    return new CatalogLedger({ database, process, root, rootId, repairs, user, quota });
  }

  async usage(user: string): Promise<Usage> {
    return await usageOf(this.database.read, user);
  }

  lastUploads(): AsyncIterable<readonly LastUpload[]> {
    return newestUploads(this.database.read);
  }

  async checkWritable(): Promise<void> {
    const { own, boot } = this.#processes;
    await this.database.write(async (writer) => {
      await writer.updateTable('processes').set({ boot }).where('id', '=', own).execute();
    });
  }

  async entryAt(root: CatalogRoot, path: VirtualPath): Promise<CatalogEntry | undefined> {
    const rootId = await this.rootId(root);
    const row = await this.database.look((reader) => findEntry(reader, { rootId, path }));
    return row === undefined ? undefined : { path, ...knownEntry(row) };
  }

  async *entries(root: CatalogRoot, below: VirtualPath): AsyncGenerator<CatalogEntry> {
    const spot = { rootId: await this.rootId(root), path: below };
    let after: VirtualPath | undefined;
    for (;;) {
      const page = await pageOfEntries(this.database.read, spot, { after, limit: catalogPageEntries });
      for (const row of page) yield { path: pathOf(row), ...knownEntry(row) };
      const last = page.at(-1);
      if (last === undefined) return;
      after = pathOf(last);
    }
  }

  async filesBelow(root: CatalogRoot, path: VirtualPath): Promise<Amount> {
    return await sumOfFiles(this.database.read, { rootId: await this.rootId(root), path });
  }

  async isChanging(root: CatalogRoot, path: VirtualPath): Promise<boolean> {
    const rows = await this.database.read
      .selectFrom('reservations')
      .select(['path', 'target', 'process'])
      .where('root_id', '=', await this.rootId(root))
      .execute();
    const covers = (from: VirtualPath): boolean => path === from || path.startsWith(`${from}/`);
    return rows.some(
      (row) =>
        this.#processes.isAlive(row.process) &&
        (covers(pathOf(row)) || (row.target !== null && covers(asPath(row.target)))),
    );
  }

  async *recover(
    roots: readonly CatalogRoot[],
    openStore: (root: CatalogRoot) => Store,
    save?: SaveLeft,
  ): AsyncGenerator<Recovered> {
    this.#openStore = openStore;
    const { gone, crashed } = await register(this.database, this.#processes);
    for (const root of roots) {
      const rootId = await this.rootId(root);
      await this.database.write((writer) => setDirectories(writer, rootId, root.directoryQuotas ?? []));
      const store = openStore(root);
      try {
        if (save !== undefined) await this.partials.saveLeft(root, { store, crashed, save });
        const recovered = await this.#recoverRoot(root, store, gone);
        if (recovered !== undefined) yield recovered;
      } finally {
        store.close();
      }
    }
    await this.#forget(gone);
  }

  async survey(root: CatalogRoot, store: Store): Promise<SurveyCounts> {
    const rootId = await this.rootId(root);
    const spot = { rootId, path: rootPath };
    const counts = await survey({ database: this.database, store, spot, ...foundIn(root) });
    await this.database.write(async (writer) => {
      await writer
        .updateTable('roots')
        .set({ surveyed_at: new Date().toISOString() })
        .where('id', '=', rootId)
        .execute();
    });
    return counts;
  }

  async recount(): Promise<readonly UsageCorrection[]> {
    return await this.database.write(async (writer) => {
      const corrections: UsageCorrection[] = [];
      for (const { user, ...sums } of await recount(writer)) corrections.push({ of: { user }, ...sums });
      for (const { rootId, directory, ...sums } of await recountDirectories(writer)) {
        const rootHostPath = await hostPathOf(writer, rootId);
        corrections.push({ of: { rootHostPath, directory }, ...sums });
      }
      return corrections;
    });
  }

  /** Also lets go of the name of this process, unless something was left open under it. */
  async close(): Promise<void> {
    await this.#repairs.close();
    try {
      await this.database.write(async (writer) => {
        await writer
          .deleteFrom('processes')
          .where('id', '=', this.#processes.own)
          .where((builder) =>
            builder.not(
              builder.exists(
                builder.selectFrom('reservations').select('id').where('process', '=', this.#processes.own),
              ),
            ),
          )
          .execute();
      });
    } finally {
      await this.database.close();
    }
  }

  /** The number of a root, which it gets when it is first asked for. */
  async rootId({ hostPath }: CatalogRoot): Promise<number> {
    let id = this.#rootIds.get(hostPath);
    if (id === undefined) {
      id = this.database.write((writer) => numberOf(writer, hostPath));
      this.#rootIds.set(hostPath, id);
      id.catch(() => this.#rootIds.delete(hostPath));
    }
    return await id;
  }

  async #recoverRoot(
    root: CatalogRoot,
    store: Store,
    gone: readonly string[],
  ): Promise<Recovered | undefined> {
    const rootId = await this.rootId(root);
    const { read } = this.database;
    const facts = await read.selectFrom('roots').selectAll().where('id', '=', rootId).executeTakeFirst();
    const left = await read.selectFrom('reservations').selectAll().where('root_id', '=', rootId).execute();
    const leftOpen = left.filter((row) => gone.includes(row.process));
    const whole = facts?.surveyed_at === null;
    if (whole) return { root, whole, paths: 1, counts: await this.survey(root, store) };
    if (gone.length === 0) return undefined;
    const counts: SurveyCounts = { entries: 0, added: 0, corrected: 0, removed: 0 };
    for (const row of leftOpen) await this.#lookAtClaim({ root, store, row }, counts);
    return leftOpen.length === 0 ? undefined : { root, whole, paths: leftOpen.length, counts };
  }

  /** Makes what is known of a claim's paths agree with the disk. */
  async #lookAtClaim(
    { root, store, row }: { readonly root: CatalogRoot; readonly store: Store; readonly row: ReservationRow },
    counts: SurveyCounts,
  ): Promise<void> {
    const { database } = this;
    const facts = { ...foundIn(root), ...(row.claimed_files > 0 ? { owner: row.user } : {}) };
    await finishRename(database, store, row);
    for (const path of pathsOf(row)) {
      const request = { database, store, spot: { rootId: row.root_id, path }, ...facts };
      add(counts, await survey(request));
      if (row.apart === 1 || row.target !== null) await noteOtherNames(request, counts);
    }
  }

  async #repairClaim(id: string, root: CatalogRoot): Promise<void> {
    const counts: SurveyCounts = { entries: 0, added: 0, corrected: 0, removed: 0 };
    const store = this.#openStore(root);
    try {
      for (let at: string | undefined; ;) {
        const { read } = this.database;
        const row = await read.selectFrom('reservations').selectAll().where('id', '=', id).executeTakeFirst();
        if (row === undefined || pathOf(row) === at) break;
        at = pathOf(row); // once more if it was moved meanwhile
        await this.#lookAtClaim({ root, store, row }, counts);
      }
    } finally {
      store.close();
    }
    await this.database.write(async (writer) => endReservation(writer, id));
  }

  async #repairRoot(root: CatalogRoot): Promise<void> {
    const id = await this.rootId(root);
    // Whatever becomes of this process: the next one is to look.
    await this.database.write(async (writer) => {
      await writer.updateTable('roots').set({ surveyed_at: null }).where('id', '=', id).execute();
    });
    const store = this.#openStore(root);
    try {
      await this.survey(root, store);
    } finally {
      store.close();
    }
  }

  async #forget(gone: readonly string[]): Promise<void> {
    await this.database.write(async (writer) => {
      for (const process of gone) {
        const rows = await writer
          .selectFrom('reservations')
          .select('id')
          .where('process', '=', process)
          .execute();
        for (const { id } of rows) endReservation(writer, id);
        await writer.deleteFrom('processes').where('id', '=', process).execute();
      }
    });
  }
}

function add(counts: SurveyCounts, found: SurveyCounts): void {
  for (const key of ['entries', 'added', 'corrected', 'removed'] as const) counts[key] += found[key];
}

/** Whom it belongs to what nobody is known to have stored: the only user there is, or nobody. */
export function ownerIn({ users }: CatalogRoot): string | null {
  return users.length === 1 ? (users[0] ?? null) : null;
}

function foundIn(root: CatalogRoot): Pick<SurveyRequest, 'owner' | 'counts'> {
  return { owner: ownerIn(root), counts: (path) => countsAt(root, path) };
}

/** Whether what is found at a path counts, in the column's words. */
export function countsAt(root: CatalogRoot, path: VirtualPath): 0 | 1 {
  const owner = ownerIn(root);
  return owner !== null && isStoredVersion(path) && root.versionsUncounted?.includes(owner) === true ? 0 : 1;
}

/** A rename that was made and not noted: what is known of the old name is known of the new one. */
async function finishRename(database: Database, store: Store, row: ReservationRow): Promise<void> {
  if (row.target === null) return;
  const [from, to] = [{ rootId: row.root_id, path: pathOf(row) }, asPath(row.target)];
  await database.write(async (writer) => {
    const known = findEntry(writer, from);
    if (known === undefined || (await lookAt(store, from.path)) !== undefined) return;
    if ((await lookAt(store, to))?.inode === known.inode) await moveEntries(writer, from, to);
  });
}

function pathsOf(row: ReservationRow): VirtualPath[] {
  return [pathOf(row), ...(row.target === null ? [] : [asPath(row.target)])];
}
