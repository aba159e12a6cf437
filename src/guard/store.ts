/**
 * What the guard needs from a disk. `storage/` implements it with directory descriptors. Nothing here knows a rule: for a
 * client's request, `guarded-files.ts` asks the rules first. `catalog/` uses it to look at what is there.
 */
import type { AttributeChange, Attributes, Listing, Space } from './files.ts';
import type { VirtualPath } from './virtual-path.ts';

/** What the disk tells besides what a client may see. */
export interface StoredAttributes extends Attributes {
  /** Tells one entry from another that has its name later, as long as both exist. */
  readonly inode: string;
  /** Tells it from all that ever has its name, also when an inode is used again (where the file system knows births). */
  readonly identity: string;
}

/** One root, opened for one session. */
export interface Store {
  /**
   * Finds a path without letting a link or a race lead out of the root, and pins the directory that holds it. The
   * caller closes the place.
   * @param options.follow whether a link at the end is followed, too
   */
  locate(path: VirtualPath, options: { readonly follow: boolean }): Promise<Place>;
  /** Removes what was kept of an interrupted upload, if it is there. */
  dropPartial(id: string): Promise<void>;
  /** Resolves when every directory that was changed through this store is durable. */
  settle(): Promise<void>;
  /** Releases the root. */
  close(): void;
}

/** A name in a pinned directory: renaming or replacing any directory on the way does not move it. */
export interface Place {
  /** Where it really is, after links; the rules are asked about this as well as about what the client wrote. */
  readonly path: VirtualPath;
  /** What is there; undefined for nothing. A snapshot: an act that finds something else than it needs fails. */
  readonly attributes: StoredAttributes | undefined;
  /** Whether a link at the end was followed: then nothing is created, because a dangling link is nobody's wish. */
  readonly throughLink: boolean;
  /** What is there now. Synchronous. */
  look(): StoredAttributes | undefined;
  /** What is at a path of the same root, if anything, no link followed. Synchronous. */
  lookAt(path: VirtualPath): StoredAttributes | undefined;
  /** Whether its directory is still where `path` says: it may have been renamed or removed. Synchronous. */
  isInPlace(): boolean;
  list(): Promise<Listing<StoredAttributes>>;
  open(): Promise<StoredFile>;
  stage(options: StageOptions): Promise<StagedFile>;
  makeDirectory(mode: number): Promise<void>;
  removeDirectory(): Promise<void>;
  /** @param options.keepVersion whether a file becomes a version; answers that */
  remove(options?: { readonly keepVersion: boolean }): Promise<KeptVersion | undefined>;
  /**
   * Done before anything but its own steps is waited for.
   * @param options.keepVersion whether a file that is replaced becomes a version; answers that
   */
  moveTo(
    target: Place,
    options: { readonly replace: boolean; readonly keepVersion?: boolean },
  ): Promise<KeptVersion | undefined>;
  /** Mode and times; a size is changed by staging. Of a link only the times. */
  setAttributes(change: Omit<AttributeChange, 'sizeBytes'>): Promise<void>;
  readLink(): Promise<string>;
  /** @param target the text of the link, as it is stored */
  makeLink(target: string): Promise<void>;
  /** Gives the file here the name of `target`, too. */
  linkTo(target: Place): Promise<void>;
  /** Of the file system that holds the directory of this place. */
  space(): Promise<Space>;
  close(): void;
}

export interface StoredFile {
  attributes(): Promise<Attributes>;
  /** As `Download.read`. */
  read(offset: number, lengthBytes: number): Promise<Buffer>;
  close(): Promise<void>;
}

/** What had a name, and is an old version of it now. */
export interface KeptVersion {
  /** Where it is stored (`version-path.ts`). */
  readonly path: VirtualPath;
  /** Where a crash had left it as a version before it was one: nothing is there any more. */
  readonly earlier?: VirtualPath;
  readonly attributes: StoredAttributes;
}

/** `unchanged`: only the very file whose content was kept. `nothing`: the name must be free. */
export type Replacement = 'anything' | 'unchanged' | 'nothing';

export interface StageOptions {
  /** Start from what is there now. */
  readonly keepContent: boolean;
  /** Publish only if nothing is there at that moment (ALREADY_EXISTS otherwise). */
  readonly exclusive: boolean;
  /**
   * Unless `exclusive`: asked at the moment of publishing what may be replaced then, because whose a name is can change
   * while a file comes. Without it, anything.
   */
  readonly replaces?: () => Replacement;
  /** Together with `exclusive`, for a name that is taken: which one to try after so many others, until undefined. */
  readonly otherName?: ((tried: number) => string | undefined) | undefined;
  /** What is there now is another's, and tells nothing about the new file: its mode is not kept. */
  readonly apart?: boolean;
  /** Whether a file that is replaced stays as a version. */
  readonly keepsVersion?: boolean;
  /** Go on with an upload that was kept, instead of with nothing. NOT_FOUND if so much of it is not there. */
  readonly partial?: { readonly id: string; readonly sizeBytes: number } | undefined;
  /** For a new file, before the daemon's umask. */
  readonly newFileMode: number;
}

export interface Published {
  readonly bytes: number;
  readonly sha256: string;
  /** The name it got, in the directory of its place. */
  readonly name: string;
  /** Of the file that was published: what stands under the name may soon be another one. */
  readonly inode: string;
  /** As `StoredAttributes.identity`. */
  readonly identity: string;
  readonly mode: number;
  readonly modifiedSeconds: number;
  /** What it replaced. */
  readonly kept?: KeptVersion;
}

/** A file that grows in the staging area. Any failed call makes `publish` fail. */
export interface StagedFile {
  /** Names it in the records. */
  readonly id: string;
  /** Where it grows; tells whose it is, and what a crash has left of it. */
  readonly name: string;
  /** The size that it would have if it were published now. */
  readonly sizeBytes: number;
  write(bytes: Buffer, offset: number): Promise<void>;
  read(offset: number, lengthBytes: number): Promise<Buffer>;
  attributes(): Promise<Attributes>;
  setAttributes(change: AttributeChange): Promise<void>;
  sync(): Promise<void>;
  /**
   * fsync, then one rename to the final name. Ends the staged file, also when it throws.
   * @param note called when the file stands under its name, with a way to look at a path. Must not reject: nothing that
   * happens then is a failure of the upload
   */
  publish(
    note?: (published: Published, look: (path: VirtualPath) => StoredAttributes | undefined) => Promise<void>,
  ): Promise<Published>;
  /**
   * Ends it, and keeps its first bytes on disk for an upload that goes on with them; `StageOptions.partial` names them by the id.
   * Removes it instead, and answers false, where that is not possible, or where its name has been taken. Never throws.
   */
  suspend(id: string, sizeBytes: number): Promise<boolean>;
  /** Removes it. Never throws. */
  discard(): Promise<void>;
}
