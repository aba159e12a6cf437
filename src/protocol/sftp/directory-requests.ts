/** Requests about directories: draft-ietf-secsh-filexfer-02, sections 6.6 and 6.7. */
import { readAttributes, type WireAttributes } from './attributes.ts';
import type { FieldReader } from './field-reader.ts';
import type { HandleRequest } from './file-requests.ts';
import type { PathRequest } from './path-requests.ts';

export interface MkdirRequest extends PathRequest<'mkdir'> {
  readonly attributes: WireAttributes;
}

export type DirectoryRequest =
  PathRequest<'opendir'> | HandleRequest<'readdir'> | MkdirRequest | PathRequest<'rmdir'>;

export function decodeOpendir(id: number, fields: FieldReader): PathRequest<'opendir'> {
  return { kind: 'opendir', id, path: fields.path() };
}

export function decodeReaddir(id: number, fields: FieldReader): HandleRequest<'readdir'> {
  return { kind: 'readdir', id, handle: fields.handle() };
}

export function decodeMkdir(id: number, fields: FieldReader): MkdirRequest {
  return { kind: 'mkdir', id, path: fields.path(), attributes: readAttributes(fields) };
}

export function decodeRmdir(id: number, fields: FieldReader): PathRequest<'rmdir'> {
  return { kind: 'rmdir', id, path: fields.path() };
}
