/**
 * Where old versions of files are, and what clients call them. A version of `/photos/a.jpg` is the file itself under
 * another name: `/.scpd/versions/photos/a.jpg/20261125T101112.131Z`, by when it was replaced or removed. Clients see it
 * as `/.versions/photos/a.jpg/20261125T101112.131Z`, and can only look. As with the snapshot directories of file servers,
 * `.versions` can be named but is in no listing: else every recursive copy would bring all versions along.
 */
import { nameBytesMax } from '../limits.ts';
import { componentsOf, fromComponents, reservedName, type VirtualPath } from './virtual-path.ts';

/** What clients call the area; where versions are kept, nothing else can have this name at the top of a root. */
export const versionsName = '.versions';

/** A version's name, and such a name with dots behind it. */
const looksLikeVersion = /^\d{8}T\d{6}\.\d{3}Z(?:-\d{1,9})?\.*$/u;
const areaComponents = [reservedName, 'versions'];
export const versionsArea = fromComponents(areaComponents);

/** Whether a client's path is in the area, as clients call it. */
export function isVersionPath(path: VirtualPath): boolean {
  return componentsOf(path)[0] === versionsName;
}

/**
 * Where the versions of a file are. Names of files or directories that could be a version's get a dot, so that none of
 * them is ever in the way of a version, or is taken for one.
 */
export function versionDirectory(path: VirtualPath): VirtualPath {
  const names = componentsOf(path).map((name) =>
    looksLikeVersion.test(name) && name.length < nameBytesMax ? `${name}.` : name,
  );
  return fromComponents([...areaComponents, ...names]);
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
  const names = componentsOf(path).slice(1);
  if (versionTimeMs(names.at(-1) ?? '') !== undefined) names.pop();
  return fromComponents(
    names.map((name) => (looksLikeVersion.test(name) && name.endsWith('.') ? name.slice(0, -1) : name)),
  );
}

/** The name of the version that is made at a time. @param number of those of the same millisecond that came before */
export function versionName(timeMs: number, number: number): string {
  const time = new Date(timeMs).toISOString().replaceAll(/[-:]/gu, '');
  return number === 0 ? time : `${time}-${number}`;
}

/** The name of a version that is made now: newer than all that are there, even if the clock was set back. */
export function nextVersionName(newest: string | undefined, nowMs: number): string {
  if (newest === undefined) return versionName(nowMs, 0);
  const [newestMs, number] = orderOf(newest);
  return nowMs > newestMs ? versionName(nowMs, 0) : versionName(newestMs, number + 1);
}

/** The newest version among names; those of other things are passed over. */
export function newestVersion(names: readonly string[]): string | undefined {
  let newest: { readonly name: string; readonly order: Order } | undefined;
  for (const name of names) {
    if (versionTimeMs(name) === undefined) continue;
    const order = orderOf(name);
    if (newest === undefined || compare(order, newest.order) > 0) newest = { name, order };
  }
  return newest?.name;
}

/** When the version of this name was made, in milliseconds since 1970; undefined for what is no version's name. */
export function versionTimeMs(name: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)\.(\d{3})Z(?:-\d{1,9})?$/u.exec(name);
  if (match === null) return undefined;
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0, millisecond = 0] = match
    .slice(1)
    .map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, second, millisecond);
}

/** Newest first, by their names; those of one millisecond by their numbers. */
export function newestFirst(names: readonly string[]): string[] {
  return names
    .map((name) => ({ name, order: orderOf(name) }))
    .sort((one, other) => compare(other.order, one.order))
    .map(({ name }) => name);
}

type Order = readonly [timeMs: number, number: number];

function orderOf(name: string): Order {
  return [versionTimeMs(name) ?? 0, Number(/-(\d+)$/u.exec(name)?.[1] ?? 0)];
}

function compare([oneMs, oneNumber]: Order, [otherMs, otherNumber]: Order): number {
  return oneMs - otherMs || oneNumber - otherNumber;
}
