/**
 * Compares what is known with what is on the disk and makes the known agree: after a crash on the paths that it left
 * open, after the loss of the catalog on everything. Works while uploads go on: each entry is looked at again while the
 * database is locked. Two passes, known → disk and disk → known, so that memory stays flat however large the tree is.
 */
import { isCurrent } from '../guard/ledger.ts';
import type { Listing } from '../guard/files.ts';
import type { Store, StoredAttributes } from '../guard/store.ts';
import { isStoredVersion, versionDirectory } from '../guard/version-path.ts';
import { mayBeConflictName } from '../guard/conflict-name.ts';
import { baseName, childPath, parentPath, type VirtualPath } from '../guard/virtual-path.ts';
import { errorCode, type ErrorCode } from '../errors.ts';
import { catalogBatchEntries, catalogPageEntries } from '../limits.ts';
import type { Database } from './database.ts';
import { pageOfEntries, putEntry, removeEntries, type Spot } from './entries.ts';
import { columnsOf, knownEntry } from './rows.ts';
import { asBytes, pathOf } from './path-bytes.ts';
import type { EntryRow, Writer } from './tables.ts';

export interface Surveyed {
  readonly path: VirtualPath;
  readonly attributes: StoredAttributes;
}

export interface SurveyCounts {
  entries: number;
  added: number;
  corrected: number;
  removed: number;
}

export interface SurveyRequest {
  readonly database: Database;
  readonly store: Store;
  readonly spot: Spot;
  /** Whom an entry belongs to that nobody is known to have stored. */
  readonly owner: string | null;
  /** Whether it counts. */
  readonly counts: (path: VirtualPath) => 0 | 1;
}

/** What a walk meets when a part of the path is not there any more, or is something else by now. */
const goneCodes: ReadonlySet<ErrorCode> = new Set(['NOT_FOUND', 'NOT_A_DIRECTORY', 'TOO_MANY_LINKS']);

/**
 * A directory that the daemon may not read or enter, such as a mode that a client has set: what is known of it stays as it
 * is, because nobody can say more. It must not keep a server from starting.
 */
function isClosed(error: unknown): boolean {
  return errorCode(error) === 'HOST_DENIED';
}

/** Everything below a path, and the path itself but for the root. What vanishes meanwhile is left out. */
export async function* walkStore(
  store: Store,
  path: VirtualPath,
  options: WalkOptions = {},
): AsyncGenerator<Surveyed> {
  const attributes = await lookAt(store, path);
  if (attributes === undefined) return;
  if (path !== '/') yield { path, attributes };
  if (attributes.kind === 'directory') yield* walkDirectory(store, path, options);
}

export interface WalkOptions {
  /** Leave out what is in directories that can't be read; else the walk throws there. */
  readonly skipClosed?: boolean;
}

/** What is at a path, if anything; its directories may be gone, or may be files now. */
export async function lookAt(store: Store, path: VirtualPath): Promise<StoredAttributes | undefined> {
  try {
    const place = await store.locate(path, { follow: false });
    place.close();
    return place.path === path ? place.attributes : undefined;
  } catch (error) {
    if (goneCodes.has(errorCode(error))) return undefined;
    throw error;
  }
}

/** Makes what is known at and below a path agree with the disk. Throws ScpdError if the disk can't be read. */
export async function survey(request: SurveyRequest): Promise<SurveyCounts> {
  const counts: SurveyCounts = { entries: 0, added: 0, corrected: 0, removed: 0 };
  await checkKnown(request, counts);
  let batch: VirtualPath[] = [];
  for await (const { path } of walkStored(request.store, request.spot.path, { skipClosed: true })) {
    batch.push(path);
    counts.entries += 1;
    if (batch.length < catalogBatchEntries) continue;
    await noteFound(request, batch, counts);
    batch = [];
  }
  await noteFound(request, batch, counts);
  return counts;
}

/** Notes what an upload to a path may have made under another name, because that one was taken (`conflict-name.ts`). */
export async function noteOtherNames(request: SurveyRequest, counts: SurveyCounts): Promise<void> {
  const { path } = request.spot;
  const listing = path === '/' ? undefined : await openListing(request.store, parentPath(path));
  if (listing === undefined) return;
  try {
    for (;;) {
      const entries = await listing.read(catalogBatchEntries);
      if (entries.length === 0) return;
      const others = entries.filter(({ name }) => mayBeConflictName(name, baseName(path)));
      const paths = others.map(({ name }) => childPath(parentPath(path), name));
      counts.entries += paths.length;
      await noteFound(request, paths, counts);
    }
  } finally {
    await listing.close();
  }
}

/** Everything below a path, and the versions of all that is or was there. Of these, files only. */
export async function* walkStored(
  store: Store,
  path: VirtualPath,
  options: WalkOptions = {},
): AsyncGenerator<Surveyed> {
  yield* walkStore(store, path, options);
  if (isStoredVersion(path)) return;
  for await (const version of walkStore(store, versionDirectory(path), options))
    if (version.attributes.kind === 'file') yield version;
}

