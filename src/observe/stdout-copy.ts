/** A copy of each record to standard output, for those who run scpd where that is what is collected. */
import type { JournalCopy } from '../audit/copies.ts';
import { auditStdoutBytesMax } from '../limits.ts';

export class StdoutCopy implements JournalCopy {
  readonly name = 'stdout';
  lost = 0;
  readonly #output: NodeJS.WriteStream;

  constructor(output: NodeJS.WriteStream = process.stdout) {
    this.#output = output;
  }

  push(lines: readonly string[]): void {
    for (const line of lines) {
      if (this.#output.writableLength > auditStdoutBytesMax || !this.#output.writable) this.lost += 1;
      else this.#output.write(line);
    }
  }

  async close(): Promise<void> {
    // What is left is the stream's.
  }
}
