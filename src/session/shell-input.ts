/** Standard input of a shell: lines for the shell itself, and between them the bytes of the scp that a line started. */
import { ProtocolError } from '../errors.ts';
import { shellLineBytesMax } from '../limits.ts';
import type { ChannelInput } from './channel.ts';

const newline = 0x0a;

export class ShellInput {
  readonly #input: ChannelInput;
  readonly #chunks: AsyncIterator<Buffer>;
  /** What came behind the last line. */
  #rest: Buffer = Buffer.alloc(0);

  constructor(input: ChannelInput) {
    this.#input = input;
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
      const { done, value } = await this.#chunks.next();
      if (done === true) return undefined;
      this.#rest = Buffer.concat([this.#rest, value]);
    }
  }

  /** What a program gets that runs now: the bytes from here on. It takes no more of them than it needs. */
  get forProgram(): ChannelInput {
    const hasRest = (): boolean => this.#rest.length > 0;
    const hasArrived = (): boolean => hasRest() || this.#input.hasArrived;
    const next = async (): Promise<IteratorResult<Buffer>> => {
      if (!hasRest()) return await this.#chunks.next();
      const value = this.#rest;
      this.#rest = Buffer.alloc(0);
      return { done: false, value };
    };
    return {
      [Symbol.asyncIterator]: () => ({ next }),
      get hasArrived() {
        return hasArrived();
      },
    };
  }
}
