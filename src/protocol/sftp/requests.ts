/**
 * Every request that we understand, as one table, and the one function that reads a packet with it. What is not in the
 * table is `unsupported`, what can't be read is `malformed`: both are answered, and the session goes on.
 */
import { ProtocolError, ScpdError, type ErrorCode } from '../../errors.ts';
import {
  decodeMkdir,
  decodeOpendir,
  decodeReaddir,
  decodeRmdir,
  type DirectoryRequest,
} from './directory-requests.ts';
import {
  decodeCopyData,
  decodeExpandPath,
  decodeFstatvfs,
  decodeFsync,
  decodeHardlink,
  decodeHomeDirectory,
  decodeLimits,
  decodeLsetstat,
  decodeOwnerNames,
  decodePosixRename,
  decodeSpaceAvailable,
  decodeStatvfs,
  decodeVendorId,
  type ExtendedRequest,
} from './extended-requests.ts';
import { FieldReader } from './field-reader.ts';
import {
  decodeClose,
  decodeFsetstat,
  decodeFstat,
  decodeOpen,
  decodeRead,
  decodeWrite,
  type FileRequest,
} from './file-requests.ts';
import {
  decodeCheckFile,
  decodeCheckFileHandle,
  decodeCheckFileName,
  type HashRequest,
} from './hash-requests.ts';
import { packetType } from './numbers.ts';
import {
  decodeLstat,
  decodeReadlink,
  decodeRealpath,
  decodeRemove,
  decodeRename,
  decodeSetstat,
  decodeStat,
  decodeSymlink,
  type NamedRequest,
} from './path-requests.ts';

export type ServedRequest = FileRequest | DirectoryRequest | NamedRequest | ExtendedRequest | HashRequest;
export type ServedKind = ServedRequest['kind'];

/** A packet type or an extension that we don't serve. */
export interface UnsupportedRequest {
  readonly kind: 'unsupported';
  readonly id: number;
  /** What it was, for the record: a peer's words. */
  readonly what: string;
}

/** A request whose id is known and whose fields can't be read; `code` is the answer. */
export interface MalformedRequest {
  readonly kind: 'malformed';
  readonly id: number;
  readonly what: string;
  readonly code: ErrorCode;
}

/** One packet from a client, in an event that can be acted on. */
export type SftpRequest = ServedRequest | UnsupportedRequest | MalformedRequest;

interface RequestRow {
  readonly kind: ServedKind;
  readonly decode: (id: number, fields: FieldReader) => ServedRequest;
}

interface PacketRow extends RequestRow {
  readonly type: number;
}

interface ExtensionRow extends RequestRow {
  /** As in VERSION and EXTENDED. */
  readonly name: string;
  /** What VERSION says of it; for most a version. */
  readonly data: string;
}

export const packetTable: readonly PacketRow[] = [
  { type: packetType.OPEN, kind: 'open', decode: decodeOpen },
  { type: packetType.CLOSE, kind: 'close', decode: decodeClose },
  { type: packetType.READ, kind: 'read', decode: decodeRead },
  { type: packetType.WRITE, kind: 'write', decode: decodeWrite },
  { type: packetType.LSTAT, kind: 'lstat', decode: decodeLstat },
  { type: packetType.FSTAT, kind: 'fstat', decode: decodeFstat },
  { type: packetType.SETSTAT, kind: 'setstat', decode: decodeSetstat },
  { type: packetType.FSETSTAT, kind: 'fsetstat', decode: decodeFsetstat },
  { type: packetType.OPENDIR, kind: 'opendir', decode: decodeOpendir },
  { type: packetType.READDIR, kind: 'readdir', decode: decodeReaddir },
  { type: packetType.REMOVE, kind: 'remove', decode: decodeRemove },
  { type: packetType.MKDIR, kind: 'mkdir', decode: decodeMkdir },
  { type: packetType.RMDIR, kind: 'rmdir', decode: decodeRmdir },
  { type: packetType.REALPATH, kind: 'realpath', decode: decodeRealpath },
  { type: packetType.STAT, kind: 'stat', decode: decodeStat },
  { type: packetType.RENAME, kind: 'rename', decode: decodeRename },
  { type: packetType.READLINK, kind: 'readlink', decode: decodeReadlink },
  { type: packetType.SYMLINK, kind: 'symlink', decode: decodeSymlink },
];

