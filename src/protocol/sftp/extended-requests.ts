/**
 * The extensions of OpenSSH that we serve (its PROTOCOL document, section 4): the fields behind an EXTENDED's name.
 * `vendor-id` is from draft-ietf-secsh-filexfer-13, section 4.4; what it says is not looked at.
 */
import { readAttributes } from './attributes.ts';
import type { FieldReader } from './field-reader.ts';
import type { HandleRequest } from './file-requests.ts';
import type { PathRequest, RenameRequest, SetstatRequest } from './path-requests.ts';

/** An extension without a field that matters. */
export interface BareRequest<Kind extends string> {
  readonly kind: Kind;
  readonly id: number;
}

/** copy-data: from one open file to another, without the bytes leaving the server. */
export interface CopyDataRequest {
  readonly kind: 'copy-data';
  readonly id: number;
  readonly fromHandle: string;
  readonly fromOffset: number;
  /** 0: to the end of the file. */
  readonly lengthBytes: number;
  readonly toHandle: string;
  readonly toOffset: number;
}

export interface HomeDirectoryRequest {
  readonly kind: 'home-directory';
  readonly id: number;
  /** Whose; '' is the one who asks. */
  readonly userName: string;
}

export interface OwnerNamesRequest {
  readonly kind: 'owner-names';
  readonly id: number;
  readonly userIds: readonly number[];
  readonly groupIds: readonly number[];
}

export type ExtendedRequest =
  | RenameRequest<'posix-rename'>
  | RenameRequest<'hardlink'>
  | HandleRequest<'fsync'>
  | SetstatRequest<'lsetstat'>
  | PathRequest<'statvfs'>
  | HandleRequest<'fstatvfs'>
  | BareRequest<'limits'>
  | PathRequest<'expand-path'>
  | CopyDataRequest
  | HomeDirectoryRequest
  | OwnerNamesRequest
  | PathRequest<'space-available'>
  | BareRequest<'vendor-id'>;

export function decodePosixRename(id: number, fields: FieldReader): RenameRequest<'posix-rename'> {
  return { kind: 'posix-rename', id, from: fields.path(), to: fields.path() };
}

export function decodeHardlink(id: number, fields: FieldReader): RenameRequest<'hardlink'> {
  return { kind: 'hardlink', id, from: fields.path(), to: fields.path() };
}

export function decodeFsync(id: number, fields: FieldReader): HandleRequest<'fsync'> {
  return { kind: 'fsync', id, handle: fields.handle() };
}

export function decodeLsetstat(id: number, fields: FieldReader): SetstatRequest<'lsetstat'> {
  return { kind: 'lsetstat', id, path: fields.path(), attributes: readAttributes(fields) };
}

export function decodeStatvfs(id: number, fields: FieldReader): PathRequest<'statvfs'> {
  return { kind: 'statvfs', id, path: fields.path() };
}

export function decodeFstatvfs(id: number, fields: FieldReader): HandleRequest<'fstatvfs'> {
  return { kind: 'fstatvfs', id, handle: fields.handle() };
}

export function decodeLimits(id: number): BareRequest<'limits'> {
  return { kind: 'limits', id };
}

export function decodeExpandPath(id: number, fields: FieldReader): PathRequest<'expand-path'> {
  return { kind: 'expand-path', id, path: fields.path() };
}

export function decodeCopyData(id: number, fields: FieldReader): CopyDataRequest {
  const fromHandle = fields.handle();
  const fromOffset = fields.uint64();
  const lengthBytes = fields.uint64();
  const toHandle = fields.handle();
  return { kind: 'copy-data', id, fromHandle, fromOffset, lengthBytes, toHandle, toOffset: fields.uint64() };
}

export function decodeHomeDirectory(id: number, fields: FieldReader): HomeDirectoryRequest {
  return { kind: 'home-directory', id, userName: fields.path() };
}

export function decodeOwnerNames(id: number, fields: FieldReader): OwnerNamesRequest {
  return { kind: 'owner-names', id, userIds: fields.uint32List(), groupIds: fields.uint32List() };
}

export function decodeSpaceAvailable(id: number, fields: FieldReader): PathRequest<'space-available'> {
  return { kind: 'space-available', id, path: fields.path() };
}

export function decodeVendorId(id: number): BareRequest<'vendor-id'> {
  return { kind: 'vendor-id', id };
}
