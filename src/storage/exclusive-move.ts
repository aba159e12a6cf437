/** Giving a file a name only if nothing has it. */
import { lstatSync } from 'node:fs';
import { ScpdError } from '../errors.ts';
import { hasErrno } from './errno.ts';
import { host } from './host-calls.ts';

/**
 * Moves a file that is no directory. link(2) refuses to replace in one step, which rename(2) can't be asked to do from
 * Node. Where the file system has no hard links (exFAT, some network disks), a look and a rename must do; somebody who
 * creates the name between the two loses it. The link and the end of the old name are one synchronous step: a new file that
 * took the old name in between would be removed. Throws host errors.
 */
export function moveExclusively(from: string | Buffer, to: string | Buffer): void {
  try {
    host.linkSync(from, to);
  } catch (error) {
    if (!hasErrno(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK')) throw error;
    if (lstatSync(to, { throwIfNoEntry: false }) !== undefined) throw new ScpdError('ALREADY_EXISTS');
    host.renameSync(from, to);
    return;
  }
  try {
    host.unlinkSync(from);
  } catch (error) {
    host.unlinkSync(to); // it is not moved, so it must not have both names
    throw error;
  }
}
