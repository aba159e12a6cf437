/**
 * From a configuration to a running server: the only place that builds services and wires them together. Read it from
 * the bottom of `startServer` upwards and you have followed a connection from its socket to the disk.
 */
import type { Logger } from 'pino';
import { v7 as newId } from 'uuid';
import { auditSshEvents } from './audit/ssh-audit.ts';
import { openFileJournal, type FileJournal } from './audit/file-journal.ts';
import type { SessionFacts } from './audit/record.ts';
import { SessionJournal } from './audit/session-journal.ts';
import type { Config, ListenAddress } from './config/config.ts';
import type { Files } from './guard/files.ts';
import { createGuardedFiles } from './guard/guarded-files.ts';
import { createStartSession, type SessionDependencies } from './session/session.ts';
import { createSshServer, type SshServer } from './ssh/server.ts';
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

/** Starts everything, or nothing: rejects with an Error whose message is for the operator. */
export async function startServer(config: Config, log: Logger): Promise<RunningServer> {
  checkSandbox();
  const journal = await openJournal(config, log);
  try {
    sweepRoots(config, log);
    const users = createUserDirectory(config.users, (problem) => log.warn(problem, 'authorized_keys'));
    const server = createSshServer({
      hostKeys: config.hostKeys.map((key) => key.privateKey),
      limits: config.limits,
      users,
      startSession: createStartSession(sessionDependencies(config, journal, log)),
      events: auditSshEvents(journal, log),
      log,
    });
    const addresses = await listenOnAll(server, config.listen);
    return {
      addresses,
      stop: async () => {
        await server.close({ drainSeconds: config.limits.drainSeconds });
        await journal.close();
      },
    };
  } catch (error) {
    await journal.close();
    throw error;
  }
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
function sessionDependencies(config: Config, journal: FileJournal, log: Logger): SessionDependencies {
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
  return {
    openFiles: async (login, protocol): Promise<Files> =>
      createGuardedFiles({
        user: login.user,
        store: openDiskStore(login.user.root, config.durability),
        journal: sessionJournal(login, newId(), protocol),
      }),
    recordRefusal: (login, { operation, text }) =>
      sessionJournal(login, null, 'ssh').record({
        operation,
        outcome: 'refused',
        path: text,
        error: 'COMMAND_REFUSED',
      }),
    log,
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
