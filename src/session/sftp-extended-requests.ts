/** SFTP requests by which clients ask about the place they are in: space, home, names of owners. */
import { ScpdError } from '../errors.ts';
import { parentPath, virtualPath } from '../guard/virtual-path.ts';
import type { HomeDirectoryRequest, OwnerNamesRequest } from '../protocol/sftp/extended-requests.ts';
import type { HandleRequest } from '../protocol/sftp/file-requests.ts';
import type { PathRequest } from '../protocol/sftp/path-requests.ts';
import type { SftpReply } from '../protocol/sftp/replies.ts';
import { shownOwner } from './sftp-attributes.ts';
import { nameReply } from './sftp-path-requests.ts';
import type { SftpSession } from './sftp-session.ts';

/** What all files show as their group: there is nobody in it to be named. */
const shownGroupName = 'scpd';

export async function statvfs(session: SftpSession, request: PathRequest<'statvfs'>): Promise<SftpReply> {
  return { kind: 'file-system', facts: await session.files.space(virtualPath(request.path)) };
}

/** Of the directory in which the file stands: one that is being uploaded is not there yet. */
export async function fstatvfs(session: SftpSession, request: HandleRequest<'fstatvfs'>): Promise<SftpReply> {
  const { kind, path } = session.handles.get(request.handle);
  const directory = kind === 'listing' ? path : parentPath(path);
  return { kind: 'file-system', facts: await session.files.space(directory) };
}

export async function spaceAvailable(
  session: SftpSession,
  request: PathRequest<'space-available'>,
): Promise<SftpReply> {
  return { kind: 'space', facts: await session.files.space(virtualPath(request.path)) };
}

/** expand-path@openssh.com: as REALPATH, with `~` and `~name` in front. Everybody's home is the root. */
export async function expandPath(
  session: SftpSession,
  request: PathRequest<'expand-path'>,
): Promise<SftpReply> {
  const [, userName, rest = ''] = /^~([^/]*)(.*)$/su.exec(request.path) ?? [];
  if (userName === undefined) return nameReply(virtualPath(request.path));
  requireSelf(session, userName);
  return nameReply(virtualPath(rest));
}

export async function homeDirectory(session: SftpSession, request: HomeDirectoryRequest): Promise<SftpReply> {
  requireSelf(session, request.userName);
  return nameReply('/');
}

/** users-groups-by-id@openssh.com. An empty name says that there is none. */
export async function ownerNames(
  session: SftpSession,
  { userIds, groupIds }: OwnerNamesRequest,
): Promise<SftpReply> {
  return {
    kind: 'owner-names',
    userNames: userIds.map((id) => (id === shownOwner.uid ? session.userName : '')),
    groupNames: groupIds.map((id) => (id === shownOwner.gid ? shownGroupName : '')),
  };
}

/** Whether there are other users is nobody's business here. */
function requireSelf(session: SftpSession, userName: string): void {
  if (userName !== '' && userName !== session.userName) throw new ScpdError('NOT_FOUND', 'no such user');
}
