/**
 * The SHA-256 of a file that grows. Bytes are hashed in the order in which they come; what comes elsewhere is read from the
 * file once that is needed. Of an upload that goes on where another one ended, the beginning is read while the rest comes,
 * so that the client need not wait for it at the end.
 */
import { createHash, type Hash } from 'node:crypto';
import { onHost } from './errno.ts';
import { readFully } from './stored-file.ts';

const chunkBytes = 1024 * 1024;

export class RunningHash {
  readonly #descriptor: number;
  readonly #gone: AbortSignal | undefined;
  /** Of the first `#hashedBytes`. Undefined: what was hashed has changed since, and all of it must be read again. */
  #hash: Hash | undefined = createHash('sha256');
  #hashedBytes = 0;
  #sizeBytes: number;
  /** Where the chunk ends that is being read; what is written below must not be hashed as it was. */
  #readingEnd = 0;
  #reading: Promise<void> | undefined;
  #isStopped = false;

  /**
   * @param file.sizeBytes what the file holds already; the descriptor is borrowed until `stop` resolves
   * @param gone ends all reading
   */
  constructor(
    { descriptor, sizeBytes }: { readonly descriptor: number; readonly sizeBytes: number },
    gone: AbortSignal | undefined,
  ) {
    this.#descriptor = descriptor;
    this.#gone = gone;
    this.#sizeBytes = sizeBytes;
  }

  /** To be called when the bytes are in the file. */
  wrote(bytes: Buffer, offset: number): void {
    if (offset < Math.max(this.#hashedBytes, this.#readingEnd)) this.#hash = undefined;
    if (this.#hash !== undefined && offset === this.#hashedBytes) {
      this.#hash.update(bytes);
      this.#hashedBytes += bytes.length;
    }
    this.#sizeBytes = Math.max(this.#sizeBytes, offset + bytes.length);
  }

  /** To be called when the file has another size. */
  resized(sizeBytes: number): void {
    if (sizeBytes < Math.max(this.#hashedBytes, this.#readingEnd)) this.#hash = undefined;
    this.#sizeBytes = sizeBytes;
    if (sizeBytes > 0 || this.#readingEnd > 0) return;
    this.#hash = createHash('sha256');
    this.#hashedBytes = 0;
  }

  /** Begins to hash what is there and was not written through here. */
  catchUp(): void {
    this.#reading ??= this.#read().catch(() => {
      this.#hash = undefined; // `digest` reads it again, and tells what is wrong
    });
  }

  /** Hex; of all of the file. Throws host errors. */
  async digest(): Promise<string> {
    await this.#reading;
    if (this.#hash === undefined) {
      this.#hash = createHash('sha256');
      this.#hashedBytes = 0;
    }
    await this.#read();
    return this.#hash.digest('hex');
  }

  /** Resolves when nothing is read any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#reading;
  }

  async #read(): Promise<void> {
    while (!this.#isStopped && this.#hash !== undefined && this.#hashedBytes < this.#sizeBytes) {
      const offset = this.#hashedBytes;
      const lengthBytes = Math.min(chunkBytes, this.#sizeBytes - offset);
      this.#readingEnd = offset + lengthBytes;
      const bytes = await onHost(() =>
        readFully(this.#descriptor, { offset, lengthBytes }, this.#gone),
      ).finally(() => (this.#readingEnd = 0));
      if (bytes.length === 0) return; // it was cut meanwhile
      this.#hash?.update(bytes);
      this.#hashedBytes += bytes.length;
    }
  }
}
