/** Drops old versions whose time is over, of files that nobody touches any more. The rest is done by who replaces a file. */
import type { Logger } from 'pino';
import { serverFacts, type Journal } from './audit/record.ts';
import { SessionJournal } from './audit/session-journal.ts';
import type { Catalog, CatalogRoot } from './catalog/catalog.ts';
import { walkStore } from './catalog/survey.ts';
import { quotaKeeper } from './compose-catalog.ts';
import type { Config } from './config/config.ts';
import { errorCode } from './errors.ts';
import { Access } from './guard/access.ts';
import { shownVersionPath, originalOf, versionsArea } from './guard/version-path.ts';
import { Versions } from './guard/versions.ts';
import type { VirtualPath } from './guard/virtual-path.ts';
import type { Store } from './guard/store.ts';
import { versionSweepMs } from './limits.ts';
import { openDiskStore } from './storage/disk-store.ts';
import type { User } from './users/user.ts';

/** Where it is written down what is stored and what was done. */
export interface Stored {
  readonly journal: Journal;
  readonly catalog: Catalog;
  /** By the names of their users. */
  readonly roots: ReadonlyMap<string, CatalogRoot>;
}

/** Sweeps now and every hour. Answers what stops it, which waits for a sweep under way. */
export function sweepVersions(config: Config, stored: Stored, log: Logger): () => Promise<void> {
  let stopped = false;
  let sweeping = Promise.resolve();
  const sweep = (): void => {
    sweeping = sweeping
      .then(() => sweepAll(config, stored, { log, isStopped: () => stopped }))
      .catch((error: unknown) => log.error({ err: error }, 'old versions could not be looked through'));
  };
  const timer = setInterval(sweep, versionSweepMs);
  timer.unref();
  sweep();
  return async () => {
    stopped = true;
    clearInterval(timer);
    await sweeping;
  };
}

interface Sweep {
  readonly log: Logger;
  readonly isStopped: () => boolean;
}

async function sweepAll(config: Config, stored: Stored, sweep: Sweep): Promise<void> {
  for (const root of new Set(stored.roots.values())) {
    const users = config.users.map(({ user }) => user).filter(({ name }) => root.users.includes(name));
    const [first, ...others] = users;
    if (first === undefined) continue;
    await sweepRoot({ root, user: first, others }, { config, stored, sweep });
  }
}

async function sweepRoot(
  {
    root,
    user,
    others,
  }: { readonly root: CatalogRoot; readonly user: User; readonly others: readonly User[] },
  { config, stored, sweep }: { readonly config: Config; readonly stored: Stored; readonly sweep: Sweep },
): Promise<void> {
  const { log, isStopped } = sweep;
  const rules = new Access(user, undefined, others);
  let store: Store | undefined;
  try {
    store = openDiskStore(root.hostPath, config.durability);
    const quota = await quotaKeeper(stored.catalog, { user, root, freeBytesMin: 0, log });
    const versions = new Versions({ rules, store, quota, journal: serverJournal(stored) });
    let last: VirtualPath | undefined;
    // Files of one directory follow one another, and one of them stands for all versions of their original.
    for await (const { path, attributes } of walkStore(store, versionsArea, { skipClosed: true })) {
      if (isStopped()) return;
      const original = originalOf(shownVersionPath(path));
      if (attributes.kind !== 'file' || original === last) continue;
      last = original;
      await versions.prune(original);
    }
    await store.settle();
  } catch (error) {
    if (errorCode(error) === 'INTERNAL') throw error;
    log.warn({ err: error, root: root.hostPath }, 'old versions could not be looked through');
  } finally {
    rules.close();
    store?.close();
  }
}

/** Nobody's session: it is the server that drops what is old. */
function serverJournal({ journal }: Stored): SessionJournal {
  return new SessionJournal(journal, serverFacts);
}
