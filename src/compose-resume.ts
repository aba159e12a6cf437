/** Interrupted uploads of a configuration: how they are found after a crash, offered to sessions, and given up in time. */
import type { Logger } from 'pino';
import type { Catalog, CatalogRoot, SaveLeft } from './catalog/catalog.ts';
import type { Stored } from './compose-versions.ts';
import type { Config } from './config/config.ts';
import type { ResumeOptions } from './guard/partial-uploads.ts';
import { partialBytesOf } from './guard/resumption.ts';
import { partialSweepMs } from './limits.ts';
import { saveLeftUpload, sweepPartials } from './storage/partial-area.ts';
import type { User } from './users/user.ts';

/** Keeps what killed processes had received; undefined where nothing is to be kept. */
export function saveLeft({ resumeMs }: Pick<Config, 'resumeMs'>, log: Logger): SaveLeft | undefined {
  if (resumeMs === 0) return undefined;
  return async ({ hostPath }, { id, stagedName }) => {
    try {
      return await saveLeftUpload(hostPath, { id, stagedName, partialBytesOf });
    } catch (error) {
      log.error({ err: error, root: hostPath, upload: id }, 'an interrupted upload can not be kept');
      return 0;
    }
  };
}

/** What a session of a user needs to go on with interrupted uploads. */
export async function resumeOptions(
  catalog: Catalog,
  { user, root, resumeMs, log }: { user: User; root: CatalogRoot; resumeMs: number; log: Logger },
): Promise<ResumeOptions> {
  return {
    ledger: await catalog.ledger({ root, user: user.name, quota: user.quota ?? {} }),
    resumeMs,
    onFailure: (error) => log.error({ err: error, user: user.name }, 'an interrupted upload can not be used'),
  };
}

/**
 * Gives up the uploads that have waited for too long, and removes what belongs to none: now, and every hour. Answers what
 * stops it, which waits for a sweep under way.
 */
export function sweepPartialUploads(
  { resumeMs }: Pick<Config, 'resumeMs'>,
  { catalog, roots }: Pick<Stored, 'catalog' | 'roots'>,
  log: Logger,
): () => Promise<void> {
  let sweeping = Promise.resolve();
  const sweep = (): void => {
    sweeping = sweeping.then(async () => {
      for (const root of new Set(roots.values())) {
        try {
          const removed = await sweepRoot(root, catalog, resumeMs);
          if (removed > 0)
            log.info({ root: root.hostPath, removed }, 'removed what was left of interrupted uploads');
        } catch (error) {
          log.error({ err: error, root: root.hostPath }, 'interrupted uploads can not be swept');
        }
      }
    });
  };
  const timer = setInterval(sweep, partialSweepMs);
  timer.unref();
  sweep();
  return async () => {
    clearInterval(timer);
    await sweeping;
  };
}

async function sweepRoot(root: CatalogRoot, catalog: Catalog, resumeMs: number): Promise<number> {
  for (const { id, suspendedMs } of await catalog.partials.of(root)) {
    if (suspendedMs + resumeMs <= Date.now()) await catalog.partials.end(id);
  }
  // Listed before they are asked about: what is kept was claimed before it came there.
  return await sweepPartials(root.hostPath, (id) => catalog.partials.isKnown(id));
}
