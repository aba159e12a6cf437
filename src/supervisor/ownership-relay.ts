/**
 * The one owner of the ownership window when several processes serve. Each process has a copy; a change that a session
 * makes comes here, gets its place in one order, and goes to all other copies. The client of that session hears of
 * success only when all have it, because its record is acknowledged only then (`journal-bridge.ts`). So nobody who
 * heard that a file is stored or gone can be met by a copy that does not know.
 *
 * Two processes may change one path at the same time, each before it hears of the other. Which of the two files stands
 * there can't be known here, so then it is nobody's: that takes rights away and gives none.
 */
import { Ownership, type OwnedPath, type OwnershipChange } from '../guard/ownership.ts';
import { isWithin, type VirtualPath } from '../guard/virtual-path.ts';
import { ownershipRecentChangesMax } from '../limits.ts';

/** A process that has a copy. */
export interface OwnershipPeer {
  readonly tell: (sequence: number, change: OwnershipChange) => void;
}

interface Recent {
  readonly sequence: number;
  readonly from: OwnershipPeer;
  readonly change: OwnershipChange;
}

export class OwnershipRelay {
  readonly #owners = new Ownership();
  /** Peer → the changes that it has been told and not yet applied. */
  readonly #peers = new Map<OwnershipPeer, Map<number, () => void>>();
  #recent: Recent[] = [];
  #sequence = 0;
  /** The last change that is no longer remembered. */
  #forgotten = 0;

  /** From now on this peer is told. What it is to begin with is the answer. */
  join(peer: OwnershipPeer): readonly OwnedPath[] {
    this.#peers.set(peer, new Map());
    return [...this.#owners.owned()];
  }

  /** Nobody waits for this peer any more. */
  leave(peer: OwnershipPeer): void {
    const pending = this.#peers.get(peer);
    this.#peers.delete(peer);
    for (const done of pending?.values() ?? []) done();
  }

  applied(peer: OwnershipPeer, sequence: number): void {
    const pending = this.#peers.get(peer);
    pending?.get(sequence)?.();
    pending?.delete(sequence);
  }

  /**
   * A session of this peer made a change. Resolves when all others have it.
   * @param seen the last change that the peer had applied when it made this one
   */
  async publish(from: OwnershipPeer, change: OwnershipChange, seen: number): Promise<void> {
    this.#sequence += 1;
    const sequence = this.#sequence;
    const rivals = this.#recent.filter((one) => one.sequence > seen && one.from !== from);
    const isUnsure = seen < this.#forgotten || rivals.some((one) => isAboutTheSame(one.change, change));
    const agreed = isUnsure ? nobodys(change) : change;
    this.#remember({ sequence, from, change });
    this.#owners.apply(agreed);
    const told = [...this.#peers].filter(([peer]) => isUnsure || peer !== from);
    await Promise.all(
      told.map(
        ([peer, pending]) =>
          new Promise<void>((resolve) => {
            pending.set(sequence, resolve);
            peer.tell(sequence, agreed);
          }),
      ),
    );
  }

  #remember(recent: Recent): void {
    if (this.#peers.size < 2) {
      this.#recent = [];
      return;
    }
    this.#recent.push(recent);
    if (this.#recent.length <= ownershipRecentChangesMax) return;
    this.#recent = this.#recent.slice(ownershipRecentChangesMax / 2);
    this.#forgotten = (this.#recent[0]?.sequence ?? 1) - 1;
  }
}

/** The same change, by which nobody gains anything. */
function nobodys(change: OwnershipChange): OwnershipChange {
  const paths = change.own.flatMap(({ path, stored }) => [path, stored]);
  return { ...change, own: [], lost: [...change.lost, ...change.unnamed, ...paths] };
}

function isAboutTheSame(one: OwnershipChange, other: OwnershipChange): boolean {
  if (one.root !== other.root) return false;
  const [paths, others] = [pathsOf(one), pathsOf(other)];
  return (
    [...paths].some((path) => others.has(path)) ||
    isBelow(paths, other.lostWithin) ||
    isBelow(others, one.lostWithin)
  );
}

function pathsOf({ lost, unnamed, own }: OwnershipChange): ReadonlySet<VirtualPath> {
  return new Set([...lost, ...unnamed, ...own.flatMap(({ path, stored }) => [path, stored])]);
}

function isBelow(paths: ReadonlySet<VirtualPath>, directories: readonly VirtualPath[]): boolean {
  return directories.some((directory) => [...paths].some((path) => isWithin(path, directory)));
}
