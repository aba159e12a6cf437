/**
 * Memory for content on its way, used again and again. A buffer for each piece of a large file is a GiB of garbage per GiB,
 * which the kernel has to clear page by page, and which V8 can't see: every 64 MiB of it, it goes through its whole heap.
 *
 * A block that nobody gives back is collected like any other buffer, so forgetting one costs time and no memory.
 * Giving back what is still read or written by somebody mixes up two clients' bytes: only who took it may, once it is done.
 */
import { blockBytes, blockBytesMin, blocksKeptBytesMax, smallBlockBytes } from './limits.ts';

export class Blocks {
  /** By size, those that nobody has. */
  readonly #free = new Map<number, Buffer[]>([
    [smallBlockBytes, []],
    [blockBytes, []],
  ]);
  #freeBytes = 0;
  /** Given out, and not given back. Weak: what is forgotten may go. */
  readonly #lent = new WeakSet<ArrayBufferLike>();

  /** `lengthBytes` of memory with anything in it: of a block, if it is worth one and fits. */
  take(lengthBytes: number): Buffer {
    if (lengthBytes < blockBytesMin || lengthBytes > blockBytes) return Buffer.allocUnsafe(lengthBytes);
    const sizeBytes = lengthBytes <= smallBlockBytes ? smallBlockBytes : blockBytes;
    const block = this.#reused(sizeBytes) ?? Buffer.allocUnsafeSlow(sizeBytes);
    this.#lent.add(block.buffer);
    return lengthBytes === sizeBytes ? block : block.subarray(0, lengthBytes);
  }

  /** Takes back the block in which `bytes` lie. Does nothing if they lie in none, or it was given back already. */
  giveBack(bytes: Buffer): void {
    const { buffer } = bytes;
    if (!this.#lent.delete(buffer) || this.#freeBytes + buffer.byteLength > blocksKeptBytesMax) return;
    this.#free.get(buffer.byteLength)?.push(Buffer.from(buffer));
    this.#freeBytes += buffer.byteLength;
  }

  #reused(sizeBytes: number): Buffer | undefined {
    const block = this.#free.get(sizeBytes)?.pop();
    if (block !== undefined) this.#freeBytes -= sizeBytes;
    return block;
  }
}

/** Those of this process. */
export const blocks = new Blocks();
