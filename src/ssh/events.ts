/** What the SSH side tells the rest of the program, for the audit journal and the log. Each is told once per fact. */
import type { ConnectionFacts, Login } from '../users/user.ts';

/** Which cap an incoming connection met, or that the server is closing. */
export type ConnectionRefusal =
  'connections' | 'connections-per-address' | 'unauthenticated-connections' | 'closing';

/**
 * - `not-authorized`: no such user, or the key is not one of theirs. The directory does not tell which, and neither do we.
 * - `algorithm`: the key would do, but not with this signature algorithm (RSA with SHA-1).
 * - `signature`: the key is right and the signature is not.
 * - `method`: a password or another method that is never offered.
 * - `connections-per-user`: all is right, but the user has as many connections as a user may have.
 */
export type LoginRefusal = 'not-authorized' | 'algorithm' | 'signature' | 'method' | 'connections-per-user';

/** Why a connection ended. */
export type CloseReason =
  | 'client' // it said goodbye, or closed its side
  | 'lost' // a network error
  | 'identification' // its first line is not one of SSH
  | 'login-grace'
  | 'login-attempts'
  | 'idle'
  | 'keepalive' // it no longer answers
  | 'protocol' // it broke the protocol
  | 'limit' // it met a limit that honest clients don't meet
  | 'shutdown'
  | 'ended' // by the operator, or because the user or the key is no more
  | 'internal'; // our fault

/** One connection's place among those that may be there. Whoever admits connections gives it. */
export interface Seat {
  /** Somebody logs in. False: this user has as many connections as a user may have. */
  logIn(userName: string): boolean | Promise<boolean>;
  /** The connection is gone. May be called more than once. */
  release(): void;
}

export interface SshEvents {
  /** A connection was dropped before anything was exchanged. A flood of connections makes a flood of these. */
  connectionRefused(facts: {
    readonly connection: ConnectionFacts;
    readonly reason: ConnectionRefusal;
  }): void;
  /** The first key exchange of a connection is complete. */
  keysExchanged?(): void;
  loginSucceeded(login: Login): void;
  /**
   * A key (or password…) was refused: once for each that the client tried; the first `none` request, by which clients ask
   * for the methods, is not one. `userName` is the peer's word, made printable and cut.
   */
  loginRefused(facts: {
    readonly connection: ConnectionFacts;
    readonly userName: string;
    readonly keyFingerprint: string | null;
    /** The peer's word for how it wants to prove itself, printable and cut. */
    readonly method: string;
    readonly reason: LoginRefusal;
  }): void;
  /** A request for something that nobody gets here: forwarding, an unknown subsystem, a second program on one channel. */
  requestRefused(login: Login, what: RefusedRequest): void;
  /** Called for each connection that was not refused, when its socket is closed. `login` is null if nobody logged in. */
  connectionClosed(facts: {
    readonly connection: ConnectionFacts;
    readonly login: Login | null;
    readonly reason: CloseReason;
    /** More words for the log, printable; may be ''. */
    readonly detail: string;
    readonly durationMs: number;
    readonly bytesReceived: number;
    readonly bytesSent: number;
  }): void;
}

export interface RefusedRequest {
  /** The name on the wire, printable and cut, such as `direct-tcpip`, `x11-req`, `subsystem`. */
  readonly request: string;
  /** The subsystem's name, printable and cut; else null. */
  readonly name: string | null;
}
