/** The entries of a directory in a stable order, for a recursive `scp -f`. */
import type { Listing, ListingEntry } from '../guard/files.ts';
import { scpListingBatchEntriesMax } from '../limits.ts';

/**
 * Sorted by name as long as the directory has no more than `scpListingBatchEntriesMax` entries; a larger one comes in
 * sorted batches of that size, so that its size does not matter to us.
 */
export class SortedListing {
  readonly #listing: Listing;
  #batch: readonly ListingEntry[] = [];
  #index = 0;

  constructor(listing: Listing) {
    this.#listing = listing;
  }

  /** The next entry, or undefined at the end. Throws as `Listing.read`. */
  async next(): Promise<ListingEntry | undefined> {
    if (this.#index === this.#batch.length) {
      this.#batch = await this.#readBatch();
      this.#index = 0;
    }
    const entry = this.#batch[this.#index];
    if (entry !== undefined) this.#index += 1;
    return entry;
  }

  async close(): Promise<void> {
    await this.#listing.close();
  }

  async #readBatch(): Promise<readonly ListingEntry[]> {
    const batch: ListingEntry[] = [];
    while (batch.length < scpListingBatchEntriesMax) {
      const entries = await this.#listing.read(scpListingBatchEntriesMax - batch.length);
      if (entries.length === 0) break;
      batch.push(...entries);
    }
    return batch.sort((one, other) => (one.name < other.name ? -1 : 1));
  }
}
