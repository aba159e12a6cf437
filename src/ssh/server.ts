/**
 * All connections of this process: makes a `Connection` of each socket that was admitted, and closes in an orderly way.
 * Where the sockets come from is not known here. ssh2's own listener is not used: it limits nothing.
 */
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { sshKeepaliveMs, sshKeepalivesUnansweredMax, sshRekeyBytes } from '../limits.ts';
import type { StartSession } from '../session/start.ts';
import type { UserDirectory } from '../users/directory.ts';
import type { Login } from '../users/user.ts';
import { connectionFacts } from './connection-facts.ts';
import { Connection } from './connection.ts';
import type { Seat, SshEvents } from './events.ts';
import { checkSsh2 } from './ssh2-check.ts';
import { WindowBudget } from './receive-window.ts';
import { withSharedReads } from './shared-reads.ts';
import { createSsh2Server, isNativeCryptoAvailable } from './ssh2.ts';
import { socketOf } from './transport.ts';

export interface SshServerLimits {
  /** From accept to login. */
  readonly loginGraceSeconds: number;
  /** Refused keys per connection; the last one ends it. */
  readonly authAttempts: number;
  /** Without data, for connections that are logged in. */
  readonly idleSeconds: number;
}

export interface SshServerOptions {
  /** Contents of private key files without passphrase; of each type the first counts. */
  readonly hostKeys: readonly Buffer[];
  /** What we call ourselves in our first line. Default: scpd. */
  readonly ident?: string;
  readonly limits: SshServerLimits;
  /** In both directions together, after which we renew a connection's keys. Default: 1 GiB. */
  readonly rekeyBytes?: number;
  readonly users: UserDirectory;
  readonly startSession: StartSession;
  readonly events: SshEvents;
  readonly log: Logger;
}

/** One connection as those see it who watch the server. */
export interface ConnectionState {
  readonly id: string;
  readonly login: Login | undefined;
  readonly address: string;
  readonly client: string;
  readonly openMs: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Programs that run. */
  readonly sessions: number;
}

export interface SshServer {
  /** Serves a socket, and gives its seat back when the connection is over. */
  accept(socket: Socket, seat: Seat): void;
  /** All connections that are not closed yet. */
  connections(): readonly ConnectionState[];
  /** Ends one now, telling its client the words. False if there is none of this number. */
  end(id: string, words: string): boolean;
  /** Ends each connection that has been without a session for a while, and so all of them in the course of time. Resolves then. */
  retire(): Promise<void>;
  /**
   * Takes no more connections and sessions, waits for the running sessions for up to `drainSeconds`, then ends them.
   * Resolves when no socket is left and the sessions have settled (or failed to in time). May be called again, with another time.
   */
  close(options: { readonly drainSeconds: number }): Promise<void>;
}

/** Rejects if ssh2 is not the one that we need, or a host key can't be used. */
export async function createSshServer(options: SshServerOptions): Promise<SshServer> {
  await checkSsh2();
  if (!isNativeCryptoAvailable())
    options.log.info('ssh2 has no native code here: encryption takes half as much CPU again');
  return new Connections(options);
}

class Connections implements SshServer {
  readonly #options: SshServerOptions;
  readonly #events: SshEvents;
  readonly #ssh2Server: ReturnType<typeof createSsh2Server>;
  readonly #windows = new WindowBudget();
  readonly #connections = new Set<Connection>();
  readonly #bySocket = new WeakMap<object, Connection>();
  #closing = false;

  constructor(options: SshServerOptions) {
    this.#options = options;
    this.#events = unfailing(options.events, options.log);
    this.#ssh2Server = createSsh2Server({
      hostKeys: options.hostKeys,
      ident: this.#ident,
      keepaliveMs: sshKeepaliveMs,
      keepalivesUnansweredMax: sshKeepalivesUnansweredMax,
    });
    this.#ssh2Server.on('connection', (client) => this.#bySocket.get(socketOf(client))?.attach(client));
  }

  get #ident(): string {
    return this.#options.ident ?? 'scpd';
  }

  connections(): readonly ConnectionState[] {
    return [...this.#connections].map((connection) => connection.state);
  }

  end(id: string, words: string): boolean {
    const found = [...this.#connections].find((connection) => connection.state.id === id);
    found?.endFor('ended', words);
    return found !== undefined;
  }

  async retire(): Promise<void> {
    for (const connection of this.#connections) connection.retire();
    while (this.#connections.size > 0)
      await Promise.all([...this.#connections].map((connection) => connection.closed));
  }

  async close({ drainSeconds }: { readonly drainSeconds: number }): Promise<void> {
    this.#closing = true;
    const closed = Promise.all([...this.#connections].map((connection) => connection.closed));
    for (const connection of this.#connections) connection.drain();
    const timer = setTimeout(() => {
      for (const connection of this.#connections) connection.shutDown();
    }, drainSeconds * 1000);
    await closed;
    clearTimeout(timer);
  }

  accept(accepted: Socket, seat: Seat): void {
    const socket = withSharedReads(accepted);
    // First of all: an error without a listener would end the process.
    socket.on('error', () => undefined);
    if (this.#closing) {
      this.#events.connectionRefused({ connection: connectionFacts(socket), reason: 'closing' });
      seat.release();
      socket.destroy();
      return;
    }
    const { limits, users, startSession, log, rekeyBytes = sshRekeyBytes } = this.#options;
    const connection = new Connection(socket, {
      ssh2Server: this.#ssh2Server,
      ident: this.#ident,
      limits,
      rekeyBytes,
      windows: this.#windows,
      users,
      startSession,
      events: this.#events,
      log,
      admit: (userName) => seat.logIn(userName),
    });
    this.#connections.add(connection);
    this.#bySocket.set(socket, connection);
    void connection.closed.then(() => {
      this.#connections.delete(connection);
      seat.release();
    });
    connection.start();
  }
}

/** The same events, whose failure is logged and harms nobody. */
function unfailing(events: SshEvents, log: Logger): SshEvents {
  const safely = <Facts extends unknown[]>(tell: (...facts: Facts) => void): ((...facts: Facts) => void) => {
    return (...facts) => {
      try {
        tell(...facts);
      } catch (error) {
        log.error({ err: error }, 'an event could not be recorded');
      }
    };
  };
  return {
    connectionRefused: safely((facts) => events.connectionRefused(facts)),
    keysExchanged: safely(() => events.keysExchanged?.()),
    loginSucceeded: safely((login) => events.loginSucceeded(login)),
    loginRefused: safely((facts) => events.loginRefused(facts)),
    requestRefused: safely((login, what) => events.requestRefused(login, what)),
    connectionClosed: safely((facts) => events.connectionClosed(facts)),
  };
}
