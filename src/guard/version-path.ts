/**
 * Where old versions of files are, and what clients call them. A version of `/photos/a.jpg` is the file itself under
 * another name: `/.scpd/versions/photos/a.jpg/20261125T101112.131Z`, by when it was replaced or removed. Clients see it
 * as `/.versions/photos/a.jpg/20261125T101112.131Z`, and can only look. As with the snapshot directories of file servers,
 * `.versions` can be named but is in no listing: else every recursive copy would bring all versions along.
 */
import {
  baseName,
  componentsOf,
  fromComponents,
  parentPath,
  reservedName,
  type VirtualPath,
} from './virtual-path.ts';

/** What clients call the area; where versions are kept, nothing else can have this name at the top of a root. */
export const versionsName = '.versions';

const areaComponents = [reservedName, 'versions'];
export const versionsArea = fromComponents(areaComponents);

/** Whether a client's path is in the area, as clients call it. */
export function isVersionPath(path: VirtualPath): boolean {
  return componentsOf(path)[0] === versionsName;
}

/** Where the versions of a file are. */
export function versionDirectory(path: VirtualPath): VirtualPath {
  return fromComponents([...areaComponents, ...componentsOf(path)]);
}

/** `/.versions/a` → `/.scpd/versions/a`. */
export function storedVersionPath(path: VirtualPath): VirtualPath {
  return fromComponents([...areaComponents, ...componentsOf(path).slice(1)]);
}

/** `/.scpd/versions/a` → `/.versions/a`; a path elsewhere comes back as it is. */
export function shownVersionPath(stored: VirtualPath): VirtualPath {
  if (!isStoredVersion(stored)) return stored;
  return fromComponents([versionsName, ...componentsOf(stored).slice(areaComponents.length)]);
}

/** Whether a path is that of something in the area, as it is stored. */
export function isStoredVersion(path: VirtualPath): boolean {
  const components = componentsOf(path);
  return areaComponents.every((name, index) => components[index] === name);
}

/** The file (or directory) that something in the area is about; the path is one that clients use. */
export function originalOf(path: VirtualPath): VirtualPath {
  const original = fromComponents(componentsOf(path).slice(1));
  return versionTimeMs(baseName(original)) === undefined ? original : parentPath(original);
}

/** The name of a version that is made now. @param tried how many such names were taken already */
export function versionName(nowMs: number, tried: number): string {
  const time = new Date(nowMs).toISOString().replaceAll(/[-:]/gu, '');
  return tried === 0 ? time : `${time}-${tried}`;
}

/** When the version of this name was made, in milliseconds since 1970; undefined for what is no version's name. */
export function versionTimeMs(name: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)\.(\d{3})Z(?:-\d+)?$/u.exec(name);
  if (match === null) return undefined;
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0, millisecond = 0] = match
    .slice(1)
    .map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, second, millisecond);
}

/** Newest first, by their names; those of one millisecond by their numbers. */
export function newestFirst(names: readonly string[]): string[] {
  const key = (name: string): readonly [number, number] => [
    versionTimeMs(name) ?? 0,
    Number(/-(\d+)$/u.exec(name)?.[1] ?? 0),
  ];
  return names.toSorted((one, other) => {
    const [[oneMs, oneNumber], [otherMs, otherNumber]] = [key(one), key(other)];
    return otherMs - oneMs || otherNumber - oneNumber;
  });
}
