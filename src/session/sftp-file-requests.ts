/** SFTP requests about open files and directories. Each handler does one request and returns its reply. */
import { errorCode, ScpdError } from '../errors.ts';
import type { AttributeChange, Upload, UploadOptions } from '../guard/files.ts';
import { virtualPath } from '../guard/virtual-path.ts';
import { sftpListingEntriesMax, sftpReadBytesMax } from '../limits.ts';
import type {
  FsetstatRequest,
  HandleRequest,
  OpenFlags,
  OpenRequest,
  ReadRequest,
  WriteRequest,
} from '../protocol/sftp/file-requests.ts';
import { longName } from '../protocol/sftp/long-name.ts';
import type { PathRequest } from '../protocol/sftp/path-requests.ts';
import { endOfFileReply, okReply, type SftpReply } from '../protocol/sftp/replies.ts';
import { newMode, toChange, toWire } from './sftp-attributes.ts';
import type { OpenHandle, OpenUpload } from './sftp-handles.ts';
import type { SftpSession } from './sftp-session.ts';

/**
 * With WRITE this is an upload, and so it is with CREAT and EXCL, which ask for a new file in any case; otherwise it is a
 * download, whatever else is asked for. EXCL means something only together with CREAT (section 6.3).
 */
export async function open(session: SftpSession, request: OpenRequest): Promise<SftpReply> {
  const path = virtualPath(request.path);
  const { flags } = request;
  const handle = await session.handles.open(async () => {
    const isUpload = flags.write || (flags.create && flags.exclusive);
    if (!isUpload) return { kind: 'download', path, download: await session.files.download(path) };
    const upload = await session.files.upload(path, {
      existing: existingOf(flags),
      missing: flags.create ? 'create' : 'refuse',
      newFileMode: newMode(request.attributes, 0o666),
      append: flags.append,
      // EXCL is for a name that nobody has used: who asks for that does not come back to it.
      resumable: session.resumes && !flags.exclusive,
    });
    return { kind: 'upload', path, upload, readable: flags.read };
  });
  return { kind: 'handle', handle };
}

/**
 * The commit point of SFTP: the reply to CLOSE of an upload says that the file is safe under its name. An upload of
 * which a part failed is dropped instead, and CLOSE repeats why.
 */
export async function close(session: SftpSession, request: HandleRequest<'close'>): Promise<SftpReply> {
  const opened = session.handles.remove(request.handle);
  if (opened.kind === 'listing') await opened.listing.close();
  else if (opened.kind === 'download') await opened.download.finish('closed');
  else await closeUpload(session, opened);
  return okReply;
}

async function closeUpload(session: SftpSession, { upload, failure }: OpenUpload): Promise<void> {
  if (failure !== undefined) {
    await upload.abort(failure);
    throw new ScpdError(failure, 'an earlier request on this handle failed');
  }
  await upload.commit('closed', { settlesNext: true });
  await session.files.settle();
}

/** A reply holds at most `sftpReadBytesMax`, whatever was asked for; clients ask again for the rest. */
export async function read(session: SftpSession, request: ReadRequest): Promise<SftpReply> {
  const source = readable(session.handles.get(request.handle));
  // A READ of nothing gets an empty DATA, as from OpenSSH: it says nothing about the end of the file.
  if (request.lengthBytes === 0) return { kind: 'data', data: Buffer.alloc(0) };
  const data = await source.read(request.offset, Math.min(request.lengthBytes, sftpReadBytesMax));
  return data.length === 0 ? endOfFileReply : { kind: 'data', data };
}

export async function write(session: SftpSession, request: WriteRequest): Promise<SftpReply> {
  const opened = writable(session.handles.get(request.handle));
  return changeContent(opened, (upload) => upload.write(request.data, request.offset));
}

export async function fstat(session: SftpSession, request: HandleRequest<'fstat'>): Promise<SftpReply> {
  const opened = session.handles.get(request.handle);
  // OpenSSH too knows FSTAT for files only, and a remembered path must not be asked again.
  if (opened.kind === 'listing') throw new ScpdError('INVALID_HANDLE');
  const file = opened.kind === 'upload' ? opened.upload : opened.download;
  return { kind: 'attributes', attributes: toWire(await file.attributes()) };
}

