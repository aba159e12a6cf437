/**
 * The client's bytes, one chunk ahead: the next chunk is asked for while the last is worked on. That keeps the network
 * and the disk busy at once, and it shows whether a client waits for our answers.
 */

type Outcome =
  | { readonly kind: 'chunk'; readonly bytes: Buffer }
  | { readonly kind: 'end' }
  | { readonly kind: 'error'; readonly error: unknown };

export class ScpInput {
  readonly #chunks: AsyncIterator<Buffer>;
  #next: Promise<Outcome>;
  #hasArrived = false;

  /** Begins to read at once. */
  constructor(input: AsyncIterable<Buffer>) {
    this.#chunks = input[Symbol.asyncIterator]();
    this.#next = this.#read();
  }

  /** Whether bytes lie here that were not asked for: the client sent them before it could see an answer. */
  get hasArrived(): boolean {
    return this.#hasArrived;
  }

  /** The next bytes, or undefined at the client's EOF. Throws as `Channel.input`. Not after undefined or an error. */
  async next(): Promise<Buffer | undefined> {
    const outcome = await this.#next;
    this.#hasArrived = false;
    if (outcome.kind === 'error') throw outcome.error;
    if (outcome.kind === 'end') return undefined;
    this.#next = this.#read();
    return outcome.bytes;
  }

  /** Never rejects: nobody may be waiting when the connection is lost. */
  async #read(): Promise<Outcome> {
    try {
      const { done, value } = await this.#chunks.next();
      if (done === true) return { kind: 'end' };
      this.#hasArrived = true;
      return { kind: 'chunk', bytes: value };
    } catch (error) {
      return { kind: 'error', error };
    }
  }
}
