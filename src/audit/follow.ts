/** Reads what comes to a journal, from one file into the next; and its newest lines. */
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { journalFileName, linesOf, type JournalFile } from './journal-files.ts';

const chunkBytes = 256 * 1024;

/** The last so many lines. Throws host errors. */
export async function newestLines(files: readonly JournalFile[], count: number): Promise<Buffer[]> {
  let newest: Buffer[] = [];
  for (const file of files.toReversed()) {
    if (newest.length >= count) break;
    let ofFile: Buffer[] = [];
    for await (const { lines, isWhole } of linesOf(file))
      if (isWhole) ofFile = [...ofFile, ...lines.slice(-count)].slice(-count);
    newest = [...ofFile, ...newest];
  }
  return count === 0 ? [] : newest.slice(-count);
}

export class JournalFollower {
  readonly #path: string;
  #file: FileHandle | undefined;
  #offset = 0;
  #rest: Buffer = Buffer.alloc(0);

  constructor(directory: string) {
    this.#path = join(directory, journalFileName);
  }

  /** Passes over what is there. */
  async toEnd(): Promise<void> {
    this.#file = await this.#open();
    this.#offset = (await this.#file?.stat())?.size ?? 0;
  }

  /** The whole lines that came since. Throws host errors. */
  async next(): Promise<Buffer[]> {
    const lines = await this.#readOn();
    const current = await this.#open();
    if (current === undefined) return lines;
    if (this.#file !== undefined && (await current.stat()).ino === (await this.#file.stat()).ino) {
      await current.close();
      return lines;
    }
    // What was written to the old file before the new one was begun comes first.
    lines.push(...(await this.#readOn()));
    await this.#file?.close();
    [this.#file, this.#offset, this.#rest] = [current, 0, Buffer.alloc(0)];
    return [...lines, ...(await this.#readOn())];
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  async #readOn(): Promise<Buffer[]> {
    const lines: Buffer[] = [];
    for (;;) {
      const chunk = Buffer.alloc(chunkBytes);
      const { bytesRead = 0 } = (await this.#file?.read(chunk, 0, chunk.length, this.#offset)) ?? {};
      if (bytesRead === 0) return lines;
      this.#offset += bytesRead;
      let bytes = Buffer.concat([this.#rest, chunk.subarray(0, bytesRead)]);
      for (let end = bytes.indexOf(0x0a); end !== -1; end = bytes.indexOf(0x0a)) {
        lines.push(bytes.subarray(0, end));
        bytes = bytes.subarray(end + 1);
      }
      this.#rest = bytes;
    }
  }

  async #open(): Promise<FileHandle | undefined> {
    try {
      return await open(this.#path, constants.O_RDONLY | constants.O_NOFOLLOW);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }
}
