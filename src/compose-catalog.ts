/** The catalog of a configuration: which roots there are, who stores in them, and how a server or a command opens it. */
import type { Logger } from 'pino';
import { openCatalog, type Catalog, type CatalogRoot, type SqliteCatalog } from './catalog/catalog.ts';
import { saveLeft } from './compose-resume.ts';
import { realPathOf } from './config/host-files.ts';
import type { Config } from './config/config.ts';
import type { DirectoryQuota, Quota } from './guard/ledger.ts';
import { QuotaKeeper } from './guard/quota.ts';
import { quotasOf } from './guard/rules.ts';
import { openDiskStore } from './storage/disk-store.ts';
import { bootId, isProcessAlive, ownProcess } from './storage/process-identity.ts';
import type { User } from './users/user.ts';

/** The roots of a configuration by the names of their users. Several users may have one root. */
export async function catalogRoots({ users }: Config): Promise<ReadonlyMap<string, CatalogRoot>> {
  const usersOf = new Map<string, string[]>();
  const rootOf = new Map<string, string>();
  const uncounted = new Set<string>();
  for (const { user } of users) {
    const real = await realPathOf(user.root);
    if (user.quota?.countsVersions === false) uncounted.add(user.name);
    usersOf.set(real, [...(usersOf.get(real) ?? []), user.name]);
    rootOf.set(user.name, real);
  }
  const roots = new Map(
    [...usersOf].map(([hostPath, names]) => {
      const versionsUncounted = names.filter((name) => uncounted.has(name));
      const directoryQuotas = directoryQuotasOf(users.filter(({ user }) => names.includes(user.name)));
      return [hostPath, { hostPath, users: names, versionsUncounted, directoryQuotas }];
    }),
  );
  return new Map(
    [...rootOf].map(([name, hostPath]) => [name, roots.get(hostPath) ?? { hostPath, users: [name] }]),
  );
}

/** The quotas that rules set for directories; where several do for the same one, the tightest. */
function directoryQuotasOf(users: Config['users']): DirectoryQuota[] {
  const quotas = new Map<string, DirectoryQuota>();
  for (const { directory, quota } of users.flatMap(({ user }) => quotasOf(user))) {
    const known = quotas.get(directory);
    quotas.set(directory, {
      path: directory,
      ...tightest('bytesMax', quota, known),
      ...tightest('filesMax', quota, known),
    });
  }
  return [...quotas.values()];
}

function tightest<Key extends 'bytesMax' | 'filesMax'>(
  key: Key,
  ...quotas: readonly (Quota | undefined)[]
): { readonly [name in Key]?: number } {
  const least = Math.min(...quotas.map((quota) => quota?.[key] ?? Infinity));
  return least === Infinity ? {} : ({ [key]: least } as { readonly [name in Key]: number });
}

/**
 * @param damaged what to do with a file that can't be read @param onFailure told of what can't be noted at the moment.
 * Throws `CatalogError`
 */
export async function openConfiguredCatalog(
  { catalog }: Config,
  damaged: 'replace' | 'refuse' | 'checked',
  onFailure?: (error: unknown) => void,
): Promise<SqliteCatalog> {
  const processes = { own: ownProcess, boot: bootId(), isAlive: isProcessAlive };
  const told = onFailure === undefined ? {} : { onFailure };
  return await openCatalog({ file: catalog.file, damaged, processes, ...told });
}

/** For a server: opens the catalog and brings it up to date with the disk, saying what it does. */
export async function startCatalog(config: Config, log: Logger): Promise<Catalog> {
  const onFailure = (error: unknown): void =>
    log.error({ err: error }, 'the catalog can not be used; what was changed is noted later');
  const catalog = await openConfiguredCatalog(config, 'replace', onFailure);
  try {
    const { file } = config.catalog;
    const { beginning } = catalog;
    if (beginning.kind === 'replaced')
      log.error(
        { file, keptAs: beginning.keptAs, err: beginning.cause },
        'the catalog was damaged; a new one is made from the disk, and "scpd verify --rebuild" brings the hashes back',
      );
    if (beginning.kind === 'new') log.info({ file }, 'a new catalog is made');
    await recoverCatalog(catalog, config, log);
    return catalog;
  } catch (error) {
    await catalog.close();
    throw error;
  }
}

/** Counts roots that are new, and closes what processes that are gone have left open, while others may be at work. */
export async function recoverCatalog(catalog: Catalog, config: Config, log: Logger): Promise<void> {
  const roots = new Set((await catalogRoots(config)).values());
  const openStore = ({ hostPath }: CatalogRoot): ReturnType<typeof openDiskStore> =>
    openDiskStore(hostPath, config.durability);
  const save = saveLeft(config, log);
  for await (const { root, whole, counts } of catalog.recover([...roots], openStore, save)) {
    const words = whole ? 'counted what is stored' : 'looked at what a crash had left open';
    log.info({ root: root.hostPath, ...counts }, words);
  }
}

/** What keeps the sessions of a user within the quota. */
export async function quotaKeeper(
  catalog: Catalog,
  { user, root, freeBytesMin, log }: { user: User; root: CatalogRoot; freeBytesMin: number; log: Logger },
): Promise<QuotaKeeper> {
  const quota = user.quota ?? {};
  return new QuotaKeeper({
    ledger: await catalog.ledger({ root, user: user.name, quota }),
    quota,
    sharesQuotas: (root.directoryQuotas ?? []).length > 0,
    freeBytesMin,
    onFailure: (error) => log.error({ err: error, user: user.name }, 'the catalog can not be used'),
  });
}
