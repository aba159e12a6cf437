/** What serves connections, as those see it who have sockets to be served. `compose.ts` makes one. */
import type { Socket } from 'node:net';
import type { Config } from '../config/config.ts';
import type { Seat } from '../ssh/events.ts';
import type { ServingStatus, WorkerFacts } from './messages.ts';

/** The connections of one process under one configuration. */
export interface Serving {
  /** The seat is given back when the connection is over. */
  take(socket: Socket, seat: Seat): void;
  status(): ServingStatus;
  endConnection(id: string): void;
  /** Ends connections whose user or key is not in this configuration. */
  recheck(config: Config): Promise<void>;
  /** Gets no more sockets. Resolves when the last connection has ended by itself. */
  retire(): Promise<void>;
  /** As `SshServer.close`. May be called during `retire`. */
  close(options: { readonly drainSeconds: number }): Promise<void>;
}

export interface WorkerStatus extends WorkerFacts {
  readonly pid: number;
  readonly state: 'starting' | 'serving' | 'silent' | 'retiring';
  readonly connections: number;
  readonly upMs: number;
}

export interface GenerationStatus extends ServingStatus {
  readonly workers: readonly WorkerStatus[];
}

/** All that serve under one configuration: this process, or workers. */
export interface Generation {
  take(socket: Socket, seat: Seat): void;
  status(): Promise<GenerationStatus>;
  endConnection(id: string): void;
  recheck(config: Config): void;
  /** Lets what there is finish within this time, then as `close`. */
  retire(options: { readonly retireSeconds: number; readonly drainSeconds: number }): Promise<void>;
  close(options: { readonly drainSeconds: number }): Promise<void>;
}
