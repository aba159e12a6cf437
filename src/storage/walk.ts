/**
 * The beneath-walk: from the root's descriptor, one component at a time, each directory opened O_PATH|O_NOFOLLOW and
 * pinned before the next name is looked up in it. Links are followed by reading them and walking their text from where
 * they are (or from the virtual root, if absolute), so every step stays beneath; ".." pops our own stack of descriptors.
 * Whoever swaps directories and links while we walk only decides which beneath-path we see.
 *
 * The steps are synchronous: each costs some 5 µs on a local disk, a tenth of a round trip through the thread pool.
 */
import { fstatSync, lstatSync, type Stats } from 'node:fs';
import { ScpdError, errorCode, type ErrorCode } from '../errors.ts';
import { linksFollowedMax, pathDepthMax, reservedDepthMax } from '../limits.ts';
import { decodeName } from '../name-bytes.ts';
import type { StoredAttributes } from '../guard/store.ts';
import { componentsOf, fromComponents, reservedName, type VirtualPath } from '../guard/virtual-path.ts';
import { at, attributesOf, duplicateSync, openDirectorySync, readLinkSync, release } from './descriptor.ts';
import { hasErrno, onHostSync } from './errno.ts';

/** Where the walk ended: `name` in the directory behind `parent`, which the caller owns and closes. */
export interface Found {
  readonly parent: number;
  /** "." when the path is the root itself. */
  readonly name: string;
  readonly path: VirtualPath;
  readonly stats: Stats | undefined;
  readonly throughLink: boolean;
}

interface Step {
  readonly descriptor: number;
  readonly name: string;
}

/** `beneath`: links are followed wherever that stays beneath the root. `refuse`: none is, in the middle or at the end. */
export type LinkPolicy = 'beneath' | 'refuse';

export interface WalkOptions {
  /** Whether a link at the end is followed. */
  readonly follow: boolean;
  /** Without it, `beneath`. */
  readonly links?: LinkPolicy | undefined;
  /** False: where the path leads is all that is wanted, and not what is there. No link at the end is followed then. */
  readonly looks?: boolean;
}

/** A path, and the directory that was found to hold it. */
export interface Pinned {
  readonly root: number;
  readonly path: VirtualPath;
  readonly parent: number;
}

/** Throws ScpdError (LINK_REFUSED for a link that may not be followed); leaves no descriptor open then. */
export function walk(root: number, path: VirtualPath, options: WalkOptions): Found {
  const walker = new Walker(root, path, options.links ?? 'beneath');
  try {
    return onHostSync(() => walker.run(options));
  } finally {
    walker.leaveAll();
  }
}

/**
 * Whether the directory that was pinned for a path is still where the path says. A directory may be moved to where other
 * rules hold while a change in it is under way: what is there then is not what the rules were asked about.
 */
export function isInPlace({ root, path, parent }: Pinned): boolean {
  const found = walkIfThere(root, path, { looks: false });
  if (found === undefined) return false;
  try {
    const [there, pinned] = [fstatSync(found.parent), fstatSync(parent)];
    return found.path === path && there.ino === pinned.ino && there.dev === pinned.dev;
  } finally {
    release(found.parent);
  }
}

/** As `walk`, following no link at the end; undefined if the directories on the way are not there. */
function walkIfThere(
  root: number,
  path: VirtualPath,
  options: Pick<WalkOptions, 'looks'> = {},
): Found | undefined {
  try {
    return walk(root, path, { follow: false, ...options });
  } catch (error) {
    if (goneCodes.has(errorCode(error))) return undefined;
    throw error;
  }
}

/** What is at a path, if anything; a path that leads through a link is not the path. */
export function lookBeneath(root: number, path: VirtualPath): StoredAttributes | undefined {
  const found = walkIfThere(root, path);
  if (found === undefined) return undefined;
  release(found.parent);
  return found.path === path && found.stats !== undefined ? attributesOf(found.stats) : undefined;
}

/** What a walk meets when a part of the path is not there any more, or is something else by now. */
const goneCodes: ReadonlySet<ErrorCode> = new Set(['NOT_FOUND', 'NOT_A_DIRECTORY', 'TOO_MANY_LINKS']);

class Walker {
  readonly #root: number;
  readonly #depthMax: number;
  /** Components still to be walked, next one last. */
  readonly #todo: string[];
  /** Directories we stand in, below the root. */
  readonly #steps: Step[] = [];
  readonly #links: LinkPolicy;
  #linksFollowed = 0;
  #endWasLink = false;

  constructor(root: number, path: VirtualPath, links: LinkPolicy) {
    this.#root = root;
    this.#links = links;
    this.#todo = componentsOf(path).toReversed();
    this.#depthMax = pathDepthMax + (this.#todo.at(-1) === reservedName ? reservedDepthMax : 0);
  }

  run({ follow, looks = true }: WalkOptions): Found {
    for (let name = this.#todo.pop(); name !== undefined; name = this.#todo.pop()) {
      if (name === '..') this.#leave();
      else if (name === '.' || name === '') continue;
      else if (this.#todo.length > 0) this.#enter(name);
      else {
        const stats = looks ? lstatSync(at(this.#here, name), { throwIfNoEntry: false }) : undefined;
        if (!follow || stats?.isSymbolicLink() !== true) return this.#found(name, stats);
        this.#endWasLink = true;
        this.#followLink(name);
      }
    }
    return this.#foundWhereWeStand();
  }

  leaveAll(): void {
    while (this.#steps.length > 0) this.#leave();
  }

  get #here(): number {
    return this.#steps.at(-1)?.descriptor ?? this.#root;
  }

  #enter(name: string): void {
    if (this.#steps.length >= this.#depthMax) throw new ScpdError('NAME_TOO_LONG', 'too many directories');
    try {
      this.#steps.push({ descriptor: openDirectorySync(this.#here, name), name });
    } catch (error) {
      if (!hasErrno(error, 'ENOTDIR', 'ELOOP')) throw error;
      this.#followLink(name);
    }
  }

  #leave(): void {
    const step = this.#steps.pop();
    if (step !== undefined) release(step.descriptor);
  }

  #followLink(name: string): void {
    this.#linksFollowed += 1;
    if (this.#linksFollowed > linksFollowedMax) throw new ScpdError('TOO_MANY_LINKS');
    const target = decodeName(readTarget(this.#here, name));
    if (this.#links === 'refuse') throw new ScpdError('LINK_REFUSED');
    if (target.startsWith('/')) this.leaveAll();
    this.#todo.push(...target.split('/').toReversed());
  }

  #found(name: string, stats: Stats | undefined): Found {
    const path = fromComponents([...this.#steps.map((step) => step.name), ...(name === '.' ? [] : [name])]);
    // Where we stand is handed over, unless it is the root, which is borrowed.
    const parent = this.#steps.pop()?.descriptor ?? duplicateSync(this.#root);
    return { parent, name, path, stats, throughLink: this.#endWasLink };
  }

  /** The path ended in "..", or was the root: the place is the directory that we are in. */
  #foundWhereWeStand(): Found {
    const last = this.#steps.at(-1);
    if (last === undefined) return this.#found('.', lstatSync(at(this.#root, '.')));
    this.#leave();
    return this.#found(last.name, lstatSync(at(this.#here, last.name), { throwIfNoEntry: false }));
  }
}

/** The text of a link. What is no link was a file in the place of a directory. */
function readTarget(parent: number, name: string): Buffer {
  try {
    return readLinkSync(parent, name);
  } catch (error) {
    if (hasErrno(error, 'EINVAL')) throw new ScpdError('NOT_A_DIRECTORY');
    throw error;
  }
}
