/**
 * What becomes of files that are replaced or removed: which of them stay as versions, for how long, and which may not be
 * removed yet. A version is dropped when there are newer ones enough or when it is too old, but never while it is
 * retained, and never if it is the last copy of the file that is known to be whole (`verified`).
 */
import { performance } from 'node:perf_hooks';
import { ScpdError, errorCatalogue, errorCode, type RuleRefusal } from '../errors.ts';
import type { SessionJournal } from '../audit/session-journal.ts';
import type { VersionPolicy } from '../users/rule.ts';
import { giveWay } from '../pace.ts';
import { isCurrent, type KnownEntry } from './ledger.ts';
import type { QuotaKeeper } from './quota.ts';
import { keepsAtLeast, type Keeping } from './rules.ts';
import type { Store, StoredAttributes } from './store.ts';
import { newestFirst, shownVersionPath, versionDirectory, versionTimeMs } from './version-path.ts';
import { childPath, parentPath, rootPath, type VirtualPath } from './virtual-path.ts';

/** What the rules say of versions; `Access` does. */
export interface VersionRules {
  versions(path: VirtualPath): VersionPolicy | undefined;
  retainMs(path: VirtualPath): number | undefined;
  /** The rule that says so. */
  retainedBy(path: VirtualPath): RuleRefusal;
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
  async requireRemovable(path: VirtualPath, attributes: StoredAttributes): Promise<void> {
    const retainMs = this.#rules.retainMs(path);
    if (retainMs === undefined || attributes.kind !== 'file') return;
    if (isRetained(await this.#quota.entryAt(path), attributes, retainMs))
      throw new ScpdError('RETAINED', path, { rule: this.#rules.retainedBy(path) });
  }

  /** Throws RETAINED or PERMISSION_DENIED for a file that would get away from what keeps it by being moved. */
  async requireMovable(from: VirtualPath, to: VirtualPath, attributes: StoredAttributes): Promise<void> {
    if (attributes.kind !== 'file') return; // of directories see `Access.checkTree`; nothing of a link is kept
    const [here, there] = [this.#keepingAt(from), this.#keepingAt(to)];
    if (keepsAtLeast(there, here)) return;
    if ((there.retainMs ?? 0) < (here.retainMs ?? 0)) await this.requireRemovable(from, attributes);
    if (!keepsAtLeast({ ...there, retainMs: here.retainMs }, here))
      throw new ScpdError('PERMISSION_DENIED', `rename ${from} to where old files do not stay`, {
        rule: { reason: 'versions' },
      });
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
      for (const name of surplus) {
        await giveWay(); // retained ones may be any number, and the catalog answers at once
        if (!(await this.#isLastVerified(path, name, names)) && (await this.#tryDrop(path, name))) left -= 1;
      }
      if (left === 0) await this.#removeDirectories(path);
      return left;
    } catch (error) {
      this.#failed(versionDirectory(path), error);
      return 1;
    }
  }

  /** What is left over is looked at again the next time. */
  #failed(stored: VirtualPath, error: unknown): void {
    const [path, outcome] = [shownVersionPath(stored), errorCatalogue[errorCode(error)].outcome];
    this.#journal.record({ operation: 'prune', outcome, path, error: errorCode(error) });
  }

  #keepingAt(path: VirtualPath): Keeping {
    return { versions: this.#rules.versions(path), retainMs: this.#rules.retainMs(path) };
  }

  /** Newest first. A crash may have left the file itself among them: that is not one of them yet. */
  async #namesOf(path: VirtualPath): Promise<readonly string[]> {
    const current = await this.#currentOf(path);
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
            if (
              attributes.kind === 'file' &&
              attributes.inode !== current?.inode &&
              versionTimeMs(name) !== undefined
            )
              names.push(name);
        }
      } finally {
        await listing.close();
      }
    } finally {
      directory.close();
    }
  }

  /**
   * Whether a version is the newest copy that is known to be whole: neither the file itself is, nor a newer version. Asked of
   * each that might go and is whole, not of all that there are.
   * @param names newest first
   */
  async #isLastVerified(path: VirtualPath, name: string, names: readonly string[]): Promise<boolean> {
    if (!(await this.#isVerified(path, name))) return false;
    const [known, current] = [await this.#quota.entryAt(path), await this.#currentOf(path)];
    const isKnown = known !== undefined && current !== undefined && isCurrent(known, current);
    if (isKnown && known.verdict === 'verified') return false;
    for (const newer of names.slice(0, names.indexOf(name))) {
      await giveWay();
      if (await this.#isVerified(path, newer)) return false;
    }
    return true;
  }

  /** What is at a path by its very name; its directories may be gone. */
  async #currentOf(path: VirtualPath): Promise<StoredAttributes | undefined> {
    const root = await this.#store.locate(rootPath, { follow: false });
    try {
      return root.lookAt(path);
    } finally {
      root.close();
    }
  }

  async #tryDrop(path: VirtualPath, name: string): Promise<boolean> {
    try {
      return await this.#drop(path, name);
    } catch (error) {
      this.#failed(childPath(versionDirectory(path), name), error);
      return false;
    }
  }

  /** Whether it is gone. */
  async #drop(path: VirtualPath, name: string): Promise<boolean> {
    const stored = childPath(versionDirectory(path), name);
    const place = await this.#store.locate(stored, { follow: false });
    try {
      const { attributes } = place;
      const retainMs = this.#rules.retainMs(path);
      if (attributes === undefined) return true; // another session was quicker
      if (retainMs !== undefined && isRetained(await this.#quota.entryAt(stored), attributes, retainMs))
        return false;
      this.#journal.ensureWritable();
      await this.#quota.removing(place, () => place.remove());
      this.#journal.record({ operation: 'prune', outcome: 'done', path: shownVersionPath(stored) });
      return true;
    } catch (error) {
      if (errorCode(error) === 'NOT_FOUND') return true;
      throw error;
    } finally {
      place.close();
    }
  }

  async #isVerified(path: VirtualPath, name: string): Promise<boolean> {
    const entry = await this.#quota.entryAt(childPath(versionDirectory(path), name));
    return entry?.verdict === 'verified';
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
function isRetained(entry: KnownEntry | undefined, found: StoredAttributes, retainMs: number): boolean {
  if (entry === undefined || !isCurrent(entry, found)) return true;
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
