/** SFTP requests about open files and directories. Each handler does one request and returns its reply. */
import { errorCode, ScpdError } from '../errors.ts';
import type { Upload, UploadOptions } from '../guard/files.ts';
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
 * With WRITE this is an upload, otherwise a download, whatever else is asked for. EXCL means something only together
 * with CREAT (section 6.3).
 */
export async function open(session: SftpSession, request: OpenRequest): Promise<SftpReply> {
  session.handles.requireRoom();
  const path = virtualPath(request.path);
  const { flags } = request;
  if (!flags.write) {
    const download = await session.files.download(path);
    return handleReply(session, { kind: 'download', download });
  }
  const upload = await session.files.upload(path, {
    existing: existingOf(flags),
    missing: flags.create ? 'create' : 'refuse',
    newFileMode: newMode(request.attributes, 0o666),
    append: flags.append,
  });
  return handleReply(session, { kind: 'upload', upload, readable: flags.read });
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
  await upload.commit('closed');
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
  if (change === undefined) return okReply;
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
  session.handles.requireRoom();
  const listing = await session.files.list(virtualPath(request.path));
  return handleReply(session, { kind: 'listing', listing });
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

function handleReply(session: SftpSession, opened: OpenHandle): SftpReply {
  return { kind: 'handle', handle: session.handles.add(opened) };
}

function readable(opened: OpenHandle): Pick<Upload, 'read'> {
  if (opened.kind === 'listing') throw new ScpdError('INVALID_HANDLE');
  if (opened.kind === 'download') return opened.download;
  if (!opened.readable) throw new ScpdError('PERMISSION_DENIED', 'the handle is not open for reading');
  return opened.upload;
}

function writable(opened: OpenHandle): OpenUpload {
  if (opened.kind === 'upload') return opened;
  if (opened.kind === 'listing') throw new ScpdError('INVALID_HANDLE');
  throw new ScpdError('PERMISSION_DENIED', 'the handle is not open for writing');
}

/** Does what the content depends on; if that fails, remembers it (see `OpenUpload.failure`). */
async function changeContent(opened: OpenUpload, act: (upload: Upload) => Promise<void>): Promise<SftpReply> {
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
