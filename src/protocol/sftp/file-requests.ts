/** Requests about open files: draft-ietf-secsh-filexfer-02, sections 6.3, 6.4, 6.8 and 6.9. */
import { ScpdError } from '../../errors.ts';
import { readAttributes, type WireAttributes } from './attributes.ts';
import type { FieldReader } from './field-reader.ts';
import { openFlag } from './numbers.ts';

/** The `pflags` of OPEN. Bits that version 3 does not know are ignored, as OpenSSH does. */
export interface OpenFlags {
  readonly read: boolean;
  readonly write: boolean;
  readonly append: boolean;
  readonly create: boolean;
  readonly truncate: boolean;
  readonly exclusive: boolean;
}

export interface OpenRequest {
  readonly kind: 'open';
  readonly id: number;
  readonly path: string;
  readonly flags: OpenFlags;
  readonly attributes: WireAttributes;
}

export interface HandleRequest<Kind extends string> {
  readonly kind: Kind;
  readonly id: number;
  readonly handle: string;
}

export interface ReadRequest extends HandleRequest<'read'> {
  readonly offset: number;
  /** As asked for: up to 2^32-1. */
  readonly lengthBytes: number;
}

export interface WriteRequest extends HandleRequest<'write'> {
  readonly offset: number;
  /** A slice of the packet. */
  readonly data: Buffer;
}

export interface FsetstatRequest extends HandleRequest<'fsetstat'> {
  readonly attributes: WireAttributes;
}

export type FileRequest =
  | OpenRequest
  | HandleRequest<'close'>
  | ReadRequest
  | WriteRequest
  | HandleRequest<'fstat'>
  | FsetstatRequest;

export function decodeOpen(id: number, fields: FieldReader): OpenRequest {
  const path = fields.path();
  const flags = fields.uint32();
  return { kind: 'open', id, path, flags: openFlagsOf(flags), attributes: readAttributes(fields) };
}

export function decodeClose(id: number, fields: FieldReader): HandleRequest<'close'> {
  return { kind: 'close', id, handle: fields.handle() };
}

export function decodeRead(id: number, fields: FieldReader): ReadRequest {
  const handle = fields.handle();
  const offset = fields.uint64();
  return { kind: 'read', id, handle, offset, lengthBytes: fields.uint32() };
}

/** The end of the data is an offset too: beyond 2^53-1 it is FILE_TOO_LARGE. */
export function decodeWrite(id: number, fields: FieldReader): WriteRequest {
  const handle = fields.handle();
  const offset = fields.uint64();
  const data = fields.string();
  if (offset + data.length > Number.MAX_SAFE_INTEGER) throw new ScpdError('FILE_TOO_LARGE');
  return { kind: 'write', id, handle, offset, data };
}

export function decodeFstat(id: number, fields: FieldReader): HandleRequest<'fstat'> {
  return { kind: 'fstat', id, handle: fields.handle() };
}

export function decodeFsetstat(id: number, fields: FieldReader): FsetstatRequest {
  return { kind: 'fsetstat', id, handle: fields.handle(), attributes: readAttributes(fields) };
}

function openFlagsOf(flags: number): OpenFlags {
  return {
    read: (flags & openFlag.READ) !== 0,
    write: (flags & openFlag.WRITE) !== 0,
    append: (flags & openFlag.APPEND) !== 0,
    create: (flags & openFlag.CREAT) !== 0,
    truncate: (flags & openFlag.TRUNC) !== 0,
    exclusive: (flags & openFlag.EXCL) !== 0,
  };
}
