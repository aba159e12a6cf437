/**
 * Who made what lately. Some users may handle only what is their own: what a session of theirs made, for as long as
 * that session lasts, and in other sessions of the same user for a time after it was made. It is the user that counts,
 * not the key. In memory only: after a restart nothing is anybody's own, which takes rights away and gives none.
 *
 * One `Ownership` serves a whole process. Whatever is made, moved or removed by anybody is told to it, so that a path is
 * never still counted as one user's own when another has put something there. Every change is plain data, and whoever
 * `changed` tells it to can have it applied in the other processes of the same server.
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
  /** Of what was made: what else has the name later is not it, though nobody told us. Without it, whatever is there. */
  readonly identity: string | undefined;
}

/** Oldest first. */
type Entries = Map<VirtualPath, Entry>;

/** Something by the name that the client uses, and where it is. Mostly the same. */
export interface Named {
  readonly path: VirtualPath;
  readonly stored: VirtualPath;
}

/** Something that was made, as `StoredAttributes.identity` tells it from all else. */
export interface Made extends Named {
  readonly identity?: string | undefined;
  /** What is left of its time, where it is not new. */
  readonly windowMs?: number;
}

export interface OwnerFacts {
  readonly userName: string;
  /** Host path of the user's root: users who share it are told apart. */
  readonly root: string;
  /** How long after it was made a path counts as own in other sessions. */
  readonly windowMs: number;
}

/** What an act of one user changes about whose a path is; applied from top to bottom. */
export interface OwnershipChange extends OwnerFacts {
  /** Names that the user's client gave, and that mean nothing any more. */
  readonly unnamed: readonly VirtualPath[];
  /** Nobody's any more, whoever's they were. */
  readonly lost: readonly VirtualPath[];
  /** The same with all that is below. */
  readonly lostWithin: readonly VirtualPath[];
  /** The user's own from now on. */
  readonly own: readonly Made[];
}

/** One path that is somebody's, for another process to begin with. */
export interface OwnedPath extends OwnerFacts, Pick<Made, keyof Named | 'identity'> {}

export class Ownership {
  /** Root → user → entries. */
  readonly #roots = new Map<string, Map<string, Entries>>();
  readonly #now: () => number;
  readonly #changed: (change: OwnershipChange) => void;
  #sweptMs: number;

  /**
   * @param now milliseconds of a clock that is never set back
   * @param changed told of each change that a session makes here
   */
  constructor(
    now: () => number = () => performance.now(),
    changed: (change: OwnershipChange) => void = () => undefined,
  ) {
    this.#now = now;
    this.#changed = changed;
    this.#sweptMs = now();
  }

  /** The view of one session. The caller closes it. */
  open(facts: OwnerFacts): OwnPaths {
    return this.#view(facts, this.#changed);
  }

  /** Makes a change that a session of another process has made. */
  apply(change: OwnershipChange): void {
    const session = this.#view(change, () => undefined);
    session.apply(change);
    session.close();
  }

  /** What counts as own by time; `windowMs` is what is left of it. */
  *owned(): Iterable<OwnedPath> {
    for (const [root, users] of this.#roots) {
      for (const [userName, entries] of users) {
        for (const [path, { stored, untilMs, identity }] of entries) {
          const windowMs = untilMs - this.#now();
          if (windowMs > 0) yield { root, userName, windowMs, path, stored, identity };
        }
      }
    }
  }

