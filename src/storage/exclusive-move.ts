/** Giving a file a name only if nothing has it. */
import { ScpdError } from '../errors.ts';
import { hasErrno } from './errno.ts';
import { host } from './host-calls.ts';

/**
 * Moves a file that is no directory. link(2) refuses to replace in one step, which rename(2) can't be asked to do from
 * Node. Where the file system has no hard links (exFAT, some network disks), a look and a rename must do; somebody who
 * creates the name between the two loses it. Throws host errors, EEXIST as ALREADY_EXISTS.
 */
export async function moveExclusively(from: string | Buffer, to: string | Buffer): Promise<void> {
  try {
    await host.link(from, to);
  } catch (error) {
    if (!hasErrno(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK')) throw error;
    if (await exists(to)) throw new ScpdError('ALREADY_EXISTS');
    await host.rename(from, to);
    return;
  }
  try {
    await host.unlink(from);
  } catch (error) {
    await host.unlink(to); // it is not moved, so it must not have both names
    throw error;
  }
}

async function exists(path: string | Buffer): Promise<boolean> {
  try {
    await host.lstat(path);
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return false;
    throw error;
  }
}
