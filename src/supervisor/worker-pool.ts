/**
 * The workers of one configuration. Each connection goes to the one that has fewest. One that dies is replaced at once, or
 * after a growing wait if it died young; one that gives no sign of life is killed, one that takes too much memory makes
 * way. While there is none, sockets wait.
 */
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import {
  retiredWorkersMax,
  socketsWaitingMsMax,
  workerEndMsMax,
  workerMemoryFactorMax,
  workerRespawnMsMax,
  workerRespawnMsMin,
  workerSignMs,
  workerSlowMs,
  workerStartMsMax,
  workerYoungMs,
} from '../limits.ts';
import type { CountedSeat } from './admission.ts';
import type { Generation, GenerationStatus, MovableWorkers } from './serving.ts';
import {
  WorkerProcess,
  type InheritedWorker,
  type WaitingSocket,
  type WorkerOptions,
  type WorkerServices,
} from './worker-process.ts';

/** How long a worker may take to say what goes on in it. */
const lookMsMax = 1000;

export interface WorkerPoolOptions {
  readonly config: Config;
  readonly services: WorkerServices;
  readonly log: Logger;
  /** What a dead worker has left behind is to be cleared away. */
  readonly onDied: (pid: number, how: string) => void;
  /** Goes on with these, which get nothing new and are not replaced, and starts none. */
  readonly inherited?: readonly InheritedWorker[];
}

/** Starts the workers and waits until all are ready. Rejects, and leaves none behind, if one can't start. */
export async function startWorkerPool(options: WorkerPoolOptions): Promise<WorkerPool> {
  const pool = new WorkerPool(options);
  try {
    await pool.ready;
    return pool;
  } catch (error) {
    await pool.close({ drainSeconds: 0 });
    throw error;
  }
}

export class WorkerPool implements Generation, MovableWorkers {
  readonly ready: Promise<void>;
  readonly #options: WorkerPoolOptions;
  readonly #workers = new Set<WorkerProcess>();
  readonly #retired = new Set<WorkerProcess>();
  readonly #waiting = new Set<WaitingSocket>();
  readonly #watch: NodeJS.Timeout;
  #respawns = new Set<NodeJS.Timeout>();
  #respawnMs = workerRespawnMsMin;
  #isEnding = false;
  #isPaused = false;
  /** To be started when it goes on. */
  #owedWorkers = 0;
  #lookedMs = performance.now();
  #ended: (() => void)[] = [];

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    const { inherited } = options;
    const started = Array.from({ length: inherited ? 0 : options.config.workers }, () => this.#start());
    this.ready = Promise.all(started).then(() => undefined);
    for (const one of inherited ?? []) void this.#start(one).catch(() => undefined);
    this.#watch = setInterval(() => this.#look(), workerSignMs);
  }

  get movable(): MovableWorkers {
    return this;
  }

  get processes(): readonly WorkerProcess[] {
    return this.#all;
  }

  get isQuiet(): boolean {
    return this.#waiting.size === 0 && this.#all.every((worker) => worker.isQuiet);
  }

