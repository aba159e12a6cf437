/**
 * One client's connection, from accept to the closed socket. ssh2 does key exchange, encryption and the packets of
 * authentication; everything that decides, counts or ends is here or in the files that this one calls.
 *
 * Invariants: every connection has a timer that will end it if its client does nothing; the first thing that goes wrong
 * ends it, and nothing that arrives afterwards is parsed; once ended, the socket is destroyed within `sshTeardownMsMax`
 * whatever the client does; nothing that a client sends can throw out of here.
 */
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { ProtocolError } from '../errors.ts';
import { retiredIdleMs, sshPreLoginBytesMax, sshTeardownMsMax } from '../limits.ts';
import { printable } from '../name-bytes.ts';
import type { StartSession } from '../session/start.ts';
import type { UserDirectory } from '../users/directory.ts';
import type { ConnectionFacts, Login } from '../users/user.ts';
import { WireError } from '../users/wire.ts';
import { Authenticator } from './authenticator.ts';
import { Channels } from './channels.ts';
import { readClientOffer, type ClientOffer } from './client-offer.ts';
import { connectionFacts } from './connection-facts.ts';
import type { CloseReason, SshEvents } from './events.ts';
import { IdleTimer } from './idle-timer.ts';
import { readIdentification } from './identification.ts';
import { disconnectReason, message, sendDisconnect, sendExtensionInfo } from './messages.ts';
import type { DisconnectReason } from './messages.ts';
import { Outbound } from './outbound.ts';
import { gatheringWrites, gcmPacket } from './packet-writes.ts';
import { RekeyPolicy } from './rekey.ts';
import type { WindowBudget } from './receive-window.ts';
import type { ConnectionState } from './server.ts';
import { PreLoginFilter, isConnectionMessage, isUserauthMessage } from './screening.ts';
import { greetingLine, isGcm } from './ssh2.ts';
import type { Connection as Ssh2Connection, PayloadHandler, Ssh2Server } from './ssh2.ts';
import { Transport } from './transport.ts';

export interface ConnectionOptions {
  readonly ssh2Server: Ssh2Server;
  readonly ident: string;
  readonly limits: {
    readonly loginGraceSeconds: number;
    readonly authAttempts: number;
    readonly idleSeconds: number;
  };
  readonly rekeyBytes: number;
  /** What the windows of all connections may grow by. */
  readonly windows: WindowBudget;
  readonly users: UserDirectory;
  readonly startSession: StartSession;
  readonly events: SshEvents;
  readonly log: Logger;
  /** Asked when somebody is about to log in. False: this user has connections enough. */
  readonly admit: (userName: string) => boolean | Promise<boolean>;
}

/** How a connection ends: why, for us; and what the client is told, if anything. */
interface Ending {
  readonly reason: CloseReason;
  readonly detail?: string;
  readonly farewell?: { readonly code: DisconnectReason; readonly words: string };
}

export class Connection {
  /** Resolves when the socket is closed and every session on it has ended, or did not end in time. */
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #log: Logger;
  readonly #began = performance.now();
  readonly #abort = new AbortController();
  readonly #graceTimer: NodeJS.Timeout;
  #teardownTimer: NodeJS.Timeout | undefined;
  #idleTimer: IdleTimer | undefined;
  #facts: ConnectionFacts;
  #transport: Transport | undefined;
  #outbound: Outbound | undefined;
  #channels: Channels | undefined;
  #login: Login | undefined;
  #knowsGcm = false;
  #draining = false;
  #retireTimer: NodeJS.Timeout | undefined;
  #ending: Ending | undefined;

