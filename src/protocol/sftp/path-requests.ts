/** Requests that name what they are about: draft-ietf-secsh-filexfer-02, sections 6.5, 6.8, 6.9, 6.10 and 6.11. */
import { readAttributes, type WireAttributes } from './attributes.ts';
import type { FieldReader } from './field-reader.ts';

export interface PathRequest<Kind extends string> {
  readonly kind: Kind;
  readonly id: number;
  /** As the client wrote it, through `decodeName`. */
  readonly path: string;
}

/** SETSTAT, and lsetstat@openssh.com, whose fields are the same. */
export interface SetstatRequest<Kind extends 'setstat' | 'lsetstat' = 'setstat'> extends PathRequest<Kind> {
  readonly attributes: WireAttributes;
}

/** RENAME, and the extensions with the same fields. */
export interface RenameRequest<Kind extends 'rename' | 'posix-rename' | 'hardlink' = 'rename'> {
  readonly kind: Kind;
  readonly id: number;
  readonly from: string;
  readonly to: string;
}

export interface SymlinkRequest extends PathRequest<'symlink'> {
  /** What the new link at `path` is to say. */
  readonly target: string;
}

export type NamedRequest =
  | PathRequest<'stat'>
  | PathRequest<'lstat'>
  | SetstatRequest
  | PathRequest<'remove'>
  | RenameRequest
  | PathRequest<'realpath'>
  | PathRequest<'readlink'>
  | SymlinkRequest;

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

export function decodeReadlink(id: number, fields: FieldReader): PathRequest<'readlink'> {
  return { kind: 'readlink', id, path: fields.path() };
}

/**
 * The target comes first. The draft has it the other way round, but OpenSSH's server has always read it like this
 * (its PROTOCOL, section 4.1), and so clients write it.
 */
export function decodeSymlink(id: number, fields: FieldReader): SymlinkRequest {
  const target = fields.path();
  return { kind: 'symlink', id, path: fields.path(), target };
}
