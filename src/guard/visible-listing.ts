/** A listing of which only those entries are shown that the user may look at. */
import type { Listing, ListingEntry } from './files.ts';

export class VisibleListing implements Listing {
  readonly #listing: Listing;
  readonly #isVisible: (name: string) => boolean;

  constructor(listing: Listing, isVisible: (name: string) => boolean) {
    this.#listing = listing;
    this.#isVisible = isVisible;
  }

  /** An empty answer would mean the end, so what holds nothing to show is passed over. */
  async read(entriesMax: number): Promise<readonly ListingEntry[]> {
    for (;;) {
      const entries = await this.#listing.read(entriesMax);
      const visible = entries.filter(({ name }) => this.#isVisible(name));
      if (entries.length === 0 || visible.length > 0) return visible;
    }
  }

  async close(): Promise<void> {
    await this.#listing.close();
  }
}
