/**
 * SFTP requests that read much and answer little: copies and hashes. They hold one chunk at a time, however large the
 * file is, and stop when the client is gone.
 */
import { createHash } from 'node:crypto';
import { ScpdError } from '../errors.ts';
import type { HashAlgorithm } from '../guard/files.ts';
import { virtualPath, type VirtualPath } from '../guard/virtual-path.ts';
import { sftpHashBlockBytesMin, sftpReadBytesMax, sftpWorkChunkBytes } from '../limits.ts';
import type { CopyDataRequest } from '../protocol/sftp/extended-requests.ts';
import type { HashHandleRequest, HashNameRequest, HashRange } from '../protocol/sftp/hash-requests.ts';
import { endOfFileReply, type SftpReply } from '../protocol/sftp/replies.ts';
import { hashAlgorithms } from '../protocol/sftp/requests.ts';
import { changeContent, readable, writable } from './sftp-file-requests.ts';
import type { SftpSession } from './sftp-session.ts';

/**
 * copy-data, as OpenSSH does it: one handle can't be both ends, a length of 0 is all there is, and a source that ends
 * before the length is EOF, with what there was copied.
 */
export async function copyData(session: SftpSession, request: CopyDataRequest): Promise<SftpReply> {
  const { fromHandle, fromOffset, lengthBytes, toHandle, toOffset } = request;
  if (fromHandle === toHandle) throw new ScpdError('INVALID_HANDLE', 'both ends of a copy');
  const source = readable(session.handles.get(fromHandle));
  const target = writable(session.handles.get(toHandle));
  const end = lengthBytes === 0 ? Infinity : fromOffset + lengthBytes;
  let position = fromOffset;
  const copied = await changeContent(target, async (upload) => {
    while (position < end) {
      const bytes = await source.read(position, Math.min(sftpWorkChunkBytes, end - position));
      if (bytes.length === 0) return;
      await upload.write(bytes, toOffset + position - fromOffset);
      position += bytes.length;
    }
  });
  return position < end && lengthBytes > 0 ? endOfFileReply : copied;
}

/** Hashes what the handle reads, which may be a file that has no name yet. */
export async function checkFileHandle(
  session: SftpSession,
  request: HashHandleRequest<'check-file' | 'check-file-handle'>,
): Promise<SftpReply> {
  const source = readable(session.handles.get(request.handle));
  const algorithm = algorithmOf(request);
  const { sizeBytes } = await source.attributes();
  const digests: Buffer[] = [];
  for (const { start, end } of blocksOf(request, sizeBytes, algorithm)) {
    const hash = createHash(algorithm);
    for (let position = start; position < end;) {
      const bytes = await source.read(position, Math.min(sftpWorkChunkBytes, end - position));
      if (bytes.length === 0) break;
      hash.update(bytes);
      position += bytes.length;
    }
    digests.push(hash.digest());
  }
  const named = request.kind === 'check-file';
  return { kind: 'hashes', named, algorithm, digests: Buffer.concat(digests) };
}

export async function checkFileName(session: SftpSession, request: HashNameRequest): Promise<SftpReply> {
  const path = virtualPath(request.path);
  const algorithm = algorithmOf(request);
  const digests: Buffer[] = [];
  for (const { start, end } of blocksOf(request, await sizeIfNeeded(session, path, request), algorithm)) {
    const lengthBytes = end === Infinity ? {} : { lengthBytes: end - start };
    digests.push(await session.files.hash(path, { algorithm, offset: start, ...lengthBytes }));
  }
  return { kind: 'hashes', named: false, algorithm, digests: Buffer.concat(digests) };
}

/** The first of the client's algorithms that we know. */
function algorithmOf({ algorithms }: HashRange): HashAlgorithm {
  const known: readonly string[] = hashAlgorithms;
  const found = algorithms.find((name) => known.includes(name)) as HashAlgorithm | undefined;
  if (found === undefined) throw new ScpdError('UNSUPPORTED', 'no known hash algorithm');
  return found;
}

/** How far blocks reach. One hash over a range needs no look at the size. */
async function sizeIfNeeded(session: SftpSession, path: VirtualPath, range: HashRange): Promise<number> {
  return range.blockBytes === 0 ? Infinity : (await session.files.stat(path, { follow: true })).sizeBytes;
}

interface Block {
  readonly start: number;
  readonly end: number;
}

/** The ranges of which a hash each is wanted. Throws UNSUPPORTED if there are more than an answer holds. */
function blocksOf(range: HashRange, sizeBytes: number, algorithm: HashAlgorithm): readonly Block[] {
  const { offset, lengthBytes, blockBytes } = range;
  const end = Math.min(lengthBytes === 0 ? Infinity : offset + lengthBytes, sizeBytes);
  if (blockBytes === 0) return [{ start: offset, end }];
  if (blockBytes < sftpHashBlockBytesMin) throw new ScpdError('UNSUPPORTED', 'blocks too small');
  const count = Math.max(Math.ceil((end - offset) / blockBytes), 0);
  if (count * createHash(algorithm).digest().length > sftpReadBytesMax) {
    throw new ScpdError('UNSUPPORTED', 'more hashes than an answer holds');
  }
  return Array.from({ length: count }, (_, index) => ({
    start: offset + index * blockBytes,
    end: Math.min(offset + (index + 1) * blockBytes, end),
  }));
}
