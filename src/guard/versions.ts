/**
 * What becomes of files that are replaced or removed: which of them stay as versions, for how long, and which may not be
 * removed yet. A version is dropped when there are newer ones enough or when it is too old, but never while it is
 * retained, and never if it is the last copy of the file that is known to be whole (`verified`).
 */
import { performance } from 'node:perf_hooks';
import { ScpdError, errorCode } from '../errors.ts';
import type { SessionJournal } from '../audit/session-journal.ts';
import type { VersionPolicy } from '../users/rule.ts';
import { isCurrent, type KnownEntry } from './ledger.ts';
import type { QuotaKeeper } from './quota.ts';
import type { Store, StoredAttributes } from './store.ts';
import { newestFirst, shownVersionPath, versionDirectory, versionTimeMs } from './version-path.ts';
import { childPath, parentPath, type VirtualPath } from './virtual-path.ts';

/** What the rules say of versions; `Access` does. */
export interface VersionRules {
  versions(path: VirtualPath): VersionPolicy | undefined;
  retainMs(path: VirtualPath): number | undefined;
}

export interface VersionsOptions {
  readonly rules: VersionRules;
  readonly store: Store;
  readonly quota: QuotaKeeper;
  readonly journal: SessionJournal;
}

/** What of one listing of versions is read at once. */
const listingEntries = 256;

/** The versions of one user's files. */
export class Versions {
  readonly #rules: VersionRules;
  readonly #store: Store;
  readonly #quota: QuotaKeeper;
  readonly #journal: SessionJournal;

  constructor({ rules, store, quota, journal }: VersionsOptions) {
    this.#rules = rules;
    this.#store = store;
    this.#quota = quota;
    this.#journal = journal;
  }

  /** Whether what is removed at a path is to stay, in the words of `Place.remove`. */
  keeping(path: VirtualPath): { readonly keepVersion: boolean } {
    return { keepVersion: this.#rules.versions(path) !== undefined };
  }

  /** Throws RETAINED for a file that can't be removed yet, and STORAGE_FAILED if that is not known. */
  async requireRemovable(path: VirtualPath, { kind }: StoredAttributes): Promise<void> {
    const retainMs = this.#rules.retainMs(path);
    if (retainMs === undefined || kind !== 'file') return;
    if (isRetained(await this.#quota.entryAt(path), retainMs)) throw new ScpdError('RETAINED', path);
  }

  /** Throws RETAINED for a file that would get away from its retention by being moved. */
  async requireMovable(from: VirtualPath, to: VirtualPath, attributes: StoredAttributes): Promise<void> {
    const [here, there] = [this.#rules.retainMs(from) ?? 0, this.#rules.retainMs(to) ?? 0];
    if (there < here) await this.requireRemovable(from, attributes);
  }

  /** Drops the versions of a file that are too many or too old. Answers how many are left. Never throws. */
  async prune(path: VirtualPath): Promise<number> {
    const policy = this.#rules.versions(path);
    if (policy === undefined) return 0;
    try {
      const names = await this.#namesOf(path);
      const surplus = names.filter(
        (name, index) => index >= policy.versionsMax || isOlder(name, policy.ageMsMax),
      );
      let left = names.length;
      if (surplus.length === 0) return left;
      const lastVerified = await this.#lastVerified(path, names);
      for (const name of surplus) {
        if (name !== lastVerified && (await this.#drop(path, name))) left -= 1;
      }
      if (left === 0) await this.#removeDirectories(path);
      return left;
    } catch (error) {
      // What is left over is looked at again the next time.
      this.#journal.record({
        operation: 'prune',
        outcome: 'failed',
        path: shownVersionPath(versionDirectory(path)),
        error: errorCode(error),
      });
      return 1;
    }
  }

  /** Newest first. */
  async #namesOf(path: VirtualPath): Promise<readonly string[]> {
    const directory = await this.#store.locate(versionDirectory(path), { follow: false });
    try {
      if (directory.attributes?.kind !== 'directory') return [];
      const listing = await directory.list();
      const names: string[] = [];
      try {
        for (;;) {
          const entries = await listing.read(listingEntries);
          if (entries.length === 0) return newestFirst(names);
          for (const { name, attributes } of entries)
            if (attributes.kind === 'file' && versionTimeMs(name) !== undefined) names.push(name);
        }
      } finally {
        await listing.close();
      }
    } finally {
      directory.close();
    }
  }

  /** The newest version that is known to be whole, unless the file itself is. */
  async #lastVerified(path: VirtualPath, names: readonly string[]): Promise<string | undefined> {
    const current = await this.#quota.entryAt(path);
    const place = await this.#store.locate(path, { follow: false });
    place.close();
    const isThere = current !== undefined && place.path === path && place.attributes !== undefined;
    if (isThere && current.verdict === 'verified' && isCurrent(current, place.attributes)) return undefined;
    for (const name of names) {
      if ((await this.#versionEntry(path, name))?.verdict === 'verified') return name;
    }
    return undefined;
  }

  /** Whether it is gone. */
  async #drop(path: VirtualPath, name: string): Promise<boolean> {
    const retainMs = this.#rules.retainMs(path);
    if (retainMs !== undefined && isRetained(await this.#versionEntry(path, name), retainMs)) return false;
    const stored = childPath(versionDirectory(path), name);
    const place = await this.#store.locate(stored, { follow: false });
    try {
      this.#journal.ensureWritable();
      await this.#quota.removing(place, () => place.remove());
      this.#journal.record({ operation: 'prune', outcome: 'done', path: shownVersionPath(stored) });
      return true;
    } catch (error) {
      if (errorCode(error) === 'NOT_FOUND') return true; // another session was quicker
      throw error;
    } finally {
      place.close();
    }
  }

  async #versionEntry(path: VirtualPath, name: string): Promise<KnownEntry | undefined> {
    return await this.#quota.entryAt(childPath(versionDirectory(path), name));
  }

  /** A file without versions needs no directory for them, nor for those of its directory if these were the last. */
  async #removeDirectories(path: VirtualPath): Promise<void> {
    for (let original = path; original !== '/'; original = parentPath(original)) {
      const place = await this.#store.locate(versionDirectory(original), { follow: false });
      try {
        await place.removeDirectory();
      } catch (error) {
        if (errorCode(error) === 'DIRECTORY_NOT_EMPTY' || errorCode(error) === 'NOT_FOUND') return;
        throw error;
      } finally {
        place.close();
      }
    }
  }
}

/** What is not known was not stored through scpd, or its record is lost: it is retained until it is known again. */
function isRetained(entry: KnownEntry | undefined, retainMs: number): boolean {
  if (entry === undefined) return true;
  return Date.parse(entry.storedAt) + retainMs > earliestNowMs();
}

function isOlder(name: string, ageMsMax: number): boolean {
  return earliestNowMs() - (versionTimeMs(name) ?? 0) > ageMsMax;
}

/**
 * The time, as far as it is sure to have come: a clock that is set forward while the server runs ends no retention and makes
 * no version old.
 */
function earliestNowMs(): number {
  return Math.min(Date.now(), performance.timeOrigin + performance.now());
}
