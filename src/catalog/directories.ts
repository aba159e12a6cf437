/**
 * How much is stored and claimed below each directory that has a quota: sums like those of users (`usage.ts`), of all users
 * of the root together, kept in the same transactions. Which directories these are, and how much may be there, stands in
 * the database, so that every process keeps them, whatever configuration it has read.
 *
 * Rules compare names in NFC, so a directory may have several spellings on the disk. Ranges of bytes are used where a name
 * has one spelling only; else the paths are looked at one by one.
 */
import type { Expression, SqlBool, UpdateResult } from 'kysely';
import type { DirectoryQuota } from '../guard/ledger.ts';
import { isStoredVersion, versionsArea } from '../guard/version-path.ts';
import { componentsOf, fromComponents, rootPath, type VirtualPath } from '../guard/virtual-path.ts';
import { catalogPageEntries } from '../limits.ts';
import { sql } from './kysely.ts';
import { asBytes, asPath, inside, pathOf } from './path-bytes.ts';
import { prepared, preparedRare } from './prepared.ts';
import type { DirectoryRow, Reader, Writer } from './tables.ts';
import type { Amount } from './usage.ts';

interface Spot {
  readonly rootId: number;
  readonly path: VirtualPath;
}

const nothing: Amount = { bytes: 0, files: 0 };

/** Says which directories of a root have a quota. What is stored and claimed there is counted for those that are new. */
export async function setDirectories(
  writer: Writer,
  rootId: number,
  quotas: readonly DirectoryQuota[],
): Promise<void> {
  const known = new Map(directoriesOf(writer, { rootId }).map((row) => [prefixIn(row), row]));
  const wanted = new Map(quotas.map((quota) => [prefixOf(quota.path), quota]));
  for (const [prefix, row] of known) if (!wanted.has(prefix)) await at(writer, row).delete();
  for (const [prefix, { bytesMax = null, filesMax = null }] of wanted) {
    const limits = { bytes_max: bytesMax, files_max: filesMax };
    const row = known.get(prefix);
    if (row !== undefined) {
      await at(writer, row).set(limits);
      continue;
    }
    const key = { root_id: rootId, prefix: asBytes(prefix as VirtualPath) };
    await writer
      .insertInto('directories')
      .values({ ...key, ...limits, bytes: 0, files: 0, reserved_bytes: 0, reserved_files: 0 })
      .execute();
    await at(writer, key).set(await sumsOf(writer, rootId, prefix));
  }
}

/** The directories with a quota that a path is in or is. */
export function directoriesAround(reader: Writer, { rootId, path }: Spot): DirectoryRow[] {
  const rows = directoriesOf(reader, { rootId });
  return rows.filter((row) => prefixOf(path.normalize('NFC')).startsWith(prefixIn(row)));
}

/** Adds to what is stored. */
export function chargeDirectories(writer: Writer, spot: Spot, amount: Amount): void {
  if (amount.bytes === 0 && amount.files === 0) return;
  for (const row of directoriesAbove(writer, spot)) addTo(writer, row, amount, nothing);
}

/** Adds to what is claimed, whatever the quotas. */
export function reserveInDirectories(writer: Writer, spot: Spot, amount: Amount): void {
  if (amount.bytes === 0 && amount.files === 0) return;
  for (const row of directoriesAbove(writer, spot)) addTo(writer, row, nothing, amount);
}

/** The same, if that stays within the quotas. */
export function reserveWithinDirectories(writer: Writer, spot: Spot, amount: Amount): boolean {
  if (amount.bytes === 0 && amount.files === 0) return true;
  const rows = directoriesAbove(writer, spot);
  if (rows.some((row) => !hasRoom(row, amount))) return false;
  for (const row of rows) addTo(writer, row, nothing, amount);
  return true;
}

/** To be called before the entries at and below a path are taken out. */
export async function refundDirectories(writer: Writer, { rootId, path }: Spot): Promise<void> {
  for (const row of directoriesOf(writer, { rootId })) {
    const { bytes, files } = await amountIn(writer, row, { base: path, as: countedPath(path) });
    addTo(writer, row, { bytes: -bytes, files: -files }, nothing);
  }
}

/** To be called before the entries at and below a path are moved, and the claims below it. */
export async function shiftDirectories(writer: Writer, from: Spot, to: VirtualPath): Promise<void> {
  for (const row of directoriesOf(writer, from)) {
    const { stored, reserved } = await shiftIn(writer, row, { from: from.path, to });
    addTo(writer, row, stored, reserved);
  }
}

/**
 * Whether the quotas allow a move.
 * @param keeps whether what is replaced goes on to count, as a version
 */
