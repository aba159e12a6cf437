/** Roots as the configuration names them: the only host paths that are opened by their whole path. */
import { fstatSync, openSync } from 'node:fs';
import { ScpdError } from '../errors.ts';
import { attributesOf, openFlags, release } from './descriptor.ts';

/**
 * Opens a root, to be released by the caller. It may be a link: it is the operator's word, not a client's. Throws ScpdError.
 * @param inode what it must have; without it, any. Without its disk, an empty directory stands in its place.
 */
export function openRoot(rootHostPath: string, inode?: string): number {
  const root = openNamed(rootHostPath);
  if (inode === undefined || attributesOf(fstatSync(root)).inode === inode) return root;
  release(root);
  throw new ScpdError(
    'STORAGE_FAILED',
    `${rootHostPath} is not the directory that it was at the start; is a disk not mounted? If it is meant, reload (SIGHUP)`,
  );
}

/** The path is the operator's, who has to hear which one it is. */
function openNamed(rootHostPath: string): number {
  try {
    return openSync(rootHostPath, openFlags.syncDirectory);
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new ScpdError('STORAGE_FAILED', `the root ${rootHostPath}: ${words}`, { cause: error });
  }
}
