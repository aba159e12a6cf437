/** Content that is sent: an open regular file, read by offset. */
import { fstatSync } from 'node:fs';
import { blocks } from '../blocks.ts';
import type { Attributes } from '../guard/files.ts';
import type { StoredFile } from '../guard/store.ts';
import { attributesOf } from './descriptor.ts';
import { onHost, onHostSync } from './errno.ts';
import { host } from './host-calls.ts';
import { closeQuietly } from './last-names.ts';

/**
 * Reads until `lengthBytes` are there or the file ends. Throws host errors. Every long work on content reads it piece by
 * piece through here, and so ends with its client.
 * @param gone throws its reason once it is aborted
 */
export async function readFully(
  descriptor: number,
  { offset, lengthBytes }: { readonly offset: number; readonly lengthBytes: number },
  gone: AbortSignal | undefined,
): Promise<Buffer> {
  gone?.throwIfAborted();
  const bytes = blocks.take(lengthBytes);
  let filled = 0;
  while (filled < lengthBytes) {
    const { bytesRead } = await host.read(descriptor, bytes, filled, lengthBytes - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

export class DiskStoredFile implements StoredFile {
  readonly #descriptor: number;
  readonly #gone: AbortSignal | undefined;

  /** @param descriptor of a regular file; closed by `close` */
  constructor(descriptor: number, gone: AbortSignal | undefined) {
    this.#descriptor = descriptor;
    this.#gone = gone;
  }

  async attributes(): Promise<Attributes> {
    return attributesOf(onHostSync(() => fstatSync(this.#descriptor)));
  }

  async read(offset: number, lengthBytes: number): Promise<Buffer> {
    return await onHost(async () => {
      // Clients ask for 256 KiB of whatever it is, and then for what follows its end: neither is worth room or a thread.
      const leftBytes = Math.max(fstatSync(this.#descriptor).size - offset, 0);
      const wanted = { offset, lengthBytes: Math.min(lengthBytes, leftBytes) };
      return await readFully(this.#descriptor, wanted, this.#gone);
    });
  }

  async close(): Promise<void> {
    // It may have been replaced while it was read.
    const { nlink, size } = fstatSync(this.#descriptor);
    await closeQuietly(this.#descriptor, nlink === 0 ? size : 0);
  }
}
