/** What happens before and around sessions: connections, logins and refusals, as records. */
import type { Logger } from 'pino';
import type { ErrorCode } from '../errors.ts';
import type { CloseReason, SshEvents } from '../ssh/events.ts';
import type { ConnectionFacts, Login } from '../users/user.ts';
import type { AuditRecord, Journal, Operation } from './record.ts';

/** A flood of connections must not become a flood of records: above this, refusals of one second are only counted. */
const refusedConnectionsPerSecondMax = 10;

/** The same for connections on which nobody logged in: a scanner makes thousands. */
const closedStrangersPerSecondMax = 20;

/** Ends that the peer brought about by breaking a rule, and how the record puts them. */
const refusingEnds: Partial<Record<CloseReason, ErrorCode>> = {
  'login-grace': 'LIMIT_REACHED',
  'login-attempts': 'LIMIT_REACHED',
  limit: 'LIMIT_REACHED',
  identification: 'PROTOCOL_BROKEN',
  protocol: 'PROTOCOL_BROKEN',
};

interface Who {
  readonly userName?: string;
  readonly keyFingerprint?: string | null;
}

interface Refusal extends Who {
  readonly operation: Operation;
  readonly what: string;
  readonly method?: string;
  readonly error: ErrorCode;
}

/** The listener that `ssh/` tells its events to. */
export function auditSshEvents(journal: Journal, log: Logger): SshEvents {
  const refuse = (connection: ConnectionFacts, refusal: Refusal): void => {
    journal.append({
      ...recordOf(connection, refusal),
      operation: refusal.operation,
      outcome: 'refused',
      path: refusal.what,
      ...(refusal.method === undefined ? {} : { method: refusal.method }),
      error: refusal.error,
    });
  };
  const refusedConnections = new PerSecond(refusedConnectionsPerSecondMax, (count) =>
    log.warn({ count }, 'more connections were refused than are written down'),
  );
  const closedStrangers = new PerSecond(closedStrangersPerSecondMax, (count) =>
    log.warn({ count }, 'more connections ended without a login than are written down'),
  );
  return {
    connectionRefused: ({ connection, reason }) => {
      if (!refusedConnections.admits()) return;
      log.warn({ connection, reason }, 'connection refused');
      refuse(connection, { operation: 'connect', what: reason, error: 'LIMIT_REACHED' });
    },
    loginSucceeded: (login) => {
      const { user, key, connection } = login;
      log.info({ user: user.name, key, connection }, 'logged in');
      journal.append({
        ...recordOf(connection, whose(login)),
        operation: 'login',
        outcome: 'done',
        path: key.type,
        method: 'publickey',
      });
    },
    loginRefused: ({ connection, userName, keyFingerprint, method, reason }) => {
      log.info({ connection, userName, keyFingerprint, reason }, 'login refused');
      refuse(connection, {
        operation: 'login',
        what: reason,
        error: 'LOGIN_REFUSED',
        userName,
        keyFingerprint,
        method,
      });
    },
    requestRefused: (login, { request, name }) => {
      const what = name === null ? request : `${request} ${name}`;
      log.info({ user: login.user.name, connection: login.connection.id, what }, 'request refused');
      refuse(login.connection, { operation: 'request', what, error: 'COMMAND_REFUSED', ...whose(login) });
    },
    connectionClosed: ({ connection, login, reason, ...facts }) => {
      log.info({ connection: connection.id, user: login?.user.name, reason, ...facts }, 'connection closed');
      // Whoever logged in has its end written down; of the others, which may be a flood, so many.
      if (login === null && !closedStrangers.admits()) return;
      const error = refusingEnds[reason];
      journal.append({
        ...recordOf(connection, login === null ? {} : whose(login)),
        operation: 'disconnect',
        outcome: error === undefined ? 'done' : 'refused',
        path: reason,
        durationMs: Math.round(facts.durationMs),
        ...(error === undefined ? {} : { error }),
      });
    },
  };
}

/** All of a record but what was done. */
function recordOf(
  connection: ConnectionFacts,
  { userName, keyFingerprint }: Who,
): Omit<AuditRecord, 'operation' | 'outcome' | 'path'> {
  return {
    time: new Date().toISOString(),
    connection: connection.id,
    session: null,
    user: userName ?? null,
    key: keyFingerprint ?? null,
    address: connection.address,
    client: connection.clientSoftware,
    protocol: 'ssh',
  };
}

function whose(login: Login): Who {
  return { userName: login.user.name, keyFingerprint: login.key.fingerprint };
}

/** Lets at most so many through in each second, and tells how many it did not. */
class PerSecond {
  readonly #most: number;
  readonly #report: (count: number) => void;
  #second = 0;
  #count = 0;

  constructor(most: number, report: (count: number) => void) {
    this.#most = most;
    this.#report = report;
  }

  admits(): boolean {
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.#second) {
      if (this.#count > this.#most) this.#report(this.#count - this.#most);
      this.#second = second;
      this.#count = 0;
    }
    this.#count += 1;
    return this.#count <= this.#most;
  }
}
