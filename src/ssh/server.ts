/**
 * The listening socket: lets connections in as the caps allow, hands each to its own `Connection`, and closes in an orderly
 * way. ssh2's own listener is not used: it limits nothing.
 */
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import type { Logger } from 'pino';
import { sshKeepaliveMs, sshKeepalivesUnansweredMax, sshRekeyBytes } from '../limits.ts';
import type { StartSession } from '../session/start.ts';
import type { UserDirectory } from '../users/directory.ts';
import { Admission } from './admission.ts';
import type { AdmissionLimits } from './admission.ts';
import { Connection, connectionFacts } from './connection.ts';
import type { SshEvents } from './events.ts';
import { checkSsh2 } from './ssh2-check.ts';
import { createSsh2Server } from './ssh2.ts';
import { socketOf } from './transport.ts';

export interface SshServerLimits extends AdmissionLimits {
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

export interface SshServer {
  /** Listens, and resolves to where. Rejects if the address can't be had, or ssh2 is not the one that we need. */
  listen(address: { readonly host: string; readonly port: number }): Promise<{ host: string; port: number }>;
  /**
   * Takes no more connections and sessions, waits for the running sessions for up to `drainSeconds`, then ends them.
   * Resolves when no socket is left and the sessions have settled (or failed to in time). May be called again, with another time.
   */
  close(options: { readonly drainSeconds: number }): Promise<void>;
}

/** Throws if a host key can't be used. */
export function createSshServer(options: SshServerOptions): SshServer {
  return new ListeningServer(options);
}

class ListeningServer implements SshServer {
  readonly #options: SshServerOptions;
  readonly #events: SshEvents;
  readonly #admission: Admission;
  readonly #ssh2Server: ReturnType<typeof createSsh2Server>;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  readonly #bySocket = new WeakMap<object, Connection>();
  #closing = false;

  constructor(options: SshServerOptions) {
    this.#options = options;
    this.#events = unfailing(options.events, options.log);
    this.#admission = new Admission(options.limits);
    this.#ssh2Server = createSsh2Server({
      hostKeys: options.hostKeys,
      ident: this.#ident,
      keepaliveMs: sshKeepaliveMs,
      keepalivesUnansweredMax: sshKeepalivesUnansweredMax,
    });
    this.#ssh2Server.on('connection', (client) => this.#bySocket.get(socketOf(client))?.attach(client));
    // Without delay: small replies wait for an acknowledgement otherwise, at the cost of half of all speed.
    this.#server = createServer({ noDelay: true, keepAlive: true }, (socket) => this.#onSocket(socket));
  }

  get #ident(): string {
    return this.#options.ident ?? 'scpd';
  }

  async listen(address: {
    readonly host: string;
    readonly port: number;
  }): Promise<{ host: string; port: number }> {
    await checkSsh2();
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host: address.host, port: address.port }, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    // Later errors are about single connections, such as no more file descriptors: the server lives on.
    this.#server.on('error', (error) =>
      this.#options.log.error({ err: error }, 'a connection could not be accepted'),
    );
    const bound = this.#server.address();
    if (bound === null || typeof bound === 'string') throw new Error('the server listens nowhere');
    return { host: bound.address, port: bound.port };
  }

  async close({ drainSeconds }: { readonly drainSeconds: number }): Promise<void> {
    this.#closing = true;
    if (this.#server.listening) this.#server.close();
    const closed = Promise.all([...this.#connections].map((connection) => connection.closed));
    for (const connection of this.#connections) connection.drain();
    const timer = setTimeout(() => {
      for (const connection of this.#connections) connection.shutDown();
    }, drainSeconds * 1000);
    await closed;
    clearTimeout(timer);
  }

  #onSocket(socket: Socket): void {
    // First of all: an error without a listener would end the process.
    socket.on('error', () => undefined);
    const seat = this.#closing ? 'closing' : this.#admission.admit(socket.remoteAddress ?? '');
    if (typeof seat === 'string') {
      this.#events.connectionRefused({ connection: connectionFacts(socket), reason: seat });
      socket.destroy();
      return;
    }
    const { limits, users, startSession, log, rekeyBytes = sshRekeyBytes } = this.#options;
    const connection = new Connection(socket, {
      ssh2Server: this.#ssh2Server,
      ident: this.#ident,
      limits,
      rekeyBytes,
      users,
      startSession,
      events: this.#events,
      log,
      onLogin: () => seat.loggedIn(),
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
    loginSucceeded: safely((login) => events.loginSucceeded(login)),
    loginRefused: safely((facts) => events.loginRefused(facts)),
    requestRefused: safely((login, what) => events.requestRefused(login, what)),
    connectionClosed: safely((facts) => events.connectionClosed(facts)),
  };
}
