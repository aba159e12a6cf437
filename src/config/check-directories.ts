/**
 * Checks of the directories that a configuration names. The rules between them: no root holds anything that scpd itself
 * lives by (a client could read or replace it), and no root lies inside another (the hidden staging area at the top of
 * the inner one would be an ordinary directory to the user of the outer one). All comparisons are of real paths.
 */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { shownPath, type KeyPath } from './document.ts';
import type { Findings } from './findings.ts';
import { errnoOf, errnoWords, realPathOf, shellPath, shownFile } from './host-files.ts';

/** A user's root as configured. */
export interface NamedRoot {
  readonly path: KeyPath;
  /** Host path, absolute. */
  readonly directory: string;
  /** Whether the user may write there, as far as what is configured is right. */
  readonly isWritten: boolean;
}

/** Something that no root may hold. */
export interface OwnFile {
  /** Such as `host key`. */
  readonly what: string;
  readonly file: string;
}

/** The audit directory: one that we can write, or one that we can make. */
export async function checkAuditDirectory(
  path: KeyPath,
  directory: string,
  findings: Findings,
): Promise<void> {
  let existing = directory;
  try {
    while (!(await exists(existing))) existing = dirname(existing);
    if (!(await stat(existing)).isDirectory()) {
      findings.add(path, `expected a directory, got something else at ${shownFile(existing)}`);
      return;
    }
    await access(existing, constants.W_OK | constants.X_OK);
  } catch (error) {
    findings.add(
      path,
      `expected a directory that scpd can write, got ${errnoWords(error, 'directory', existing)}`,
    );
  }
}

/** Each root on its own, then against the other roots and against what scpd lives by. */
export async function checkRoots(
  roots: readonly NamedRoot[],
  own: { readonly files: readonly OwnFile[]; readonly auditDirectory: string | undefined },
  findings: Findings,
): Promise<void> {
  const realRoots = new Map<NamedRoot, string>();
  const firstUserOf = new Map<string, string>();
  for (const root of roots) {
    if (!(await checkRoot(root, findings))) continue;
    const real = await realPathOf(root.directory);
    realRoots.set(root, real);
    if (!firstUserOf.has(real)) firstUserOf.set(real, shownPath(root.path.slice(0, -1)));
  }
  const ownFiles = await realOwnFiles(own);
  const realAudit = own.auditDirectory === undefined ? undefined : await realPathOf(own.auditDirectory);
  for (const [root, real] of realRoots) {
    const problem = placeProblem(real, { firstUserOf, ownFiles, realAudit });
    if (problem !== undefined) findings.add(root.path, problem);
  }
}

async function checkRoot({ path, directory, isWritten }: NamedRoot, findings: Findings): Promise<boolean> {
  try {
    if (!(await stat(directory)).isDirectory()) {
      findings.add(path, `expected a directory, got something else at ${shownFile(directory)}`);
      return false;
    }
  } catch (error) {
    const correction = errnoOf(error) === 'ENOENT' ? `; make it with: mkdir -p ${shellPath(directory)}` : '';
    findings.add(path, `expected a directory, got ${errnoWords(error, 'directory', directory)}${correction}`);
    return false;
  }
  try {
    await access(directory, constants.R_OK | constants.X_OK | (isWritten ? constants.W_OK : 0));
  } catch (error) {
    const use = isWritten ? 'read and write' : 'read';
    findings.add(
      path,
      `expected a directory that scpd can ${use}, got ${errnoWords(error, 'directory', directory)}`,
    );
  }
  return true;
}

interface Places {
  /** Real root → the first user that has it. */
  readonly firstUserOf: ReadonlyMap<string, string>;
  /** Each directory above one of our files → what lies below it. */
  readonly ownFiles: ReadonlyMap<string, string>;
  readonly realAudit: string | undefined;
}

/** What is wrong with a root's place, if anything. */
function placeProblem(real: string, { firstUserOf, ownFiles, realAudit }: Places): string | undefined {
  if (real === '/') return 'expected a directory of its own, got "/", the whole file system';
  const below = ownFiles.get(real);
  if (below !== undefined) {
    return `expected a directory apart from scpd's own files, got one that holds ${below}; clients could read or replace it`;
  }
  const above = ancestors(real);
  if (realAudit !== undefined && above.includes(realAudit)) {
    return `expected a directory apart from scpd's own files, got one inside the audit directory ${shownFile(realAudit)}`;
  }
  const outer = above.find(
    (directory) => directory !== real && directory !== '/' && firstUserOf.has(directory),
  );
  if (outer === undefined) return undefined;
  const owner = firstUserOf.get(outer) ?? '';
  return `expected a directory outside of other roots, got one inside ${shownFile(outer)}, the root of ${owner}: each would see the other's uploads in progress`;
}

/** Directory → the first of our files at or below it. A link counts where it lies and where it leads. */
async function realOwnFiles(own: {
  readonly files: readonly OwnFile[];
  readonly auditDirectory: string | undefined;
}): Promise<Map<string, string>> {
  const audit =
    own.auditDirectory === undefined ? [] : [{ what: 'audit directory', file: own.auditDirectory }];
  const above = new Map<string, string>();
  for (const { what, file } of [...own.files, ...audit]) {
    const words = `the ${what} ${shownFile(file)}`;
    for (const real of [join(await realPathOf(dirname(file)), basename(file)), await realPathOf(file)]) {
      for (const directory of ancestors(real)) if (!above.has(directory)) above.set(directory, words);
    }
  }
  return above;
}

/** Whether a real path is another one, or lies below it. */
export function isWithin(directory: string, path: string): boolean {
  return ancestors(path).includes(directory);
}

/** The path itself and every directory above it, up to "/". */
function ancestors(path: string): string[] {
  const parent = dirname(path);
  return parent === path ? [path] : [path, ...ancestors(parent)];
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}
