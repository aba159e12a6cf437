/**
 * One worker, as the supervisor knows it: the process, the seats of its connections, and the sockets on their way to it. A
 * socket is kept here until the worker says that it has it, so a worker that dies or hangs takes none with it that it
 * has not touched.
 */
import { fork, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { SharedJournal } from '../audit/record.ts';
import type { Config } from '../config/config.ts';
import { workerLastWordsMs } from '../limits.ts';
import type { Seat } from '../ssh/events.ts';
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

/** What all workers share. */
export interface WorkerServices {
  /** The module that a worker runs. */
  readonly program: URL;
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
  readonly seat: Seat;
}

interface Place {
  readonly seat: Seat;
  /** Until the worker has it. */
  socket: Socket | undefined;
}

export class WorkerProcess {
  readonly #options: WorkerOptions;
  readonly #child: ChildProcess;
  readonly #bridge: JournalBridge;
  readonly #peer: OwnershipPeer;
  readonly #began = performance.now();
  readonly #places = new Map<number, Place>();
  readonly #lookers = new Map<number, (status: ServingStatus) => void>();
  #ownershipDone: Promise<void> = Promise.resolve();
  #facts: WorkerFacts = noFacts;
  #signMs = performance.now();
  #isReady = false;
  #isRetiring = false;
  #isGone = false;
  #nextId = 0;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#child = fork(fileURLToPath(options.program), [], {
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#bridge = new JournalBridge({
      journal: options.journal,
      process: String(this.#child.pid),
      alsoAwait: () => this.#ownershipDone,
      answer: (answer) => this.#send({ kind: 'settled', ...answer }),
      onLost: options.onLost,
    });
    this.#peer = { tell: (sequence, change) => this.#send({ kind: 'owned', sequence, change }) };
    this.#child.on('message', (message: FromWorker) => this.#onMessage(message));
    this.#child.once('error', (error) => this.#onGone(error.message));
    this.#child.once('exit', (code, signal) => void this.#onExit(signal ?? `exit code ${code}`));
    const owned = options.ownership.join(this.#peer);
    this.#send({ kind: 'start', config: options.config, owned });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
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
    const message: ToWorker = { kind: 'connection', seat: id };
    if (this.#child.connected) this.#child.send(message, socket, { keepOpen: true }, () => undefined);
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
    this.#isRetiring = true;
    this.#send({ kind: 'retire' });
  }

  close(drainSeconds: number): void {
    this.#isRetiring = true;
    this.#send({ kind: 'close', drainSeconds });
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  get #state(): WorkerStatus['state'] {
    if (this.#isRetiring) return 'retiring';
    if (!this.#isReady) return 'starting';
    return this.silentMs > this.#options.slowMs ? 'silent' : 'serving';
  }

  #onMessage(message: FromWorker): void {
    this.#signMs = performance.now();
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
        return this.#options.ownership.applied(this.#peer, message.sequence);
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
    const published = this.#options.ownership.publish(this.#peer, change, seen);
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
    // A worker that is gone is found by its exit; what was meant for it has no meaning any more.
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  /**
   * What it said last may still be on its way: which sockets it had, and what is to be recorded. The channel's own end is
   * nothing to wait for, because it does not come while a socket is in it.
   */
  async #onExit(how: string): Promise<void> {
    this.#signMs = performance.now();
    while (this.#child.connected && this.silentMs < workerLastWordsMs) await delay(workerLastWordsMs / 2);
    if (this.#child.connected) this.#child.disconnect();
    this.#onGone(how);
  }

  #onGone(how: string): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#bridge.close();
    this.#options.ownership.leave(this.#peer);
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
