/**
 * Where receipts of uploads are, and what clients call them: `/.receipts/NAME` is `/.scpd/receipts/USER/NAME`. As with old
 * versions, `.receipts` can be named but is in no listing, and can only be looked at. Each user has its own: what others
 * sent to the same root is not to be seen here.
 */
import { isStoredVersion } from './version-path.ts';
import { componentsOf, fromComponents, reservedName, type VirtualPath } from './virtual-path.ts';

/** What clients call the area; for whom there are receipts, nothing else can have this name at the top of a root. */
export const receiptsName = '.receipts';

/** The area in `/.scpd`. */
export const receiptsAreaName = 'receipts';

/** Whether a client's path is in the area, as clients call it. */
export function isReceiptPath(path: VirtualPath): boolean {
  return componentsOf(path)[0] === receiptsName;
}

/** `/.receipts/a` → `/.scpd/receipts/USER/a`. */
export function storedReceiptPath(path: VirtualPath, userName: string): VirtualPath {
  return fromComponents([reservedName, receiptsAreaName, userName, ...componentsOf(path).slice(1)]);
}

/** Whether a path is that of something of our own that clients may look at by another name. */
export function isStoredForClients(path: VirtualPath): boolean {
  const [first, second] = componentsOf(path);
  return isStoredVersion(path) || (first === reservedName && second === receiptsAreaName);
}
