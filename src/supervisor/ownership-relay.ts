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

type Told = readonly [OwnershipPeer, Map<number, () => void>];

interface Recent {
  readonly sequence: number;
  readonly from: OwnershipPeer;
  readonly change: OwnershipChange;
}

/** What another relay needs to go on. Peers are known by numbers of the caller's. */
export interface RelayState {
  readonly sequence: number;
  readonly forgotten: number;
  readonly recent: readonly {
    readonly sequence: number;
    readonly from: number | undefined;
    readonly change: OwnershipChange;
  }[];
  readonly owned: readonly OwnedPath[];
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

  /** All peers have applied all that they were told. */
  get isQuiet(): boolean {
    return [...this.#peers.values()].every((pending) => pending.size === 0);
  }

  state(numberOf: (peer: OwnershipPeer) => number | undefined): RelayState {
    return {
      sequence: this.#sequence,
      forgotten: this.#forgotten,
      recent: this.#recent.map(({ sequence, from, change }) => ({ sequence, from: numberOf(from), change })),
      owned: [...this.#owners.owned()],
    };
  }

  /**
   * Goes on where another relay has ended, whose peers joined here and know all of it. Resolves when those do that were
   * here before.
   * @param peers the other relay's, by their numbers
   */
  async adopt(state: RelayState, peers: ReadonlyMap<number, OwnershipPeer>): Promise<void> {
    const gone: OwnershipPeer = { tell: () => undefined };
    this.#sequence = state.sequence;
    this.#forgotten = state.forgotten;
    this.#recent = state.recent.map(({ from, ...recent }) => ({
      ...recent,
      from: peers.get(from ?? -1) ?? gone,
    }));
    const inherited = new Set(peers.values());
    const others = [...this.#peers].filter(([peer]) => !inherited.has(peer));
    // Even if nothing is own: they learn which change is the last.
    for (const change of [...changesOf(state.owned), nothing]) {
      this.#sequence += 1;
      this.#owners.apply(change);
      await this.#tell(others, this.#sequence, change);
    }
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
    await this.#tell(told, sequence, agreed);
  }

  async #tell(peers: readonly Told[], sequence: number, change: OwnershipChange): Promise<void> {
    await Promise.all(
      peers.map(
        ([peer, pending]) =>
          new Promise<void>((resolve) => {
            pending.set(sequence, resolve);
            peer.tell(sequence, change);
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

const nothing: OwnershipChange = {
  userName: '',
  root: '',
  windowMs: 0,
  unnamed: [],
  lost: [],
  lostWithin: [],
  own: [],
};

/** Changes by which all of these become own. */
function changesOf(owned: readonly OwnedPath[]): OwnershipChange[] {
  const byOwner = new Map<string, OwnedPath[]>();
  for (const path of owned) {
    const owner = JSON.stringify([path.root, path.userName]);
    const paths = byOwner.get(owner);
    if (paths === undefined) byOwner.set(owner, [path]);
    else paths.push(path);
  }
  return [...byOwner.values()].flatMap(([first, ...others]) =>
    first === undefined
      ? []
      : [{ ...nothing, root: first.root, userName: first.userName, own: [first, ...others] }],
  );
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
