/**
 * Claims in the database. A claim counts with what it adds to what its user has stored under the name already, and for
 * directories with a quota to what anybody has; when that entry changes meanwhile, so does what the claim counts with. That
 * never raises the sum of the two: what a replaced or removed entry frees is taken by the claim on its path at once, and
 * can't be promised to anyone else.
 */
import type { Insertable, InsertResult, UpdateResult } from 'kysely';
import type { Quota } from '../guard/ledger.ts';
import type { VirtualPath } from '../guard/virtual-path.ts';
import { reserveInDirectories, reserveWithinDirectories } from './directories.ts';
import { asBytes, pathOf } from './path-bytes.ts';
import { prepared, preparedRare, preparedRow } from './prepared.ts';
import type { EntryRow, ReservationRow, ReservationsTable, Writer } from './tables.ts';
import { chargeReserved, chargeWithin, type Amount } from './usage.ts';

export interface NewReservation {
  readonly id: string;
  readonly process: string;
  readonly rootId: number;
  readonly path: VirtualPath;
  readonly target: VirtualPath | undefined;
  readonly user: string;
  readonly apart: boolean;
  readonly claimed: Amount;
}

/** False, and nothing changed, if the quota does not allow it. */
export function addReservation(writer: Writer, request: NewReservation, quota: Quota): boolean {
  const path = asBytes(request.path);
  const { id, process, rootId, user, claimed, target, apart } = request;
  const amount = added(writer, { rootId, path, user, claimed, apart });
  if (!reserveWithin(writer, request, amount, quota)) return false;
  insertReservation(writer, {
    id,
    process,
    root_id: rootId,
    path,
    target: target === undefined ? null : asBytes(target),
    user,
    apart: apart ? 1 : 0,
    claimed_bytes: claimed.bytes,
    claimed_files: claimed.files,
    staged_name: null,
    suspended_at: null,
    ...columnsOf(amount),
  });
  if (target === undefined) return true;
  // An entry that is about to be renamed away is not there to be replaced by an upload: that one counts whole from now on.
  const { users: differences, shared } = reprice(writer, request);
  const own = differences.get(user) ?? { bytes: 0, files: 0 };
  if (!reserveWithin(writer, request, { own, shared }, quota)) {
    deleteReservation(writer, { id });
    reprice(writer, request);
    return false;
  }
  for (const [other, more] of differences) if (other !== user) chargeReserved(writer, other, more);
  return true;
}

/** False, and nothing changed, if the quota does not allow it. */
export function resizeReservation(
  writer: Writer,
  id: string,
  { bytes, quota }: { readonly bytes: number; readonly quota: Quota },
): boolean {
  const row = findReservation(writer, id);
  if (row === undefined) return false;
  const claimed = { bytes, files: row.claimed_files };
  const amount = added(writer, { ...placeOf(row), claimed });
  const place = { rootId: row.root_id, path: pathOf(row), user: row.user };
  if (!reserveWithin(writer, place, difference(amount, row), quota)) return false;
  setAmounts(writer, { id, claimed_bytes: bytes, ...columnsOf(amount) });
  return true;
}

/** Ends a claim and gives back what it counted with. Undefined if it is over already. */
export function endReservation(writer: Writer, id: string): ReservationRow | undefined {
  const row = deleteReservation(writer, { id });
  if (row === undefined) return undefined;
  const spot = { rootId: row.root_id, path: pathOf(row) };
  chargeReserved(writer, row.user, { bytes: -row.bytes, files: -row.files });
  reserveInDirectories(writer, spot, { bytes: -row.shared_bytes, files: -row.shared_files });
  if (row.target !== null) rebalance(writer, spot);
  return row;
}

/** Puts the claim of a move back, which counts with nothing, until somebody has looked at where it led. */
export function keepReservation(writer: Writer, row: ReservationRow, target: VirtualPath): void {
  insertReservation(writer, { ...row, path: asBytes(pathOf(row)), target: asBytes(target) });
}

/** To be called when the entry at a path has changed: what the claims on it add is another amount now. */
export function rebalance(writer: Writer, spot: Spot): void {
  const { users, shared } = reprice(writer, spot);
  for (const [user, more] of users) chargeReserved(writer, user, more);
  reserveInDirectories(writer, spot, shared);
}

/** What a claim adds: to what its user has at the path, and to what is there, whoever has it. */
interface Added {
  readonly own: Amount;
  readonly shared: Amount;
}

/** False, and nothing changed, if the quotas of the user or of a directory do not allow it. */
function reserveWithin(
  writer: Writer,
  { rootId, path, user }: Spot & { readonly user: string },
  { own, shared }: Added,
  quota: Quota,
): boolean {
  if (!chargeWithin(writer, user, own, quota)) return false;
  if (reserveWithinDirectories(writer, { rootId, path }, shared)) return true;
  chargeReserved(writer, user, { bytes: -own.bytes, files: -own.files });
  return false;
}

type AddedColumns = Pick<ReservationRow, 'bytes' | 'files' | 'shared_bytes' | 'shared_files'>;

