/** Giving a file a name only if nothing has it. */
import { link, lstat, rename, unlink } from 'node:fs';
import { promisify } from 'node:util';
import { ScpdError } from '../errors.ts';
import { hasErrno } from './errno.ts';

const linkAsync = promisify(link);
const unlinkAsync = promisify(unlink);
const renameAsync = promisify(rename);
const lstatAsync = promisify(lstat);

/**
 * Moves a file that is no directory. link(2) refuses to replace in one step, which rename(2) can't be asked to do from
 * Node. Where the file system has no hard links (exFAT, some network disks), a look and a rename must do; somebody who
 * creates the name between the two loses it. Throws host errors, EEXIST as ALREADY_EXISTS.
 */
export async function moveExclusively(from: string | Buffer, to: string | Buffer): Promise<void> {
  try {
    await linkAsync(from, to);
  } catch (error) {
    if (!hasErrno(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK')) throw error;
    if (await exists(to)) throw new ScpdError('ALREADY_EXISTS');
    await renameAsync(from, to);
    return;
  }
  await unlinkAsync(from);
}

async function exists(path: string | Buffer): Promise<boolean> {
  try {
    await lstatAsync(path);
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return false;
    throw error;
  }
}
