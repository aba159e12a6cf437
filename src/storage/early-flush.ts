/**
 * Lets the disk write while more is received, so that little is left to be synced at the end. A failure counts like one of
 * the write itself: the kernel reports it once.
 */
import { onHost } from './errno.ts';
import { host } from './host-calls.ts';

/** What is written before the disk is told to begin with it. */
const flushBytes = 16 * 1024 * 1024;
/** Such flushes at one time, of all uploads: each holds one of the four threads that all file operations share. */
const flushesMax = 1;
let flushesRunning = 0;

export class EarlyFlush {
  readonly #descriptor: number;
  readonly #onFailure: (error: unknown) => void;
  #unflushedBytes = 0;
  #running: Promise<void> | undefined;

  /** @param descriptor borrowed until `ended` settles */
  constructor(descriptor: number, onFailure: (error: unknown) => void) {
    this.#descriptor = descriptor;
    this.#onFailure = onFailure;
  }

  wrote(byteCount: number): void {
    this.#unflushedBytes += byteCount;
    if (this.#unflushedBytes < flushBytes || this.#running !== undefined || flushesRunning >= flushesMax)
      return;
    this.#unflushedBytes = 0;
    flushesRunning += 1;
    this.#running = onHost(() => host.fdatasync(this.#descriptor))
      .then(() => {
        this.#running = undefined;
      })
      .finally(() => {
        flushesRunning -= 1;
      });
    this.#running.catch(this.#onFailure);
  }

  /** Resolves when none is under way; rejects with the host's error if one failed. */
  async ended(): Promise<void> {
    await this.#running;
  }
}
