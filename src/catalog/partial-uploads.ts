/**
 * Uploads that were interrupted and are kept: claims that outlive their process. So they count in the quota with what they
 * hold, move with a directory that is renamed, and end like every other claim. Where their bytes are is `storage/`'s matter.
 */
import type { PartialUpload } from '../guard/ledger.ts';
import type { Store } from '../guard/store.ts';
import type { VirtualPath } from '../guard/virtual-path.ts';
import { partialUploadsMax } from '../limits.ts';
import type { CatalogRoot } from './catalog.ts';
import type { Database } from './database.ts';
import { asBytes, pathOf } from './path-bytes.ts';
import { endReservation, findReservation, resizeReservation } from './reservations.ts';
import { lookAt } from './survey.ts';
import { preparedRow } from './prepared.ts';
import type { ReservationRow, Writer } from './tables.ts';

/** In the place of a process: no process's. */
export const waitingProcess = 'waiting';

/** What is kept of a user's upload to a path. */
export function findPartial(
  reader: Writer,
  { rootId, path, user }: { readonly rootId: number; readonly path: VirtualPath; readonly user: string },
): PartialUpload | undefined {
  const row = selectPartial(reader, { rootId, path: asBytes(path), user });
  return row === undefined ? undefined : partialUpload(row);
}

/** Gives one to a process. False if it is not there to be given. */
export async function takePartial(
  writer: Writer,
  id: string,
  { process, user }: { readonly process: string; readonly user: string },
): Promise<boolean> {
  const { numUpdatedRows } = await writer
    .updateTable('reservations')
    .set({ process, suspended_at: null })
    .where('id', '=', id)
    .where('user', '=', user)
    .where('process', '=', waitingProcess)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** Under which name an upload grows, as long as its bytes come in order. */
export async function noteStaged(writer: Writer, id: string, name: string | undefined): Promise<void> {
  await writer
    .updateTable('reservations')
    .set({ staged_name: name ?? null })
    .where('id', '=', id)
    .execute();
}

/** Keeps an upload that was interrupted. Answers the ids of those that give way to it; undefined if it is over. */
export async function suspendReservation(
  writer: Writer,
  id: string,
  bytes: number,
): Promise<string[] | undefined> {
  const row = findReservation(writer, id);
  if (row === undefined) return undefined;
  resizeReservation(writer, id, { bytes, quota: {} }); // what is there is there
  const givingWay = await inTheWay(writer, row);
  for (const other of givingWay) endReservation(writer, other);
  await writer
    .updateTable('reservations')
    .set({ process: waitingProcess, staged_name: id, suspended_at: new Date().toISOString() })
    .where('id', '=', id)
    .execute();
  return givingWay;
}

/** Kept uploads of the same user: one to the same path, and the oldest where there are as many as there may be. */
async function inTheWay(writer: Writer, row: ReservationRow): Promise<string[]> {
  const waiting = await writer
    .selectFrom('reservations')
    .select(['id', 'root_id', 'path'])
    .where('user', '=', row.user)
    .where('process', '=', waitingProcess)
    .orderBy('suspended_at')
    .execute();
  const isSame = (other: (typeof waiting)[number]): boolean =>
    other.root_id === row.root_id && pathOf(other) === pathOf(row);
  const others = waiting.filter((other) => !isSame(other));
  const tooMany = others.slice(0, Math.max(0, others.length - partialUploadsMax + 1));
  return [...waiting.filter(isSame), ...tooMany].map((other) => other.id);
}

/** One of them, wherever it is. */
export interface WaitingUpload extends PartialUpload {
  readonly path: VirtualPath;
  readonly user: string;
}

/**
 * Keeps what a process that was killed had received of an upload, if it can be kept. Answers how much that is; 0 for nothing.
 * @param left.stagedName of its file in the staging area, if it is not with the interrupted ones already
 */
export type SaveLeft = (
  root: CatalogRoot,
  left: { readonly id: string; readonly stagedName: string },
) => Promise<number>;

export class PartialUploads {
  readonly #database: Database;
  readonly #rootId: (root: CatalogRoot) => Promise<number>;

  constructor(database: Database, rootId: (root: CatalogRoot) => Promise<number>) {
    this.#database = database;
    this.#rootId = rootId;
  }

  /** All of a root. */
  async of(root: CatalogRoot): Promise<readonly WaitingUpload[]> {
    const rows = await this.#database.read
      .selectFrom('reservations')
      .select(['id', 'path', 'user', 'claimed_bytes', 'suspended_at'])
      .where('root_id', '=', await this.#rootId(root))
      .where('process', '=', waitingProcess)
      .execute();
    return rows.map((row) => ({ path: pathOf(row), user: row.user, ...partialUpload(row) }));
  }

  /** Whether an upload of this id is under way or interrupted. */
  async isKnown(id: string): Promise<boolean> {
    const { read } = this.#database;
    const row = await read.selectFrom('reservations').select('id').where('id', '=', id).executeTakeFirst();
    return row !== undefined;
  }

  /** Gives one up, and what it counts. False if it does not wait any more. */
  async end(id: string): Promise<boolean> {
    return await this.#database.write(async (writer) => {
      const row = findReservation(writer, id);
      if (row?.process !== waitingProcess) return false;
      endReservation(writer, id);
      return true;
    });
  }

  /** Keeps what processes that were killed had received, where their users can go on with it. */
  async saveLeft(
    root: CatalogRoot,
    {
      store,
      crashed,
      save,
    }: { readonly store: Store; readonly crashed: ReadonlySet<string>; readonly save: SaveLeft },
  ): Promise<void> {
    const rows = await this.#database.read
      .selectFrom('reservations')
      .selectAll()
      .where('root_id', '=', await this.#rootId(root))
      .where('staged_name', 'is not', null)
      .execute();
    for (const row of rows) {
      if (row.staged_name === null || !crashed.has(row.process)) continue;
      // What stands there is what its user would be shown.
      if (row.apart === 0 && (await lookAt(store, pathOf(row))) !== undefined) continue;
      const bytes = await save(root, { id: row.id, stagedName: row.staged_name });
      if (bytes > 0) await this.#database.write((writer) => suspendReservation(writer, row.id, bytes));
    }
  }
}

type PartialRow = Pick<ReservationRow, 'id' | 'claimed_bytes' | 'suspended_at'>;

const selectPartial = preparedRow<
  { readonly rootId: number; readonly path: Buffer; readonly user: string },
  PartialRow
>((on, { rootId, path, user }) =>
  on
    .selectFrom('reservations')
    .select(['id', 'claimed_bytes', 'suspended_at'])
    .where('root_id', '=', rootId)
    .where('path', '=', path)
    .where('user', '=', user)
    .where('process', '=', waitingProcess),
);

function partialUpload(row: PartialRow): PartialUpload {
  return { id: row.id, sizeBytes: row.claimed_bytes, suspendedMs: Date.parse(row.suspended_at ?? '') };
}
