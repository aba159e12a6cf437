/**
 * What is kept of interrupted uploads: `<root>/.scpd/partial/<upload id>`, beside the staging area. Each file holds bytes
 * that came in order, from the first one on, and is on disk before anyone is told of it. Who may go on with it, and for
 * how long, is the catalog's to say: what it does not know of is nobody's.
 */
import { constants, fstatSync, openSync, readdirSync } from 'node:fs';
import { ScpdError } from '../errors.ts';
import { at, itself, openFlags, release } from './descriptor.ts';
import { hasErrno, onHost, onHostSync } from './errno.ts';
import { host } from './host-calls.ts';
import { openExistingArea, openOwnArea, stagingName } from './staging-area.ts';

const partialName = 'partial';

/** Opens a kept file to be gone on with. The caller releases both descriptors. Throws NOT_FOUND if it is not whole. */
export async function openPartial(
  root: number,
  { id, sizeBytes }: { readonly id: string; readonly sizeBytes: number },
): Promise<{ readonly area: number; readonly file: number }> {
  const opened: number[] = [];
  try {
    const area = openOwnArea(root, partialName);
    opened.push(area);
    const file = await onHost(() => host.open(at(area, id), openFlags.existingFile));
    opened.push(file);
    const stats = onHostSync(() => fstatSync(file));
    if (!stats.isFile() || stats.size < sizeBytes) throw new ScpdError('NOT_FOUND', `the kept upload ${id}`);
    if (stats.size > sizeBytes) await onHost(() => host.ftruncate(file, sizeBytes));
    return { area, file };
  } catch (error) {
    opened.forEach(release);
    throw error;
  }
}

/** Moves a file, which is on disk, among the kept ones. Throws host errors. */
export async function moveToPartials(
  root: number,
  { from, id }: { readonly from: string | Buffer; readonly id: string },
): Promise<void> {
  const area = openOwnArea(root, partialName);
  try {
    await host.rename(from, at(area, id));
    const directory = await host.open(at(area, '.'), openFlags.syncDirectory);
    try {
      await host.fsync(directory);
    } finally {
      await host.close(directory);
    }
  } finally {
    release(area);
  }
}

/** Removes a kept file. That there is none is as good. Throws ScpdError. */
export async function dropPartial(root: number, id: string): Promise<void> {
  const area = onHostSync(() => openExistingArea(root, partialName));
  if (area === undefined) return;
  try {
    await onHost(() => removeIfThere(at(area, id)));
  } finally {
    release(area);
  }
}

async function removeIfThere(path: string | Buffer): Promise<void> {
  try {
    await host.unlink(path);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
}

export interface LeftUpload {
  readonly id: string;
  readonly stagedName: string;
  /** How much of so many bytes is to be kept; 0 for nothing. */
  readonly partialBytesOf: (sizeBytes: number) => number;
}

/**
 * Keeps what a process that was killed had received of an upload. Its bytes came in order, and a process that is killed
 * loses nothing that it has written, so that all of the file is right. Answers how much is kept, 0 for nothing; what is
 * not kept is left to the sweep. Throws host errors.
 */
export async function saveLeftUpload(
  rootHostPath: string,
  { id, stagedName, partialBytesOf }: LeftUpload,
): Promise<number> {
  const opened: number[] = [];
  const open = (descriptor: number): number => {
    opened.push(descriptor);
    return descriptor;
  };
  try {
    const root = open(openSync(rootHostPath, constants.O_RDONLY | constants.O_DIRECTORY));
    // It was gone on with before, and is among the kept ones; or it is in the staging area.
    for (const [area, name] of [
      [partialName, id],
      [stagingName, stagedName],
    ] as const) {
      const from = at(open(openOwnArea(root, area)), name);
      const file = await openIfThere(from);
      if (file === undefined) continue;
      open(file);
      const sizeBytes = partialBytesOf(fstatSync(file).size);
      if (sizeBytes === 0) return 0;
      await host.ftruncate(file, sizeBytes);
      await host.fsync(file);
      await moveToPartials(root, { from, id });
      return sizeBytes;
    }
    return 0;
  } finally {
    opened.forEach(release);
  }
}

async function openIfThere(path: string | Buffer): Promise<number | undefined> {
  try {
    return await host.open(path, openFlags.existingFile);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ELOOP')) return undefined;
    throw error;
  }
}

/** Removes what nobody knows of. Returns how many files. Throws host errors. */
export async function sweepPartials(
  rootHostPath: string,
  isKnown: (id: string) => Promise<boolean>,
): Promise<number> {
  const root = openSync(rootHostPath, constants.O_RDONLY | constants.O_DIRECTORY);
  let area: number | undefined;
  try {
    area = openExistingArea(root, partialName);
    if (area === undefined) return 0;
    let removed = 0;
    for (const name of readdirSync(itself(area))) {
      if (await isKnown(name)) continue;
      await removeIfThere(at(area, name));
      removed += 1;
    }
    return removed;
  } finally {
    if (area !== undefined) release(area);
    release(root);
  }
}
