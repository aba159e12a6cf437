/**
 * The table of entries, and the sums that follow from it. Each function works in the caller's transaction, and whatever
 * changes an entry changes its user's usage, and the claims on that path, with it: the three never disagree.
 */
import type { InsertResult, ExpressionBuilder, SqlBool, Expression } from 'kysely';
import type { VirtualPath } from '../guard/virtual-path.ts';
import { catalogPageEntries } from '../limits.ts';
import { chargeDirectories, refundDirectories, shiftDirectories } from './directories.ts';
import { sql } from './kysely.ts';
import { asBytes, asPath, inside } from './path-bytes.ts';
import { prepared, preparedRow } from './prepared.ts';
import { rebalance } from './reservations.ts';
import type { EntryRow, NewEntry, Reader, Tables, Writer } from './tables.ts';
import { charge } from './usage.ts';

export interface Spot {
  readonly rootId: number;
  readonly path: VirtualPath;
}

/** The entry at a path. */
export function findEntry(reader: Writer, { rootId, path }: Spot): EntryRow | undefined {
  return selectEntry(reader, { rootId, path: asBytes(path) });
}

/** The next entries at and below a path in the order of their bytes, from after `after` on. */
export async function pageOfEntries(
  reader: Reader,
  { rootId, path }: Spot,
  options: { readonly after: VirtualPath | undefined; readonly limit: number },
): Promise<readonly EntryRow[]> {
  let query = reader
    .selectFrom('entries')
    .selectAll()
    .where('root_id', '=', rootId)
    .where(within(path))
    .orderBy('path')
    .limit(options.limit);
  if (options.after !== undefined) query = query.where('path', '>', asBytes(options.after));
  return await query.execute();
}

/** How many files are known at and below a path, and how much they hold. */
export async function sumOfFiles(
  reader: Reader,
  { rootId, path }: Spot,
): Promise<{ readonly files: number; readonly bytes: number }> {
  const sums = await reader
    .selectFrom('entries')
    .select((builder) => [
      builder.fn.sum<number | null>('bytes').as('bytes'),
      builder.fn.countAll<number>().as('files'),
    ])
    .where('root_id', '=', rootId)
    .where('kind', '=', 'file')
    .where(within(path))
    .executeTakeFirst();
  return { files: sums?.files ?? 0, bytes: sums?.bytes ?? 0 };
}

/** Puts an entry in the place of what is known at its path. */
export function putEntry(writer: Writer, spot: Spot, entry: Omit<NewEntry, 'root_id' | 'path'>): void {
  const old = findEntry(writer, spot);
  const columns = { ...entry, counts: entry.counts ?? 1 };
  upsertEntry(writer, {
    ...noContent,
    ...columns,
    root_id: spot.rootId,
    path: asBytes(spot.path),
  });
  if (old?.counts === 1) charge(writer, old.user, { bytes: -old.bytes, files: -1 });
  if (columns.counts === 1) charge(writer, entry.user ?? null, { bytes: entry.bytes, files: 1 });
  const before = old?.counts === 1 ? { bytes: old.bytes, files: 1 } : { bytes: 0, files: 0 };
  const after = columns.counts === 1 ? { bytes: entry.bytes, files: 1 } : { bytes: 0, files: 0 };
  const more = { bytes: after.bytes - before.bytes, files: after.files - before.files };
  chargeDirectories(writer, spot, more);
  rebalance(writer, spot);
}

/** When the newest entry was stored, ISO 8601. */
export async function latestStoredAt(reader: Reader): Promise<string | undefined> {
  const row = await reader
    .selectFrom('entries')
    .select((builder) => builder.fn.max('stored_at').as('latest'))
    .executeTakeFirst();
  return row?.latest ?? undefined;
}

/**
 * Adds what is known of a file's content where nothing is, wherever the file went: under another name, or to the versions.
 * The plus keeps SQLite from reading the whole root: what was stored lately is found by its time.
 * @param since ISO 8601: what was noted before is not looked at
 */
export async function setMovedContent(
  writer: Writer,
  rootId: number,
  { inode, since, ...content }: Pick<EntryRow, 'inode' | 'sha256' | 'verdict'> & { readonly since: string },
): Promise<void> {
  await writer
    .updateTable('entries')
    .set(content)
    .where('stored_at', '>=', since)
    .where(sql<SqlBool>`+root_id = ${rootId}`)
    .where('inode', '=', inode)
    .where('kind', '=', 'file')
    .where('sha256', 'is', null)
    .execute();
}