function columnsOf({ own, shared }: Added): AddedColumns {
  return { ...own, shared_bytes: shared.bytes, shared_files: shared.files };
}

function difference({ own, shared }: Added, row: AddedColumns): Added {
  return {
    own: { bytes: own.bytes - row.bytes, files: own.files - row.files },
    shared: { bytes: shared.bytes - row.shared_bytes, files: shared.files - row.shared_files },
  };
}

/** Who is making something at a path, if anybody is. */
export async function claimantAt(writer: Writer, { rootId, path }: Spot): Promise<string | undefined> {
  const row = await writer
    .selectFrom('reservations')
    .select('user')
    .where('root_id', '=', rootId)
    .where('path', '=', asBytes(path))
    .where('claimed_files', '>', 0)
    .where('suspended_at', 'is', null)
    .executeTakeFirst();
  return row?.user;
}

interface Spot {
  readonly rootId: number;
  readonly path: VirtualPath;
}

/** Computes anew what the claims on a path add. Answers by how much that differs, by user; the sums are the caller's. */
function reprice(writer: Writer, { rootId, path }: Spot): Repriced {
  const rows = selectReservationsAt(writer, { rootId, path: asBytes(path) });
  const users = new Map<string, Amount>();
  let shared: Amount = { bytes: 0, files: 0 };
  for (const row of rows) {
    const claimed = { bytes: row.claimed_bytes, files: row.claimed_files };
    const amount = added(writer, { ...placeOf(row), claimed });
    const more = difference(amount, row);
    setAmounts(writer, { ...row, ...columnsOf(amount) });
    const before = users.get(row.user) ?? { bytes: 0, files: 0 };
    users.set(row.user, { bytes: before.bytes + more.own.bytes, files: before.files + more.own.files });
    shared = { bytes: shared.bytes + more.shared.bytes, files: shared.files + more.shared.files };
  }
  return { users, shared };
}

interface Repriced {
  readonly users: ReadonlyMap<string, Amount>;
  readonly shared: Amount;
}

export function findReservation(writer: Writer, id: string): ReservationRow | undefined {
  return selectReservation(writer, { id });
}

interface Place {
  readonly rootId: number;
  readonly path: Buffer;
  readonly user: string;
}

function placeOf(row: ReservationRow): Place & { readonly apart: boolean } {
  return { rootId: row.root_id, path: asBytes(pathOf(row)), user: row.user, apart: row.apart === 1 };
}

function added(
  writer: Writer,
  { rootId, path, user, claimed, apart }: Place & { readonly claimed: Amount; readonly apart: boolean },
): Added {
  const whole = { own: claimed, shared: claimed };
  if (apart || (claimed.bytes === 0 && claimed.files === 0)) return whole;
  const entry = selectStored(writer, { rootId, path });
  if (entry === undefined) return whole;
  const isRenamed = selectReservationsAt(writer, { rootId, path }).some(({ target }) => target !== null);
  if (isRenamed) return whole;
  const shared = {
    bytes: Math.max(0, claimed.bytes - entry.bytes),
    files: Math.max(0, claimed.files - 1),
  };
  return { own: entry.user === user ? shared : claimed, shared };
}

const insertReservation = prepared<Insertable<ReservationsTable>, InsertResult>((on, row) =>
  on.insertInto('reservations').values({
    id: row.id,
    process: row.process,
    root_id: row.root_id,
    path: row.path,
    target: row.target,
    user: row.user,
    apart: row.apart,
    claimed_bytes: row.claimed_bytes,
    claimed_files: row.claimed_files,
    staged_name: row.staged_name,
    suspended_at: row.suspended_at,
    bytes: row.bytes,
    files: row.files,
    shared_bytes: row.shared_bytes,
    shared_files: row.shared_files,
  }),
);

const deleteReservation = preparedRow<{ readonly id: string }, ReservationRow>((on, { id }) =>
  on.deleteFrom('reservations').where('id', '=', id).returningAll(),
);

const selectReservation = preparedRow<{ readonly id: string }, ReservationRow>((on, { id }) =>
  on.selectFrom('reservations').selectAll().where('id', '=', id),
);

/** What a claim may come to, and what it counts with. */
const setAmounts = prepared<AddedColumns & Pick<ReservationRow, 'id' | 'claimed_bytes'>, UpdateResult>(
  (on, { id, claimed_bytes, bytes, files, shared_bytes, shared_files }) =>
    on
      .updateTable('reservations')
      .set({ claimed_bytes, bytes, files, shared_bytes, shared_files })
      .where('id', '=', id),
);

const selectReservationsAt = preparedRare<{ readonly rootId: number; readonly path: Buffer }, ReservationRow>(
  (on, { rootId, path }) =>
    on.selectFrom('reservations').selectAll().where('root_id', '=', rootId).where('path', '=', path),
);

/** What is stored at a path, and whose it is. */
const selectStored = preparedRow<Pick<Place, 'rootId' | 'path'>, Pick<EntryRow, 'bytes' | 'user'>>(
  (on, { rootId, path }) =>
    on.selectFrom('entries').select(['bytes', 'user']).where('root_id', '=', rootId).where('path', '=', path),
);