export async function mayShift(
  writer: Writer,
  { rootId, path: from }: Spot,
  { to, keeps }: { readonly to: VirtualPath; readonly keeps: boolean },
): Promise<boolean> {
  for (const row of directoriesOf(writer, { rootId })) {
    const { stored, reserved } = await shiftIn(writer, row, { from, to });
    const replaced = keeps || from === to ? nothing : await amountIn(writer, row, { base: to, as: to });
    if (!hasRoom(row, minus(plus(stored, reserved), replaced))) return false;
  }
  return true;
}

export interface DirectorySums {
  readonly rootId: number;
  readonly directory: VirtualPath;
  readonly before: Amount;
  readonly after: Amount;
}

/** Makes the sums anew. Returns those of stored files that were wrong. */
export async function recountDirectories(writer: Writer): Promise<readonly DirectorySums[]> {
  const wrong: DirectorySums[] = [];
  for (const row of await writer.selectFrom('directories').selectAll().execute()) {
    const { root_id: rootId, bytes, files } = row;
    const sums = await sumsOf(writer, rootId, prefixIn(row));
    await at(writer, row).set(sums);
    if (sums.bytes === bytes && sums.files === files) continue;
    const after = { bytes: sums.bytes, files: sums.files };
    wrong.push({ rootId, directory: directoryIn(row), before: { bytes, files }, after });
  }
  return wrong;
}

const directoriesOf = preparedRare<{ readonly rootId: number }, DirectoryRow>((on, { rootId }) =>
  on.selectFrom('directories').selectAll().where('root_id', '=', rootId),
);

/** Those that what is at a path counts for. */
function directoriesAbove(reader: Writer, { rootId, path }: Spot): DirectoryRow[] {
  const rows = directoriesOf(reader, { rootId });
  if (rows.length === 0) return rows;
  const counted = countedPath(path).normalize('NFC');
  return rows.filter((row) => counted.startsWith(prefixIn(row)));
}

/** Old versions count where the file is that they are of. */
function countedPath(path: VirtualPath): VirtualPath {
  if (!isStoredVersion(path)) return path;
  return fromComponents(componentsOf(path).slice(componentsOf(versionsArea).length));
}

function prefixOf(directory: string): string {
  return directory === '/' ? '/' : `${directory}/`;
}

function prefixIn({ prefix }: DirectoryRow): string {
  return asPath(prefix);
}

function directoryIn(row: DirectoryRow): VirtualPath {
  return (prefixIn(row).slice(0, -1) || '/') as VirtualPath;
}

function hasRoom(row: DirectoryRow, { bytes, files }: Amount): boolean {
  const [bytesMax, filesMax] = [row.bytes_max ?? Infinity, row.files_max ?? Infinity];
  if (bytes > 0 && row.bytes + row.reserved_bytes + bytes > bytesMax) return false;
  return files <= 0 || row.files + row.reserved_files + files <= filesMax;
}

/** By how much a move changes what is stored and claimed in a directory; without what it replaces. */
async function shiftIn(
  reader: Reader,
  row: DirectoryRow,
  { from, to }: { readonly from: VirtualPath; readonly to: VirtualPath },
): Promise<{ readonly stored: Amount; readonly reserved: Amount }> {
  const [here, there] = [
    { base: from, as: from },
    { base: from, as: to },
  ];
  return {
    stored: minus(await amountIn(reader, row, there), await amountIn(reader, row, here)),
    reserved: minus(await claimedIn(reader, row, there), await claimedIn(reader, row, here)),
  };
}

async function sumsOf(reader: Reader, rootId: number, prefix: string): Promise<Sums> {
  const row = { root_id: rootId, prefix: asBytes(prefix as VirtualPath) };
  const all = { base: rootPath, as: rootPath };
  // All that is in the root is in the area of versions, too.
  const versions =
    prefix === '/' ? nothing : await amountIn(reader, row, { base: versionsArea, as: rootPath });
  const { bytes, files } = plus(await amountIn(reader, row, all), versions);
  const reserved = await claimedIn(reader, row, all);
  return { bytes, files, reserved_bytes: reserved.bytes, reserved_files: reserved.files };
}

/** What is at and below `base`, as if it were called `as`. */
interface Subtree {
  readonly base: VirtualPath;
  readonly as: VirtualPath;
}

type Key = Pick<DirectoryRow, 'root_id' | 'prefix'>;

