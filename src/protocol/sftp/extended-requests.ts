/** The extensions of OpenSSH that we serve (its PROTOCOL document, section 4): the fields behind an EXTENDED's name. */
import type { FieldReader } from './field-reader.ts';
import type { HandleRequest } from './file-requests.ts';
import type { RenameRequest } from './path-requests.ts';

export interface LimitsRequest {
  readonly kind: 'limits';
  readonly id: number;
}

export type ExtendedRequest = RenameRequest<'posix-rename'> | HandleRequest<'fsync'> | LimitsRequest;

export function decodePosixRename(id: number, fields: FieldReader): RenameRequest<'posix-rename'> {
  return { kind: 'posix-rename', id, from: fields.path(), to: fields.path() };
}

export function decodeFsync(id: number, fields: FieldReader): HandleRequest<'fsync'> {
  return { kind: 'fsync', id, handle: fields.handle() };
}

export function decodeLimits(id: number): LimitsRequest {
  return { kind: 'limits', id };
}
