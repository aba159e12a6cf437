/**
 * Who made what lately. Some users may handle only what is their own: what a session of theirs made, for as long as
 * that session lasts, and in other sessions of the same user for a time after it was made. It is the user that counts,
 * not the key. In memory only: after a restart nothing is anybody's own, which takes rights away and gives none.
 *
 * One `Ownership` serves the whole server. Whatever is made, moved or removed by anybody is told to it, so that a
 * path is never still counted as one user's own when another has put something there. What is known of a path is
 * plain data and every change is one call, so it can as well live in another process than the sessions.
 */
import { performance } from 'node:perf_hooks';
import { ownedPathsMax, ownedPathsTotalMax, ownershipSweepMs } from '../limits.ts';
import { isWithin, type VirtualPath } from './virtual-path.ts';

/** What a user made, by the name that its client gave it. */
interface Entry {
  /** Where it is: another name, where the given one was taken. */
  readonly stored: VirtualPath;
  /** Made it, or changed it last. */
  readonly session: OwnPaths;
  readonly untilMs: number;
}

/** Oldest first. */
type Entries = Map<VirtualPath, Entry>;

export interface OwnerFacts {
  readonly userName: string;
  /** Host path of the user's root: users who share it are told apart. */
  readonly root: string;
  /** How long after it was made a path counts as own in other sessions. */
  readonly windowMs: number;
}

export class Ownership {
  /** Root → user → entries. */
  readonly #roots = new Map<string, Map<string, Entries>>();
  readonly #now: () => number;
  #sweptMs: number;

  /** @param now milliseconds of a clock that is never set back */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#sweptMs = now();
  }

  /** The view of one session. The caller closes it. */
  open({ userName, root, windowMs }: OwnerFacts): OwnPaths {
    if (this.#now() - this.#sweptMs >= ownershipSweepMs) this.#sweep();
    const users = this.#roots.get(root) ?? new Map<string, Entries>();
    const entries = users.get(userName) ?? new Map<VirtualPath, Entry>();
    this.#roots.set(root, users.set(userName, entries));
    return new OwnPaths({ entries, users, windowMs, now: this.#now, makeRoom: this.#makeRoom });
  }

  /** Where there is too much of all, whoever has most forgets its oldest. */
  readonly #makeRoom = (): void => {
    let total = 0;
    let most: Entries | undefined;
    for (const users of this.#roots.values()) {
      for (const entries of users.values()) {
        total += entries.size;
        if (most === undefined || entries.size > most.size) most = entries;
      }
    }
    if (total >= ownedPathsTotalMax && most !== undefined) dropOldest(most);
  };

  /** Drops what nobody can own any more. Looks at everything, and therefore not often. */
  #sweep(): void {
    this.#sweptMs = this.#now();
    for (const users of this.#roots.values()) {
      for (const entries of users.values()) {
        for (const [path, { session, untilMs }] of entries) {
          if (session.isClosed && untilMs <= this.#sweptMs) entries.delete(path);
        }
      }
    }
  }
}

interface OwnPathsFacts {
  readonly entries: Entries;
  /** All users of the same root. */
  readonly users: ReadonlyMap<string, Entries>;
  readonly windowMs: number;
  readonly now: () => number;
  readonly makeRoom: () => void;
}

/** Something by the name that the client uses, and where it is. Mostly the same. */
export interface Named {
  readonly path: VirtualPath;
  readonly stored: VirtualPath;
}

/** What one session may call its user's own. */
export class OwnPaths {
  readonly #facts: OwnPathsFacts;
  #closed = false;

  constructor(facts: OwnPathsFacts) {
    this.#facts = facts;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  has(path: VirtualPath): boolean {
    const entry = this.#entry(path);
    // A name for something that is stored under another one holds as long as that is own.
    return (
      entry !== undefined && (entry.stored === path || this.#entry(entry.stored)?.stored === entry.stored)
    );
  }

  /** Where what the client calls `path` is. */
  actual(path: VirtualPath): VirtualPath {
    return this.has(path) ? (this.#entry(path)?.stored ?? path) : path;
  }

  /** This session made it. @param options.remember false: nobody will ask whose it is */
  add({ path, stored }: Named, options: { readonly remember: boolean }): void {
    this.#forgetAll(stored);
    this.#facts.entries.delete(path);
    if (!options.remember && path === stored) return;
    this.#remember(stored, stored);
    if (path !== stored) this.#remember(path, stored);
  }

  /** It is gone. */
  remove({ path, stored }: Named): void {
    this.#facts.entries.delete(path);
    this.#forgetAll(stored);
  }

  /** It is at `to` now, and what was there is gone; a directory with all that is in it. */
  move(from: Named, to: Named, { isDirectory }: { readonly isDirectory: boolean }): void {
    const moved = isDirectory ? this.#ownWithin(from.stored) : this.has(from.stored) ? [from.stored] : [];
    this.remove(from);
    this.remove(to);
    if (isDirectory) this.#forgetWithin([from.stored, to.stored]);
    for (const path of moved) {
      const stored = `${to.stored}${path.slice(from.stored.length)}` as VirtualPath;
      this.#remember(stored, stored);
    }
    if (moved.length > 0 && to.path !== to.stored) this.#remember(to.path, to.stored);
  }

  /** From now on only the time counts. */
  close(): void {
    this.#closed = true;
  }

  #entry(path: VirtualPath): Entry | undefined {
    const entry = this.#facts.entries.get(path);
    if (entry === undefined) return undefined;
    return entry.session === this || entry.untilMs > this.#facts.now() ? entry : undefined;
  }

  #remember(path: VirtualPath, stored: VirtualPath): void {
    const { entries, now, windowMs, makeRoom } = this.#facts;
    if (entries.size >= ownedPathsMax) dropOldest(entries);
    else makeRoom();
    entries.set(path, { stored, session: this, untilMs: now() + windowMs });
  }

  #ownWithin(directory: VirtualPath): VirtualPath[] {
    return [...this.#facts.entries.keys()].filter(
      (path) => isWithin(path, directory) && this.#entry(path)?.stored === path,
    );
  }

  /** Whoever's it was. */
  #forgetAll(path: VirtualPath): void {
    for (const entries of this.#facts.users.values()) entries.delete(path);
  }

  #forgetWithin(directories: readonly VirtualPath[]): void {
    for (const entries of this.#facts.users.values()) {
      for (const path of entries.keys()) {
        if (directories.some((directory) => isWithin(path, directory))) entries.delete(path);
      }
    }
  }
}

function dropOldest(entries: Entries): void {
  const [oldest] = entries.keys();
  if (oldest !== undefined) entries.delete(oldest);
}
