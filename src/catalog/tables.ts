/** The tables as the query builder sees them. `migrations.ts` makes them. */
import type { ColumnType, Generated, Insertable, Kysely, Selectable } from 'kysely';
import type { Verdict } from '../audit/record.ts';
import type { FileKind } from '../guard/files.ts';
import type { Connection } from './connection.ts';

/** Bytes of a path: the driver gives an ArrayBuffer and takes a Buffer. `Buffer` in the first is for comparisons. */
export type Blob = ArrayBuffer | Buffer;
type Bytes = ColumnType<Blob, Buffer, Buffer>;

interface RootsTable {
  id: Generated<number>;
  /** Host path without links. */
  host_path: Bytes;
  /** ISO 8601; when all of it was last compared with the disk. Null: it has to be before the sums can be trusted. */
  surveyed_at: string | null;
}

interface EntriesTable {
  root_id: number;
  /** `encodeName` of the virtual path. */
  path: Bytes;
  kind: FileKind;
  user: string | null;
  bytes: number;
  modified_ms: number;
  inode: string;
  sha256: string | null;
  verdict: Exclude<Verdict, 'aborted'> | null;
  /** Of the claim that it came by; null for what was found on the disk. */
  upload_id: string | null;
  /** ISO 8601; when it was received or found. */
  stored_at: string;
  /** 0: an old version that does not count in its user's usage. */
  counts: Generated<number>;
}

/** Committed sums of `entries` and live sums of `reservations`, kept in the same transactions. */
interface UsageTable {
  user: string;
  bytes: number;
  files: number;
  reserved_bytes: number;
  reserved_files: number;
}

/** Claims: changes that are under way, and uploads that were interrupted and are kept. */
export interface ReservationsTable {
  id: string;
  process: string;
  root_id: number;
  path: Bytes;
  target: Bytes | null;
  user: string;
  /** 1: what is made will not take the place of what is at the path, so that does not count. */
  apart: number;
  /** What the entry at `path` may come to. */
  claimed_bytes: number;
  claimed_files: number;
  /**
   * Of an upload whose bytes came in order so far: the name of its file among those that are kept, which is its id, or in the
   * staging area. Null: if its process is gone, nothing can be done with what came.
   */
  staged_name: string | null;
  /** ISO 8601; when it was interrupted. It waits for its user to go on with it, and belongs to no process. */
  suspended_at: string | null;
  /** The claimed less what the user has at `path` already: this is what counts in `usage`. */
  bytes: number;
  files: number;
  /** The claimed less what anybody has at `path` already: this is what counts in `directories`. */
  shared_bytes: number;
  shared_files: number;
}

/** Directories with a quota: what is stored and claimed below them, of all users of the root. */
interface DirectoriesTable {
  root_id: number;
  /** `encodeName` of the directory's path in NFC, with a "/" at its end. */
  prefix: Bytes;
  /** Null: as many as there is room for. */
  bytes_max: number | null;
  files_max: number | null;
  bytes: number;
  files: number;
  reserved_bytes: number;
  reserved_files: number;
}

/** Whoever has the database open. */
interface ProcessesTable {
  id: string;
  boot: string;
}

export interface Tables {
  roots: RootsTable;
  entries: EntriesTable;
  usage: UsageTable;
  reservations: ReservationsTable;
  directories: DirectoriesTable;
  processes: ProcessesTable;
}

export type Reader = Kysely<Tables>;
/** Within a transaction. */
export type Writer = Connection;
export type EntryRow = Selectable<EntriesTable>;
export type NewEntry = Insertable<EntriesTable>;
export type DirectoryRow = Selectable<DirectoriesTable>;
export type ReservationRow = Selectable<ReservationsTable>;
