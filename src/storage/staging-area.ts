/**
 * The reserved directory of a root in which uploads grow: `<root>/.scpd/staging/`, mode 0700, on the file system of the
 * root, so that publishing is one rename. A staged file's name says which process owns it: what belongs to no living
 * process is an orphan of a crash and is swept at start.
 */
import { constants, fstatSync, mkdirSync, openSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { ScpdError, errorCode } from '../errors.ts';
import { reservedName } from '../guard/virtual-path.ts';
import { at, itself, openDirectorySync, openFlags, release, SharedDescriptor } from './descriptor.ts';
import { hasErrno, onHostSync } from './errno.ts';
import { host } from './host-calls.ts';
import { isProcessAlive, ownProcess } from './process-identity.ts';

export const stagingName = 'staging';

/** Opens the staging directory of a root. As `openOwnArea`. */
export function openStagingArea(root: number): number {
  return openOwnArea(root, stagingName);
}

/**
 * Opens a directory in our own area of a root, making it if need be. The caller releases the descriptor. Throws NO_SPACE, or
 * STORAGE_FAILED for everything else that may be wrong with it: the client's path is not to blame.
 */
export function openOwnArea(root: number, name: string): number {
  try {
    return onHostSync(() => {
      const reserved = enterOrMake(root, reservedName);
      try {
        return enterOrMake(reserved, name);
      } finally {
        release(reserved);
      }
    });
  } catch (error) {
    if (errorCode(error) === 'NO_SPACE') throw error;
    throw new ScpdError('STORAGE_FAILED', `our own area ${reservedName}/${name}`, { cause: error });
  }
}

interface OpenArea {
  readonly directory: SharedDescriptor;
  readonly device: number;
}

/** The staging area of a root, as one session uses it: it stays open from the first upload to the last. */
export class StagingArea {
  readonly #root: number;
  #open: OpenArea | undefined;
  #isClosed = false;

  /** @param root borrowed until `close` */
  constructor(root: number) {
    this.#root = root;
  }

  /**
   * Makes a file in it. Throws host errors, and ScpdError: OTHER_FILE_SYSTEM where it can't be renamed to a directory on that
   * device, and as `openStagingArea`.
   * @returns its descriptor, and that of the area; the caller lets go of both
   */
  make(name: string, device: number): { readonly file: number; readonly directory: SharedDescriptor } {
    const wasOpen = this.#open !== undefined;
    try {
      return this.#make(name, device);
    } catch (error) {
      // Whoever has cleared our area away meanwhile has not closed it.
      if (!wasOpen || !hasErrno(error, 'ENOENT')) throw error;
      this.#forget();
      return this.#make(name, device);
    }
  }

  /** No file is made in it any more. */
  close(): void {
    this.#forget();
    this.#isClosed = true;
  }

  #forget(): void {
    this.#open?.directory.letGo();
    this.#open = undefined;
  }

  #make(name: string, device: number): ReturnType<StagingArea['make']> {
    if (this.#isClosed) throw new ScpdError('CONNECTION_LOST', 'the session is over');
    this.#open ??= this.#enter();
    const { directory } = this.#open;
    if (this.#open.device !== device)
      throw new ScpdError('OTHER_FILE_SYSTEM', 'another file system is mounted below the root');
    const file = openSync(at(directory.number, name), openFlags.newFile, 0o600);
    return { file, directory: directory.hold() };
  }

  #enter(): OpenArea {
    const directory = new SharedDescriptor(openStagingArea(this.#root));
    return { directory, device: fstatSync(directory.number).dev };
  }
}

/** The name of a staged file of this process. */
export function stagedName(id: string): string {
  return `${ownProcess}-${id}`;
}

/** How much dead processes left of which uploads in a root's staging area, by their ids. Throws host errors. */
export async function orphanBytes(rootHostPath: string): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  await withOrphans(rootHostPath, async (staging, name) => {
    const [, , ...id] = name.split('-');
    found.set(id.join('-'), (await host.lstat(at(staging, name))).size);
  });
  return found;
}

/** Removes what dead processes left in a root's staging area. Returns how many files. Throws host errors. */
export async function sweepStagingArea(rootHostPath: string): Promise<number> {
  return await withOrphans(rootHostPath, (staging, name) => host.unlink(at(staging, name)));
}

/** Each of them is a thread's work, so that nobody waits, however many and large they are. */
async function withOrphans(
  rootHostPath: string,
  act: (staging: number, name: string) => Promise<void>,
): Promise<number> {
  const root = openSync(rootHostPath, constants.O_RDONLY | constants.O_DIRECTORY);
  let staging: number | undefined;
  try {
    staging = openExistingArea(root, stagingName);
    if (staging === undefined) return 0;
    let orphans = 0;
    for (const name of await readdir(itself(staging))) {
      if (isProcessAlive(name)) continue;
      try {
        await act(staging, name);
        orphans += 1;
      } catch (error) {
        if (!hasErrno(error, 'ENOENT')) throw error; // another sweep was quicker
      }
    }
    return orphans;
  } finally {
    if (staging !== undefined) release(staging);
    release(root);
  }
}

/** A directory in our own area of a root; undefined if nobody has made it. */
export function openExistingArea(root: number, name: string): number | undefined {
  try {
    const reserved = openDirectorySync(root, reservedName);
    try {
      return openDirectorySync(reserved, name);
    } finally {
      release(reserved);
    }
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Opens a directory of our own, made (0700) if need be. Throws host errors. */
export function enterOrMake(parent: number, name: string): number {
  try {
    return openDirectorySync(parent, name);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
  try {
    mkdirSync(at(parent, name), 0o700);
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error; // another session was quicker
  }
  return openDirectorySync(parent, name);
}
