/**
 * The attribute block of SFTP version 3 (draft-ietf-secsh-filexfer-02, section 5): a word of flags, then the fields that
 * the flags announce, in a fixed order. An absent field means "not said".
 */
import { ScpdError } from '../../errors.ts';
import type { FieldReader } from './field-reader.ts';
import { attributeFlag } from './numbers.ts';
import type { PacketWriter } from './packet-writer.ts';

export interface WireAttributes {
  readonly sizeBytes?: number;
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** st_mode: permission bits and, in what we send, the bits of the file's type. */
  readonly permissions?: number;
  /** Whole seconds since 1970, unsigned 32 bit. */
  readonly times?: { readonly accessedSeconds: number; readonly modifiedSeconds: number };
  readonly extended?: readonly ExtendedAttribute[];
}

export interface ExtendedAttribute {
  readonly type: string;
  readonly data: string;
}

/** "Nothing said": what a reply to REALPATH carries. */
export const noAttributes: WireAttributes = {};

const knownFlags =
  attributeFlag.SIZE |
  attributeFlag.UIDGID |
  attributeFlag.PERMISSIONS |
  attributeFlag.ACMODTIME |
  attributeFlag.EXTENDED;

/** Two empty strings: the least that one extended attribute takes. */
const extendedBytesMin = 8;

/** Throws BAD_MESSAGE also for unknown flags: nobody can know where the fields of another version stand. */
export function readAttributes(fields: FieldReader): WireAttributes {
  const flags = fields.uint32();
  if ((flags & ~knownFlags) !== 0) throw new ScpdError('BAD_MESSAGE');
  // The order of these lines is the order on the wire.
  return {
    ...((flags & attributeFlag.SIZE) !== 0 && { sizeBytes: fields.uint64() }),
    ...((flags & attributeFlag.UIDGID) !== 0 && { owner: { uid: fields.uint32(), gid: fields.uint32() } }),
    ...((flags & attributeFlag.PERMISSIONS) !== 0 && { permissions: fields.uint32() }),
    ...((flags & attributeFlag.ACMODTIME) !== 0 && {
      times: { accessedSeconds: fields.uint32(), modifiedSeconds: fields.uint32() },
    }),
    ...((flags & attributeFlag.EXTENDED) !== 0 && { extended: readExtended(fields) }),
  };
}

export function writeAttributes(writer: PacketWriter, attributes: WireAttributes): void {
  const { sizeBytes, owner, permissions, times, extended } = attributes;
  writer.uint32(flagsOf(attributes));
  if (sizeBytes !== undefined) writer.uint64(sizeBytes);
  if (owner !== undefined) writer.uint32(owner.uid).uint32(owner.gid);
  if (permissions !== undefined) writer.uint32(permissions);
  if (times !== undefined) writer.uint32(times.accessedSeconds).uint32(times.modifiedSeconds);
  if (extended !== undefined) {
    writer.uint32(extended.length);
    for (const { type, data } of extended) {
      writer.string(Buffer.from(type, 'latin1')).string(Buffer.from(data, 'latin1'));
    }
  }
}

function flagsOf({ sizeBytes, owner, permissions, times, extended }: WireAttributes): number {
  const flags =
    (sizeBytes === undefined ? 0 : attributeFlag.SIZE) |
    (owner === undefined ? 0 : attributeFlag.UIDGID) |
    (permissions === undefined ? 0 : attributeFlag.PERMISSIONS) |
    (times === undefined ? 0 : attributeFlag.ACMODTIME) |
    (extended === undefined ? 0 : attributeFlag.EXTENDED);
  return flags >>> 0;
}

function readExtended(fields: FieldReader): readonly ExtendedAttribute[] {
  const count = fields.uint32();
  if (count > fields.remainingBytes / extendedBytesMin) throw new ScpdError('BAD_MESSAGE');
  return Array.from({ length: count }, () => ({
    type: fields.string().toString('latin1'),
    data: fields.string().toString('latin1'),
  }));
}
