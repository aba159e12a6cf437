/**
 * The sandbox leans on /proc and on O_PATH. At start this shows, in a directory of its own, that they do what the walk
 * needs; where they don't, the server must not run.
 */
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  constants,
  openSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { virtualPath } from '../guard/virtual-path.ts';
import { at, openDirectorySync, release } from './descriptor.ts';
import { hasErrno } from './errno.ts';
import { walk } from './walk.ts';

/** Throws an Error with words for the operator if the sandbox would not hold on this machine. */
export function checkSandbox(): void {
  const place = mkdtempSync(join(tmpdir(), 'scpd-check-'));
  try {
    mkdirSync(join(place, 'root', 'inner'), { recursive: true });
    writeFileSync(join(place, 'outside'), 'outside');
    symlinkSync('..', join(place, 'root', 'up'));
    symlinkSync('../outside', join(place, 'root', 'out'));
    if (!holds(join(place, 'root'))) {
      throw new Error(
        'this system does not give what the sandbox is built on (Linux with /proc mounted: O_PATH, /proc/self/fd); scpd does not start without it',
      );
    }
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

function holds(rootHostPath: string): boolean {
  let root: number | undefined;
  try {
    root = openSync(rootHostPath, constants.O_RDONLY | constants.O_DIRECTORY);
    return seesEntries(root) && refusesLink(root) && staysBeneath(root);
  } catch {
    return false;
  } finally {
    if (root !== undefined) release(root);
  }
}

function seesEntries(root: number): boolean {
  return lstatSync(at(root, 'inner')).isDirectory() && lstatSync(at(root, 'up')).isSymbolicLink();
}

function refusesLink(root: number): boolean {
  try {
    release(openDirectorySync(root, 'up'));
    return false;
  } catch (error) {
    return hasErrno(error, 'ENOTDIR', 'ELOOP');
  }
}

/** A link that points out of the root must end inside it. */
function staysBeneath(root: number): boolean {
  const found = walk(root, virtualPath('/out'), { follow: true });
  release(found.parent);
  return found.path === '/outside' && found.stats === undefined;
}
