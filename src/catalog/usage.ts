/** What each user has stored and claimed, as sums that are kept up to date. All in the caller's transaction. */
import type { InsertResult } from 'kysely';
import type { Quota, Usage } from '../guard/ledger.ts';
import { sql } from './kysely.ts';
import { prepared, preparedRow } from './prepared.ts';
import type { Reader, Writer } from './tables.ts';

export interface Amount {
  readonly bytes: number;
  readonly files: number;
}

const nothing: Usage = { bytes: 0, files: 0, reservedBytes: 0, reservedFiles: 0 };

export async function usageOf(reader: Reader, user: string): Promise<Usage> {
  const row = await reader.selectFrom('usage').selectAll().where('user', '=', user).executeTakeFirst();
  if (row === undefined) return nothing;
  return {
    bytes: row.bytes,
    files: row.files,
    reservedBytes: row.reserved_bytes,
    reservedFiles: row.reserved_files,
  };
}

/** Adds to what a user has stored. `null` is nobody: what is found in a root of several users. */
export function charge(writer: Writer, user: string | null, { bytes, files }: Amount): void {
  if (user === null || (bytes === 0 && files === 0)) return;
  addStored(writer, { user, bytes, files });
}

/** Adds to what a user has claimed, whatever the quota. */
export function chargeReserved(writer: Writer, user: string, { bytes, files }: Amount): void {
  if (bytes === 0 && files === 0) return;
  addReserved(writer, { user, bytes, files });
}

/** Adds to what a user has claimed if that stays within the quota: one statement, so that nothing comes in between. */
export function chargeWithin(writer: Writer, user: string, amount: Amount, quota: Quota): boolean {
  const { bytes, files } = amount;
  if (quota.bytesMax === undefined && quota.filesMax === undefined) {
    chargeReserved(writer, user, amount);
    return true;
  }
  chargeReserved(writer, user, { bytes: Math.min(bytes, 0), files: Math.min(files, 0) });
  if (bytes <= 0 && files <= 0) return true;
  const [moreBytes, moreFiles] = [Math.max(bytes, 0), Math.max(files, 0)];
  beginUsage(writer, { user });
  const updated = addReservedWithin(writer, {
    user,
    moreBytes,
    moreFiles,
    // What does not grow may be more than there may be.
    bytesLimit: (moreBytes > 0 ? quota.bytesMax : undefined) ?? unlimited,
    filesLimit: (moreFiles > 0 ? quota.filesMax : undefined) ?? unlimited,
  });
  if (updated !== undefined) return true;
  chargeReserved(writer, user, { bytes: Math.max(-bytes, 0), files: Math.max(-files, 0) });
  return false;
}

/** More than any sum comes to. */
const unlimited = Number.MAX_VALUE;

/** Makes the sums anew from the entries and claims. Returns what they were wrong by, of each user with a difference. */
export async function recount(
  writer: Writer,
): Promise<readonly { readonly user: string; readonly before: Amount; readonly after: Amount }[]> {
  const before = await writer.selectFrom('usage').selectAll().execute();
  const stored = await writer
    .selectFrom('entries')
    .select((builder) => [
      'user',
      builder.fn.sum<number>('bytes').as('bytes'),
      builder.fn.countAll<number>().as('files'),
    ])
    .where('user', 'is not', null)
    .where('counts', '=', 1)
    .groupBy('user')
    .execute();
  const reserved = await writer
    .selectFrom('reservations')
    .select((builder) => [
      'user',
      builder.fn.sum<number>('bytes').as('bytes'),
      builder.fn.sum<number>('files').as('files'),
    ])
    .groupBy('user')
    .execute();
  await writer.deleteFrom('usage').execute();
  for (const { user, bytes, files } of stored) charge(writer, user, { bytes, files });
  for (const { user, bytes, files } of reserved) chargeReserved(writer, user, { bytes, files });
  const after = new Map(stored.map(({ user, bytes, files }) => [user, { bytes, files }]));
  const known = new Map(before.map(({ user, bytes, files }) => [user, { bytes, files }]));
  return [...new Set([...after.keys(), ...known.keys()])]
    .filter((user) => user !== null)
    .map((user) => ({
      user,
      before: known.get(user) ?? { bytes: 0, files: 0 },
      after: after.get(user) ?? { bytes: 0, files: 0 },
    }))
    .filter((one) => one.before.bytes !== one.after.bytes || one.before.files !== one.after.files);
}

type UserAmount = Amount & { readonly user: string };

const addStored = prepared<UserAmount, InsertResult>((on, { user, bytes, files }) =>
  on
    .insertInto('usage')
    .values({ user, bytes, files, reserved_bytes: 0, reserved_files: 0 })
    .onConflict((conflict) =>
      conflict.column('user').doUpdateSet((builder) => ({
        bytes: builder('usage.bytes', '+', builder.ref('excluded.bytes')),
        files: builder('usage.files', '+', builder.ref('excluded.files')),
      })),
    ),
);

const addReserved = prepared<UserAmount, InsertResult>((on, { user, bytes, files }) =>
  on
    .insertInto('usage')
    .values({ user, bytes: 0, files: 0, reserved_bytes: bytes, reserved_files: files })
    .onConflict((conflict) =>
      conflict.column('user').doUpdateSet((builder) => ({
        reserved_bytes: builder('usage.reserved_bytes', '+', builder.ref('excluded.reserved_bytes')),
        reserved_files: builder('usage.reserved_files', '+', builder.ref('excluded.reserved_files')),
      })),
    ),
);

const beginUsage = prepared<{ readonly user: string }, InsertResult>((on, { user }) =>
  on
    .insertInto('usage')
    .values({ user, bytes: 0, files: 0, reserved_bytes: 0, reserved_files: 0 })
    .onConflict((conflict) => conflict.doNothing()),
);

interface Increase {
  readonly user: string;
  readonly moreBytes: number;
  readonly moreFiles: number;
  readonly bytesLimit: number;
  readonly filesLimit: number;
}

/** Answers a row if it stays within the limits. */
const addReservedWithin = preparedRow<Increase, { readonly user: string }>(
  (on, { user, moreBytes, moreFiles, bytesLimit, filesLimit }) =>
    on
      .updateTable('usage')
      .set((builder) => ({
        reserved_bytes: builder('reserved_bytes', '+', moreBytes),
        reserved_files: builder('reserved_files', '+', moreFiles),
      }))
      .where('user', '=', user)
      .where(sql<number>`bytes + reserved_bytes + ${moreBytes}`, '<=', bytesLimit)
      .where(sql<number>`files + reserved_files + ${moreFiles}`, '<=', filesLimit)
      .returning('user'),
);
