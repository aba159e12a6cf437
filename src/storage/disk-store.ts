/** The local disk behind one root. Every act goes through a pinned place; no path of a client reaches the kernel. */
import { fstatSync, openSync } from 'node:fs';
import { ScpdError } from '../errors.ts';
import type { AttributeChange, Listing, Space } from '../guard/files.ts';
import type {
  KeptVersion,
  Place,
  StagedFile,
  StageOptions,
  Store,
  StoredAttributes,
  StoredFile,
} from '../guard/store.ts';
import { isWithin, type VirtualPath } from '../guard/virtual-path.ts';
import { decodeName, encodeName } from '../name-bytes.ts';
import {
  at,
  attributesOf,
  isSameFile,
  itself,
  lookSync,
  openDirectorySync,
  openFlags,
  readLinkSync,
  release,
  SharedDescriptor,
} from './descriptor.ts';
import { openListing } from './disk-listing.ts';
import { Unsynced, type Durability } from './durability.ts';
import { onHost, onHostSync } from './errno.ts';
import { host } from './host-calls.ts';
import { losesToDaemon, Modes } from './modes.ts';
import { moveExclusively } from './exclusive-move.ts';
import { overwriting } from './last-names.ts';
import { openRoot } from './open-root.ts';
import { dropPartial } from './partial-area.ts';
import { stageFile } from './staged-file.ts';
import { StagingArea } from './staging-area.ts';
import { DiskStoredFile } from './stored-file.ts';
import { removeKeeping, replaceKeeping, type Original } from './version-area.ts';
import { isInPlace, lookBeneath, walk, type Found, type LinkPolicy } from './walk.ts';

export interface StoreOptions {
  /** Ends long work: reading, listing, and what has not been published. Its reason is what that rejects with. */
  readonly gone?: AbortSignal;
  /** `refuse`: no link is followed, wherever it leads, and none is made. */
  readonly symlinks?: LinkPolicy | undefined;
  /** What is taken from every mode that a client asks for; without it, the daemon's is, from those of what is new. */
  readonly umask?: number | undefined;
  /** The inode that the root must have; without it, any. See `rootInode` of a user. */
  readonly inode?: string | undefined;
}

/** Opens a root, given as a host path from the configuration. Throws ScpdError. */
export function openDiskStore(
  rootHostPath: string,
  durability: Durability,
  options: StoreOptions = {},
): Store {
  return new DiskStore(openRoot(rootHostPath, options.inode), durability, options);
}

class DiskStore implements Store {
  /** A session may end before its last act does. */
  readonly #root: SharedDescriptor;
  readonly #facts: StoreFacts;

