/** What rm, cp and chmod do to a tree, in steps that hold no more than one batch of names of each directory. */
import { ScpdError, errorCode } from '../errors.ts';
import type { Attributes, Files } from '../guard/files.ts';
import { baseName, childPath, isWithin, type VirtualPath } from '../guard/virtual-path.ts';
import { scpReadAheadBytes } from '../limits.ts';

const listingEntriesMax = 1024;

/** Removes a file, or a directory with all that is in it; links are removed, not followed. */
export async function removeTree(files: Files, path: VirtualPath): Promise<void> {
  const { kind } = await files.stat(path, { follow: false });
  if (kind !== 'directory') return await files.remove(path);
  for (;;) {
    // Opened anew for each batch: what a listing shows after its directory changed is left open by POSIX.
    const names = await firstNames(files, path);
    if (names.length === 0) break;
    for (const name of names) await removeTree(files, childPath(path, name));
  }
  await files.removeDirectory(path);
}

async function firstNames(files: Files, path: VirtualPath): Promise<readonly string[]> {
  const listing = await files.list(path);
  try {
    return (await listing.read(listingEntriesMax)).map(({ name }) => name);
  } finally {
    await listing.close();
  }
}

/** Does `act` for a path and, of a directory, for all below it, from the top down; links are left alone. */
export async function forTree(
  files: Files,
  path: VirtualPath,
  act: (path: VirtualPath, attributes: Attributes) => Promise<void>,
): Promise<void> {
  const attributes = await files.stat(path, { follow: false });
  if (attributes.kind === 'link') return;
  await act(path, attributes);
  if (attributes.kind !== 'directory') return;
  await forEntries(files, path, (child) => forTree(files, child, act));
}

/** Copies a file, or a tree with `recursive`; times and modes are kept. What links lead to is copied in their stead. */
export async function copyTree(
  files: Files,
  from: VirtualPath,
  { to, recursive }: { readonly to: VirtualPath; readonly recursive: boolean },
): Promise<void> {
  const attributes = await files.stat(from, { follow: true });
  if (attributes.kind === 'file') return await copyFile(files, from, to);
  if (attributes.kind !== 'directory') throw new ScpdError('NOT_A_REGULAR_FILE');
  if (!recursive) throw new ScpdError('IS_A_DIRECTORY');
  // Asked for each directory: a link may be at either end, or have been there already in the target.
  if (isWithin(await files.resolve(to), await files.resolve(from))) throw new ScpdError('INVALID_RENAME');
  await makeUnlessThere(files, to, attributes.mode | 0o700);
  await forEntries(files, from, async (child, kind) => {
    // A directory behind a link could hold the link: it is not entered.
    const isLoop = kind === 'link' && (await files.stat(child, { follow: true })).kind === 'directory';
    if (isLoop) throw new ScpdError('TOO_MANY_LINKS');
    await copyTree(files, child, { to: childPath(to, baseName(child)), recursive });
  });
  await files.setAttributes(to, kept(attributes), { follow: true });
}

async function copyFile(files: Files, from: VirtualPath, to: VirtualPath): Promise<void> {
  const download = await files.download(from);
  try {
    const attributes = await download.attributes();
    const { mode, sizeBytes } = attributes;
    const options = {
      existing: 'replace',
      missing: 'create',
      newFileMode: mode,
      declaredBytes: sizeBytes,
    } as const;
    const upload = await files.upload(to, options);
    try {
      for (let offset = 0; ;) {
        const bytes = await download.read(offset, scpReadAheadBytes);
        if (bytes.length === 0) break;
        await upload.write(bytes, offset);
        offset += bytes.length;
      }
      await upload.setAttributes(kept(attributes));
    } catch (error) {
      await upload.abort(errorCode(error));
      throw error;
    }
    await upload.commit('closed');
  } catch (error) {
    await download.abort(errorCode(error));
    throw error;
  }
  await download.finish('closed');
}

function kept({
  mode,
  modifiedSeconds,
  accessedSeconds,
}: Attributes): Pick<Attributes, 'mode' | 'modifiedSeconds' | 'accessedSeconds'> {
  return { mode, modifiedSeconds, accessedSeconds };
}

async function makeUnlessThere(files: Files, path: VirtualPath, mode: number): Promise<void> {
  try {
    await files.makeDirectory(path, mode);
  } catch (error) {
    if (errorCode(error) !== 'ALREADY_EXISTS') throw error;
    const { kind } = await files.stat(path, { follow: true });
    if (kind !== 'directory') throw new ScpdError('NOT_A_DIRECTORY');
  }
}

async function forEntries(
  files: Files,
  path: VirtualPath,
  act: (child: VirtualPath, kind: Attributes['kind']) => Promise<void>,
): Promise<void> {
  const listing = await files.list(path);
  try {
    for (;;) {
      const entries = await listing.read(listingEntriesMax);
      if (entries.length === 0) return;
      for (const { name, attributes } of entries) await act(childPath(path, name), attributes.kind);
    }
  } finally {
    await listing.close();
  }
}
