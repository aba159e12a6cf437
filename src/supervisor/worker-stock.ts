/**
 * Processes that load a worker's program while the supervisor still makes ready what they will need. Each gets its first word,
 * the configuration, from whoever takes it; until then it opens nothing.
 */
import { forkWorker, type WorkerLink } from './worker-link.ts';

/** Next to the folder of this module, in the sources and in `dist/` alike. */
const program = new URL(import.meta.url.endsWith('.ts') ? '../worker.ts' : '../worker.js', import.meta.url);

export class WorkerStock {
  #waiting: WorkerLink[];

  /** Starts so many at once. */
  constructor(count = 0) {
    this.#waiting = Array.from({ length: count }, () => forkWorker(program));
  }

  /** One that waits, or a new one. */
  take(): WorkerLink {
    return this.#waiting.shift() ?? forkWorker(program);
  }

  /** Nobody will take those that still wait. */
  discard(): void {
    for (const link of this.#waiting.splice(0)) link.kill();
  }
}
