/**
 * Collects the replies of one turn, so that many small ones leave in one write: a client that sends eight requests in
 * one packet reads one packet of answers. Order is kept, and no more than `batchBytes` and one reply is ever held. The memory of
 * a part is given back when it was sent, and not before: until then it waits here.
 */
import { blocks } from '../blocks.ts';
import type { Channel } from './channel.ts';

/** From this size on a buffer is written as it is: copying it would cost more than a write of its own. */
const directBytesMin = 16 * 1024;
/** More than this is not collected; one SSH packet of data is 32 KiB. */
const batchBytes = 32 * 1024;

export class ReplyQueue {
  readonly #channel: Channel;
  #batch: Buffer[] = [];
  #batchBytes = 0;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /** Queues the parts of one reply, whose memory is its own from now on; waits while the client does not read. Rejects with CONNECTION_LOST. */
  async add(parts: readonly Buffer[]): Promise<void> {
    for (const part of parts) {
      if (part.length >= directBytesMin) {
        await this.flush();
        await this.#channel.write(part);
        blocks.giveBack(part);
      } else {
        this.#batch.push(part);
        this.#batchBytes += part.length;
      }
    }
    if (this.#batchBytes >= batchBytes) await this.flush();
  }

  /** Sends what is queued. To be called before waiting for the client. Rejects with CONNECTION_LOST. */
  async flush(): Promise<void> {
    if (this.#batchBytes === 0) return;
    const parts = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    const [first] = parts;
    const bytes = parts.length === 1 && first !== undefined ? first : Buffer.concat(parts);
    await this.#channel.write(bytes);
    for (const part of parts) blocks.giveBack(part);
  }
}
