/**
 * Files reached through directory descriptors. `/proc/self/fd/N/name` is openat(2): N is pinned and only `name` is looked
 * up, so no client path ever reaches the kernel. Linux only; `self-check.ts` proves at start that it holds.
 */
import { closeSync, constants, lstatSync, openSync, readlinkSync, type Stats } from 'node:fs';
import { encodeName } from '../name-bytes.ts';
import type { FileKind } from '../guard/files.ts';
import type { StoredAttributes } from '../guard/store.ts';

/** O_PATH is not in `fs.constants`; it is 0o10000000 on every Linux architecture that Node supports. */
const O_PATH = 0o10000000;
const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL } = constants;

export const openFlags = {
  /** A directory to stand in; never through a link. */
  directory: O_PATH | O_DIRECTORY | O_NOFOLLOW,
  /** Whatever has the name, to act on by descriptor. */
  anything: O_PATH | O_NOFOLLOW,
  /** Content to be sent. O_NONBLOCK: opening a FIFO must not hang a thread. */
  content: O_RDONLY | O_NOFOLLOW | O_NONBLOCK,
  /** A directory to be fsynced (O_PATH descriptors can't be). */
  syncDirectory: O_RDONLY | O_DIRECTORY,
  /** A file of ours that is there. */
  existingFile: O_RDWR | O_NOFOLLOW | O_NONBLOCK,
  /** A file or directory to be fsynced, which may allow only one of the two. */
  syncAnything: O_RDONLY | O_NONBLOCK,
  syncWritable: O_WRONLY | O_NONBLOCK,
  newFile: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW,
} as const;

/** The name `name` in the directory behind `descriptor`; "." is the directory itself. */
export function at(descriptor: number, name: string): string | Buffer {
  const path = `/proc/self/fd/${descriptor}/${name}`;
  return path.isWellFormed() ? path : encodeName(path);
}

/** The open file behind `descriptor`, to be opened again or changed. Follows nothing: the kernel jumps straight to it. */
export function itself(descriptor: number): string {
  return `/proc/self/fd/${descriptor}`;
}

/** Opens a directory to stand in. Throws host errors: ENOTDIR for a link or a file. */
export function openDirectorySync(parent: number, name: string): number {
  return openSync(at(parent, name), openFlags.directory);
}

/** A second descriptor for the same directory, so that owner and borrower can close independently. */
export function duplicateSync(descriptor: number): number {
  return openSync(at(descriptor, '.'), openFlags.directory);
}

/** Where a link points, as bytes turned into text. */
export function readLinkSync(parent: number, name: string): Buffer {
  return readlinkSync(at(parent, name), { encoding: 'buffer' });
}

/** Closes a descriptor that was only stood in; such a close can't fail in a way that matters. */
export function release(descriptor: number): void {
  closeSync(descriptor);
}

/** A descriptor that several hold, and that is closed when the last of them lets go. Whoever makes it is the first. */
export class SharedDescriptor {
  readonly number: number;
  #holders = 1;

  constructor(descriptor: number) {
    this.number = descriptor;
  }

  hold(): this {
    this.#holders += 1;
    return this;
  }

  letGo(): void {
    this.#holders -= 1;
    if (this.#holders === 0) release(this.number);
  }
}

/** What has the name now; undefined for nothing. Throws host errors. */
export function lookSync(parent: number, name: string): StoredAttributes | undefined {
  const stats = lstatSync(at(parent, name), { throwIfNoEntry: false });
  return stats === undefined ? undefined : attributesOf(stats);
}

/** Whether two names are names of one file. Throws host errors. */
export function isSameFile(
  one: { readonly parent: number; readonly name: string },
  other: { readonly parent: number; readonly name: string },
): boolean {
  const options = { throwIfNoEntry: false, bigint: true } as const;
  const there = lstatSync(at(one.parent, one.name), options);
  const here = lstatSync(at(other.parent, other.name), options);
  // Numbers of inodes are told apart within one file system only.
  return there !== undefined && here !== undefined && there.ino === here.ino && there.dev === here.dev;
}

export function attributesOf(stats: Stats): StoredAttributes {
  return {
    kind: kindOf(stats),
    sizeBytes: stats.size,
    mode: stats.mode & 0o777,
    modifiedSeconds: stats.mtimeMs / 1000,
    accessedSeconds: stats.atimeMs / 1000,
    linkCount: stats.nlink,
    inode: String(stats.ino),
    identity: `${stats.dev}:${stats.ino}:${stats.birthtimeMs}`,
  };
}

function kindOf(stats: Stats): FileKind {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  return stats.isSymbolicLink() ? 'link' : 'other';
}
