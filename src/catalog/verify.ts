/**
 * Reads what is stored and compares it with what is known. The server may be at work meanwhile: what looks wrong is
 * looked at again once no change is under way there, and only what is wrong then is told. Memory stays flat.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { errorCode, type ErrorCode } from '../errors.ts';
import { hashOf } from '../guard/hash.ts';
import type { Store, StoredAttributes } from '../guard/store.ts';
import { isStoredVersion, versionDirectory } from '../guard/version-path.ts';
import type { VirtualPath } from '../guard/virtual-path.ts';
import type { Catalog, CatalogEntry, CatalogRoot } from './catalog.ts';
import { lookAt, walkStored } from './survey.ts';

/**
 * `missing`: known, and not on the disk. `changed`: another content than was received. `unknown`: on the disk, and
 * never received or hashed. `unreadable`: the disk does not give it.
 */
export type Finding =
  | { readonly kind: 'missing' | 'unknown'; readonly path: VirtualPath }
  | {
      readonly kind: 'changed';
      readonly path: VirtualPath;
      readonly expected: string;
      readonly found: string;
    }
  | { readonly kind: 'unreadable'; readonly path: VirtualPath; readonly error: ErrorCode };

export interface Verification {
  readonly catalog: Catalog;
  readonly root: CatalogRoot;
  readonly store: Store;
  readonly below: VirtualPath;
  /** Told after each file, and every now and then within a large one. */
  readonly progress: (done: { readonly files: number; readonly bytes: number }) => void;
}

/** How often what is being changed is looked at again, and after how long. */
const looksMax = 100;
const lookAgainMs = 50;

/** Everything that is wrong with the files at and below a path. */
export async function* verifyStored(verification: Verification): AsyncGenerator<Finding> {
  const { catalog, root, store, below, progress } = verification;
  for (const part of partsOf(below)) {
    for await (const { path, kind } of catalog.entries(root, part)) {
      if (kind !== 'file') continue;
      const finding = await settled(verification, path);
      progress({ files: 1, bytes: 0 });
      if (finding !== undefined) yield finding;
    }
  }
  for await (const { path, attributes } of walkStored(store, below)) {
    if (attributes.kind !== 'file' || (await catalog.entryAt(root, path)) !== undefined) continue;
    const finding = await settled(verification, path);
    progress({ files: 1, bytes: 0 });
    if (finding !== undefined) yield finding;
  }
}

/** Where the entries at and below a path are, those of old versions included. */
export function partsOf(below: VirtualPath): readonly VirtualPath[] {
  return below === '/' || isStoredVersion(below) ? [below] : [below, versionDirectory(below)];
}

/** What is wrong with a path when nobody is changing it. */
async function settled(verification: Verification, path: VirtualPath): Promise<Finding | undefined> {
  const { catalog, root } = verification;
  for (let look = 1; ; look += 1) {
    const before = await catalog.entryAt(root, path);
    const finding = await compare(verification, path, before);
    if (finding === undefined) return undefined;
    const isMoving = await catalog.isChanging(root, path);
    const after = await catalog.entryAt(root, path);
    const isSame = before?.inode === after?.inode && before?.sha256 === after?.sha256;
    if ((isSame && !isMoving) || look === looksMax) return finding;
    if (isMoving) await pause(lookAgainMs);
  }
}

async function compare(
  verification: Verification,
  path: VirtualPath,
  known: CatalogEntry | undefined,
): Promise<Finding | undefined> {
  const { store, progress } = verification;
  try {
    const found = await lookAt(store, path);
    if (found?.kind !== 'file') return known?.kind === 'file' ? { kind: 'missing', path } : undefined;
    if (known?.kind !== 'file' || known.sha256 === null) return { kind: 'unknown', path };
    const sha256 = await sha256Of(store, path, (bytes) => progress({ files: 0, bytes }));
    if (sha256 === known.sha256) return undefined;
    return { kind: 'changed', path, expected: known.sha256, found: sha256 };
  } catch (error) {
    return { kind: 'unreadable', path, error: errorCode(error) };
  }
}

/** Hex. @param read told of bytes as they are read */
export async function sha256Of(
  store: Store,
  path: VirtualPath,
  read: (bytes: number) => void,
): Promise<string> {
  return (await hashedFile(store, path, read)).sha256;
}

/** A file's hash and what it was a hash of. Throws ScpdError. */
export async function hashedFile(
  store: Store,
  path: VirtualPath,
  read: (bytes: number) => void,
): Promise<{ readonly sha256: string; readonly found: StoredAttributes | undefined }> {
  const place = await store.locate(path, { follow: false });
  try {
    const file = await place.open();
    try {
      const counted = {
        attributes: () => file.attributes(),
        close: () => file.close(),
        read: async (offset: number, lengthBytes: number): Promise<Buffer> => {
          const bytes = await file.read(offset, lengthBytes);
          read(bytes.length);
          return bytes;
        },
      };
      const digest = await hashOf(counted, { algorithm: 'sha256' });
      return { sha256: digest.toString('hex'), found: place.look() };
    } finally {
      await file.close();
    }
  } finally {
    place.close();
  }
}
