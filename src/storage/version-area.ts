/**
 * Old versions of files, as `guard/version-path.ts` names them. A version is the old file itself under another name; nothing
 * is ever copied. What is replaced gets its second name right before the new file takes the first one, so a crash in
 * between loses neither. What is removed is moved.
 */
import { linkSync, mkdirSync, readdirSync, renameSync, unlinkSync } from 'node:fs';
import { errorCode, ScpdError } from '../errors.ts';
import type { KeptVersion, StoredAttributes } from '../guard/store.ts';
import { childPath, componentsOf } from '../guard/virtual-path.ts';
import { nextVersionName, versionDirectory, newestVersion } from '../guard/version-path.ts';
import { decodeName } from '../name-bytes.ts';
import { at, isSameFile, itself, lookSync, openDirectorySync, release } from './descriptor.ts';
import type { Unsynced } from './durability.ts';
import { fromErrno, hasErrno, onHostSync } from './errno.ts';
import { isInPlace, type Pinned } from './walk.ts';

/** A file that is about to lose its name, in its pinned directory. The descriptors are borrowed. */
export interface Original extends Pinned {
  readonly name: string;
}

/** How often a directory is made again that was removed, because it was empty, before it was used. */
const triesMax = 10;

/** Gives the name of a file that is kept to another one. Both are synchronous. */
export interface TakeOver {
  /** Asked at the last moment. */
  readonly isAllowed: () => boolean;
  readonly act: () => void;
}

/**
 * Removes a name, moving the file that had it to its versions. Undefined if it was a link or the like: that is gone. Throws
 * ScpdError, and then the name is still there.
 */
export async function removeKeeping(original: Original, changed: Unsynced): Promise<KeptVersion | undefined> {
  return await withDirectory(original, changed, (directory) => {
    const old = lookAt(original);
    const from = at(original.parent, original.name);
    if (!isInPlace(original)) throw new ScpdError('NOT_FOUND', 'its directory was moved');
    if (old?.kind !== 'file') {
      unlinkSync(from);
      return { done: undefined };
    }
    if (directory === undefined) return 'again';
    const version = versionFor(directory, original);
    if (version.earlier === undefined) renameSync(from, at(directory, version.name));
    else {
      renameSync(at(directory, version.earlier), at(directory, version.name));
      unlinkSync(from);
    }
    return { done: keptAs(original, version, old) };
  });
}

interface Replaced {
  readonly taken: boolean;
  readonly kept?: KeptVersion;
}

/**
 * Keeps what is to be replaced: gives it a second name among its versions, and then its name to another. Answers whether
 * that was allowed, and what was kept, which is nothing if there was no regular file. Throws as `removeKeeping`.
 */
export async function replaceKeeping(
  original: Original,
  changed: Unsynced,
  takeOver: TakeOver,
): Promise<Replaced> {
  return await withDirectory<Replaced>(original, changed, (directory) => {
    if (!takeOver.isAllowed()) return { done: { taken: false } };
    const old = lookAt(original);
    if (old?.kind !== 'file') {
      takeOver.act();
      return { done: { taken: true } };
    }
    if (directory === undefined) return 'again';
    const version = versionFor(directory, original);
    const asVersion = at(directory, version.name);
    if (version.earlier === undefined) link(at(original.parent, original.name), asVersion);
    else renameSync(at(directory, version.earlier), asVersion);
    try {
      takeOver.act();
    } catch (error) {
      unlinkSync(asVersion); // it still has its own name
      throw error;
    }
    return { done: { taken: true, kept: keptAs(original, version, old) } };
  });
}

/**
 * Runs a synchronous `act`, so that nothing of this server comes between its steps, with the directory of the versions if
 * there is an old file: without one, there is nothing to make a directory for. `act` says `again` if one came meanwhile.
 */
async function withDirectory<T>(
  original: Original,
  changed: Unsynced,
  act: (directory: number | undefined) => { readonly done: T } | 'again',
): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    const isFile = lookAt(original)?.kind === 'file';
    let directory: number | undefined;
    try {
      if (isFile) directory = await makeDirectories(original, changed);
      const directories = [original.parent, ...(directory === undefined ? [] : [directory])];
      const outcome = await changed.during(directories, async () => act(directory));
      if (outcome !== 'again') return outcome.done;
    } catch (error) {
      // A directory that was made for this went away again, because it was empty.
      if (errorCode(error) !== 'NOT_FOUND' || !isFile || tried >= triesMax) throw error;
    } finally {
      if (directory !== undefined) release(directory);
    }
  }
}

interface VersionNames {
  readonly name: string;
  /** One that it has already, if a crash came between its two names: it was not yet old then. */
  readonly earlier?: string;
}

/** A name for a file among its versions. */
function versionFor(directory: number, { parent, name }: Original): VersionNames {
  const names = readdirSync(itself(directory), { encoding: 'buffer' }).map((bytes) => decodeName(bytes));
  const newest = newestVersion(names);
  const next = nextVersionName(newest, Date.now());
  const isEarlier = newest !== undefined && isSameFile({ parent: directory, name: newest }, { parent, name });
  return { name: next, ...(isEarlier ? { earlier: newest } : {}) };
}

function keptAs(
  { path }: Original,
  { name, earlier }: VersionNames,
  attributes: StoredAttributes,
): KeptVersion {
  const directory = versionDirectory(path);
  return {
    path: childPath(directory, name),
    ...(earlier === undefined ? {} : { earlier: childPath(directory, earlier) }),
    attributes,
  };
}

function link(from: string | Buffer, to: string | Buffer): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (!hasErrno(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK')) throw error;
    throw new ScpdError('STORAGE_FAILED', 'versions need a file system with hard links', { cause: error });
  }
}

function lookAt({ parent, name }: Original): ReturnType<typeof lookSync> {
  return onHostSync(() => lookSync(parent, name));
}

/** The directory of a file's versions, made with all that lead to it. The caller releases it. */
async function makeDirectories({ root, path }: Original, changed: Unsynced): Promise<number> {
  let directory = onHostSync(() => openDirectorySync(root, '.'));
  for (const name of componentsOf(versionDirectory(path))) {
    const above = directory;
    try {
      directory = await enterOrMake(above, name, changed);
    } catch (error) {
      const code = errorCode(error);
      if (code === 'NOT_FOUND' || code === 'NO_SPACE') throw error;
      throw new ScpdError('STORAGE_FAILED', 'no directory for the old version', { cause: error });
    } finally {
      release(above);
    }
  }
  return directory;
}

async function enterOrMake(above: number, name: string, changed: Unsynced): Promise<number> {
  try {
    return openDirectorySync(above, name);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw fromErrno(error);
  }
  await changed.during([above], async () => {
    try {
      mkdirSync(at(above, name), 0o700);
    } catch (error) {
      if (!hasErrno(error, 'EEXIST')) throw error; // another session was quicker
    }
  });
  return onHostSync(() => openDirectorySync(above, name));
}
