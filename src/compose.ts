/**
 * From a configuration to a running server: the only place that builds services and wires them together. Read it from
 * the bottom of `startServer` upwards and you have followed a connection from its socket to the disk.
 */
import type { Logger } from 'pino';
import { v7 as newId } from 'uuid';
import { auditSshEvents } from './audit/ssh-audit.ts';
import { sweepVersions } from './compose-versions.ts';
import { openFileJournal, type FileJournal } from './audit/file-journal.ts';
import type { SessionFacts } from './audit/record.ts';
import { SessionJournal } from './audit/session-journal.ts';
import type { Catalog, CatalogRoot } from './catalog/catalog.ts';
import { catalogRoots, quotaKeeper, startCatalog } from './compose-catalog.ts';
import type { Config, ListenAddress } from './config/config.ts';
import type { Files } from './guard/files.ts';
import { createGuardedFiles } from './guard/guarded-files.ts';
import { Ownership } from './guard/ownership.ts';
import { createStartSession, type SessionDependencies } from './session/session.ts';
import type { StartSession } from './session/start.ts';
import { createSshServer, type SshServer } from './ssh/server.ts';
import { isNativeCryptoAvailable } from './ssh/ssh2.ts';
import { openDiskStore } from './storage/disk-store.ts';
import { checkSandbox } from './storage/self-check.ts';
import { sweepStagingArea } from './storage/staging-area.ts';
import { createUserDirectory } from './users/directory.ts';
import type { Login } from './users/user.ts';

export interface RunningServer {
  /** Where it listens, with the ports that were found for those configured as 0. */
  readonly addresses: readonly ListenAddress[];
  /** Lets running sessions finish for `limits.drainSeconds`, then ends them; resolves when all is closed and written. */
  stop(): Promise<void>;
}

export interface StartOptions {
  /** Something that watches the sessions: it starts them in its own way, such as on a channel that records. */
  readonly around?: (start: StartSession) => StartSession;
}

/** Starts everything, or nothing: rejects with an Error whose message is for the operator. */
export async function startServer(
  config: Config,
  log: Logger,
  { around = (start) => start }: StartOptions = {},
): Promise<RunningServer> {
  checkSandbox();
  const journal = await openJournal(config, log);
  let catalog: Catalog | undefined;
  try {
    sweepRoots(config, log);
    catalog = await startCatalog(config, log);
    const stored: Stored = { journal, catalog, roots: await catalogRoots(config) };
    const users = createUserDirectory(config.users, (problem) => log.warn(problem, 'authorized_keys'));
    const server = createSshServer({
      hostKeys: config.hostKeys.map((key) => key.privateKey),
      limits: config.limits,
      users,
      startSession: around(createStartSession(sessionDependencies(config, stored, log))),
      events: auditSshEvents(journal, log),
      log,
    });
    const stopSweeping = sweepVersions(config, stored, log);
    const addresses = await listenOnAll(server, config.listen);
    log.info({ addresses, nativeCrypto: isNativeCryptoAvailable() }, 'listening');
    return {
      addresses,
      stop: async () => {
        await server.close({ drainSeconds: config.limits.drainSeconds });
        await stopSweeping();
        await closeStored(stored.catalog, journal);
      },
    };
  } catch (error) {
    await closeStored(catalog, journal).catch((failure: unknown) => log.error({ err: failure }, 'closing'));
    throw error;
  }
}

/** The journal holds records that must be written whatever becomes of the catalog. */
async function closeStored(catalog: Catalog | undefined, journal: FileJournal): Promise<void> {
  try {
    await catalog?.close();
  } finally {
    await journal.close();
  }
}

/** Where it is written down what is stored and what was done. */
export interface Stored {
  readonly journal: FileJournal;
  readonly catalog: Catalog;
  /** By the names of their users. */
  readonly roots: ReadonlyMap<string, CatalogRoot>;
}

async function openJournal(config: Config, log: Logger): Promise<FileJournal> {
  const directory = config.audit.dir;
  try {
    return await openFileJournal({
      directory,
      sync: config.durability === 'full',
      onFailure: (error) =>
        log.error({ err: error }, 'the audit journal can not be written; transfers are refused'),
    });
  } catch (error) {
    throw new Error(`cannot open the audit journal in ${directory}: ${reason(error)}`, { cause: error });
  }
}

/** Removes what a crash left half received. */
function sweepRoots(config: Config, log: Logger): void {
  for (const root of new Set(config.users.map(({ user }) => user.root))) {
    const orphans = sweepStagingArea(root);
    if (orphans > 0) log.warn({ root, orphans }, 'removed uploads that a crash had left unfinished');
  }
}

/** What sessions need of the rest: their files behind the door, and the journal. */
function sessionDependencies(
  config: Config,
  { journal, catalog, roots }: Stored,
  log: Logger,
): SessionDependencies {
  const sessionJournal = (
    login: Login,
    session: string | null,
    protocol: SessionFacts['protocol'],
  ): SessionJournal =>
    new SessionJournal(journal, {
      connection: login.connection.id,
      session,
      user: login.user.name,
      key: login.key.fingerprint,
      address: login.connection.address,
      client: login.connection.clientSoftware,
      protocol,
    });
  const ownership = new Ownership();
  const usersByName = new Map(config.users.map(({ user }) => [user.name, user]));
  return {
    openFiles: async ({ user, ...login }, protocol, gone): Promise<Files> => {
      const root = roots.get(user.name) ?? { hostPath: user.root, users: [user.name] };
      const quota = await quotaKeeper(catalog, { user, root, freeBytesMin: config.freeBytesMin, log });
      return createGuardedFiles({
        user,
        store: openDiskStore(user.root, config.durability, { gone }),
        journal: sessionJournal({ user, ...login }, newId(), protocol),
        ownership,
        sharing: root.users
          .filter((name) => name !== user.name)
          .flatMap((name) => usersByName.get(name) ?? []),
        quota,
      });
    },
    recordRefusal: (login, { operation, text, error = 'COMMAND_REFUSED' }) =>
      sessionJournal(login, null, 'ssh').record({
        operation,
        outcome: 'refused',
        path: text,
        error,
      }),
    log,
    unquotedSpaces: config.scp.unquotedSpaces,
  };
}

async function listenOnAll(server: SshServer, addresses: readonly ListenAddress[]): Promise<ListenAddress[]> {
  const bound: ListenAddress[] = [];
  try {
    for (const address of addresses) bound.push(await server.listen(address));
    return bound;
  } catch (error) {
    await server.close({ drainSeconds: 0 });
    throw error;
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
