/**
 * A channel's incoming bytes, from the packet to the session that reads them. What is pushed is copied into blocks, because
 * it lies in memory that the next read from the network fills anew. While the session is busy its next bytes gather, so it
 * gets them in pieces that are worth a write. Holds what the window allows and one block more, however the client cuts its data.
 */
import { blocks } from '../blocks.ts';
import { ScpdError } from '../errors.ts';
import { blockBytes } from '../limits.ts';
import type { ChannelInput } from '../session/channel.ts';

interface Block {
  readonly memory: Buffer;
  /** What lies between them is unread. */
  start: number;
  end: number;
}

export class InputQueue implements ChannelInput {
  readonly #onTaken: (byteCount: number) => void;
  readonly #blocks: Block[] = [];
  #wake: (() => void) | undefined;
  #state: 'open' | 'ended' | 'lost' | 'discarded' = 'open';

  /** @param onTaken is told how many bytes the session took. */
  constructor(onTaken: (byteCount: number) => void) {
    this.#onTaken = onTaken;
  }

  /** Whether a session is waiting for the client. */
  get isAwaited(): boolean {
    return this.#wake !== undefined;
  }

  get hasArrived(): boolean {
    return this.#blocks.some(({ start, end }) => start < end);
  }

  push(bytes: Buffer): void {
    if (this.#state !== 'open' || bytes.length === 0) return;
    for (let offset = 0; offset < bytes.length;) {
      const block = this.#openBlock();
      const copied = bytes.copy(block.memory, block.end, offset);
      block.end += copied;
      offset += copied;
    }
    this.#awake();
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
    // Not given back: the session may still work on the last piece.
    this.#blocks.length = 0;
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
    for (;;) {
      const [block] = this.#blocks;
      if (block !== undefined && block.start < block.end) {
        const value = block.memory.subarray(block.start, block.end);
        block.start = block.end;
        this.#onTaken(value.length);
        return { done: false, value };
      }
      if (block !== undefined) this.#giveBackFirst();
      else if (this.#state === 'lost') throw new ScpdError('CONNECTION_LOST');
      else if (this.#state !== 'open') return { done: true, value: undefined };
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** The session is done with all of it. */
  #giveBackFirst(): void {
    const block = this.#blocks.shift();
    if (block !== undefined) blocks.giveBack(block.memory);
  }

  #openBlock(): Block {
    const last = this.#blocks.at(-1);
    if (last !== undefined && last.end < last.memory.length) return last;
    const block = { memory: blocks.take(blockBytes), start: 0, end: 0 };
    this.#blocks.push(block);
    return block;
  }

  #finish(state: 'ended' | 'lost'): void {
    if (this.#state !== 'open') return;
    this.#state = state;
    this.#awake();
  }

  #awake(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
