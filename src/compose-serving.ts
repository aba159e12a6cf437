/** What serves connections in one process under one configuration: the SSH side, sessions, and their files behind the door. */
import type { Logger } from 'pino';
import { newId } from './ids.ts';
import type { Journal, Protocol } from './audit/record.ts';
import { SessionJournal } from './audit/session-journal.ts';
import { auditSshEvents } from './audit/ssh-audit.ts';
import type { Catalog } from './catalog/catalog.ts';
import { catalogRoots, quotaKeeper } from './compose-catalog.ts';
import { resumeOptions } from './compose-resume.ts';
import type { Config } from './config/config.ts';
import { errorCode } from './errors.ts';
import type { Files } from './guard/files.ts';
import { createGuardedFiles } from './guard/guarded-files.ts';
import type { Ownership } from './guard/ownership.ts';
import { rulesOf } from './guard/rules.ts';
import type { Transfer } from './guard/transfers.ts';
import { createStartSession, type SessionDependencies } from './session/session.ts';
import type { StartSession } from './session/start.ts';
import type { SshEvents } from './ssh/events.ts';
import { createSshServer, type SshServer } from './ssh/server.ts';
import { openDiskStore } from './storage/disk-store.ts';
import type { Measure, TransferStatus } from './supervisor/messages.ts';
import type { Serving } from './supervisor/serving.ts';
import { createUserDirectory, type UserDirectory } from './users/directory.ts';
import type { Login } from './users/user.ts';

/** What all that serve share: in this process, or with others. */
export interface Shared {
  readonly journal: Journal;
  readonly catalog: Catalog;
  readonly ownership: Ownership;
  readonly log: Logger;
  readonly measure: (measure: Measure) => void;
  /** Something that watches the sessions: it starts them in its own way, such as on a channel that records. */
  readonly around?: (start: StartSession) => StartSession;
}

/** Rejects if the host keys can't be used, or ssh2 is not the one that we need. */
export async function createServing(config: Config, shared: Shared): Promise<Serving> {
  const { journal, log, around = (start) => start } = shared;
  const transfers = new OpenTransfers();
  const server = await createSshServer({
    hostKeys: config.hostKeys.map((key) => key.privateKey),
    limits: config.limits,
    users: directoryOf(config, log),
    startSession: around(createStartSession(await sessionDependencies(config, shared, transfers))),
    events: measured(auditSshEvents(journal, log), shared.measure),
    log,
  });
  return {
    take: (socket, seat) => server.accept(socket, seat),
    status: () => ({ connections: connectionsOf(server), transfers: transfers.status() }),
    endConnection: (id) => void server.end(id, 'ended by the operator'),
    recheck: (next) => recheck(server, directoryOf(next, log)),
    retire: () => server.retire(),
    close: (options) => server.close(options),
  };
}

/** The same events, counted. */
function measured(events: SshEvents, measure: (measure: Measure) => void): SshEvents {
  const count = (name: string, labels: Readonly<Record<string, string>> = {}): void =>
    measure({ name, labels, value: 1 });
  return {
    ...events,
    keysExchanged: () => count('handshakes'),
    loginSucceeded: (login) => {
      count('logins', { result: 'accepted' });
      events.loginSucceeded(login);
    },
    loginRefused: (facts) => {
      count('logins', { result: facts.reason });
      events.loginRefused(facts);
    },
    connectionClosed: (facts) => {
      count('connections_closed', { reason: facts.reason });
      events.connectionClosed(facts);
    },
  };
}

/** Whether it matters to anybody whose the files in this root are. */
export function hasOwners(config: Config, root: string): boolean {
  return config.users.some(
    ({ user }) => user.root === root && rulesOf(user).some((rule) => rule.own.size > 0),
  );
}

function directoryOf(config: Config, log: Logger): UserDirectory {
  return createUserDirectory(config.users, (problem) => log.warn(problem, 'authorized_keys'));
}

async function recheck(server: SshServer, users: UserDirectory): Promise<void> {
  for (const { id, login } of server.connections()) {
    if (login === undefined || (await users.stillKnows(login.user.name, login.key.fingerprint))) continue;
    server.end(id, 'this user or key may not log in any more');
  }
}

function connectionsOf(server: SshServer): ReturnType<Serving['status']>['connections'] {
  return server.connections().map(({ login, ...state }) => ({
    ...state,
    user: login?.user.name ?? null,
    key: login?.key.fingerprint ?? null,
  }));
}

/** What sessions need of the rest: their files behind the door, and the journal. */
async function sessionDependencies(
  config: Config,
  { journal, catalog, ownership, log }: Shared,
  transfers: OpenTransfers,
): Promise<SessionDependencies> {
  const roots = await catalogRoots(config);
  const usersByName = new Map(config.users.map(({ user }) => [user.name, user]));
  const sessionJournal = (login: Login, session: string | null, protocol: Protocol): SessionJournal =>
    new SessionJournal(journal, {
      connection: login.connection.id,
      session,
      user: login.user.name,
      key: login.key.fingerprint,
      address: login.connection.address,
      client: login.connection.clientSoftware,
      protocol,
    });
  const openFiles = async (
    { user, connection }: Login,
    { protocol, records, gone }: Opening,
  ): Promise<Files> => {
    const root = roots.get(user.name) ?? { hostPath: user.root, users: [user.name] };
    const { freeBytesMin, resumeMs } = config;
    const quota = await quotaKeeper(catalog, { user, root, freeBytesMin, log });
    const resume = await resumeOptions(catalog, { user, root, resumeMs, log });
    const others = root.users.filter((name) => name !== user.name);
    return createGuardedFiles({
      user,
      store: openDiskStore(user.root, config.durability, {
        gone,
        inode: user.rootInode,
        symlinks: user.symlinks,
        umask: user.umask,
      }),
      journal: records,
      ownership,
      sharing: others.flatMap((name) => usersByName.get(name) ?? []),
      quota,
      resume,
      open: transfers.of({ connection: connection.id, user: user.name, protocol }),
    });
  };
  return {
    openFiles: async (login, protocol, { asked, gone }) => {
      const records = sessionJournal(login, newId(), protocol);
      records.opened(asked);
      try {
        return await openFiles(login, { protocol, records, gone });
      } catch (error) {
        records.closed(errorCode(error));
        throw error;
      }
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

interface Opening {
  readonly protocol: Protocol;
  readonly records: SessionJournal;
  readonly gone: AbortSignal;
}

type Whose = Pick<TransferStatus, 'connection' | 'user' | 'protocol'>;

/** Every transfer that is under way in this process, and whose it is. */
class OpenTransfers {
  readonly #open = new Map<Transfer, Whose>();

  /** For the transfers of one session. */
  of(whose: Whose): Set<Transfer> {
    return new SessionTransfers(this.#open, whose);
  }

  status(): TransferStatus[] {
    return [...this.#open].map(([transfer, whose]) => ({ ...whose, ...transfer.progress }));
  }
}

/** What is put in here is among all of them as well. */
class SessionTransfers extends Set<Transfer> {
  readonly #all: Map<Transfer, Whose>;
  readonly #whose: Whose;

  constructor(all: Map<Transfer, Whose>, whose: Whose) {
    super();
    this.#all = all;
    this.#whose = whose;
  }

  override add(transfer: Transfer): this {
    this.#all.set(transfer, this.#whose);
    return super.add(transfer);
  }

  override delete(transfer: Transfer): boolean {
    this.#all.delete(transfer);
    return super.delete(transfer);
  }
}
