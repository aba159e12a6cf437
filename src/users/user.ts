/** Who may log in, and who did. Plain frozen facts; nothing here acts. */

import type { Rule, OnConflict, Preset, VersionPolicy } from './rule.ts';
import type { TimeWindow } from './time-window.ts';

export type { Preset } from './rule.ts';

export interface User {
  readonly name: string;
  /** Host path of the directory that this user sees as "/". Never shown to a client. */
  readonly root: string;
  /**
   * The inode of the root when the configuration was loaded; it is the same after its disk was mounted again. While the disk
   * is away, an empty directory stands in its place: nobody would look there for what was acknowledged.
   */
  readonly rootInode?: string;
  /** The preset that the configuration names, if any. It is the only rule of a user without `rules`. */
  readonly preset?: Preset;
  /** In the order in which they are asked, those of the user's roles last. */
  readonly rules?: readonly Rule[];
  /** Largest file that this user may store, in bytes. */
  readonly fileBytesMax: number;
  /** Whether links are followed where that stays beneath the root, or none is, and none can be made. Without it: `beneath`. */
  readonly symlinks?: 'beneath' | 'refuse';
  /** What is taken from every mode that the user's clients ask for. Without it, the daemon's own, from those of what is new. */
  readonly umask?: number;
  /** What this user may store in all, in bytes and in entries of any kind. */
  readonly quota?: {
    readonly bytesMax?: number;
    readonly filesMax?: number;
    /** Whether old versions count. Without it, they do. */
    readonly countsVersions?: boolean;
  };
  /** What becomes of files that are replaced or removed. Without it: what a rule or the preset `backup` says. */
  readonly versions?: VersionPolicy;
  /** How long after it was stored a file can't be removed. */
  readonly retainMs?: number;
  /** How long an upload counts as the user's own in later sessions. Without it: only in the session that made it. */
  readonly ownershipMs?: number;
  /** Where a rule says nothing: what becomes of an upload whose name is taken. Without it: `refuse`. */
  readonly onConflict?: OnConflict;
  /** Whether each of its uploads gets a receipt that it can fetch. */
  readonly receipts?: boolean;
  /** Lists of networks (the user's, and one for each role): the client's address must be in one of each list. */
  readonly networks?: readonly (readonly string[])[];
  /** Lists of time windows, alike: the login must come in one of each list. */
  readonly hours?: readonly (readonly TimeWindow[])[];
}

/** One authenticated connection: the user, the key that proved it, and the peer. */
export interface Login {
  readonly user: User;
  readonly key: {
    readonly type: string;
    /** `SHA256:…` as ssh-keygen -l prints it */ readonly fingerprint: string;
  };
  readonly connection: ConnectionFacts;
}

/** What is known of a connection from its first line on. All of it but `id` is the peer's word. */
export interface ConnectionFacts {
  readonly id: string;
  readonly address: string;
  readonly port: number;
  /** The software part of the client's identification, already printable; '' before it came. */
  readonly clientSoftware: string;
}