async function* walkDirectory(
  store: Store,
  directory: VirtualPath,
  options: WalkOptions,
): AsyncGenerator<Surveyed> {
  const orNothing = async <T>(act: () => Promise<T>, nothing: T): Promise<T> => {
    try {
      return await act();
    } catch (error) {
      if (options.skipClosed === true && isClosed(error)) return nothing;
      throw error;
    }
  };
  const listing = await orNothing(() => openListing(store, directory), undefined);
  if (listing === undefined) return;
  try {
    for (;;) {
      const entries = await orNothing(() => listing.read(catalogBatchEntries), []);
      if (entries.length === 0) return;
      for (const { name, attributes } of entries) {
        const path = childPath(directory, name);
        yield { path, attributes };
        if (attributes.kind === 'directory') yield* walkDirectory(store, path, options);
      }
    }
  } finally {
    await listing.close();
  }
}

/** Undefined for what is no directory any more. */
async function openListing(store: Store, path: VirtualPath): Promise<Listing<StoredAttributes> | undefined> {
  try {
    const place = await store.locate(path, { follow: false });
    try {
      return place.path === path && place.attributes?.kind === 'directory' ? await place.list() : undefined;
    } finally {
      place.close();
    }
  } catch (error) {
    if (goneCodes.has(errorCode(error))) return undefined;
    throw error;
  }
}

/** Known → disk: what is gone is taken out, what is another thing by now is corrected. */
async function checkKnown({ database, store, spot }: SurveyRequest, counts: SurveyCounts): Promise<void> {
  let after: VirtualPath | undefined;
  for (;;) {
    const page = await pageOfEntries(database.read, spot, { after, limit: catalogPageEntries });
    for (let start = 0; start < page.length; start += catalogBatchEntries) {
      const batch = page.slice(start, start + catalogBatchEntries);
      const change = await database.write((writer) => checkRows(writer, store, batch));
      counts.removed += change.removed;
      counts.corrected += change.corrected;
    }
    const last = page.at(-1);
    if (last === undefined) return;
    after = pathOf(last);
  }
}

async function checkRows(
  writer: Writer,
  store: Store,
  rows: readonly EntryRow[],
): Promise<{ readonly removed: number; readonly corrected: number }> {
  let [removed, corrected] = [0, 0];
  const paths = rows.map(pathOf);
  const now = await entriesAt(writer, rows[0]?.root_id ?? 0, paths);
  for (const [path, row] of now) {
    const spot = { rootId: row.root_id, path };
    const found = await lookOrKeep(store, path);
    if (found === 'closed') continue;
    if (found === undefined) {
      await removeEntries(writer, spot);
      removed += 1;
    } else if (!isCurrent(knownEntry(row), found)) {
      await correct(writer, spot, { row, found });
      corrected += 1;
    }
  }
  return { removed, corrected };
}

async function lookOrKeep(store: Store, path: VirtualPath): Promise<StoredAttributes | 'closed' | undefined> {
  try {
    return await lookAt(store, path);
  } catch (error) {
    if (isClosed(error)) return 'closed';
    throw error;
  }
}

/** Disk → known: what nobody knows of is added. */
async function noteFound(
  { database, store, spot, owner, counts: countsAt }: SurveyRequest,
  paths: readonly VirtualPath[],
  counts: SurveyCounts,
): Promise<void> {
  if (paths.length === 0) return;
  counts.added += await database.write(async (writer) => {
    const known = await entriesAt(writer, spot.rootId, paths);
    let added = 0;
    for (const path of paths) {
      if (known.has(path)) continue;
      const found = await lookOrKeep(store, path);
      if (found === undefined || found === 'closed') continue;
      putEntry(
        writer,
        { rootId: spot.rootId, path },
        {
          ...columnsOf(found),
          user: owner,
          sha256: null,
          verdict: null,
          upload_id: null,
          stored_at: new Date().toISOString(),
          counts: countsAt(path),
        },
      );
      added += 1;
    }
    return added;
  });
}

/** It is another thing than was known. Its hash is not known; whoever stored it, it is still that user's name. */
async function correct(
  writer: Writer,
  spot: Spot,
  { row, found }: { readonly row: EntryRow; readonly found: StoredAttributes },
): Promise<void> {
  const { root_id: _root, path: _path, ...rest } = row;
  putEntry(writer, spot, {
    ...rest,
    ...columnsOf(found),
    sha256: null,
    verdict: null,
    upload_id: null,
  });
}

async function entriesAt(
  writer: Writer,
  rootId: number,
  paths: readonly VirtualPath[],
): Promise<ReadonlyMap<VirtualPath, EntryRow>> {
  const rows = await writer
    .selectFrom('entries')
    .selectAll()
    .where('root_id', '=', rootId)
    .where('path', 'in', paths.map(asBytes))
    .execute();
  return new Map(rows.map((row) => [pathOf(row), row]));
}