/** Takes out the entry at a path and all below it. */
export async function removeEntries(writer: Writer, spot: Spot): Promise<void> {
  await refund(writer, spot.rootId, within(spot.path));
  await refundDirectories(writer, spot);
  await writer.deleteFrom('entries').where('root_id', '=', spot.rootId).where(within(spot.path)).execute();
  rebalance(writer, spot);
}

/**
 * Moves the entry at a path and all below it, in the place of what is known there. Claims on paths below a directory move
 * with it, because an upload into it ends up where the directory is by then; one on the very path stays.
 */
export async function moveEntries(writer: Writer, from: Spot, to: VirtualPath): Promise<void> {
  const { rootId, path } = from;
  if (path === to) return;
  const newPath = sql<Buffer>`cast(${asBytes(to)} || substr(path, ${asBytes(path).length + 1}) as blob)`;
  // What is replaced: a file or an empty directory.
  await removeEntries(writer, { rootId, path: to });
  await shiftDirectories(writer, from, to);
  await writer
    .updateTable('entries')
    .set({ path: newPath })
    .where('root_id', '=', rootId)
    .where(within(path))
    .execute();
  await writer
    .updateTable('reservations')
    .set({ path: newPath })
    .where('root_id', '=', rootId)
    .where(sql<SqlBool>`${inside('path', path)} and path <> ${asBytes(path)}`)
    .execute();
  rebalance(writer, from);
  rebalance(writer, { rootId, path: to });
}

/** Gives back to their users what these entries count. */
async function refund(writer: Writer, rootId: number, which: Condition): Promise<void> {
  const sums = await writer
    .selectFrom('entries')
    .select((builder) => [
      'user',
      builder.fn.sum<number>('bytes').as('bytes'),
      builder.fn.countAll<number>().as('files'),
    ])
    .where('root_id', '=', rootId)
    .where('counts', '=', 1)
    .where(which)
    .groupBy('user')
    .execute();
  for (const { user, bytes, files } of sums) charge(writer, user, { bytes: -bytes, files: -files });
}

type Condition = (builder: ExpressionBuilder<Tables, 'entries'>) => Expression<SqlBool>;

function within(path: VirtualPath): Condition {
  return () => inside('path', path);
}

const noContent = { user: null, sha256: null, verdict: null, upload_id: null };

const selectEntry = preparedRow<{ readonly rootId: number; readonly path: Buffer }, EntryRow>(
  (on, { rootId, path }) =>
    on.selectFrom('entries').selectAll().where('root_id', '=', rootId).where('path', '=', path),
);

const upsertEntry = prepared<NewEntry, InsertResult>((on, row) => {
  const columns = {
    kind: row.kind,
    user: row.user,
    bytes: row.bytes,
    modified_ms: row.modified_ms,
    inode: row.inode,
    sha256: row.sha256,
    verdict: row.verdict,
    upload_id: row.upload_id,
    stored_at: row.stored_at,
    counts: row.counts,
  };
  return on
    .insertInto('entries')
    .values({ root_id: row.root_id, path: row.path, ...columns })
    .onConflict((conflict) => conflict.columns(['root_id', 'path']).doUpdateSet(columns));
});

/** A file of a user that came whole. */
export interface LastUpload {
  readonly user: string;
  readonly path: VirtualPath;
  readonly bytes: number;
  /** ISO 8601. */
  readonly time: string;
}

/** Uploads of all users, the newest first, page by page. A page takes some 3 ms; with what was only found there are pages without any. */
export async function* newestUploads(reader: Reader): AsyncGenerator<readonly LastUpload[]> {
  let before: Expression<SqlBool> = sql<SqlBool>`true`;
  for (;;) {
    const rows = await reader
      .selectFrom('entries')
      .select(['user', 'path', 'bytes', 'verdict', 'stored_at', sql<number>`rowid`.as('row')])
      .where(before)
      .orderBy('stored_at', 'desc')
      .orderBy(sql`rowid`, 'desc')
      .limit(catalogPageEntries)
      .execute();
    yield rows.flatMap(({ user, path, bytes, verdict, stored_at: time }) =>
      user === null || verdict === null ? [] : [{ user, path: asPath(path), bytes, time }],
    );
    const last = rows.at(-1);
    if (last === undefined) return;
    before = sql<SqlBool>`(stored_at, rowid) < (${last.stored_at}, ${last.row})`;
  }
}
