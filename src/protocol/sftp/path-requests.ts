/** Requests that name what they are about: draft-ietf-secsh-filexfer-02, sections 6.5, 6.8, 6.9 and 6.11. */
import { readAttributes, type WireAttributes } from './attributes.ts';
import type { FieldReader } from './field-reader.ts';

export interface PathRequest<Kind extends string> {
  readonly kind: Kind;
  readonly id: number;
  /** As the client wrote it, through `decodeName`. */
  readonly path: string;
}

export interface SetstatRequest extends PathRequest<'setstat'> {
  readonly attributes: WireAttributes;
}

/** RENAME, and posix-rename@openssh.com, whose fields are the same. */
export interface RenameRequest<Kind extends 'rename' | 'posix-rename' = 'rename'> {
  readonly kind: Kind;
  readonly id: number;
  readonly from: string;
  readonly to: string;
}

export type NamedRequest =
  | PathRequest<'stat'>
  | PathRequest<'lstat'>
  | SetstatRequest
  | PathRequest<'remove'>
  | RenameRequest
  | PathRequest<'realpath'>;

export function decodeStat(id: number, fields: FieldReader): PathRequest<'stat'> {
  return { kind: 'stat', id, path: fields.path() };
}

export function decodeLstat(id: number, fields: FieldReader): PathRequest<'lstat'> {
  return { kind: 'lstat', id, path: fields.path() };
}

export function decodeSetstat(id: number, fields: FieldReader): SetstatRequest {
  return { kind: 'setstat', id, path: fields.path(), attributes: readAttributes(fields) };
}

export function decodeRemove(id: number, fields: FieldReader): PathRequest<'remove'> {
  return { kind: 'remove', id, path: fields.path() };
}

export function decodeRename(id: number, fields: FieldReader): RenameRequest {
  return { kind: 'rename', id, from: fields.path(), to: fields.path() };
}

export function decodeRealpath(id: number, fields: FieldReader): PathRequest<'realpath'> {
  return { kind: 'realpath', id, path: fields.path() };
}
