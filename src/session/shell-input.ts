/**
 * Standard input of a shell: lines for the shell itself, and between them the bytes of the scp that a line started. A
 * program's reader is one chunk ahead of what the program takes; what it had asked for when the program ended belongs to
 * the next line, so a chunk is taken only by a reader that is still there when the chunk comes.
 */
import { ProtocolError } from '../errors.ts';
import { shellLineBytesMax } from '../limits.ts';

const newline = 0x0a;

export class ShellInput {
  readonly #chunks: AsyncIterator<Buffer>;
  /** The chunk that was asked for and not taken yet. */
  #pending: Promise<IteratorResult<Buffer>> | undefined;
  /** What came behind the last line. */
  #rest: Buffer = Buffer.alloc(0);

  constructor(input: AsyncIterable<Buffer>) {
    this.#chunks = input[Symbol.asyncIterator]();
  }

  /** The next line without its end, or undefined at the client's EOF. Throws `ProtocolError` if it is too long. */
  async line(): Promise<Buffer | undefined> {
    for (;;) {
      const end = this.#rest.indexOf(newline);
      if (end !== -1) {
        const line = this.#rest.subarray(0, end);
        this.#rest = this.#rest.subarray(end + 1);
        return line.at(-1) === 0x0d ? line.subarray(0, -1) : line;
      }
      if (this.#rest.length > shellLineBytesMax) throw new ProtocolError('line too long');
      const { done, value } = await this.#peek();
      if (done === true) return undefined;
      this.#pending = undefined;
      this.#rest = Buffer.concat([this.#rest, value]);
    }
  }

  /** Runs a program with the bytes from here on as its input. */
  async lend<T>(run: (input: AsyncIterable<Buffer>) => Promise<T>): Promise<T> {
    let isLent = true;
    const next = async (): Promise<IteratorResult<Buffer>> => {
      if (this.#rest.length > 0) {
        const value = this.#rest;
        this.#rest = Buffer.alloc(0);
        return { done: false, value };
      }
      const result = await this.#peek();
      if (!isLent) return { done: true, value: undefined };
      if (result.done !== true) this.#pending = undefined;
      return result;
    };
    try {
      return await run({ [Symbol.asyncIterator]: () => ({ next }) });
    } finally {
      isLent = false;
    }
  }

  #peek(): Promise<IteratorResult<Buffer>> {
    if (this.#pending === undefined) {
      this.#pending = this.#chunks.next();
      // Whoever takes it learns of it; at the end of the session nobody may.
      this.#pending.catch(() => undefined);
    }
    return this.#pending;
  }
}
