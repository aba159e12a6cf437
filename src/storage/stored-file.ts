/** Content that is sent: an open regular file, read by offset. */
import type { Attributes } from '../guard/files.ts';
import type { StoredFile } from '../guard/store.ts';
import { attributesOf } from './descriptor.ts';
import { onHost } from './errno.ts';
import { host } from './host-calls.ts';

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
  const bytes = Buffer.allocUnsafe(lengthBytes);
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
    return attributesOf(await onHost(() => host.fstat(this.#descriptor)));
  }

  async read(offset: number, lengthBytes: number): Promise<Buffer> {
    return await onHost(() => readFully(this.#descriptor, { offset, lengthBytes }, this.#gone));
  }

  async close(): Promise<void> {
    await onHost(() => host.close(this.#descriptor));
  }
}
