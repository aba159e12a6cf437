/** SFTP requests that name a path. Each handler does one request and returns its reply. */
import { errorCode, ScpdError } from '../errors.ts';
import type { Attributes } from '../guard/files.ts';
import { virtualPath, type VirtualPath } from '../guard/virtual-path.ts';
import { noAttributes } from '../protocol/sftp/attributes.ts';
import type { MkdirRequest } from '../protocol/sftp/directory-requests.ts';
import type {
  PathRequest,
  RenameRequest,
  SetstatRequest,
  SymlinkRequest,
} from '../protocol/sftp/path-requests.ts';
import { okReply, type SftpReply } from '../protocol/sftp/replies.ts';
import { newMode, toChange, toWire } from './sftp-attributes.ts';
import { changeUpload } from './sftp-file-requests.ts';
import type { SftpSession } from './sftp-session.ts';

/**
 * STAT follows links, LSTAT does not. A file that this very session is uploading is shown to it as it grows, although
 * nothing is under its name yet: sshfs gives up a file that it can't see after it has opened it, and takes from the size
 * where to append. What is left of an interrupted upload is shown to clients that may go on with it.
 */
export async function stat(session: SftpSession, request: PathRequest<'stat' | 'lstat'>): Promise<SftpReply> {
  const path = virtualPath(request.path);
  const growing = session.handles.uploadAt(path)?.opened.upload;
  const stored = await storedAttributes(session, path, {
    follow: request.kind === 'stat',
    mayBeMissing: growing !== undefined,
  });
  const isShown = stored === undefined || stored.kind === 'file';
  const attributes = isShown ? ((await growing?.attributes()) ?? stored) : stored;
  if (attributes === undefined) throw new ScpdError('NOT_FOUND');
  return { kind: 'attributes', attributes: toWire(attributes) };
}

async function storedAttributes(
  session: SftpSession,
  path: VirtualPath,
  { follow, mayBeMissing }: { readonly follow: boolean; readonly mayBeMissing: boolean },
): Promise<Attributes | undefined> {
  try {
    return await session.files.stat(path, { follow, partial: session.resumes });
  } catch (error) {
    if (mayBeMissing && errorCode(error) === 'NOT_FOUND') return undefined;
    throw error;
  }
}

/** Links are followed, as OpenSSH does, but not by lsetstat. Nothing but an owner asked for is a success: see `AttributeChange`. */
export async function setstat(
  session: SftpSession,
  request: SetstatRequest<'setstat' | 'lsetstat'>,
): Promise<SftpReply> {
  const follow = request.kind === 'setstat';
  const change = toChange(request.attributes);
  const path = virtualPath(request.path);
  // A link has no size to be set; OpenSSH answers the same.
  if (!follow && change?.sizeBytes !== undefined) throw new ScpdError('BAD_MESSAGE', 'the size of a link');
  if (change === undefined) return okReply;
  const growing = session.handles.uploadAt(path);
  // The size is the upload's alone: the file that it will replace stays whole until then.
  const { sizeBytes: _, ...dated } = change;
  const stored = growing === undefined ? change : dated;
  try {
    if (Object.keys(stored).length > 0) await session.files.setAttributes(path, stored, { follow });
  } catch (error) {
    if (growing === undefined || errorCode(error) !== 'NOT_FOUND') throw error;
  }
  // What the upload is going to replace must not take the change away with it: `touch` over sshfs does just that.
  return growing === undefined ? okReply : await changeUpload(growing.opened, change);
}

export async function mkdir(session: SftpSession, request: MkdirRequest): Promise<SftpReply> {
  await session.files.makeDirectory(virtualPath(request.path), newMode(request.attributes, 0o777));
  return okReply;
}

export async function rmdir(session: SftpSession, request: PathRequest<'rmdir'>): Promise<SftpReply> {
  await session.files.removeDirectory(virtualPath(request.path));
  return okReply;
}

export async function remove(session: SftpSession, request: PathRequest<'remove'>): Promise<SftpReply> {
  await session.files.remove(virtualPath(request.path));
  return okReply;
}

/** RENAME refuses to replace; posix-rename@openssh.com is rename(2). */
export async function rename(
  session: SftpSession,
  { kind, from, to }: RenameRequest<'rename' | 'posix-rename'>,
): Promise<SftpReply> {
  await session.files.rename(virtualPath(from), virtualPath(to), { replace: kind === 'posix-rename' });
  return okReply;
}

/**
 * The canonical form of a name, by text alone: it tells nothing about what exists, and succeeds for what does not.
 * Clients need that: they ask for "." or "" at the start, and `scp -r` asks for a directory before it makes it.
 */
export async function realpath(_session: SftpSession, request: PathRequest<'realpath'>): Promise<SftpReply> {
  return nameReply(virtualPath(request.path));
}

export async function readlink(session: SftpSession, request: PathRequest<'readlink'>): Promise<SftpReply> {
  return nameReply(await session.files.readLink(virtualPath(request.path)));
}

export async function symlink(session: SftpSession, request: SymlinkRequest): Promise<SftpReply> {
  await session.files.makeLink(virtualPath(request.path), request.target);
  return okReply;
}

/** hardlink@openssh.com. */
export async function hardlink(
  session: SftpSession,
  { from, to }: RenameRequest<'hardlink'>,
): Promise<SftpReply> {
  await session.files.makeHardLink(virtualPath(from), virtualPath(to));
  return okReply;
}

/** One name and nothing else, which is how the protocol answers with a path. */
export function nameReply(name: string): SftpReply {
  return { kind: 'names', entries: [{ name, longName: name, attributes: noAttributes }] };
}