  pause(): void {
    this.#isPaused = true;
    for (const worker of this.#all) worker.pause();
  }

  resume(): void {
    this.#isPaused = false;
    for (const worker of this.#all) worker.resume();
    for (; this.#owedWorkers > 0; this.#owedWorkers -= 1) this.#respawn(0);
  }

  abandon(): void {
    this.#stopReplacing();
    this.#workers.clear();
    this.#retired.clear();
    this.#checkEmpty();
  }

  take(socket: Socket, seat: CountedSeat): void {
    const waiting = { socket, seat };
    const worker = this.#leastLoaded();
    if (worker !== undefined) worker.give(waiting);
    else this.#keep(waiting);
  }

  async status(): Promise<GenerationStatus> {
    const all = this.#all;
    const found = await Promise.all(all.map((worker) => worker.look(lookMsMax)));
    return {
      workers: all.map((worker) => worker.status),
      connections: found.flatMap(({ connections }) => connections),
      transfers: found.flatMap(({ transfers }) => transfers),
    };
  }

  endConnection(id: string): void {
    for (const worker of this.#all) worker.endConnection(id);
  }

  recheck(config: Config): void {
    for (const worker of this.#all) worker.recheck(config);
  }

  async retire(options: { readonly retireSeconds: number; readonly drainSeconds: number }): Promise<void> {
    this.#stopReplacing();
    for (const worker of this.#all) this.#retire(worker);
    const timer = setTimeout(
      () => void this.close({ drainSeconds: options.drainSeconds }),
      options.retireSeconds * 1000,
    );
    await this.#whenEmpty();
    clearTimeout(timer);
  }

  async close({ drainSeconds }: { readonly drainSeconds: number }): Promise<void> {
    this.#stopReplacing();
    for (const worker of this.#all) worker.close(drainSeconds);
    const timer = setTimeout(
      () => {
        for (const worker of this.#all) worker.kill();
      },
      drainSeconds * 1000 + workerEndMsMax,
    );
    await this.#whenEmpty();
    clearTimeout(timer);
  }

  get #all(): WorkerProcess[] {
    return [...this.#workers, ...this.#retired];
  }

  /** Resolves when it is ready; rejects if it can't start. */
  #start(inherited?: InheritedWorker): Promise<void> {
    const { config, services, log } = this.#options;
    return new Promise<void>((resolve, reject) => {
      let problem: string | undefined;
      const options: WorkerOptions = {
        ...services,
        config,
        slowMs: workerSlowMs,
        onReady: () => {
          log.info({ worker: worker.pid }, 'a worker serves');
          for (const waiting of this.#waiting) worker.give(waiting);
          this.#waiting.clear();
          resolve();
        },
        onUnable: (words) => (problem = words),
        onLost: () => {
          log.error({ worker: worker.pid }, 'a worker wrote more records than can be kept; it makes way');
          this.#replace(worker);
        },
        onGone: (how, untaken) => {
          reject(new Error(`a worker could not start: ${problem ?? how}`));
          this.#onGone(worker, { how, problem, untaken });
        },
      };
      const worker = new WorkerProcess(options, inherited);
      (inherited === undefined ? this.#workers : this.#retired).add(worker);
    });
  }

  /** Of those that answer, if any does. */
  #leastLoaded(): WorkerProcess | undefined {
    const ready = [...this.#workers].filter((worker) => worker.isReady);
    const quick = ready.filter((worker) => worker.silentMs < workerSlowMs);
    return (quick.length > 0 ? quick : ready).toSorted((a, b) => a.connections - b.connections)[0];
  }

  #keep(waiting: WaitingSocket): void {
    this.#waiting.add(waiting);
    setTimeout(() => {
      if (!this.#waiting.delete(waiting)) return;
      waiting.socket.destroy();
      waiting.seat.release();
    }, socketsWaitingMsMax).unref();
  }

  #onGone(
    worker: WorkerProcess,
    facts: {
      readonly how: string;
      readonly problem: string | undefined;
      readonly untaken: readonly WaitingSocket[];
    },
  ): void {
    const wasWanted = this.#workers.delete(worker);
    const wasRetired = this.#retired.delete(worker);
    const { how, problem, untaken } = facts;
    if (how !== 'exit code 0') {
      const { pid, connections } = worker.status;
      this.#options.log.error(
        { worker: pid, how, problem, connections, upMs: worker.ageMs },
        'a worker died',
      );
      this.#options.onDied(pid, how);
    }
    for (const waiting of untaken) this.take(waiting.socket, waiting.seat);
    if (wasWanted && !this.#isEnding) this.#respawn(worker.ageMs);
    if (wasWanted || wasRetired) this.#checkEmpty();
  }

  #respawn(ageMs: number): void {
    this.#respawnMs =
      ageMs > workerYoungMs ? workerRespawnMsMin : Math.min(this.#respawnMs * 2, workerRespawnMsMax);
    const timer = setTimeout(() => {
      this.#respawns.delete(timer);
      if (this.#isPaused) {
        this.#owedWorkers += 1;
        return;
      }
      this.#start().catch(() => undefined); // its end is the occasion for the next
    }, this.#respawnMs);
    this.#respawns.add(timer);
  }

  /** Looks at each worker's signs of life and memory. */
  #look(): void {
    const { config, log } = this.#options;
    const sinceMs = performance.now() - this.#lookedMs;
    this.#lookedMs = performance.now();
    // We were late ourselves: their signs wait to be read.
    if (sinceMs > workerSlowMs || this.#isPaused) return;
    const { workerSilenceSeconds, workerMemoryBytesMax } = config.limits;
    for (const worker of this.#all) {
      const { pid } = worker;
      const { memoryBytes } = worker.facts;
      const silenceMsMax = worker.isStarting ? workerStartMsMax : workerSilenceSeconds * 1000;
      if (worker.silentMs > silenceMsMax) {
        log.error({ worker: pid, silentMs: Math.round(worker.silentMs) }, 'a worker hangs; it is killed');
        worker.kill();
      } else if (memoryBytes > workerMemoryBytesMax * workerMemoryFactorMax) {
        log.error({ worker: pid, memoryBytes }, 'a worker takes too much memory; it is killed');
        worker.kill();
      } else if (memoryBytes > workerMemoryBytesMax && this.#workers.has(worker)) {
        log.warn({ worker: pid, memoryBytes }, 'a worker takes too much memory; it makes way');
        this.#replace(worker);
      }
    }
  }

  /** A new one comes first; the old one keeps what it has. */
  #replace(worker: WorkerProcess): void {
    if (!this.#workers.delete(worker)) return;
    this.#retired.add(worker);
    if (this.#isEnding) return worker.retire();
    this.#start()
      .catch(() => undefined)
      .finally(() => this.#retire(worker));
  }

  #retire(worker: WorkerProcess): void {
    this.#workers.delete(worker);
    this.#retired.add(worker);
    worker.retire();
    const [oldest] = this.#retired;
    if (this.#retired.size > retiredWorkersMax) oldest?.close(this.#options.config.limits.drainSeconds);
  }

  #stopReplacing(): void {
    this.#isEnding = true;
    for (const timer of this.#respawns) clearTimeout(timer);
    for (const { socket, seat } of this.#waiting) {
      socket.destroy();
      seat.release();
    }
    this.#waiting.clear();
  }

  async #whenEmpty(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#ended.push(resolve);
      this.#checkEmpty();
    });
  }

  #checkEmpty(): void {
    if (!this.#isEnding || this.#all.length > 0) return;
    clearInterval(this.#watch);
    for (const resolve of this.#ended.splice(0)) resolve();
  }
}
