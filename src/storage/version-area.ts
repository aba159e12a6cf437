/**
 * Old versions of files: `<root>/.scpd/versions/<path of the file>/<time at which it was replaced>`. A version is the old
 * file itself under another name; nothing is ever copied. What is replaced gets its second name before the new file takes
 * the first one, so that a crash in between loses neither; what is removed is moved.
 *
 * A client sees the area as `/.versions`, read-only. All steps are synchronous: they are a few look-ups and one link.
 */
import { linkSync, lstatSync, mkdirSync, readdirSync, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { ScpdError } from '../errors.ts';
import { decodeName } from '../name-bytes.ts';
import { componentsOf, reservedName, type VirtualPath } from '../guard/virtual-path.ts';
import { at, itself, openDirectorySync, release } from './descriptor.ts';
import { hasErrno, onHostSync } from './errno.ts';

const areaName = 'versions';

/** Where a file is, and where it is remembered. */
export interface Original {
  readonly root: number;
  /** The pinned directory that holds it, and its name there. */
  readonly parent: number;
  readonly name: string;
  readonly path: VirtualPath;
}

export interface Version {
  /** The last component of its path: when it was replaced, in UTC. */
  readonly name: string;
  readonly sizeBytes: number;
}

/** A change of a directory that must be durable before anybody is told of a success. */
type Changed = (directory: number) => void;

/**
 * Gives what stands under a name a second name as a version. Undefined if nothing is there, or no regular file. Throws
 * ScpdError, and then the old file must not be replaced.
 */
export function keepVersion(original: Original, changed: Changed): Version | undefined {
  return store(original, changed, (from, to) => linkSync(from, to));
}

/** Moves what stands under a name into its versions: what is left of a removal. As `keepVersion`. */
export function moveToVersions(original: Original, changed: Changed): Version | undefined {
  return store(original, changed, (from, to) => renameSync(from, to));
}

/** The versions of one file, oldest first. */
export function listVersions(root: number, path: VirtualPath): readonly Version[] {
  const directory = openExisting(root, path);
  if (directory === undefined) return [];
  try {
    const names = onHostSync(() => readdirSync(itself(directory), { encoding: 'buffer' })).map(decodeName);
    const found = names.map((name) => ({
      name,
      stats: lstatSync(at(directory, name), { throwIfNoEntry: false }),
    }));
    return found
      .filter(({ name, stats }) => stats?.isFile() === true && versionTime(name) !== undefined)
      .map(({ name, stats }) => ({ name, sizeBytes: stats?.size ?? 0 }))
      .sort((one, other) => one.name.localeCompare(other.name, 'en', { numeric: true }));
  } finally {
    release(directory);
  }
}

/** Removes one version, and the directories that it leaves empty. */
export function dropVersion(root: number, path: VirtualPath, name: string): void {
  const directory = openExisting(root, path);
  if (directory === undefined) return;
  try {
    onHostSync(() => unlinkSync(at(directory, name)));
  } finally {
    release(directory);
  }
  removeEmpty(root, path);
}

/** The area of a root, to be listed and read. The caller releases it. Throws NOT_FOUND if there is none yet. */
export function openVersionArea(root: number): number {
  return onHostSync(() => {
    const reserved = openDirectorySync(root, reservedName);
    try {
      return openDirectorySync(reserved, areaName);
    } finally {
      release(reserved);
    }
  });
}

/** When the version of this name was replaced, in milliseconds since 1970; undefined for what is no version's name. */
export function versionTime(name: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)\.(\d{3})Z(?:-\d+)?$/.exec(name);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second, millisecond] = match.slice(1).map(Number);
  return Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second, millisecond);
}

function versionName(timeMs: number, attempt: number): string {
  const time = new Date(timeMs).toISOString().replaceAll(/[-:]/g, '');
  return attempt === 0 ? time : `${time}-${attempt}`;
}

function store(
  original: Original,
  changed: Changed,
  put: (from: string | Buffer, to: string | Buffer) => void,
): Version | undefined {
  const stats = onHostSync(() => lstatSync(at(original.parent, original.name), { throwIfNoEntry: false }));
  if (stats?.isFile() !== true) return undefined;
  const directory = makeDirectories(original, changed);
  try {
    const name = freeName(directory);
    put(at(original.parent, original.name), at(directory, name));
    changed(directory);
    return { name, sizeBytes: stats.size };
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined; // it went away by itself
    throw new ScpdError('STORAGE_FAILED', 'the old version could not be kept', { cause: error });
  } finally {
    release(directory);
  }
}

/** Two versions of one millisecond get different names; only this process writes here. */
function freeName(directory: number): string {
  const nowMs = Date.now();
  for (let attempt = 0; ; attempt += 1) {
    const name = versionName(nowMs, attempt);
    if (lstatSync(at(directory, name), { throwIfNoEntry: false }) === undefined) return name;
  }
}

/** The directory of a file's versions, made with all that lead to it. */
function makeDirectories({ root, path }: Original, changed: Changed): number {
  let directory = openDirectorySync(root, '.');
  for (const name of [reservedName, areaName, ...componentsOf(path)]) {
    const above = directory;
    try {
      directory = enterOrMake(above, name, changed);
    } catch (error) {
      throw new ScpdError('STORAGE_FAILED', 'no directory for the old version', { cause: error });
    } finally {
      release(above);
    }
  }
  return directory;
}

function enterOrMake(above: number, name: string, changed: Changed): number {
  try {
    return openDirectorySync(above, name);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
  try {
    mkdirSync(at(above, name), 0o700);
    changed(above);
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error; // another session was quicker
  }
  return openDirectorySync(above, name);
}

function openExisting(root: number, path: VirtualPath): number | undefined {
  let directory = openDirectorySync(root, '.');
  for (const name of [reservedName, areaName, ...componentsOf(path)]) {
    const above = directory;
    try {
      directory = openDirectorySync(above, name);
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
      throw error;
    } finally {
      release(above);
    }
  }
  return directory;
}

function removeEmpty(root: number, path: VirtualPath): void {
  const names = [...componentsOf(path)];
  for (let name = names.pop(); name !== undefined; name = names.pop()) {
    const above = openExisting(root, `/${names.join('/')}` as VirtualPath);
    if (above === undefined) return;
    try {
      rmdirSync(at(above, name));
    } catch {
      return; // not empty: other versions need it
    } finally {
      release(above);
    }
  }
}
