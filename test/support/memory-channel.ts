/**
 * A `Channel` without a network: a test plays the client. `feed`, `end` and `lose` are what the client sends, `take` is
 * the client reading. `unreadBytesMax` makes a client that stops reading: once that much lies unread, `write` waits for
 * `take`, as it does on a full SSH window. Nothing here uses a timer.
 */
import { ScpdError } from '../../src/errors.ts';
import type { Channel, ChannelInput } from '../../src/session/channel.ts';

export interface MemoryChannelOptions {
  /** How much output may lie unread before `write` waits. Unlimited if absent. */
  readonly unreadBytesMax?: number;
  /** Whether standard error may have lines after standard output; in SCP and SFTP that is a fault. */
  readonly errorsAnyTime?: boolean;
}

export class MemoryChannel implements Channel {
  readonly input: ChannelInput;
  /** What `writeError` sent. */
  readonly errorLines: string[] = [];
  /** One length for each `write`. */
  readonly writeLengths: number[] = [];
  /** What `finish` was called with. */
  exitStatus: number | undefined;

  readonly #unreadBytesMax: number;
  readonly #errorsAnyTime: boolean;
  readonly #fed: Buffer[] = [];
  #output: Buffer = Buffer.alloc(0);
  #ended = false;
  readonly #gone = new AbortController();
  /** Those who wait for any of the above to change. */
  #wake: (() => void)[] = [];

  constructor(options: MemoryChannelOptions = {}) {
    this.#unreadBytesMax = options.unreadBytesMax ?? Infinity;
    this.#errorsAnyTime = options.errorsAnyTime ?? false;
    const hasArrived = (): boolean => this.#fed.length > 0;
    this.input = {
      [Symbol.asyncIterator]: () => ({ next: () => this.#nextInput() }),
      get hasArrived() {
        return hasArrived();
      },
    };
  }

  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** The client sends bytes; a string is Latin-1, one character a byte. Each call is one chunk of `input`. */
  feed(bytes: Buffer | string): void {
    this.#fed.push(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    this.#changed();
  }

  /** The client sends EOF: `input` ends after what was fed. */
  end(): void {
    this.#ended = true;
    this.#changed();
  }

  /** The connection breaks: `input` throws CONNECTION_LOST after what was fed; `write` at once, also where it waits. */
  lose(): void {
    this.#gone.abort(new ScpdError('CONNECTION_LOST'));
    this.#changed();
  }

  /** Bytes that were fed and not yet asked for. */
  get fedBytes(): number {
    return this.#fed.reduce((sum, chunk) => sum + chunk.length, 0);
  }

  /** Bytes that were written and not yet taken. */
  get unreadBytes(): number {
    return this.#output.length;
  }

  /** The client reads exactly `lengthBytes`, waiting for them; rejects if the session finishes with fewer. */
  async take(lengthBytes: number): Promise<Buffer> {
    while (this.#output.length < lengthBytes) {
      if (this.exitStatus !== undefined) {
        throw new Error(`the session finished with ${this.#output.length} of ${lengthBytes} bytes unread`);
      }
      await this.#change();
    }
    const taken = this.#output.subarray(0, lengthBytes);
    this.#output = this.#output.subarray(lengthBytes);
    this.#changed();
    return taken;
  }

  /** Everything that was written and not yet taken, without waiting. */
  takeAll(): Buffer {
    const taken = this.#output;
    this.#output = Buffer.alloc(0);
    this.#changed();
    return taken;
  }

  async write(bytes: Buffer): Promise<void> {
    this.#refuseIfOver();
    this.writeLengths.push(bytes.length);
    this.#output = Buffer.concat([this.#output, bytes]);
    this.#changed();
    while (this.#output.length > this.#unreadBytesMax) {
      await this.#change();
      this.#refuseIfOver();
    }
  }

  async writeError(line: string): Promise<void> {
    this.#refuseIfOver();
    if (this.writeLengths.length > 0 && !this.#errorsAnyTime) throw new Error('writeError after write');
    this.errorLines.push(line);
  }

  async finish(exitStatus: number): Promise<void> {
    this.exitStatus ??= exitStatus;
    this.#changed();
  }

  async #nextInput(): Promise<IteratorResult<Buffer>> {
    for (;;) {
      const chunk = this.#fed.shift();
      if (chunk !== undefined) return { done: false, value: chunk };
      this.gone.throwIfAborted();
      if (this.#ended) return { done: true, value: undefined };
      await this.#change();
    }
  }

  #refuseIfOver(): void {
    this.gone.throwIfAborted();
    if (this.exitStatus !== undefined) throw new Error('write after finish');
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #changed(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }
}
