/** A directory being listed: entries as they come from the kernel, attributes looked up through the directory's descriptor. */
import { type Dir, type Dirent } from 'node:fs';
import { opendir } from 'node:fs/promises';
import type { Listing, ListingEntry } from '../guard/files.ts';
import type { StoredAttributes } from '../guard/store.ts';
import { reservedName } from '../guard/virtual-path.ts';
import { decodeName } from '../name-bytes.ts';
import { itself, lookSync, release } from './descriptor.ts';
import { onHost, onHostSync } from './errno.ts';

/** What one getdents call of the kernel may bring at once, in entries. */
const directoryBufferEntries = 256;

interface ListingOptions {
  readonly isRoot: boolean;
  /** Throws its reason once it is aborted: whoever goes through a tree ends with its client. */
  readonly gone: AbortSignal | undefined;
}

/** @param descriptor of the directory; taken over, also when this throws */
export async function openListing(
  descriptor: number,
  listing: ListingOptions,
): Promise<Listing<StoredAttributes>> {
  try {
    // Names are bytes: the types know 'buffer' only for readdir.
    const options = { encoding: 'buffer' as BufferEncoding, bufferSize: directoryBufferEntries };
    return new DiskListing(descriptor, await onHost(() => opendir(itself(descriptor), options)), listing);
  } catch (error) {
    release(descriptor);
    throw error;
  }
}

class DiskListing implements Listing<StoredAttributes> {
  readonly #descriptor: number;
  readonly #directory: Dir;
  readonly #options: ListingOptions;

  constructor(descriptor: number, directory: Dir, options: ListingOptions) {
    this.#descriptor = descriptor;
    this.#directory = directory;
    this.#options = options;
  }

  async read(entriesMax: number): Promise<readonly ListingEntry<StoredAttributes>[]> {
    for (;;) {
      this.#options.gone?.throwIfAborted();
      const names = await this.#readNames(entriesMax);
      if (names.length === 0) return [];
      const present = names.flatMap((name) => this.#describe(name) ?? []);
      if (present.length > 0) return present; // an empty answer would mean the end
    }
  }

  async close(): Promise<void> {
    try {
      await onHost(() => this.#directory.close());
    } finally {
      release(this.#descriptor);
    }
  }

  async #readNames(entriesMax: number): Promise<string[]> {
    const names: string[] = [];
    while (names.length < entriesMax) {
      const entry = (await onHost(() => this.#directory.read())) as Dirent<Buffer> | null;
      if (entry === null) break;
      const name = decodeName(entry.name);
      if (!(this.#options.isRoot && name === reservedName)) names.push(name);
    }
    return names;
  }

  /** Undefined for what was removed between the listing and the look. */
  #describe(name: string): ListingEntry<StoredAttributes> | undefined {
    const attributes = onHostSync(() => lookSync(this.#descriptor, name));
    return attributes === undefined ? undefined : { name, attributes };
  }
}