/** For check-file, by the client's preference. */
export const hashAlgorithms = ['sha256', 'sha512', 'sha1', 'md5'] as const;

/** Name, product, version and build. Which version runs here is the operator's knowledge. */
const vendorId = '\0\0\0\x04scpd\0\0\0\x04scpd\0\0\0\0\0\0\0\0\0\0\0\0';

/** What VERSION announces, in this order. */
export const extensionTable: readonly ExtensionRow[] = [
  { name: 'posix-rename@openssh.com', data: '1', kind: 'posix-rename', decode: decodePosixRename },
  { name: 'statvfs@openssh.com', data: '2', kind: 'statvfs', decode: decodeStatvfs },
  { name: 'fstatvfs@openssh.com', data: '2', kind: 'fstatvfs', decode: decodeFstatvfs },
  { name: 'hardlink@openssh.com', data: '1', kind: 'hardlink', decode: decodeHardlink },
  { name: 'fsync@openssh.com', data: '1', kind: 'fsync', decode: decodeFsync },
  { name: 'lsetstat@openssh.com', data: '1', kind: 'lsetstat', decode: decodeLsetstat },
  { name: 'limits@openssh.com', data: '1', kind: 'limits', decode: decodeLimits },
  { name: 'expand-path@openssh.com', data: '1', kind: 'expand-path', decode: decodeExpandPath },
  { name: 'copy-data', data: '1', kind: 'copy-data', decode: decodeCopyData },
  { name: 'home-directory', data: '1', kind: 'home-directory', decode: decodeHomeDirectory },
  { name: 'users-groups-by-id@openssh.com', data: '1', kind: 'owner-names', decode: decodeOwnerNames },
  { name: 'check-file', data: hashAlgorithms.join(','), kind: 'check-file', decode: decodeCheckFile },
  {
    name: 'check-file-handle',
    data: hashAlgorithms.join(','),
    kind: 'check-file-handle',
    decode: decodeCheckFileHandle,
  },
  {
    name: 'check-file-name',
    data: hashAlgorithms.join(','),
    kind: 'check-file-name',
    decode: decodeCheckFileName,
  },
  { name: 'space-available', data: '1', kind: 'space-available', decode: decodeSpaceAvailable },
  { name: 'vendor-id', data: vendorId, kind: 'vendor-id', decode: decodeVendorId },
];

const rowsByType: ReadonlyMap<number, RequestRow> = new Map(packetTable.map((row) => [row.type, row]));
const rowsByName: ReadonlyMap<string, RequestRow> = new Map(extensionTable.map((row) => [row.name, row]));

/**
 * One packet (type, id, fields) as an event. Bytes behind the last field are ignored, as OpenSSH does. Throws
 * ProtocolError only if there is no id that an answer could carry.
 */
export function decodeRequest(packet: Buffer): SftpRequest {
  if (packet.length < 5) throw new ProtocolError('SFTP request without an id');
  const type = packet.readUInt8(0);
  const id = packet.readUInt32BE(1);
  const fields = new FieldReader(packet, 5);
  let what = `sftp packet ${type}`;
  try {
    let row = rowsByType.get(type);
    if (type === packetType.EXTENDED) {
      const name = fields.string().toString('latin1');
      what = `sftp extension ${name}`;
      row = rowsByName.get(name);
    }
    return row === undefined ? { kind: 'unsupported', id, what } : row.decode(id, fields);
  } catch (error) {
    if (error instanceof ScpdError) return { kind: 'malformed', id, what, code: error.code };
    throw error;
  }
}