  constructor(root: number, durability: Durability, options: StoreOptions) {
    this.#root = new SharedDescriptor(root);
    this.#facts = {
      ...options,
      durability,
      changed: new Unsynced(durability),
      staging: new StagingArea(root),
      modes: new Modes(options.umask),
    };
  }

  async locate(path: VirtualPath, { follow }: { readonly follow: boolean }): Promise<Place> {
    const found = walk(this.#root.number, path, { follow, links: this.#facts.symlinks });
    return new DiskPlace(found, this.#root.hold(), this.#facts);
  }

  async dropPartial(id: string): Promise<void> {
    await dropPartial(this.#root.number, id);
  }

  async settle(): Promise<void> {
    await this.#facts.changed.settle();
  }

  close(): void {
    this.#facts.changed.release();
    this.#facts.staging.close();
    this.#root.letGo();
  }
}

/** What a place needs of its store. */
interface StoreFacts extends StoreOptions {
  readonly staging: StagingArea;
  readonly durability: Durability;
  readonly changed: Unsynced;
  readonly modes: Modes;
}

class DiskPlace implements Place {
  readonly path: VirtualPath;
  readonly attributes: StoredAttributes | undefined;
  readonly throughLink: boolean;
  readonly #root: SharedDescriptor;
  readonly #parent: SharedDescriptor;
  readonly #name: string;
  readonly #store: StoreFacts;

  /** @param root held for it */
  constructor(found: Found, root: SharedDescriptor, store: StoreFacts) {
    this.path = found.path;
    this.attributes = found.stats === undefined ? undefined : attributesOf(found.stats);
    this.throughLink = found.throughLink;
    this.#root = root;
    this.#parent = new SharedDescriptor(found.parent);
    this.#name = found.name;
    this.#store = store;
  }

  look(): StoredAttributes | undefined {
    return onHostSync(() => lookSync(this.#parent.number, this.#name));
  }

  lookAt(path: VirtualPath): StoredAttributes | undefined {
    return lookBeneath(this.#root.number, path);
  }

  isInPlace(): boolean {
    return isInPlace(this.#original());
  }

  async list(): Promise<Listing<StoredAttributes>> {
    return await openListing(
      onHostSync(() => openDirectorySync(this.#parent.number, this.#name)),
      { isRoot: this.path === '/', gone: this.#store.gone },
    );
  }

  async open(): Promise<StoredFile> {
    return new DiskStoredFile(this.#openContent(), this.#store.gone);
  }

  async stage(options: StageOptions): Promise<StagedFile> {
    return await stageFile({
      final: this.#original(),
      replacedBytes: this.attributes?.sizeBytes,
      held: [this.#root, this.#parent],
      area: this.#store.staging,
      keepsVersion: options.keepsVersion === true,
      openOld: options.keepContent ? () => this.#openContent() : undefined,
      partial: options.partial,
      isApart: options.apart === true,
      mode:
        (options.apart === true ? undefined : this.attributes?.mode) ??
        this.#store.modes.newFile(options.newFileMode),
      modes: this.#store.modes,
      replaces: () => (options.exclusive ? 'nothing' : (options.replaces?.() ?? 'anything')),
      otherName: options.otherName,
      durability: this.#store.durability,
      changed: this.#store.changed,
      gone: this.#store.gone,
    });
  }

  async makeDirectory(mode: number): Promise<void> {
    const given = this.#store.modes.newDirectory(mode);
    await this.#store.changed.during([this.#parent.number], async () => {
      await host.mkdir(at(this.#parent.number, this.#name), given);
      if (losesToDaemon(given)) await this.#giveMode(given);
    });
  }

  async removeDirectory(): Promise<void> {
    await this.#store.changed.during([this.#parent.number], () =>
      host.rmdir(at(this.#parent.number, this.#name)),
    );
  }

  async remove({ keepVersion } = { keepVersion: false }): Promise<KeptVersion | undefined> {
    if (keepVersion) return await removeKeeping(this.#original(), this.#store.changed);
    await this.#store.changed.during([this.#parent.number], async () => {
      this.#requireInPlace();
      await host.unlink(at(this.#parent.number, this.#name));
    });
    return undefined;
  }

  async moveTo(
    target: Place,
    options: { readonly replace: boolean; readonly keepVersion?: boolean },
  ): Promise<KeptVersion | undefined> {
    if (!(target instanceof DiskPlace)) throw new TypeError('a place of another store');
    if (target.path !== this.path && isWithin(target.path, this.path)) throw new ScpdError('INVALID_RENAME');
    const [from, to] = [at(this.#parent.number, this.#name), at(target.#parent.number, target.#name)];
    const requireBoth = (): true => this.#requireInPlace() && target.#requireInPlace();
    return await this.#store.changed.during([target.#parent.number, this.#parent.number], async () => {
      requireBoth();
      if (!options.replace) this.#moveWithoutReplacing(from, to, target);
      else if (this.#isOtherNameOf(target)) host.unlinkSync(from);
      else if (options.keepVersion === true && target.path !== this.path) {
        const takeOver = { isAllowed: requireBoth, act: () => host.renameSync(from, to) };
        return (await replaceKeeping(target.#original(), this.#store.changed, takeOver)).kept;
      } else overwriting(to, target.attributes?.sizeBytes, () => host.renameSync(from, to));
      return undefined;
    });
  }

  async setAttributes(change: Omit<AttributeChange, 'sizeBytes'>): Promise<void> {
    const descriptor = await onHost(() => host.open(at(this.#parent.number, this.#name), openFlags.anything));
    try {
      const now = attributesOf(fstatSync(descriptor));
      if (now.kind === 'other') throw new ScpdError('NOT_A_REGULAR_FILE');
      if (now.kind === 'link') await this.#dateLink(now, change);
      else await this.#store.changed.duringChangeOf(descriptor, () => this.#change(descriptor, now, change));
    } finally {
      release(descriptor);
    }
  }

  async readLink(): Promise<string> {
    return onHostSync(() => decodeName(readLinkSync(this.#parent.number, this.#name)));
  }

  async makeLink(target: string): Promise<void> {
    if (this.#store.symlinks === 'refuse') throw new ScpdError('LINK_REFUSED');
    const text = target.isWellFormed() ? target : encodeName(target);
    await this.#store.changed.during([this.#parent.number], () =>
      host.symlink(text, at(this.#parent.number, this.#name)),
    );
  }

  async linkTo(target: Place): Promise<void> {
    if (!(target instanceof DiskPlace)) throw new TypeError('a place of another store');
    await this.#store.changed.during([target.#parent.number], () =>
      host.link(at(this.#parent.number, this.#name), at(target.#parent.number, target.#name)),
    );
  }

  async space(): Promise<Space> {
    const facts = await onHost(() => host.statfs(itself(this.#parent.number)));
    return {
      blockBytes: facts.bsize,
      totalBytes: facts.blocks * facts.bsize,
      freeBytes: facts.bfree * facts.bsize,
      availableBytes: facts.bavail * facts.bsize,
      totalFiles: facts.files,
      freeFiles: facts.ffree,
    };
  }

  close(): void {
    this.#parent.letGo();
    this.#root.letGo();
  }

  #original(): Original {
    return { root: this.#root.number, parent: this.#parent.number, name: this.#name, path: this.path };
  }

  /** To the directory that was just made. If that fails it is as closed as the daemon makes things, and made all the same. */
  async #giveMode(mode: number): Promise<void> {
    try {
      const descriptor = openDirectorySync(this.#parent.number, this.#name);
      await host.chmod(itself(descriptor), mode).finally(() => release(descriptor));
    } catch {
      // It may have been moved or removed meanwhile.
    }
  }

  async #change(descriptor: number, now: StoredAttributes, change: AttributeChange): Promise<void> {
    const { mode, modifiedSeconds, accessedSeconds } = change;
    if (mode !== undefined) await host.chmod(itself(descriptor), this.#store.modes.changed(now.kind, mode));
    if (modifiedSeconds === undefined && accessedSeconds === undefined) return;
    const accessed = accessedSeconds ?? now.accessedSeconds;
    await host.utimes(itself(descriptor), accessed, modifiedSeconds ?? now.modifiedSeconds);
  }

  /** By its name, and lutimes follows nothing. It can't be fsynced: nothing but its name leads to a link. */
  async #dateLink(now: StoredAttributes, change: AttributeChange): Promise<void> {
    if (change.mode !== undefined) throw new ScpdError('UNSUPPORTED', 'Linux has no modes of links');
    const accessed = change.accessedSeconds ?? now.accessedSeconds;
    const modified = change.modifiedSeconds ?? now.modifiedSeconds;
    await onHost(() => host.lutimes(at(this.#parent.number, this.#name), accessed, modified));
  }

  /** A regular file opened for reading; anything else is refused without being waited for. */
  #openContent(): number {
    const descriptor = onHostSync(() => openSync(at(this.#parent.number, this.#name), openFlags.content));
    const { kind } = attributesOf(onHostSync(() => fstatSync(descriptor)));
    if (kind === 'file') return descriptor;
    release(descriptor);
    throw new ScpdError(kind === 'directory' ? 'IS_A_DIRECTORY' : 'NOT_A_REGULAR_FILE');
  }

  /** For what takes a name away: see `isInPlace`. */
  #requireInPlace(): true {
    if (this.isInPlace()) return true;
    throw new ScpdError('NOT_FOUND', 'its directory was moved');
  }

  /** Two names of one file: rename(2) does nothing then, and says that it did it. mv(1) removes the old name. */
  #isOtherNameOf(target: DiskPlace): boolean {
    if (this.path === target.path || this.look()?.kind !== 'file') return false;
    const [parent, name] = [target.#parent.number, target.#name];
    return isSameFile({ parent: this.#parent.number, name: this.#name }, { parent, name });
  }

  #moveWithoutReplacing(from: string | Buffer, to: string | Buffer, target: DiskPlace): void {
    if (this.attributes?.kind === 'directory') {
      // A directory has no second name. rename(2) replaces an empty directory at most, and only if it came just now.
      if (target.attributes !== undefined) throw new ScpdError('ALREADY_EXISTS');
      host.renameSync(from, to);
      return;
    }
    moveExclusively(from, to);
  }
}
