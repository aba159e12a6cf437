/**
 * One audit record: who did what to which file, and how it ended. This is the shape that is written; `record-schema.ts`
 * is the same as JSON Schema, and every test that makes a record checks it against that.
 */
import type { ErrorCode, RuleRefusal } from '../errors.ts';

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
  | 'connect'
  | 'login'
  | 'session'
  | 'disconnect'
  // What the server itself does; `path` says which of it.
  | 'config'
  | 'worker'
  | 'journal'
  | 'checkpoint';

/**
 * What is known of a file's wholeness:
 * - `verified`: the client declared the size, and all of it came (or went) - SCP.
 * - `closed`: the client closed the file; complete as far as the protocol can tell - SFTP.
 * - `aborted`: it did not end well; `error` says why. An aborted upload left nothing under the final name, but for
 *   `INTERRUPTED`: then the server itself ended, and what is there is the old file or the whole new one.
 */
export type Verdict = 'verified' | 'closed' | 'aborted';

/** `done`: it was carried out. `refused`: a rule or the protocol said no. `failed`: it was allowed and did not succeed. */
export type Outcome = 'done' | 'refused' | 'failed';

export type Protocol = 'ssh' | 'scp' | 'sftp' | 'server';

/** What the one who acts knows; the session journal adds who and when. */
export interface RecordFacts {
  readonly operation: Operation;
  /** Of what lasts, that is of transfers and sessions: each `begin` has one `end` with the same id. */
  readonly phase?: 'begin' | 'end';
  /** Ties the records of one transfer together. */
  readonly transfer?: string;
  /** As seen from the server. */
  readonly direction?: 'in' | 'out';
  readonly outcome: Outcome;
  /** The virtual path as asked for; for what has none, what was asked for. */
  readonly path: string | null;
  /** The other end of a rename. */
  readonly target?: string;
  /** Where it really is, if the name was taken and another was given to it. */
  readonly stored?: string;
  readonly bytes?: number;
  /** Of an upload that was interrupted and is kept, or that goes on with one that was: the same in all their records. */
  readonly upload?: string;
  /** How much of an interrupted upload is kept. */
  readonly partialBytes?: number;
  /** With how much it began, which earlier sessions had sent: `bytes` of a success has them in it. */
  readonly resumedBytes?: number;
  /** Hex SHA-256 of the whole stored file. */
  readonly sha256?: string;
  /** Permission bits such as "0644": those that the file has, or that were asked for. */
  readonly mode?: string;
  /** The file's time of modification, ISO 8601 UTC with milliseconds. */
  readonly mtime?: string;
  readonly durationMs?: number;
  readonly bytesPerSecond?: number;
  readonly verdict?: Verdict;
  readonly error?: ErrorCode;
  /** The rule that said no. */
  readonly rule?: RuleRefusal;
  /** Of a login: what the client tried to prove itself by. */
  readonly method?: string;
  /** At the end of a session: the looks that have no record of their own. */
  readonly looks?: { readonly list: number; readonly stat: number };
}

/** Null and '' where nobody's connection is meant, but the server itself. */
export interface SessionFacts {
  readonly connection: string | null;
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

/** What the journal's one writer adds. */
export interface WrittenRecord extends AuditRecord {
  /** Counts from 1, without a gap. */
  readonly seq: number;
  /** How many times in a row this user has tried to transfer this path; 1 is the first, and a success ends the row. */
  readonly attempt?: number;
  /** Base64 of the bytes of `path`, where they are not what `path` shows. */
  readonly pathBytes?: string;
  /** What the journal says of itself. */
  readonly journal?: JournalFacts;
  /** Hash of the record before; zeros in the first one. */
  readonly prev: string;
  /** Hex SHA-256 of the line up to the comma before this field. */
  readonly hash: string;
}

export interface JournalFacts {
  /** The oldest record that has begun something and is not yet answered by an end; null if all is ended. */
  readonly openSince: number | null;
  /** Fingerprint of the key that signs checkpoints. */
  readonly signer: string;
  /** Of a checkpoint: Ed25519, base64. `checkpoint.ts` says of what. */
  readonly signature?: string;
  /** The public half of the key, as PEM; where the journal was opened. */
  readonly publicKey?: string;
  /** What was taken out because it was old: the records up to and with this one, whose hash was that. */
  readonly removed?: { readonly seq: number; readonly hash: string };
  /** Bytes behind the last whole record that a crash had left, and that were set aside. */
  readonly tornBytes?: number;
  /** Records that could not be kept while the journal could not be written (`onFailure: "continue"`). */
  readonly lostRecords?: number;
}

/** Where records go. One writer for the whole server; arguments and answers are plain data, so that it can be remote. */
export interface Journal {
  /** Throws `ScpdError('AUDIT_FAILED')` while the journal can't be written: no transfer may begin then. */
  ensureWritable(): void;
  /** Queues a record for the next write. False if too many wait already: the record is lost, and so must be its success. */
  append(record: AuditRecord): boolean;
  /** Resolves when every record appended so far is on disk; rejects with `ScpdError('AUDIT_FAILED')`. */
  settled(): Promise<void>;
}

/** The journal as the one who gathers the records of several processes has it. */
export interface SharedJournal extends Journal {
  /** @param process who did it: what `abandon` is told if it dies */
  append(record: AuditRecord, process?: string): boolean;
  /**
   * Ends, as `aborted`, all that a process has begun and can't end any more.
   * @param bytesOf how much had come of a transfer, where that is known. The records are the answer.
   */
  abandon(process: string, bytesOf?: (transfer: string) => number | undefined): readonly AuditRecord[];
}

/** Nobody's session: it is the server that acts. */
export const serverFacts: SessionFacts = {
  connection: null,
  session: null,
  user: null,
  key: null,
  address: '',
  client: '',
  protocol: 'server',
};

/** A record of what the server itself does. */
export function serverRecord(facts: RecordFacts): AuditRecord {
  return { time: new Date().toISOString(), ...serverFacts, ...facts };
}
