/**
 * A copy of each record to standard output, for those who run scpd where that is what is collected. What waits for a slow
 * reader is kept here, so that it can be counted if it is lost, and is written in pieces that a pipe takes whole: during a
 * hand-over two processes write to the same one.
 */
import type { JournalCopy } from '../audit/copies.ts';
import { auditStdoutBytesMax } from '../limits.ts';

/** PIPE_BUF of Linux. A longer line is a piece of its own. */
const pieceBytesMax = 4096;

type Output = Pick<NodeJS.WriteStream, 'writable' | 'write'>;

interface Waiting {
  readonly line: string;
  readonly bytes: number;
}

export class StdoutCopy implements JournalCopy {
  readonly name = 'stdout';
  readonly target = '';
  lost = 0;
  readonly #output: Output;
  /** The first ones of them may be on their way. */
  #queue: Waiting[] = [];
  #queueBytes = 0;
  #writing: Promise<void> | undefined;

  constructor(output: Output = process.stdout) {
    this.#output = output;
  }

  push(lines: readonly string[]): void {
    for (const line of lines) {
      const bytes = Buffer.byteLength(line);
      if (this.#queueBytes + bytes > auditStdoutBytesMax) this.lost += 1;
      else {
        this.#queue.push({ line, bytes });
        this.#queueBytes += bytes;
      }
    }
    this.#writing ??= this.#writeAll();
  }

  async settled(): Promise<void> {
    await this.#writing;
  }

  close(): void {
    this.lost += this.#queue.length;
    [this.#queue, this.#queueBytes] = [[], 0];
  }

  async #writeAll(): Promise<void> {
    await Promise.resolve(); // `push` has yet to note that this goes on
    while (this.#queue.length > 0) {
      const queue = this.#queue;
      const { text, lines, bytes } = firstPiece(queue);
      const isWritten = await this.#write(text);
      if (queue !== this.#queue) continue; // given up meanwhile, and counted
      queue.splice(0, lines);
      this.#queueBytes -= bytes;
      if (!isWritten) this.lost += lines;
    }
    this.#writing = undefined;
  }

  async #write(text: string): Promise<boolean> {
    if (!this.#output.writable) return false;
    doNotBlock(this.#output);
    return await new Promise((resolve) => this.#output.write(text, (error) => resolve(!error)));
  }
}

/**
 * Whoever shares a pipe shares whether writing to it blocks, and Node sets that back when it ends: after the end of a worker, or of
 * a process that has handed over, a reader that hangs would hold up the server.
 */
function doNotBlock(output: Output): void {
  const { _handle: handle, isTTY } = output as Output & {
    readonly _handle?: { setBlocking?(isBlocking: boolean): void } | null;
    readonly isTTY?: boolean;
  };
  if (isTTY !== true) handle?.setBlocking?.(false);
}

function firstPiece(queue: readonly Waiting[]): { text: string; lines: number; bytes: number } {
  const piece = { text: '', lines: 0, bytes: 0 };
  for (const { line, bytes } of queue) {
    if (piece.lines > 0 && piece.bytes + bytes > pieceBytesMax) break;
    piece.text += line;
    piece.lines += 1;
    piece.bytes += bytes;
  }
  return piece;
}
