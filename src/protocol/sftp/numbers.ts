/**
 * The numbers of SFTP version 3, as they stand in draft-ietf-secsh-filexfer-02 (sections 3, 5 and 6.3). They appear on
 * the wire and nowhere outside this folder.
 */

/** What we answer to every INIT. Clients that offer more fall back to it; OpenSSH speaks nothing else. */
export const protocolVersion = 3;

/** Packet types of section 3. */
export const packetType = {
  INIT: 1,
  VERSION: 2,
  OPEN: 3,
  CLOSE: 4,
  READ: 5,
  WRITE: 6,
  LSTAT: 7,
  FSTAT: 8,
  SETSTAT: 9,
  FSETSTAT: 10,
  OPENDIR: 11,
  READDIR: 12,
  REMOVE: 13,
  MKDIR: 14,
  RMDIR: 15,
  REALPATH: 16,
  STAT: 17,
  RENAME: 18,
  READLINK: 19,
  SYMLINK: 20,
  STATUS: 101,
  HANDLE: 102,
  DATA: 103,
  NAME: 104,
  ATTRS: 105,
  EXTENDED: 200,
  EXTENDED_REPLY: 201,
} as const;

/** The `pflags` of OPEN, section 6.3. */
export const openFlag = { READ: 1, WRITE: 2, APPEND: 4, CREAT: 8, TRUNC: 16, EXCL: 32 } as const;

/** The flags of an attribute block, section 5. */
export const attributeFlag = {
  SIZE: 0x1,
  UIDGID: 0x2,
  PERMISSIONS: 0x4,
  ACMODTIME: 0x8,
  EXTENDED: 0x80000000,
} as const;

/** A handle may not be longer, section 6.3. */
export const handleBytesMax = 256;
