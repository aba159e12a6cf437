/** What serves connections, as those see it who have sockets to be served. `compose-serving.ts` makes one. */
import type { Socket } from 'node:net';
import type { Config } from '../config/config.ts';
import type { Seat } from '../ssh/events.ts';
import type { CountedSeat } from './admission.ts';
import type { ServingStatus, WorkerFacts } from './messages.ts';
import type { WorkerProcess } from './worker-process.ts';

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
  /** Its processes, where it has its own: what can be handed over. */
  readonly movable?: MovableWorkers;
  take(socket: Socket, seat: CountedSeat): void;
  status(): Promise<GenerationStatus>;
  endConnection(id: string): void;
  recheck(config: Config): void;
  /** Lets what there is finish within this time, then as `close`. */
  retire(options: { readonly retireSeconds: number; readonly drainSeconds: number }): Promise<void>;
  close(options: { readonly drainSeconds: number }): Promise<void>;
}

/** Workers that another supervisor may take over. */
export interface MovableWorkers {
  readonly processes: readonly WorkerProcess[];
  /** No process is without an answer, and no socket waits. */
  readonly isQuiet: boolean;
  /** Nothing happens to the processes, and what they say is kept, until `resume`. */
  pause(): void;
  resume(): void;
  /** They are another's: as if all had ended. */
  abandon(): void;
}