/** Part of an upload: OpenSSH's scp opens without TRUNC and cuts the file to its length here. */
export async function fsetstat(session: SftpSession, request: FsetstatRequest): Promise<SftpReply> {
  const opened = writable(session.handles.get(request.handle));
  const change = toChange(request.attributes);
  return change === undefined ? okReply : await changeUpload(opened, change);
}

/** Size, mode and times of what is being uploaded. */
export async function changeUpload(opened: OpenUpload, change: AttributeChange): Promise<SftpReply> {
  if (change.sizeBytes !== undefined) {
    return changeContent(opened, (upload) => upload.setAttributes(change));
  }
  refuseFailed(opened);
  await opened.upload.setAttributes(change);
  return okReply;
}

/** fsync@openssh.com. What is only read has nothing that could be lost. */
export async function fsync(session: SftpSession, request: HandleRequest<'fsync'>): Promise<SftpReply> {
  const opened = session.handles.get(request.handle);
  if (opened.kind === 'listing') throw new ScpdError('INVALID_HANDLE');
  return opened.kind === 'upload' ? changeContent(opened, (upload) => upload.sync()) : okReply;
}

export async function opendir(session: SftpSession, request: PathRequest<'opendir'>): Promise<SftpReply> {
  const path = virtualPath(request.path);
  const handle = await session.handles.open(async () => {
    return { kind: 'listing', path, listing: await session.files.list(path) };
  });
  return { kind: 'handle', handle };
}

/** Up to `sftpListingEntriesMax` entries, which stay below `sftpListingBytesMax` with names of 255 bytes each. */
export async function readdir(session: SftpSession, request: HandleRequest<'readdir'>): Promise<SftpReply> {
  const opened = session.handles.get(request.handle);
  if (opened.kind !== 'listing') throw new ScpdError('INVALID_HANDLE');
  const entries = await opened.listing.read(sftpListingEntriesMax);
  if (entries.length === 0) return endOfFileReply;
  const nowSeconds = Date.now() / 1000;
  return {
    kind: 'names',
    entries: entries.map(({ name, attributes: { linkCount, ...rest } }) => {
      const attributes = toWire({ ...rest, linkCount });
      return { name, attributes, longName: longName({ name, attributes, linkCount }, nowSeconds) };
    }),
  };
}

function existingOf({ create, exclusive, truncate }: OpenFlags): UploadOptions['existing'] {
  if (create && exclusive) return 'refuse';
  return truncate ? 'replace' : 'modify';
}

/** What a handle may be read by. Throws PERMISSION_DENIED or INVALID_HANDLE. */
export function readable(opened: OpenHandle): Pick<Upload, 'read' | 'attributes'> {
  if (opened.kind === 'listing') throw new ScpdError('INVALID_HANDLE');
  if (opened.kind === 'download') return opened.download;
  if (!opened.readable) throw notOpenFor('reading');
  return opened.upload;
}

/** The reason by which the record tells it from a rule's no. */
export const handleReason = 'handle';

function notOpenFor(use: string): ScpdError {
  const rule = { reason: handleReason };
  return new ScpdError('PERMISSION_DENIED', `the handle is not open for ${use}`, { rule });
}

/** What a handle may be written by. Throws PERMISSION_DENIED or INVALID_HANDLE. */
export function writable(opened: OpenHandle): OpenUpload {
  if (opened.kind === 'upload') return opened;
  if (opened.kind === 'listing') throw new ScpdError('INVALID_HANDLE');
  throw notOpenFor('writing');
}

/** Does what the content depends on; if that fails, remembers it (see `OpenUpload.failure`). */
export async function changeContent(
  opened: OpenUpload,
  act: (upload: Upload) => Promise<void>,
): Promise<SftpReply> {
  refuseFailed(opened);
  try {
    await act(opened.upload);
  } catch (error) {
    opened.failure = errorCode(error);
    throw error;
  }
  return okReply;
}

function refuseFailed({ failure }: OpenUpload): void {
  if (failure !== undefined) throw new ScpdError(failure, 'an earlier request on this handle failed');
}
