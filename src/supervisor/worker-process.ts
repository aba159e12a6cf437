/**
 * One worker, as the supervisor knows it: the process, the seats of its connections, and the sockets on their way to it. A
 * socket is kept here until the worker says that it has it, so a worker that dies or hangs takes none with it that it
 * has not touched.
 */
import type { Socket } from 'node:net';
import type { SharedJournal } from '../audit/record.ts';
import type { Config } from '../config/config.ts';
import type { CountedSeat } from './admission.ts';
import { JournalBridge } from './journal-bridge.ts';
import {
  noFacts,
  type FromWorker,
  type Measure,
  type ServingStatus,
  type ToWorker,
  type WorkerFacts,
} from './messages.ts';
import type { OwnershipPeer, OwnershipRelay } from './ownership-relay.ts';
import type { WorkerStatus } from './serving.ts';
import type { WorkerEars, WorkerLink } from './worker-link.ts';
import type { WorkerStock } from './worker-stock.ts';

/** What all workers share. */
export interface WorkerServices {
  /** Where processes come from. */
  readonly stock: WorkerStock;
  readonly journal: SharedJournal;
  readonly ownership: OwnershipRelay;
  readonly measure: (measure: Measure) => void;
}

export interface WorkerOptions extends WorkerServices {
  readonly config: Config;
  readonly slowMs: number;
  readonly onReady: () => void;
  /** It could not start; it ends by itself. */
  readonly onUnable: (words: string) => void;
  /** A record of it was lost. */
  readonly onLost: () => void;
  /** It is gone. @param untaken sockets that it never touched */
  readonly onGone: (how: string, untaken: readonly WaitingSocket[]) => void;
}

export interface WaitingSocket {
  readonly socket: Socket;
  readonly seat: CountedSeat;
}

/** What another supervisor needs to go on with a worker that was started by this one. */
export interface WorkerState {
  readonly pid: number;
  readonly isReady: boolean;
  readonly upMs: number;
  /** Numbers from this one on mean nothing to it yet. */
  readonly nextId: number;
  /** It has sent so many. */
  readonly records: number;
  readonly seats: readonly { readonly id: number; readonly group: string; readonly user?: string }[];
}

/** A worker that another supervisor has started. */
export interface InheritedWorker {
  readonly link: WorkerLink;
  readonly state: WorkerState;
  readonly seats: ReadonlyMap<number, CountedSeat>;
}

function born(link: WorkerLink): InheritedWorker {
  const state = { pid: link.pid, isReady: false, upMs: 0, nextId: 0, records: 0, seats: [] };
  return { link, state, seats: new Map() };
}

interface Place {
  readonly seat: CountedSeat;
  /** Until the worker has it. */
  socket: Socket | undefined;
}

/** Answers to what this supervisor said, which only it waits for. */
const answers: ReadonlySet<FromWorker['kind']> = new Set(['taken', 'applied', 'status', 'sign']);

export class WorkerProcess {
  readonly #options: WorkerOptions;
  readonly peer: OwnershipPeer;
  readonly #link: WorkerLink;
  readonly #bridge: JournalBridge;
  readonly #began: number;
  readonly #places = new Map<number, Place>();
  readonly #lookers = new Map<number, (status: ServingStatus) => void>();
  #ownershipDone: Promise<void> = Promise.resolve();
  #facts: WorkerFacts = noFacts;
  #signMs = performance.now();
  #isReady: boolean;
  #isRetiring = false;
  #isGone = false;
  #nextId: number;
  /** What it said while nobody was to act on it. */
  #kept: ((ears: WorkerEars) => void)[] | undefined;

