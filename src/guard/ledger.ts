/**
 * What the guard needs from whoever remembers what is stored; `catalog/` implements it. A change of the tree is claimed
 * before it is made, with the most that it may come to hold, and closed afterwards by what is found on the disk then. So
 * no two changes can together exceed a quota, and a crash in between leaves a claim that says where to look.
 */
import type { Verdict } from '../audit/record.ts';
import type { KeptVersion, StoredAttributes } from './store.ts';
import type { VirtualPath } from './virtual-path.ts';

/** How much a user may store. `files` are entries of any kind: files, directories and links. */
export interface Quota {
  /** Without it as many as there is room for. */
  readonly bytesMax?: number;
  readonly filesMax?: number;
  /** Whether old versions count. Without it, they do. */
  readonly countsVersions?: boolean;
}

/** How much may be stored below a directory, by all users of the root together. */
export interface DirectoryQuota extends Pick<Quota, 'bytesMax' | 'filesMax'> {
  /** In NFC. */
  readonly path: VirtualPath;
}

/** What a user has stored. */
export interface Usage {
  readonly bytes: number;
  readonly files: number;
  /** What uploads under way may still add. */
  readonly reservedBytes: number;
  readonly reservedFiles: number;
}

/** A quota that several share, and what is used of it. */
export type Shared = Usage & Pick<Quota, 'bytesMax' | 'filesMax'>;

export interface ClaimRequest {
  readonly path: VirtualPath;
  /** The new name in a rename. */
  readonly target?: VirtualPath;
  /**
   * The size that the file at `path` may have afterwards. What the user has stored under this name is counted in, so
   * that an overwrite claims only what it adds. 0 for everything that is no file.
   */
  readonly bytes: number;
  /** Whether there will be an entry at `path` where there may be none now. */
  readonly creates: boolean;
  /** Whether what is made never takes the place of what is there: then nothing of that is counted in. */
  readonly apart?: boolean;
  /** Whether it will be retained: then it counts as stored no earlier than anything before, whatever the clock says. */
  readonly retained?: boolean;
  /** Whether the paths still lead to the places that were found by them; asked when no directory can be moved. */
  readonly isInPlace?: () => boolean;
}

/** What is known of a file's content besides what the disk tells. */
export interface Content {
  /** Of the file that was received: what stands under the name by now may be another one. */
  readonly inode: string;
  readonly sha256: string;
  readonly verdict: Exclude<Verdict, 'aborted'> | null;
  /** The name that it got, where that is not the last component of the claimed path. */
  readonly name?: string;
  /** What it replaced, and is a version now. */
  readonly kept?: KeptVersion;
}

/** Where something is that was moved, and what it replaced, if that is a version now. */
export interface Moved {
  readonly path: VirtualPath;
  readonly kept?: KeptVersion;
}

/**
 * Looks at what is at a path now: a claim's own, unless its directory was moved. Synchronous, so that nothing comes
 * between the look and the note of it.
 */
export type Look = (path: VirtualPath) => StoredAttributes | undefined;

/** An upload that was interrupted, and that its user can go on with. */
export interface PartialUpload {
  /** Of the claim that it came by. */
  readonly id: string;
  readonly sizeBytes: number;
  /** When it was interrupted, in milliseconds since 1970. */
  readonly suspendedMs: number;
}

/**
 * Throws QUOTA_EXCEEDED if the quotas of directories do not let what is moved be at a path, in the place of what is there.
 * @param facts.keepsVersion whether what is there stays as a version
 */
export type Admit = (to: VirtualPath, facts: { readonly keepsVersion: boolean }) => Promise<void>;

/** A change under way. Exactly one of the calls that end it, once; each gives back what was claimed and not used. */
export interface Claim {
  /** Of an upload: what tells it from all others, for ever. Undefined if nobody will remember it. */
  readonly id: string | undefined;
  /** Claims another size, the whole of it. False, and nothing changed, if the quota does not allow it. */
  resize(bytes: number): Promise<boolean>;
  /**
   * Notes the name under which the bytes of an upload grow, if they come in order: then they can be kept even if this process
   * is killed. Without a name: not any more. That must be noted before the first that comes in another order.
   */
  noteStaged(name: string | undefined): Promise<void>;
  /**
   * Ends for now: the upload was interrupted, and so much of it is kept and counts on.
   * @returns ids of those that gave way to it: an older one to the same path, and the oldest where there are too many.
   *   Undefined: it can't be kept, and is over
   */
  suspend(bytes: number): Promise<readonly string[] | undefined>;
  /** Ends: something was made at the path. */
  made(look: Look, content?: Content): Promise<void>;
  /** Ends: what was at the path, and all below it, was removed. @param kept what is a version now */
  removed(look: Look, kept?: KeptVersion): Promise<void>;
  /** Ends: mode or times were changed. @param before what was there */
  changed(look: Look, before: StoredAttributes): Promise<void>;
  /**
   * Ends: moves what is at the path, and all below it. That is done and noted in one step: all that is known of paths
   * hangs on the order in which directories were moved, and only so it is the same for whoever looks.
   * @param act moves it, waiting for nothing but its own steps, after `admit` has said nothing against it. Throws what `act`
   *   throws; a failure of the ledger, other than an ScpdError, says that nothing was done
   */
  move<T extends Moved>(act: (admit: Admit) => Promise<T>, look: Look): Promise<T>;
  /** Ends: nothing was changed. */
  release(): Promise<void>;
}

/** What is stored under a path, as far as it is known. */
export interface KnownEntry extends Pick<StoredAttributes, 'kind' | 'sizeBytes' | 'inode'> {
  readonly modifiedMs: number;
  /** Who stored it; null for what nobody sent through scpd into a root of several users. */
  readonly user: string | null;
  /** Hex; null for what was found on the disk and never hashed, and for directories and links. */
  readonly sha256: string | null;
  readonly verdict: Exclude<Verdict, 'aborted'> | null;
  /** ISO 8601; when it was received or found. */
  readonly storedAt: string;
}

/** One user in one root. */
export interface Ledger {
  /** Undefined if the quota does not allow it. Throws NOT_FOUND if a directory was moved or removed meanwhile. */
  claim(request: ClaimRequest): Promise<Claim | undefined>;
  /** For a change that is made although it can't be claimed. */
  unclaimed(): Claim;
  usage(): Promise<Usage>;
  /** The quotas of the directories that a path is in or is. */
  sharedAt(path: VirtualPath): Promise<readonly Shared[]>;
  entryAt(path: VirtualPath): Promise<KnownEntry | undefined>;
  /** What is kept of this user's upload to a path. */
  partialAt(path: VirtualPath): Promise<PartialUpload | undefined>;
  /**
   * Takes the claim of a kept upload, so that nobody else can. Undefined if somebody has, or if it is over.
   * @param options.retained as in a `ClaimRequest`
   */
  takePartial(id: string, options: { readonly retained: boolean }): Promise<Claim | undefined>;
}

/** Whether an entry still tells of what is on the disk: then its hash is that of the file. */
export function isCurrent(entry: KnownEntry, found: StoredAttributes): boolean {
  if (entry.kind !== found.kind || entry.inode !== found.inode) return false;
  // Of a directory these change with its entries.
  if (entry.kind !== 'file') return true;
  return entry.sizeBytes === found.sizeBytes && entry.modifiedMs === modifiedMsOf(found);
}

/** In whole microseconds, so that it is the same number whichever way it was computed. */
export function modifiedMsOf(found: Pick<StoredAttributes, 'modifiedSeconds'>): number {
  return Math.round(found.modifiedSeconds * 1e6) / 1e3;
}
