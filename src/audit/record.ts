/**
 * One audit record: who did what to which file, and how it ended. This is the shape that is written; `record-schema.ts`
 * is the same as JSON Schema, and every test that makes a record checks it against that.
 */
import type { ErrorCode } from '../errors.ts';

export type Operation =
  | 'upload'
  | 'download'
  | 'list'
  | 'stat'
  | 'mkdir'
  | 'rmdir'
  | 'remove'
  | 'rename'
  | 'attributes'
  | 'link'
  | 'hardlink'
  | 'hash'
  | 'prune'
  | 'exec'
  | 'subsystem'
  | 'shell'
  | 'request'
  | 'login'
  | 'connect';

/**
 * What is known of a file's wholeness:
 * - `verified`: the client declared the size, and all of it came (or went) - SCP.
 * - `closed`: the client closed the file; complete as far as the protocol can tell - SFTP.
 * - `aborted`: it did not end well; `error` says why. An aborted upload left nothing under the final name.
 */
export type Verdict = 'verified' | 'closed' | 'aborted';

/** `done`: it was carried out. `refused`: a rule or the protocol said no. `failed`: it was allowed and did not succeed. */
export type Outcome = 'done' | 'refused' | 'failed';

export type Protocol = 'ssh' | 'scp' | 'sftp';

/** What the one who acts knows; the session journal adds who and when. */
export interface RecordFacts {
  readonly operation: Operation;
  readonly outcome: Outcome;
  /** The virtual path as asked for; for exec, subsystem and login what was asked for. */
  readonly path: string | null;
  /** The other end of a rename. */
  readonly target?: string;
  /** Where it really is, if the name was taken and another was given to it. */
  readonly stored?: string;
  readonly bytes?: number;
  /** Hex SHA-256 of the whole stored file. */
  readonly sha256?: string;
  readonly durationMs?: number;
  readonly verdict?: Verdict;
  readonly error?: ErrorCode;
}

export interface SessionFacts {
  readonly connection: string;
  readonly session: string | null;
  readonly user: string | null;
  readonly key: string | null;
  readonly address: string;
  readonly client: string;
  readonly protocol: Protocol;
}

export interface AuditRecord extends SessionFacts, RecordFacts {
  /** ISO 8601 UTC with milliseconds. */
  readonly time: string;
}

/** Where records go. One writer for the whole server. */
export interface Journal {
  /** Throws `ScpdError('AUDIT_FAILED')` while the journal can't be written: no transfer may begin then. */
  ensureWritable(): void;
  /** Queues a record for the next write. False if too many wait already: the record is lost, and so must be its success. */
  append(record: AuditRecord): boolean;
  /** Resolves when every record appended so far is on disk; rejects with `ScpdError('AUDIT_FAILED')`. */
  settled(): Promise<void>;
}
