/** Who serves under a configuration, in this process or in workers, and what becomes of what they leave. */
import type { Logger } from 'pino';
import { serverRecord } from './audit/record.ts';
import { recoverCatalog } from './compose-catalog.ts';
import { orphansOf, rootsOf } from './compose-journal.ts';
import type { Observers } from './compose-observe.ts';
import type { Opened } from './compose-running.ts';
import type { Config } from './config/config.ts';
import { Ownership } from './guard/ownership.ts';
import { sweepStagingArea } from './storage/staging-area.ts';
import type { Admission } from './supervisor/admission.ts';
import type { HandedState } from './supervisor/hand-over-messages.ts';
import { localGeneration } from './supervisor/local-generation.ts';
import type { Measure } from './supervisor/messages.ts';
import { OwnershipRelay } from './supervisor/ownership-relay.ts';
import type { Predecessor } from './supervisor/predecessor.ts';
import type { Generation } from './supervisor/serving.ts';
import { startWorkerPool, type WorkerPoolOptions } from './supervisor/worker-pool.ts';
import { WorkerStock } from './supervisor/worker-stock.ts';

/** Starts those who serve, in this process or in others, and clears away what they leave when they die. */
export class Beginner {
  readonly #opened: Opened;
  readonly #observers: Observers;
  readonly #ownership = new Ownership();
  readonly #relay = new OwnershipRelay();
  readonly #stock: WorkerStock;
  readonly #measure = (measured: Measure): void => this.#observers.metrics.measure(measured);
  #clearing: Promise<void> = Promise.resolve();

  constructor(opened: Opened, observers: Observers) {
    this.#opened = opened;
    this.#observers = observers;
    this.#stock = opened.options.workers ?? new WorkerStock();
  }

  /** Whose everything is, across all workers. */
  get relay(): OwnershipRelay {
    return this.#relay;
  }

  async begin(config: Config): Promise<Generation> {
    const { catalog, log, options } = this.#opened;
    const { journal } = this.#observers;
    const { around } = options;
    await recoverCatalog(catalog, config, log);
    // Not before: of what a crash has left, the catalog knows what can be kept.
    await sweepRoots(config, log);
    if (config.workers === 0 || around !== undefined) {
      // A supervisor of workers has no use for what serves, and does not load it.
      const { createServing } = await import('./compose-serving.ts');
      const shared = { journal, catalog, ownership: this.#ownership, log, measure: this.#measure };
      return localGeneration(await createServing(config, { ...shared, ...(around && { around }) }));
    }
    return await startWorkerPool(this.#poolOptions(config));
  }

  /** Goes on with the workers of another supervisor. */
  async inherit(
    config: Config,
    state: HandedState,
    { predecessor, admission }: { readonly predecessor: Predecessor; readonly admission: Admission },
  ): Promise<Generation> {
    const inherited = state.workers.map((worker) => ({
      link: predecessor.link(worker.pid),
      state: worker,
      seats: new Map(worker.seats.map(({ id, ...seat }) => [id, admission.adopt(seat)])),
    }));
    const pool = await startWorkerPool({ ...this.#poolOptions(config), inherited });
    const peers = new Map(pool.processes.map(({ pid, peer }) => [pid, peer]));
    await this.#relay.adopt(state.ownership, peers);
    return pool;
  }

  #poolOptions(config: Config): WorkerPoolOptions {
    const { journal, metrics } = this.#observers;
    return {
      config,
      services: { stock: this.#stock, journal, ownership: this.#relay, measure: this.#measure },
      log: this.#opened.log,
      onDied: (pid, how) => {
        metrics.count('worker_deaths');
        this.#clear(config, { pid, how });
      },
    };
  }

  /** Resolves when nothing is being cleared away any more. */
  async settled(): Promise<void> {
    await this.#clearing;
  }

  #clear(config: Config, { pid, how }: { readonly pid: number; readonly how: string }): void {
    const { catalog, log } = this.#opened;
    const { journal } = this.#observers;
    journal.append(
      serverRecord({ operation: 'worker', outcome: 'failed', path: `${pid}: ${how}`, error: 'INTERRUPTED' }),
    );
    const ended = orphansOf(config, log).then((bytesOf) => journal.abandon(String(pid), bytesOf));
    this.#clearing = Promise.all([this.#clearing, ended]).then(async () => {
      try {
        await recoverCatalog(catalog, config, log);
        await sweepRoots(config, log);
      } catch (error) {
        log.error({ err: error }, 'what a worker left could not be cleared away; the next start does it');
      }
    });
  }
}

/** Removes what a crash left half received. */
async function sweepRoots(config: Config, log: Logger): Promise<void> {
  for (const root of rootsOf(config)) {
    const orphans = await sweepStagingArea(root);
    if (orphans > 0) log.warn({ root, orphans }, 'removed uploads that a crash had left unfinished');
  }
}
