/**
 * The worker's end of the channel: takes sockets, sends records, seats and changes of ownership, and does as it is told.
 * Without its supervisor a worker can promise nobody anything, so then it ends.
 */
import { Socket } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Journal } from '../audit/record.ts';
import type { Config } from '../config/config.ts';
import { Ownership, type OwnershipChange } from '../guard/ownership.ts';
import { workerSignMs } from '../limits.ts';
import type { Seat } from '../ssh/events.ts';
import { JournalProxy } from './journal-proxy.ts';
import type { FromWorker, Measure, ToWorker } from './messages.ts';
import type { Serving } from './serving.ts';

/** The supervisor, as the rest of a worker sees it. */
export interface Supervisor {
  readonly journal: Journal;
  readonly ownership: Ownership;
  readonly measure: (measure: Measure) => void;
}

export interface UplinkOptions {
  readonly send: (message: FromWorker) => void;
  readonly serve: (config: Config, supervisor: Supervisor) => Promise<Serving>;
  /** Whether it matters to anybody whose the files in this root are. */
  readonly hasOwners: (config: Config, root: string) => boolean;
  /** All is done, or nothing more can be. */
  readonly end: (exitCode: 0 | 1) => void;
}

export class Uplink {
  readonly #options: UplinkOptions;
  readonly #journal: JournalProxy;
  readonly #ownership: Ownership;
  readonly #logins = new Map<number, (allowed: boolean) => void>();
  readonly #delay = monitorEventLoopDelay({ resolution: 20 });
  #config: Config | undefined;
  #serving: Serving | undefined;
  #measures: Measure[] = [];
  /** The last change of another process that was applied here. */
  #seen = 0;
  #retiring = false;
  #finishing = false;

  constructor(options: UplinkOptions) {
    this.#options = options;
    this.#journal = new JournalProxy((records, waits) => options.send({ kind: 'records', records, waits }));
    this.#ownership = new Ownership(undefined, (change) => this.#publish(change));
    this.#delay.enable();
    setInterval(() => this.#sign(), workerSignMs).unref();
  }

  onMessage(message: ToWorker, handle: unknown): void {
    switch (message.kind) {
      case 'start':
        return void this.#start(message);
      case 'connection':
        return this.#take(message.seat, handle);
      case 'admitted':
        this.#logins.get(message.seat)?.(message.allowed);
        return void this.#logins.delete(message.seat);
      case 'settled':
        return this.#journal.onSettled(message);
      case 'owned':
        this.#ownership.apply(message.change);
        this.#seen = message.sequence;
        return this.#options.send({ kind: 'applied', sequence: message.sequence });
      case 'look':
        return this.#look(message.id);
      case 'end-connection':
        return this.#serving?.endConnection(message.connection);
      case 'recheck':
        return void this.#serving?.recheck(message.config);
      case 'retire':
        this.#retiring = true;
        return void this.#serving?.retire().then(() => this.#finish());
      case 'close':
        return void this.#close(message.drainSeconds);
    }
  }

  /** Nobody can be told of success any more: what is under way is aborted. */
  onLost(): void {
    this.#journal.lose();
    void this.#close(0);
  }

  async #start({ config, owned }: Extract<ToWorker, { kind: 'start' }>): Promise<void> {
    this.#config = config;
    for (const { path, stored, identity, ...owner } of owned) {
      const own = [{ path, stored, identity }];
      this.#ownership.apply({ ...owner, unnamed: [], lost: [], lostWithin: [], own });
    }
    try {
      this.#serving = await this.#options.serve(config, {
        journal: this.#journal,
        ownership: this.#ownership,
        measure: (measure) => this.#measures.push(measure),
      });
      this.#options.send({ kind: 'ready' });
    } catch (error) {
      this.#options.send({ kind: 'unable', words: error instanceof Error ? error.message : String(error) });
      this.#options.end(1);
    }
  }

  #take(seat: number, handle: unknown): void {
    const { send } = this.#options;
    send({ kind: 'taken', seat });
    const given: Seat = {
      logIn: (user) =>
        new Promise((resolve) => {
          this.#logins.set(seat, resolve);
          send({ kind: 'login', seat, user });
        }),
      release: () => {
        this.#logins.delete(seat);
        send({ kind: 'released', seat });
      },
    };
    // The client may be gone already: then there is nothing in the message but its number.
    if (handle instanceof Socket && this.#serving !== undefined) this.#serving.take(handle, given);
    else given.release();
  }

  /** Also what concerns nobody here, once others may serve under another configuration. */
  #publish(change: OwnershipChange): void {
    if (this.#config === undefined) return;
    if (this.#retiring || this.#options.hasOwners(this.#config, change.root))
      this.#options.send({ kind: 'change', change, seen: this.#seen });
  }

  #look(id: number): void {
    const status = this.#serving?.status() ?? { connections: [], transfers: [] };
    this.#options.send({ kind: 'status', id, status });
  }

  #sign(): void {
    const { send } = this.#options;
    if (this.#measures.length > 0) send({ kind: 'measures', measures: this.#measures.splice(0) });
    const facts = {
      memoryBytes: process.memoryUsage.rss(),
      loopLagMs: Math.round(this.#delay.max / 1e6),
      recordsWaiting: this.#journal.waiting,
    };
    this.#delay.reset();
    send({ kind: 'sign', facts });
  }

  async #close(drainSeconds: number): Promise<void> {
    await this.#serving?.close({ drainSeconds });
    await this.#finish();
  }

  async #finish(): Promise<void> {
    if (this.#finishing) return;
    this.#finishing = true;
    await this.#journal.settled().catch(() => undefined);
    this.#sign();
    this.#options.end(0);
  }
}
