/** Which processes have the database open, and which had. */
import type { Database } from './database.ts';
import { waitingProcess } from './partial-uploads.ts';

/** What tells processes apart; `storage/process-identity.ts` knows. */
export interface ProcessFacts {
  readonly own: string;
  /** Changes when the machine starts anew. */
  readonly boot: string;
  readonly isAlive: (process: string) => boolean;
}

export interface GoneProcesses {
  readonly gone: readonly string[];
  /** Those of them under which the machine went on, so that all that they had written is there. */
  readonly crashed: ReadonlySet<string>;
}

/** Notes that this process is at work. Returns those that are not any more and have left something open. */
export async function register(
  database: Database,
  { own, boot, isAlive }: ProcessFacts,
): Promise<GoneProcesses> {
  return await database.write(async (writer) => {
    const known = await writer.selectFrom('processes').selectAll().execute();
    const gone = known.filter((one) => one.id !== own && (one.boot !== boot || !isAlive(one.id)));
    const claimants = await writer.selectFrom('reservations').select('process').distinct().execute();
    // The machine went down under them: commits may be lost that nothing tells of.
    const hasRebooted = gone.some((one) => one.boot !== boot);
    if (hasRebooted) await writer.updateTable('roots').set({ surveyed_at: null }).execute();
    await writer
      .insertInto('processes')
      .values({ id: own, boot })
      .onConflict((conflict) => conflict.column('id').doUpdateSet({ boot }))
      .execute();
    const silent = claimants
      .map((one) => one.process)
      .filter((id) => id !== own && id !== waitingProcess && !isAlive(id));
    const ids = [...new Set([...gone.map(({ id }) => id), ...silent])];
    // Not every process is registered: a worker is known by what it claims.
    return { gone: ids, crashed: new Set(hasRebooted ? [] : ids) };
  });
}
