/** Content that is sent: an open regular file, read by offset. */
import { close, fstat, read } from 'node:fs';
import { promisify } from 'node:util';
import type { Attributes } from '../guard/files.ts';
import type { StoredFile } from '../guard/store.ts';
import { attributesOf } from './descriptor.ts';
import { onHost } from './errno.ts';

const readAsync = promisify(read);
const statAsync = promisify(fstat);
const closeAsync = promisify(close);

/** Reads until `lengthBytes` are there or the file ends. Throws host errors. */
export async function readFully(descriptor: number, offset: number, lengthBytes: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(lengthBytes);
  let filled = 0;
  while (filled < lengthBytes) {
    const { bytesRead } = await readAsync(descriptor, bytes, filled, lengthBytes - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

export class DiskStoredFile implements StoredFile {
  readonly #descriptor: number;

  /** @param descriptor of a regular file; closed by `close` */
  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  async attributes(): Promise<Attributes> {
    return attributesOf(await onHost(() => statAsync(this.#descriptor)));
  }

  async read(offset: number, lengthBytes: number): Promise<Buffer> {
    return await onHost(() => readFully(this.#descriptor, offset, lengthBytes));
  }

  async close(): Promise<void> {
    await onHost(() => closeAsync(this.#descriptor));
  }
}