/** How much of what is stored in a subtree counts for a directory. */
async function amountIn(reader: Reader, key: Key, { base, as }: Subtree): Promise<Amount> {
  const rest = restOf(asPath(key.prefix), as);
  if (rest === undefined) return nothing;
  const entries = reader.selectFrom('entries').where('root_id', '=', key.root_id).where('counts', '=', 1);
  if (isOneSpelling(rest)) {
    const sums = await entries
      .select((builder) => [
        builder.fn.sum<number | null>('bytes').as('bytes'),
        builder.fn.countAll<number>().as('files'),
      ])
      .where(() => rangeOf(base, rest))
      .executeTakeFirst();
    return { bytes: sums?.bytes ?? 0, files: sums?.files ?? 0 };
  }
  let sum = nothing;
  for (let after: Buffer = Buffer.alloc(0); ;) {
    const page = await entries
      .select(['path', 'bytes'])
      .where(() => inside('path', base))
      .where('path', '>', after)
      .orderBy('path')
      .limit(catalogPageEntries)
      .execute();
    for (const row of page) if (isBelow(row, base, rest)) sum = plus(sum, { bytes: row.bytes, files: 1 });
    const last = page.at(-1);
    if (last === undefined) return sum;
    after = asBytes(pathOf(last));
  }
}

/** How much of what is claimed below `base` counts for a directory. */
async function claimedIn(reader: Reader, key: Key, { base, as }: Subtree): Promise<Amount> {
  const rest = restOf(asPath(key.prefix), as);
  if (rest === undefined) return nothing;
  // As many as there are changes under way: they are looked at one by one.
  const rows = await reader
    .selectFrom('reservations')
    .select(['path', 'shared_bytes', 'shared_files'])
    .where('root_id', '=', key.root_id)
    .where(() => inside('path', base))
    .execute();
  return rows
    .filter((row) => pathOf(row) !== base && isBelow(row, base, rest))
    .reduce((sum, row) => plus(sum, { bytes: row.shared_bytes, files: row.shared_files }), nothing);
}

/** What must follow the base of a subtree in paths that count; '' if all do; undefined if none does. */
function restOf(prefix: string, as: VirtualPath): string | undefined {
  const name = as === '/' ? '' : as.normalize('NFC');
  if (name.startsWith(prefix)) return '';
  return prefix.startsWith(`${name}/`) ? prefix.slice(name.length) : undefined;
}

/** Whether no other characters make the same in NFC: some that are not ASCII make "K", ";" and "`". */
function isOneSpelling(rest: string): boolean {
  return /^[ -~]*$/u.test(rest) && !/[K;`]/u.test(rest);
}

function rangeOf(base: VirtualPath, rest: string): Expression<SqlBool> {
  if (rest === '') return inside('path', base);
  const start = `${base === '/' ? '' : base}${rest.slice(0, -1)}`;
  const [low, high] = [asBytes(`${start}/` as VirtualPath), asBytes(`${start}0` as VirtualPath)];
  return sql<SqlBool>`(path >= ${low} and path < ${high})`;
}

function isBelow(row: Parameters<typeof pathOf>[0], base: VirtualPath, rest: string): boolean {
  const start = base === '/' ? '' : base.normalize('NFC');
  return pathOf(row).normalize('NFC').startsWith(`${start}${rest}`);
}

function addTo(writer: Writer, row: DirectoryRow, stored: Amount, reserved: Amount): void {
  if (stored.bytes === 0 && stored.files === 0 && reserved.bytes === 0 && reserved.files === 0) return;
  setSums(writer, {
    rootId: row.root_id,
    prefix: asBytes(asPath(row.prefix)),
    bytes: row.bytes + stored.bytes,
    files: row.files + stored.files,
    reserved_bytes: row.reserved_bytes + reserved.bytes,
    reserved_files: row.reserved_files + reserved.files,
  });
}

type Sums = Pick<DirectoryRow, 'bytes' | 'files' | 'reserved_bytes' | 'reserved_files'>;

const setSums = prepared<Sums & { readonly rootId: number; readonly prefix: Buffer }, UpdateResult>(
  (on, { rootId, prefix, bytes, files, reserved_bytes, reserved_files }) =>
    on
      .updateTable('directories')
      .set({ bytes, files, reserved_bytes, reserved_files })
      .where('root_id', '=', rootId)
      .where('prefix', '=', prefix),
);

interface AtRow {
  readonly set: (values: Partial<Omit<DirectoryRow, 'root_id' | 'prefix'>>) => Promise<void>;
  readonly delete: () => Promise<void>;
}

function at(writer: Writer, key: Key): AtRow {
  const [rootId, prefix] = [key.root_id, asBytes(asPath(key.prefix))];
  return {
    set: async (values) => {
      const update = writer.updateTable('directories').set(values);
      await update.where('root_id', '=', rootId).where('prefix', '=', prefix).execute();
    },
    delete: async () => {
      const rows = writer.deleteFrom('directories');
      await rows.where('root_id', '=', rootId).where('prefix', '=', prefix).execute();
    },
  };
}

function plus(one: Amount, other: Amount): Amount {
  return { bytes: one.bytes + other.bytes, files: one.files + other.files };
}

function minus(one: Amount, other: Amount): Amount {
  return { bytes: one.bytes - other.bytes, files: one.files - other.files };
}
