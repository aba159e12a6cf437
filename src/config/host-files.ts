/** How the checks look at files and directories of the host, and how they name them to the operator. */
import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative } from 'node:path';
import { printable } from '../name-bytes.ts';

/** Why a file can't be used. `message` completes "expected …, got". */
export class HostFileError extends Error {
  override readonly name = 'HostFileError';
}

/** Reads a regular file whole. Never waits for a pipe or a device. Throws `HostFileError`. */
export async function readHostFile(
  path: string,
  bytesMax: number,
): Promise<{ readonly bytes: Buffer; readonly mode: number }> {
  try {
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const facts = await handle.stat();
      if (facts.isDirectory()) throw new HostFileError(`a directory at ${shownFile(path)}`);
      if (!facts.isFile()) throw new HostFileError(`something other than a file at ${shownFile(path)}`);
      if (facts.size > bytesMax)
        throw new HostFileError(`${facts.size} bytes, more than the ${bytesMax} allowed`);
      return { bytes: await handle.readFile(), mode: facts.mode & 0o777 };
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw error instanceof HostFileError
      ? error
      : new HostFileError(errnoWords(error, 'file', path), { cause: error });
  }
}

/** What an errno means for the operator, to complete "expected …, got". */
export function errnoWords(error: unknown, kind: 'file' | 'directory', path: string): string {
  const code = errnoOf(error) ?? 'an unknown error';
  const shown = shownFile(path);
  switch (code) {
    case 'ENOENT':
      return `no ${kind} at ${shown}`;
    case 'ENOTDIR':
      return `${shown}, where a part of the path is not a directory`;
    case 'EACCES':
    case 'EPERM':
      return `${shown}, which scpd has no permission to use`;
    default:
      return `${shown}, which fails with ${code}`;
  }
}

/** The errno's name, such as `ENOENT`, of anything that was thrown. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  return error.code;
}

/** The path without links; what does not exist yet is taken as it would be made. */
export async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(await realPathOf(parent), basename(path));
  }
}

/** A path as the operator is shown it: relative where it lies in the current directory, one printable line. */
export function shownFile(path: string): string {
  return printable(shortPath(path), 4096);
}

/** The same for a command line to be pasted into a shell. */
export function shellPath(path: string): string {
  return shellWord(shortPath(path));
}

/** One word of a shell command, quoted only if it must be. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The path relative to the current directory where it lies in that, else absolute. */
export function shortPath(path: string): string {
  const fromHere = relative(process.cwd(), path);
  if (fromHere === '') return '.';
  return fromHere === '..' || fromHere.startsWith('../') || isAbsolute(fromHere) ? path : fromHere;
}