  /** Starts one, or goes on with one that is there. */
  constructor(options: WorkerOptions, inherited?: InheritedWorker) {
    const { link, state, seats } = inherited ?? born(options.stock.take());
    this.#options = options;
    this.#link = link;
    this.#began = performance.now() - state.upMs;
    this.#isReady = state.isReady;
    this.#nextId = state.nextId;
    for (const [id, seat] of seats) this.#places.set(id, { seat, socket: undefined });
    this.#bridge = new JournalBridge({
      journal: options.journal,
      process: String(this.pid),
      recordsBefore: state.records,
      alsoAwait: () => this.#ownershipDone,
      answer: (answer) => this.#send({ kind: 'settled', ...answer }),
      onLost: options.onLost,
    });
    this.peer = { tell: (sequence, change) => this.#send({ kind: 'owned', sequence, change }) };
    const owned = options.ownership.join(this.peer);
    if (inherited === undefined) this.#send({ kind: 'start', config: options.config, owned });
    this.#link.listen({
      onMessage: (message) => this.#hear(message),
      onGone: (how) => {
        if (this.#kept === undefined) this.#onGone(how);
        else this.#kept.push((ears) => ears.onGone(how));
      },
    });
  }

  get pid(): number {
    return this.#link.pid;
  }

  get ageMs(): number {
    return performance.now() - this.#began;
  }

  /** Since the last sign of life. */
  get silentMs(): number {
    return performance.now() - this.#signMs;
  }

  get facts(): WorkerFacts {
    return this.#facts;
  }

  get isReady(): boolean {
    return this.#isReady && !this.#isRetiring && !this.#isGone;
  }

  get isStarting(): boolean {
    return !this.#isReady;
  }

  get connections(): number {
    return this.#places.size;
  }

  get status(): WorkerStatus {
    const { pid, connections } = this;
    return { pid, state: this.#state, connections, upMs: Math.round(this.ageMs), ...this.#facts };
  }

  give({ socket, seat }: WaitingSocket): void {
    const id = this.#nextId++;
    this.#places.set(id, { seat, socket });
    // The socket stays ours, too, until the worker has it.
    this.#link.send({ kind: 'connection', seat: id }, socket);
  }

  /** What goes on in it; nothing, if it does not answer. */
  async look(timeoutMs: number): Promise<ServingStatus> {
    const id = this.#nextId++;
    const nothing: ServingStatus = { connections: [], transfers: [] };
    const status = await new Promise<ServingStatus>((resolve) => {
      const timer = setTimeout(() => resolve(nothing), timeoutMs);
      this.#lookers.set(id, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      if (!this.#isReady || this.#isGone) this.#lookers.get(id)?.(nothing);
      else this.#send({ kind: 'look', id });
    });
    this.#lookers.delete(id);
    return status;
  }

  endConnection(connection: string): void {
    this.#send({ kind: 'end-connection', connection });
  }

  recheck(config: Config): void {
    this.#send({ kind: 'recheck', config });
  }

  retire(): void {
    if (this.#isRetiring) return;
    // One that does not serve yet has nothing to finish.
    if (!this.#isReady) return this.close(0);
    this.#isRetiring = true;
    this.#send({ kind: 'retire' });
  }

  close(drainSeconds: number): void {
    this.#isRetiring = true;
    this.#send({ kind: 'close', drainSeconds });
  }

  kill(): void {
    this.#link.kill();
  }

  get #state(): WorkerStatus['state'] {
    if (this.#isRetiring) return 'retiring';
    if (!this.#isReady) return 'starting';
    return this.silentMs > this.#options.slowMs ? 'silent' : 'serving';
  }

  /** From now on what it says is kept: what has consequences in several places must not happen while they move. */
  pause(): void {
    this.#kept = [];
    this.#bridge.pause();
  }

  /** Nothing that it was given or told is without an answer. */
  get isQuiet(): boolean {
    return this.#bridge.isIdle && [...this.#places.values()].every(({ socket }) => socket === undefined);
  }

  get state(): WorkerState {
    const seats = [...this.#places].map(([id, { seat }]) => ({
      id,
      group: seat.group,
      ...(seat.user === undefined ? {} : { user: seat.user }),
    }));
    const { pid, ageMs: upMs } = this;
    return { pid, upMs, isReady: this.#isReady, nextId: this.#nextId, records: this.#bridge.records, seats };
  }

  resume(): void {
    this.#giveKept({
      onMessage: (message) => this.#onMessage(message),
      onGone: (how) => this.#onGone(how),
    });
  }

  /** Another supervisor hears of it from now on, and what was kept first. What to tell it by is the answer. */
  relayTo(ears: WorkerEars): WorkerLink {
    this.#bridge.close();
    this.#link.listen(ears);
    this.#giveKept(ears);
    return this.#link;
  }

  #giveKept(ears: WorkerEars): void {
    const kept = this.#kept ?? [];
    this.#kept = undefined;
    for (const give of kept) give(ears);
  }

  #hear(message: FromWorker): void {
    this.#signMs = performance.now();
    if (this.#kept === undefined || answers.has(message.kind)) this.#onMessage(message);
    else this.#kept.push((ears) => ears.onMessage(message));
  }

  #onMessage(message: FromWorker): void {
    switch (message.kind) {
      case 'ready':
        this.#isReady = true;
        return this.#options.onReady();
      case 'unable':
        return this.#options.onUnable(message.words);
      case 'taken':
        return this.#onTaken(message.seat);
      case 'login':
        return this.#onLogin(message.seat, message.user);
      case 'released':
        this.#places.get(message.seat)?.seat.release();
        return void this.#places.delete(message.seat);
      case 'records':
        return this.#bridge.receive(message.records, message.waits);
      case 'change':
        return this.#onChange(message);
      case 'applied':
        return this.#options.ownership.applied(this.peer, message.sequence);
      case 'status':
        return this.#lookers.get(message.id)?.(message.status);
      case 'measures':
        return message.measures.forEach(this.#options.measure);
      case 'sign':
        this.#facts = message.facts;
    }
  }

  /** Records that come after a change are acknowledged only when all have the change. */
  #onChange({ change, seen }: Extract<FromWorker, { kind: 'change' }>): void {
    const published = this.#options.ownership.publish(this.peer, change, seen);
    this.#ownershipDone = Promise.all([this.#ownershipDone, published]).then(() => undefined);
  }

  #onTaken(id: number): void {
    const place = this.#places.get(id);
    place?.socket?.destroy();
    if (place !== undefined) place.socket = undefined;
  }

  #onLogin(id: number, user: string): void {
    const allowed = this.#places.get(id)?.seat.logIn(user) === true;
    this.#send({ kind: 'admitted', seat: id, allowed });
  }

  #send(message: ToWorker): void {
    this.#link.send(message);
  }

  #onGone(how: string): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#bridge.close();
    this.#options.ownership.leave(this.peer);
    for (const answer of this.#lookers.values()) answer({ connections: [], transfers: [] });
    const untaken: WaitingSocket[] = [];
    for (const { seat, socket } of this.#places.values()) {
      if (socket === undefined) seat.release();
      else untaken.push({ socket, seat });
    }
    this.#places.clear();
    this.#options.onGone(how, untaken);
  }
}
