/**
 * Everything that a session has begun and not yet answered. Requests are begun as they come, run side by side where
 * `RequestOrder` lets them, and are answered in the order in which they came.
 *
 * Bounded by `sftpRequestsInFlightMax` and `sftpBytesInFlightMax`: while either is reached nothing is read from the client,
 * so its window closes. What a request holds is given back when its answer has been written, so a client that does not
 * read its answers is held back just as by a disk that does not move. A request larger than the bound runs alone.
 */
import { ScpdError } from '../errors.ts';
import { sftpBytesInFlightMax, sftpRequestsInFlightMax } from '../limits.ts';
import { encodeReply, type SftpReply } from '../protocol/sftp/replies.ts';
import type { ReplyQueue } from './sftp-reply-queue.ts';

interface Pending {
  readonly id: number;
  readonly heldBytes: number;
  /** Settles when `reply` is there. Never rejects. */
  readonly done: Promise<void>;
  reply: SftpReply | undefined;
}

export class Pipeline {
  readonly #replies: ReplyQueue;
  /** In the order of the requests. */
  readonly #pending: Pending[] = [];
  #heldBytes = 0;
  #sending: Promise<void> | undefined;
  #failure: unknown;
  #resume: (() => void) | undefined;

  constructor(replies: ReplyQueue) {
    this.#replies = replies;
  }

  /** Whether a request that holds so many bytes may begin. */
  hasRoom(heldBytes: number): boolean {
    if (this.#failure !== undefined) return false;
    if (this.#pending.length === 0) return true;
    return (
      this.#pending.length < sftpRequestsInFlightMax && this.#heldBytes + heldBytes <= sftpBytesInFlightMax
    );
  }

  /** Resolves when `hasRoom`. Rejects with CONNECTION_LOST when answers can no longer be sent. */
  async room(heldBytes: number): Promise<void> {
    while (!this.hasRoom(heldBytes)) {
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#resume = resolve;
      });
    }
  }

  /** Takes a request that has begun; its answer goes out in its turn. @param work must not reject */
  add(id: number, heldBytes: number, work: Promise<SftpReply>): void {
    const pending: Pending = {
      id,
      heldBytes,
      reply: undefined,
      done: work.then((reply) => {
        pending.reply = reply;
      }),
    };
    this.#pending.push(pending);
    this.#heldBytes += heldBytes;
    this.#sending ??= this.#send().finally(() => {
      this.#sending = undefined;
    });
  }

  /** Resolves when everything has been answered. Rejects with CONNECTION_LOST. */
  async answered(): Promise<void> {
    while (this.#sending !== undefined) await this.#sending;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Resolves when nothing runs any more, answered or not. Never rejects. */
  async ended(): Promise<void> {
    this.#failure ??= new ScpdError('CONNECTION_LOST');
    await Promise.all(this.#pending.map(({ done }) => done));
    await this.#sending;
  }

  /** Never rejects: whoever waits for room or for the end is told. */
  async #send(): Promise<void> {
    try {
      for (let next = this.#pending[0]; next !== undefined; next = this.#pending[0]) {
        // Nobody's answer waits in the batch for somebody else's work.
        if (next.reply === undefined) await this.#replies.flush();
        await next.done;
        if (next.reply !== undefined) await this.#replies.add(encodeReply(next.id, next.reply));
        this.#pending.shift();
        this.#heldBytes -= next.heldBytes;
        this.#wake();
        if (this.#pending.length === 0) await this.#replies.flush();
      }
    } catch (error) {
      this.#failure = error;
      this.#wake();
    }
  }

  #wake(): void {
    this.#resume?.();
    this.#resume = undefined;
  }
}
