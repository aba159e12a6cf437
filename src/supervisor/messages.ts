/**
 * What the supervisor and a worker say to each other. Both run the same code, unless a
 * newer supervisor has taken over: what changes here raises `handOverProtocol`. The channel keeps the order of messages in
 * each direction, and much leans on that.
 */
import type { AuditRecord } from '../audit/record.ts';
import type { Config } from '../config/config.ts';
import type { OwnedPath, OwnershipChange } from '../guard/ownership.ts';

/** An open transfer, as `scpd status` shows it. */
export interface TransferStatus {
  readonly connection: string;
  readonly user: string;
  readonly protocol: string;
  readonly operation: 'upload' | 'download';
  readonly path: string;
  readonly bytes: number;
  /** The whole size, where it is known. */
  readonly bytesExpected: number | null;
  readonly runningMs: number;
}

/** A connection, as `scpd sessions` shows it. */
export interface ConnectionStatus {
  readonly id: string;
  /** Null before the login. */
  readonly user: string | null;
  readonly key: string | null;
  readonly address: string;
  readonly client: string;
  readonly openMs: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Programs that run. */
  readonly sessions: number;
}

/** What is going on in one process that serves. */
export interface ServingStatus {
  readonly connections: readonly ConnectionStatus[];
  readonly transfers: readonly TransferStatus[];
}

/** A sign of life. */
export interface WorkerFacts {
  readonly memoryBytes: number;
  /** The longest that its event loop was late since the last sign. */
  readonly loopLagMs: number;
  /** Records that are not known to be on disk. */
  readonly recordsWaiting: number;
}

export const noFacts: WorkerFacts = { memoryBytes: 0, loopLagMs: 0, recordsWaiting: 0 };

/** Something that is counted: see the table in `observe/metrics.ts`. */
export interface Measure {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export type ToWorker =
  | { readonly kind: 'start'; readonly config: Config; readonly owned: readonly OwnedPath[] }
  /** Comes with the socket. */
  | { readonly kind: 'connection'; readonly seat: number }
  | { readonly kind: 'admitted'; readonly seat: number; readonly allowed: boolean }
  /** All records up to this one are on disk; or can't be written, and are tried again. */
  | { readonly kind: 'settled'; readonly records: number; readonly failed: boolean }
  | { readonly kind: 'owned'; readonly sequence: number; readonly change: OwnershipChange }
  | { readonly kind: 'look'; readonly id: number }
  | { readonly kind: 'end-connection'; readonly connection: string }
  /** Ends connections of users and keys that this configuration does not know. */
  | { readonly kind: 'recheck'; readonly config: Config }
  /** Takes no more connections, and ends with the last that it has. */
  | { readonly kind: 'retire' }
  | { readonly kind: 'close'; readonly drainSeconds: number };

export type FromWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'unable'; readonly words: string }
  /** It has the socket; nobody else may touch it any more. */
  | { readonly kind: 'taken'; readonly seat: number }
  | { readonly kind: 'login'; readonly seat: number; readonly user: string }
  | { readonly kind: 'released'; readonly seat: number }
  /** @param waits whether it waits until these and all before them are on disk */
  | { readonly kind: 'records'; readonly records: readonly AuditRecord[]; readonly waits: boolean }
  /** @param seen the last change of another process that was applied here before */
  | { readonly kind: 'change'; readonly change: OwnershipChange; readonly seen: number }
  | { readonly kind: 'applied'; readonly sequence: number }
  | { readonly kind: 'status'; readonly id: number; readonly status: ServingStatus }
  | { readonly kind: 'measures'; readonly measures: readonly Measure[] }
  | { readonly kind: 'sign'; readonly facts: WorkerFacts };
