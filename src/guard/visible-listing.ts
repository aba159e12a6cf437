/** A listing of which only those entries are shown that the user may look at. */
import type { Access } from './access.ts';
import type { Listing, ListingEntry } from './files.ts';
import { childPath, type VirtualPath } from './virtual-path.ts';

/** @param directories what is listed: as asked, and where links led */
export function onlyVisible(listing: Listing, access: Access, directories: readonly VirtualPath[]): Listing {
  if (directories.every((directory) => access.isOpenBelow(directory))) return listing;
  const mayStat = (name: string): boolean =>
    directories.every((directory) => access.allows('stat', childPath(directory, name)));
  return new VisibleListing(listing, mayStat);
}

class VisibleListing implements Listing {
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
