/** The journal's file, as its writer has it: lines are written on the spot where that takes no time (`pace.ts`). */
import fs from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { paced } from '../pace.ts';

/** What is needed of a file; each method as `FileHandle` has it. */
export type LineFile = Pick<FileHandle, 'truncate' | 'datasync' | 'close'> & {
  write(
    bytes: Buffer,
    offset: number,
    lengthBytes: number,
    position: number,
  ): Promise<{ readonly bytesWritten: number }>;
};

const fdatasync = promisify(fs.fdatasync);

export class PromptFile implements LineFile {
  readonly #file: FileHandle;

  /** @param file closed by `close` */
  constructor(file: FileHandle) {
    this.#file = file;
  }

  async write(
    bytes: Buffer,
    offset: number,
    lengthBytes: number,
    position: number,
  ): Promise<{ readonly bytesWritten: number }> {
    return await paced(
      lengthBytes,
      () => ({ bytesWritten: fs.writeSync(this.#file.fd, bytes, offset, lengthBytes, position) }),
      () => this.#file.write(bytes, offset, lengthBytes, position),
    );
  }

  async datasync(): Promise<void> {
    await fdatasync(this.#file.fd);
  }

  async truncate(lengthBytes?: number): Promise<void> {
    await this.#file.truncate(lengthBytes);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
