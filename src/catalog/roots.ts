/** The table of roots: their numbers, and where they are. */
import { encodeName } from '../name-bytes.ts';
import { asPath } from './path-bytes.ts';
import type { Writer } from './tables.ts';

/** Host path of a root. */
export async function hostPathOf(writer: Writer, rootId: number): Promise<string> {
  const row = await writer
    .selectFrom('roots')
    .select('host_path')
    .where('id', '=', rootId)
    .executeTakeFirstOrThrow();
  return asPath(row.host_path);
}

/** Its number, which it gets when it is first asked for. */
export async function numberOf(writer: Writer, hostPath: string): Promise<number> {
  const bytes = encodeName(hostPath);
  await writer
    .insertInto('roots')
    .values({ host_path: bytes, surveyed_at: null })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const row = await writer
    .selectFrom('roots')
    .select('id')
    .where('host_path', '=', bytes)
    .executeTakeFirstOrThrow();
  return row.id;
}
