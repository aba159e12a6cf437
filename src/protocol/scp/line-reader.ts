/**
 * Collects one line that may come in any number of pieces. Each byte is looked at once and copied at most once, and a
 * line that does not end within `scpLineBytesMax` is refused: an endless one costs its sender only.
 */
import { ProtocolError } from '../../errors.ts';
import { scpLineBytesMax } from '../../limits.ts';

const newline = 0x0a;

export class LineReader {
  #begun: Buffer | undefined;
  #length = 0;

  /** Whether a line has begun and not ended. */
  get isOpen(): boolean {
    return this.#length > 0;
  }

  /** The beginning of the unfinished line. */
  get unfinished(): Buffer {
    return (this.#begun ?? Buffer.alloc(0)).subarray(0, this.#length);
  }

  /**
   * Takes the bytes of `chunk` from `offset` on, up to and with the next newline. `line` is without it, and undefined
   * while the newline has not come; it is valid until the next call. Throws `ProtocolError`.
   */
  read(chunk: Buffer, offset: number): { readonly line: Buffer | undefined; readonly nextOffset: number } {
    const end = chunk.indexOf(newline, offset);
    const piece = chunk.subarray(offset, end === -1 ? chunk.length : end);
    if (this.#length + piece.length >= scpLineBytesMax) throw new ProtocolError('line too long');
    if (end !== -1 && this.#length === 0) return { line: piece, nextOffset: end + 1 };
    this.#begun ??= Buffer.allocUnsafe(scpLineBytesMax);
    this.#length += piece.copy(this.#begun, this.#length);
    if (end === -1) return { line: undefined, nextOffset: chunk.length };
    const line = this.#begun.subarray(0, this.#length);
    this.#length = 0;
    return { line, nextOffset: end + 1 };
  }
}