  #view(facts: OwnerFacts, changed: (change: OwnershipChange) => void): OwnPaths {
    const { userName, root } = facts;
    if (this.#now() - this.#sweptMs >= ownershipSweepMs) this.#sweep();
    const users = this.#roots.get(root) ?? new Map<string, Entries>();
    const entries = users.get(userName) ?? new Map<VirtualPath, Entry>();
    this.#roots.set(root, users.set(userName, entries));
    return new OwnPaths({ entries, users, owner: facts, changed, now: this.#now, makeRoom: this.#makeRoom });
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
  readonly owner: OwnerFacts;
  readonly changed: (change: OwnershipChange) => void;
  readonly now: () => number;
  readonly makeRoom: () => void;
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
  add({ path, stored, identity }: Made, options: { readonly remember: boolean }): void {
    const isElsewhere = path !== stored;
    const own = options.remember || isElsewhere ? [{ path: stored, stored, identity }] : [];
    this.#change({
      unnamed: [path],
      lost: [stored],
      own: isElsewhere ? [...own, { path, stored }] : own,
    });
  }

  /** What has this name now. If that is not what was made, it ends the ownership. True if it did. */
  found({ path, stored }: Named, identity: string): boolean {
    const made = this.#facts.entries.get(stored)?.identity;
    if (made === undefined || made === identity) return false;
    this.remove({ path, stored });
    return true;
  }

  /** It has a second name, which is own for as long as the first one is: nothing new was made. */
  link(from: VirtualPath, to: VirtualPath): void {
    this.#change({ lost: [to], own: this.has(from) ? [this.#again(from, to)] : [] }, this.#sessionOf([from]));
  }

  /** It is gone. */
  remove({ path, stored }: Named): void {
    this.#change({ unnamed: [path], lost: [stored] });
  }

  /** It is at `to` now, and what was there is gone; a directory with all that is in it. */
  move(from: Named, to: Named, { isDirectory }: { readonly isDirectory: boolean }): void {
    const moved = isDirectory ? this.#ownWithin(from.stored) : this.has(from.stored) ? [from.stored] : [];
    const own = moved.map((path) =>
      this.#again(path, `${to.stored}${path.slice(from.stored.length)}` as VirtualPath),
    );
    const isElsewhere = moved.length > 0 && to.path !== to.stored;
    const change = {
      unnamed: [from.path, to.path],
      lost: [from.stored, to.stored],
      lostWithin: isDirectory ? [from.stored, to.stored] : [],
      own: isElsewhere ? [...own, to] : own,
    };
    this.#change(change, this.#sessionOf(moved));
  }

  /** @param session whose it is from now on */
  apply({ unnamed, lost, lostWithin, own }: OwnershipChange, session: OwnPaths = this): void {
    for (const path of unnamed) this.#facts.entries.delete(path);
    for (const path of lost) this.#forgetAll(path);
    if (lostWithin.length > 0) this.#forgetWithin(lostWithin);
    for (const made of own) this.#remember(made, session);
  }

  /** From now on only the time counts. */
  close(): void {
    this.#closed = true;
  }

  #change(change: Partial<OwnershipChange>, session?: OwnPaths): void {
    const whole = { ...this.#facts.owner, unnamed: [], lost: [], lostWithin: [], own: [], ...change };
    this.apply(whole, session);
    this.#facts.changed(whole);
  }

  #entry(path: VirtualPath): Entry | undefined {
    const entry = this.#facts.entries.get(path);
    if (entry === undefined) return undefined;
    return entry.session === this || entry.untilMs > this.#facts.now() ? entry : undefined;
  }

  /** What is own at `from`, at `to`: neither a new name nor another place gives it more time. */
  #again(from: VirtualPath, to: VirtualPath): Made {
    const { identity, untilMs = 0 } = this.#entry(from) ?? {};
    return { path: to, stored: to, identity, windowMs: Math.max(0, untilMs - this.#facts.now()) };
  }

  /** Whose session paths belong to: this one's, unless another made one of them. */
  #sessionOf(paths: readonly VirtualPath[]): OwnPaths {
    const sessions = paths.flatMap((path) => this.#entry(path)?.session ?? []);
    return sessions.find((session) => session !== this) ?? this;
  }

  #remember({ path, stored, identity, windowMs }: Made, session: OwnPaths): void {
    const { entries, now, owner, makeRoom } = this.#facts;
    if (entries.size >= ownedPathsMax) dropOldest(entries);
    else makeRoom();
    entries.set(path, { stored, session, identity, untilMs: now() + (windowMs ?? owner.windowMs) });
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
