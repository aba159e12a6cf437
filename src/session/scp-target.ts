/** Where the records of an upload lead: the target of the command, and the directories that were entered below it. */
import { ScpdError, errorCode } from '../errors.ts';
import type { Attributes, Files } from '../guard/files.ts';
import { childPath, rootPath, virtualPath, type VirtualPath } from '../guard/virtual-path.ts';
import { encodeName } from '../name-bytes.ts';
import type { ScpSinkCommand } from '../protocol/command/parse-command.ts';

/** A path and how the client wrote it, for messages. */
export interface Place {
  readonly path: VirtualPath;
  readonly text: string;
}

/**
 * What the target of `scp -t` is:
 * - `directory`: it is there; entries go into it.
 * - `supposed`: it can't be seen, and the client says that it is a directory (a slash at its end, or -d). Users who may
 *   not look around send to such directories; where there is none, each entry is refused with "No such file".
 * - `name`: anything else; it is the name that the copy gets.
 */
export interface Target extends Place {
  readonly kind: 'directory' | 'supposed' | 'name';
}

/** Looks at the target. Throws `ScpdError` if nothing can be sent there. */
export async function resolveTarget(files: Files, command: ScpSinkCommand): Promise<Target> {
  const path = virtualPath(command.target);
  const place = { path, text: command.target };
  if (path === rootPath) return { kind: 'directory', ...place };
  const attributes = await look(files, path);
  if (attributes?.kind === 'directory') return { kind: 'directory', ...place };
  if (!command.targetMustBeDirectory && !saysDirectory(command.target)) return { kind: 'name', ...place };
  if (attributes !== undefined) throw new ScpdError('NOT_A_DIRECTORY');
  return { kind: 'supposed', ...place };
}

/** The place of entry `name` in a directory. Throws INVALID_NAME or NAME_TOO_LONG. */
export function placeIn(directory: Place, name: string): Place {
  return { path: virtualPath(childPath(directory.path, checkedName(name))), text: textIn(directory, name) };
}

/** How the client would write that place. */
export function textIn(directory: Place, name: string): string {
  return directory.text.endsWith('/') ? `${directory.text}${name}` : `${directory.text}/${name}`;
}

/** What is there, as far as this user may know. */
export async function look(files: Files, path: VirtualPath): Promise<Attributes | undefined> {
  try {
    return await files.stat(path, { follow: true });
  } catch (error) {
    const code = errorCode(error);
    if (code === 'NOT_FOUND' || code === 'PERMISSION_DENIED' || code === 'NOT_A_DIRECTORY') return undefined;
    throw error;
  }
}

/** Names with control characters are of no use but to mislead a terminal or a script. */
function checkedName(name: string): string {
  const isControl = (byte: number): boolean => byte < 0x20 || byte === 0x7f;
  if (encodeName(name).some(isControl)) throw new ScpdError('INVALID_NAME');
  return name;
}

function saysDirectory(text: string): boolean {
  return /(^|\/)\.{0,2}$/.test(text);
}