  constructor(socket: Socket, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#facts = connectionFacts(socket);
    this.#log = options.log.child({ connection: this.#facts.id });
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#onClosed();
        resolve(this.#channels?.settled());
      });
    });
    socket.on('error', (error) => this.#end({ reason: 'lost', detail: error.message }));
    socket.on('end', () => this.#end({ reason: 'client' }));
    // ssh2 ends the socket by itself for some broken rules, and goes on parsing.
    socket.on('finish', () => this.#end({ reason: 'protocol' }));
    const graceMs = options.limits.loginGraceSeconds * 1000;
    this.#graceTimer = setTimeout(() => this.#end({ reason: 'login-grace' }), graceMs);
  }

  /** Greets the client and reads its first line. Both at once: some clients wait for ours before they send theirs. */
  start(): void {
    const greeting = greetingLine(this.#options.ident);
    this.#socket.write(greeting);
    readIdentification(this.#socket, ({ software, bytes }) => {
      if (software === undefined) {
        this.#end({ reason: 'identification', detail: printable(bytes.toString('latin1'), 64) });
        return;
      }
      this.#facts = Object.freeze({ ...this.#facts, clientSoftware: software });
      readClientOffer(this.#socket, bytes, (offer) => this.#inject(offer, greeting));
    });
  }

  #inject({ bytes, knowsGcm }: ClientOffer, greeting: string): void {
    if (this.#ending !== undefined) return;
    this.#knowsGcm = knowsGcm;
    swallowGreeting(this.#socket, greeting);
    this.#socket.unshift(bytes);
    this.#options.ssh2Server.injectSocket(this.#socket);
  }

  /** ssh2 has read the client's first line and is about to send its KEXINIT. */
  attach(client: Ssh2Connection): void {
    client.on('error', (error) => this.#onSsh2Error(error));
    const transport = new Transport(client);
    transport.sendThrough(gatheringWrites(this.#socket), gcmPacket);
    this.#socket.on('data', (chunk) => transport.keepPartialPacket(chunk));
    const outbound = new Outbound(this.#socket, transport);
    const rekeys = new RekeyPolicy(transport, this.#socket, this.#options.rekeyBytes);
    this.#transport = transport;
    this.#outbound = outbound;
    this.#limitPreLoginBytes();
    this.#screenMessages(transport, rekeys);
    transport.narrowOffer((cipher) => !this.#knowsGcm || isGcm(cipher));
    const wantsExtensions = transport.withholdExtensionInfo();
    let isFirst = true;
    client.on('handshake', () => {
      if (isFirst && wantsExtensions()) sendExtensionInfo(transport);
      if (isFirst) this.#options.events.keysExchanged?.();
      isFirst = false;
      rekeys.onKeysExchanged();
      outbound.release();
    });
    const authenticator = this.#authenticator();
    client.on('authentication', (context) => void authenticator.answer(context));
    client.on('ready', () => this.#onReady(client, transport, authenticator.login));
  }

  /** Ends the connection as soon as no session runs on it. */
  drain(): void {
    this.#draining = true;
    this.#channels?.refuseNew();
    if (this.#channels?.isRunning !== true) this.shutDown();
  }

  /** Ends the connection when it has been without a session for a while. A login that is under way may still get one. */
  retire(): void {
    if (this.#retireTimer !== undefined || this.#ending !== undefined) return;
    let idleMs = 0;
    this.#retireTimer = setInterval(() => {
      const isIdle = this.#login !== undefined && this.#channels?.isRunning !== true;
      idleMs = isIdle ? idleMs + retiredIdleMs / 5 : 0;
      if (idleMs >= retiredIdleMs) this.shutDown();
    }, retiredIdleMs / 5);
  }

  /** Ends the connection now, with sessions or without. */
  shutDown(): void {
    this.endFor('shutdown', 'the server is shutting down');
  }

  /** The same for another reason. @param words for the client */
  endFor(reason: 'shutdown' | 'ended', words: string): void {
    this.#end({ reason, farewell: { code: disconnectReason.BY_APPLICATION, words } });
  }

  get state(): ConnectionState {
    const { id, address, clientSoftware } = this.#facts;
    return {
      id,
      login: this.#login,
      address,
      client: clientSoftware,
      openMs: Math.round(performance.now() - this.#began),
      bytesReceived: this.#socket.bytesRead,
      bytesSent: this.#socket.bytesWritten,
      sessions: this.#channels?.runningCount ?? 0,
    };
  }

  #limitPreLoginBytes(): void {
    const socket = this.#socket;
    const onData = (): void => {
      if (this.#login !== undefined) socket.off('data', onData);
      else if (socket.bytesRead > sshPreLoginBytesMax) {
        this.#end({ reason: 'limit', detail: 'too many bytes before login' });
      }
    };
    socket.on('data', onData);
  }

  #authenticator(): Authenticator {
    const { users, events, limits } = this.#options;
    return new Authenticator({
      users,
      events,
      attemptsMax: limits.authAttempts,
      connection: this.#facts,
      signal: this.#abort.signal,
      onTooManyAttempts: () => {
        const farewell = { code: disconnectReason.PROTOCOL_ERROR, words: 'Too many authentication failures' };
        this.#end({ reason: 'login-attempts', farewell });
      },
      admit: this.#options.admit,
      onTooManyConnections: () => {
        const words = 'Too many connections of this user';
        const farewell = { code: disconnectReason.TOO_MANY_CONNECTIONS, words };
        this.#end({ reason: 'limit', detail: words, farewell });
      },
      onFailed: (error) => this.#onStepFailed(error),
    });
  }

  /** Puts us in front of ssh2's handling of every message, during the first key exchange and after it. */
  #screenMessages(transport: Transport, rekeys: RekeyPolicy): void {
    const filter = new PreLoginFilter();
    transport.interceptKeyExchange((payload, handle) =>
      this.#guarded(() => {
        filter.count();
        return handle(payload);
      }),
    );
    transport.interceptMessages((payload, handle) =>
      this.#guarded(() => {
        if (this.#channels === undefined) return filter.admits(payload) ? handle(payload) : undefined;
        rekeys.check();
        return this.#onMessage(payload, this.#channels, handle);
      }),
    );
  }

  #onMessage(payload: Buffer, channels: Channels, handle: PayloadHandler): unknown {
    if (this.#outbound?.isFlooded === true) throw new ProtocolError('replies are not read');
    const type = payload[0] ?? 0;
    if (isConnectionMessage(type)) {
      channels.handle(payload);
      // What was handled may have ended the connection; then the rest of the chunk is not parsed.
      return this.#ending === undefined ? undefined : Infinity;
    }
    if (type === message.DISCONNECT) {
      this.#end({ reason: 'client' });
      return Infinity;
    }
    if (type === message.SERVICE_REQUEST) throw new ProtocolError('a second service request');
    // RFC 4252, section 5.1: requests after success are ignored. RFC 8308: so are a client's extensions.
    if (isUserauthMessage(type) || type === message.EXT_INFO) return undefined;
    return handle(payload);
  }

  /** Runs a step of the parser. Whatever it throws ends the connection; `Infinity` tells ssh2 to drop the rest. */
  #guarded(step: () => unknown): unknown {
    if (this.#ending !== undefined) return Infinity;
    if (this.#socket.writableEnded) {
      this.#end({ reason: 'protocol' });
      return Infinity;
    }
    try {
      return step();
    } catch (error) {
      this.#onStepFailed(error);
      return Infinity;
    }
  }

  #onStepFailed(error: unknown): void {
    if (error instanceof ProtocolError || error instanceof WireError) {
      const words = error.message;
      this.#end({
        reason: 'protocol',
        detail: words,
        farewell: { code: disconnectReason.PROTOCOL_ERROR, words },
      });
      return;
    }
    this.#log.error({ err: error }, 'a connection failed');
    this.#end({ reason: 'internal' });
  }

  #onReady(client: Ssh2Connection, transport: Transport, login: Login | undefined): void {
    const outbound = this.#outbound;
    if (login === undefined || outbound === undefined || !client.authenticated) {
      this.#end({ reason: 'internal', detail: 'a login without a decision' });
      return;
    }
    this.#login = login;
    clearTimeout(this.#graceTimer);
    const idleMs = this.#options.limits.idleSeconds * 1000;
    const idleTimer = new IdleTimer(idleMs, () => this.#onIdle());
    const { startSession, events, windows } = this.#options;
    this.#idleTimer = idleTimer;
    this.#channels = new Channels({
      packets: transport.packets,
      outbound,
      windows,
      login,
      startSession,
      events,
      log: this.#log,
      onActivity: () => idleTimer.touch(),
      onIdle: () => {
        if (this.#draining) this.shutDown();
      },
    });
    events.loginSucceeded(login);
    if (this.#draining) this.drain();
  }

  #onIdle(): void {
    if (this.#channels?.isBusy === true) {
      this.#idleTimer?.touch();
      return;
    }
    const farewell = { code: disconnectReason.BY_APPLICATION, words: 'idle for too long' };
    this.#end({ reason: 'idle', farewell });
  }

  #onSsh2Error(error: Error & { readonly level?: string; readonly code?: unknown }): void {
    const detail = printable(error.message, 200);
    if (error.level === 'client-timeout') this.#end({ reason: 'keepalive' });
    else if (error.level === 'socket') this.#end({ reason: 'lost', detail });
    else if (typeof error.code === 'number') this.#end({ reason: 'client', detail });
    else this.#end({ reason: 'protocol', detail });
  }

  /** The one way to the end. Only the first reason counts. */
  #end(ending: Ending): void {
    if (this.#ending !== undefined) return;
    this.#ending = ending;
    clearTimeout(this.#graceTimer);
    clearInterval(this.#retireTimer);
    this.#idleTimer?.stop();
    this.#abort.abort();
    this.#channels?.lose();
    const socket = this.#socket;
    // Armed before anything that could throw.
    this.#teardownTimer = setTimeout(() => socket.destroy(), sshTeardownMsMax);
    try {
      if (ending.farewell !== undefined && this.#transport !== undefined) {
        sendDisconnect(this.#transport, ending.farewell.code, ending.farewell.words);
      }
    } catch (error) {
      this.#log.debug({ err: error }, 'no farewell');
    }
    // Read on without parsing: the client's own end is noticed, and unread data would make the kernel send a reset that
    // overtakes our last words.
    socket.removeAllListeners('data');
    socket.on('data', () => undefined);
    socket.resume();
    socket.end();
  }

  #onClosed(): void {
    this.#end({ reason: 'lost' });
    clearTimeout(this.#teardownTimer);
    const { reason, detail = '' } = this.#ending ?? { reason: 'lost' };
    this.#options.events.connectionClosed({
      connection: this.#facts,
      login: this.#login ?? null,
      reason,
      detail: printable(detail, 200),
      durationMs: Math.round(performance.now() - this.#began),
      bytesReceived: this.#socket.bytesRead,
      bytesSent: this.#socket.bytesWritten,
    });
  }
}

/** ssh2 greets when it starts, which is too late; the client must not get its greeting as well. */
function swallowGreeting(socket: Socket, greeting: string): void {
  const swallow = (chunk: Buffer): boolean => {
    Reflect.deleteProperty(socket, 'write');
    return chunk.toString('latin1') === greeting ? true : socket.write(chunk);
  };
  Object.defineProperty(socket, 'write', { configurable: true, value: swallow });
}
