/**
 * The one canonical form of a client's path: absolute in the user's virtual tree, no empty, "." or ".." component, no
 * NUL. `VirtualPath` is branded, so a path that did not come through here does not typecheck. ".." is resolved by
 * text and stops at the root, before any link is looked at: the kernel never sees a "..".
 */
import { ScpdError } from '../errors.ts';
import { takesMoreBytes } from '../name-bytes.ts';
import { nameBytesMax, pathBytesMax, pathDepthMax } from '../limits.ts';

declare const brand: unique symbol;
export type VirtualPath = string & { readonly [brand]: 'VirtualPath' };

export const rootPath = '/' as VirtualPath;

/** The name of our own area at the top of each root. No rule can allow it (`rules.ts`) and no listing shows it. */
export const reservedName = '.scpd';

/**
 * A path as a client wrote it (already through `decodeName`): relative ones start at the root, which is where a login
 * starts. Throws INVALID_NAME or NAME_TOO_LONG.
 */
export function virtualPath(text: string): VirtualPath {
  if (takesMoreBytes(text, pathBytesMax)) throw new ScpdError('NAME_TOO_LONG');
  const components: string[] = [];
  for (const component of text.split('/')) {
    if (component === '..') components.pop();
    else if (component !== '' && component !== '.') components.push(component);
  }
  if (components.length > pathDepthMax) throw new ScpdError('NAME_TOO_LONG', 'too many directories');
  return fromComponents(components);
}

/** A path made of checked components; also used by storage for where links led to. Throws as `virtualPath`. */
export function fromComponents(components: readonly string[]): VirtualPath {
  components.forEach(checkComponent);
  return `/${components.join('/')}` as VirtualPath;
}

/** The entry `name` of a directory. `name` is one component, or the call throws INVALID_NAME. */
export function childPath(directory: VirtualPath, name: string): VirtualPath {
  checkComponent(name);
  return `${directory === '/' ? '' : directory}/${name}` as VirtualPath;
}

export function componentsOf(path: VirtualPath): readonly string[] {
  return path === '/' ? [] : path.slice(1).split('/');
}

/** The directory that holds `path`; the root is its own. */
export function parentPath(path: VirtualPath): VirtualPath {
  return (path.slice(0, path.lastIndexOf('/')) || '/') as VirtualPath;
}

/** The last component; '' for the root. */
export function baseName(path: VirtualPath): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Whether `path` is `directory` or lies below it, by components. */
export function isWithin(path: VirtualPath, directory: VirtualPath): boolean {
  return directory === '/' || path === directory || path.startsWith(`${directory}/`);
}

function checkComponent(name: string): void {
  if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) {
    throw new ScpdError('INVALID_NAME');
  }
  if (takesMoreBytes(name, nameBytesMax)) throw new ScpdError('NAME_TOO_LONG');
}
