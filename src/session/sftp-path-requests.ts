/** SFTP requests that name a path. Each handler does one request and returns its reply. */
import { virtualPath } from '../guard/virtual-path.ts';
import { noAttributes } from '../protocol/sftp/attributes.ts';
import type { MkdirRequest } from '../protocol/sftp/directory-requests.ts';
import type { PathRequest, RenameRequest, SetstatRequest } from '../protocol/sftp/path-requests.ts';
import { okReply, type SftpReply } from '../protocol/sftp/replies.ts';
import { newMode, toChange, toWire } from './sftp-attributes.ts';
import type { SftpSession } from './sftp-session.ts';

export async function stat(session: SftpSession, request: PathRequest<'stat'>): Promise<SftpReply> {
  const attributes = await session.files.stat(virtualPath(request.path), { follow: true });
  return { kind: 'attributes', attributes: toWire(attributes) };
}

export async function lstat(session: SftpSession, request: PathRequest<'lstat'>): Promise<SftpReply> {
  const attributes = await session.files.stat(virtualPath(request.path), { follow: false });
  return { kind: 'attributes', attributes: toWire(attributes) };
}

/** Links are followed, as OpenSSH does. Nothing but an owner asked for is a success: see `AttributeChange`. */
export async function setstat(session: SftpSession, request: SetstatRequest): Promise<SftpReply> {
  const change = toChange(request.attributes);
  const path = virtualPath(request.path);
  if (change !== undefined) await session.files.setAttributes(path, change, { follow: true });
  return okReply;
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
  const path = virtualPath(request.path);
  return { kind: 'names', entries: [{ name: path, longName: path, attributes: noAttributes }] };
}
