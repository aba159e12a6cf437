/**
 * Requests for the hash of a file: draft-ietf-secsh-filexfer-extensions-00, section 3. There are three forms of it:
 * `check-file-handle` and `check-file-name` of the draft, and `check-file`, by which paramiko means the first of them.
 */
import type { FieldReader } from './field-reader.ts';
import type { HandleRequest } from './file-requests.ts';
import type { PathRequest } from './path-requests.ts';

export interface HashRange {
  /** By preference, as the client wrote them. */
  readonly algorithms: readonly string[];
  readonly offset: number;
  /** 0: to the end of the file. */
  readonly lengthBytes: number;
  /** One hash for each so many bytes; 0: one for all. */
  readonly blockBytes: number;
}

export type HashHandleRequest<Kind extends 'check-file' | 'check-file-handle'> = HandleRequest<Kind> &
  HashRange;

export type HashNameRequest = PathRequest<'check-file-name'> & HashRange;

export type HashRequest =
  HashHandleRequest<'check-file'> | HashHandleRequest<'check-file-handle'> | HashNameRequest;

export function decodeCheckFile(id: number, fields: FieldReader): HashHandleRequest<'check-file'> {
  return { kind: 'check-file', id, handle: fields.handle(), ...readRange(fields) };
}

export function decodeCheckFileHandle(
  id: number,
  fields: FieldReader,
): HashHandleRequest<'check-file-handle'> {
  return { kind: 'check-file-handle', id, handle: fields.handle(), ...readRange(fields) };
}

export function decodeCheckFileName(id: number, fields: FieldReader): HashNameRequest {
  return { kind: 'check-file-name', id, path: fields.path(), ...readRange(fields) };
}

function readRange(fields: FieldReader): HashRange {
  const algorithms = fields.path().split(',');
  return { algorithms, offset: fields.uint64(), lengthBytes: fields.uint64(), blockBytes: fields.uint32() };
}
