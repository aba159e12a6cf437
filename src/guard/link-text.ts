/** What a new symbolic link may say. */
import { ScpdError } from '../errors.ts';
import { pathBytesMax } from '../limits.ts';
import { takesMoreBytes } from '../name-bytes.ts';
import { componentsOf, parentPath, virtualPath, type VirtualPath } from './virtual-path.ts';

/**
 * The text to store for a link at `path` that a client wants to point to `target`. An absolute target is one of the
 * virtual root; on the host the same text would lead elsewhere, so it is stored as the relative path to the same place.
 * Throws PERMISSION_DENIED for a relative target that climbs out of the root, INVALID_NAME for none at all.
 */
export function linkTextBeneath(path: VirtualPath, target: string): string {
  if (target === '' || target.includes('\0')) throw new ScpdError('INVALID_NAME');
  if (takesMoreBytes(target, pathBytesMax)) throw new ScpdError('NAME_TOO_LONG');
  const directories = componentsOf(parentPath(path)).length;
  if (target.startsWith('/')) {
    const below = componentsOf(virtualPath(target));
    return [...Array.from({ length: directories }, () => '..'), ...below].join('/') || '.';
  }
  let depth = directories;
  for (const component of target.split('/')) {
    if (component === '..') depth -= 1;
    else if (component !== '' && component !== '.') depth += 1;
    if (depth < 0) {
      const rule = { reason: 'beneath' };
      throw new ScpdError('PERMISSION_DENIED', 'the link would lead out of the root', { rule });
    }
  }
  return target;
}
