/** Attributes between the guarded file system and the SFTP wire. */
import type { AttributeChange, Attributes, FileKind } from '../guard/files.ts';
import type { WireAttributes } from '../protocol/sftp/attributes.ts';

/** The type bits of st_mode, which clients look at to tell directories from files. */
const typeBits = {
  file: 0o100000,
  directory: 0o040000,
  link: 0o120000,
  // No type that a client could take for something to open; `ls` shows "?".
  other: 0,
} as const satisfies Record<FileKind, number>;

/**
 * Everything in a user's tree is the user's, and host ids are nobody's business, so all files show one owner. It must
 * be said, because clients fill a silence with 0. It is not 0, because tools that copy owners would then make files of
 * root, and checks for files of root would find some; 1000 is the first ordinary user nearly everywhere.
 */
export const shownOwner = { uid: 1000, gid: 1000 } as const;

const secondsMax = 0xffffffff;

export function toWire(attributes: Attributes): WireAttributes {
  return {
    sizeBytes: attributes.sizeBytes,
    owner: shownOwner,
    permissions: typeBits[attributes.kind] | (attributes.mode & 0o777),
    times: {
      accessedSeconds: wireSeconds(attributes.accessedSeconds),
      modifiedSeconds: wireSeconds(attributes.modifiedSeconds),
    },
  };
}

/** What a SETSTAT asks for and we do; undefined if that is nothing. Owner and extended attributes are dropped. */
export function toChange({ sizeBytes, permissions, times }: WireAttributes): AttributeChange | undefined {
  if (sizeBytes === undefined && permissions === undefined && times === undefined) return undefined;
  return {
    ...(sizeBytes !== undefined && { sizeBytes }),
    ...(permissions !== undefined && { mode: permissions & 0o777 }),
    ...(times !== undefined && times),
  };
}

/** Mode of something new. PuTTY sends type bits along; setuid, setgid and sticky are never granted. */
export function newMode({ permissions }: WireAttributes, otherwise: number): number {
  return (permissions ?? otherwise) & 0o777;
}

function wireSeconds(seconds: number): number {
  return Math.min(Math.max(Math.floor(seconds), 0), secondsMax);
}
