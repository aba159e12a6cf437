/**
 * A channel's incoming bytes, from the packet to the session that reads them. Holds at most what the window allows and
 * little more memory than that, however the client cuts its data: small pieces are gathered, and a piece that would keep
 * a much larger network buffer alive is copied.
 */
import { ScpdError } from '../errors.ts';

const smallBytesMax = 4 * 1024;
const storeBytes = 16 * 1024;

interface Reader {
  resolve(result: IteratorResult<Buffer, undefined>): void;
  reject(error: Error): void;
}

export class InputQueue implements AsyncIterable<Buffer> {
  readonly #onTaken: (byteCount: number) => void;
  readonly #blocks: Buffer[] = [];
  #reader: Reader | undefined;
  #state: 'open' | 'ended' | 'lost' | 'discarded' = 'open';
  #store: Buffer = Buffer.alloc(0);
  #storeStart = 0;
  #storeEnd = 0;
  /** Whether the last block is the store's open end. */
  #gathering = false;

  /** @param onTaken is told how many bytes the session took. */
  constructor(onTaken: (byteCount: number) => void) {
    this.#onTaken = onTaken;
  }

  /** Whether a session is waiting for the client. */
  get isAwaited(): boolean {
    return this.#reader !== undefined;
  }

  push(bytes: Buffer): void {
    if (this.#state !== 'open' || bytes.length === 0) return;
    const reader = this.#reader;
    if (reader !== undefined) {
      this.#reader = undefined;
      reader.resolve({ done: false, value: bytes });
      this.#onTaken(bytes.length);
    } else if (bytes.length < smallBytesMax) {
      this.#gather(bytes);
    } else {
      const keepsMuchMore = bytes.buffer.byteLength > 2 * bytes.length;
      this.#blocks.push(keepsMuchMore ? Buffer.from(bytes) : bytes);
      this.#gathering = false;
    }
  }

  /** The client's EOF. What came before can still be read. */
  end(): void {
    this.#finish('ended');
  }

  /** The channel went away. Counts only if there was no EOF. */
  lose(): void {
    this.#finish('lost');
  }

  /** Nobody will read any more. */
  discard(): void {
    this.#finish('ended');
    this.#state = 'discarded';
    this.#blocks.length = 0;
    this.#store = Buffer.alloc(0);
  }

  [Symbol.asyncIterator](): AsyncIterator<Buffer, undefined> {
    return {
      next: () => this.#next(),
      return: () => {
        this.discard();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  async #next(): Promise<IteratorResult<Buffer, undefined>> {
    const block = this.#blocks.shift();
    if (block !== undefined) {
      if (this.#blocks.length === 0) this.#gathering = false;
      this.#onTaken(block.length);
      return { done: false, value: block };
    }
    if (this.#state === 'lost') throw new ScpdError('CONNECTION_LOST');
    if (this.#state !== 'open') return { done: true, value: undefined };
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  #finish(state: 'ended' | 'lost'): void {
    if (this.#state !== 'open') return;
    this.#state = state;
    const reader = this.#reader;
    this.#reader = undefined;
    if (state === 'ended') reader?.resolve({ done: true, value: undefined });
    else reader?.reject(new ScpdError('CONNECTION_LOST'));
  }

  #gather(bytes: Buffer): void {
    if (this.#storeEnd + bytes.length > this.#store.length) {
      this.#store = Buffer.allocUnsafeSlow(storeBytes);
      this.#storeEnd = 0;
      this.#gathering = false;
    }
    if (!this.#gathering) this.#storeStart = this.#storeEnd;
    this.#storeEnd += bytes.copy(this.#store, this.#storeEnd);
    if (this.#gathering) this.#blocks.pop();
    this.#blocks.push(this.#store.subarray(this.#storeStart, this.#storeEnd));
    this.#gathering = true;
  }
}
