/**
 * `Files` is the one way from a protocol to the disk: what a session may attempt, in the same words for SCP and SFTP.
 * Every method asks the rules, acts and writes the record; what is refused or fails throws `ScpdError`.
 * One `Files` belongs to one session of one user.
 */
import type { Verdict } from '../audit/record.ts';
import type { ErrorCode, RuleRefusal } from '../errors.ts';
import type { Verb } from '../users/rule.ts';
import type { VirtualPath } from './virtual-path.ts';

export type FileKind = 'file' | 'directory' | 'link' | 'other';

export interface Attributes {
  readonly kind: FileKind;
  readonly sizeBytes: number;
  /** Permission bits only, 0o000-0o777. */
  readonly mode: number;
  /** Seconds since 1970, possibly with a fraction. */
  readonly modifiedSeconds: number;
  readonly accessedSeconds: number;
  readonly linkCount: number;
}

/** What a client may change. Owner and group are the daemon's: requests for them are dropped by the protocol drivers. */
export interface AttributeChange {
  readonly sizeBytes?: number;
  /** Only the bits 0o777 are used; setuid, setgid and sticky are dropped. */
  readonly mode?: number;
  readonly modifiedSeconds?: number;
  readonly accessedSeconds?: number;
}

/** What a file system has, in bytes and in files, as statvfs(3) tells it. */
export interface Space {
  readonly blockBytes: number;
  readonly totalBytes: number;
  /** Free for the daemon. */
  readonly freeBytes: number;
  /** Free for this user: never more than `freeBytes`. */
  readonly availableBytes: number;
  readonly totalFiles: number;
  readonly freeFiles: number;
}

export type HashAlgorithm = 'md5' | 'sha1' | 'sha256' | 'sha512';

export interface HashOptions {
  readonly algorithm: HashAlgorithm;
  /** From where, and how much; without a length to the end of the file. */
  readonly offset?: number;
  readonly lengthBytes?: number;
}

export interface ListingEntry<Facts extends Attributes = Attributes> {
  /** One path component, as `decodeName` gives it. */
  readonly name: string;
  /** Of the entry itself: links are not followed. */
  readonly attributes: Facts;
}

export interface Listing<Facts extends Attributes = Attributes> {
  /** The next at most `entriesMax` entries, in no order; an empty array at the end. Without "." and "..". */
  read(entriesMax: number): Promise<readonly ListingEntry<Facts>[]>;
  close(): Promise<void>;
}

export interface Download {
  /** Of the open file; links have been followed. */
  attributes(): Promise<Attributes>;
  /** Up to `lengthBytes` bytes at `offset`; shorter only at the end of the file, empty at or after it. */
  read(offset: number, lengthBytes: number): Promise<Buffer>;
  /** Ends the transfer and writes its record. Exactly one of `finish` and `abort`, once; `abort` never throws. */
  finish(verdict: Exclude<Verdict, 'aborted'>): Promise<void>;
  abort(reason: ErrorCode): Promise<void>;
}

export interface UploadOptions {
  /**
   * When something of that name is there: `replace` it whole, `modify` it (start from its content, as an SFTP OPEN
   * without TRUNC does) or `refuse`.
   */
  readonly existing: 'replace' | 'modify' | 'refuse';
  readonly missing: 'create' | 'refuse';
  /** Permission bits for a new file, before the server's umask; an existing file keeps its own. */
  readonly newFileMode: number;
  /** Declared by the client (SCP's C record): too large is refused before a byte is sent. */
  readonly declaredBytes?: number;
  /** Every write goes to the end, whatever its offset (SFTP's APPEND). */
  readonly append?: boolean;
  /**
   * Whether the client is one that goes on with what was interrupted. Then what came of a new file is kept when the connection
   * is lost, and with `existing: 'modify'` an upload begins with what is kept. Without it, nothing is kept and what is is
   * given up.
   */
  readonly resumable?: boolean;
}

export interface CommitOptions {
  /** Whether `Files.settle` follows at once: what it waits for then begins with the rename. */
  readonly settlesNext?: boolean;
}

/**
 * A file being received. Nothing of it is under its name until `commit`; the old file stays whole until then, and stays
 * for good when the upload is aborted.
 */
export interface Upload {
  /** The whole buffer at `offset`. The caller must not change the buffer until the promise settles. */
  write(bytes: Buffer, offset: number): Promise<void>;
  /** Reads what the file would be if it were committed now; as `Download.read`. */
  read(offset: number, lengthBytes: number): Promise<Buffer>;
  attributes(): Promise<Attributes>;
  /** Size, mode and times that the file will have when committed. Part of the upload: needs no rule of its own. */
  setAttributes(change: AttributeChange): Promise<void>;
  /** Makes what was written so far durable in the staging area (fsync@openssh.com). */
  sync(): Promise<void>;
  /**
   * fsync, one atomic rename to the final name, record. The promise settles when the file stands under its name; what
   * `Files.settle` waits for remains. If it rejects, the upload is over and the old file is untouched.
   */
  commit(verdict: Exclude<Verdict, 'aborted'>, options?: CommitOptions): Promise<void>;
  /** Drops what came, unless it is kept because the connection was lost (see `resumable`). Never throws. */
  abort(reason: ErrorCode): Promise<void>;
}

export interface Files {
  /** Writes down what was refused before it came here. */
  noteRefusal(refusal: {
    readonly what: string;
    readonly error: ErrorCode;
    readonly rule?: RuleRefusal;
  }): void;
  /** Whether there can be anything at all on which this user is allowed to do so. What is not is not offered to clients. */
  mayEver(verb: Verb): boolean;
  /** @param options.partial whether an interrupted upload, which is no file, is shown as what there is of it */
  stat(
    path: VirtualPath,
    options: { readonly follow: boolean; readonly partial?: boolean },
  ): Promise<Attributes>;
  /** Where a path leads when all links are followed. The end of it need not be there. */
  resolve(path: VirtualPath): Promise<VirtualPath>;
  list(path: VirtualPath): Promise<Listing>;
  download(path: VirtualPath): Promise<Download>;
  upload(path: VirtualPath, options: UploadOptions): Promise<Upload>;
  /** @param mode permission bits before the server's umask */
  makeDirectory(path: VirtualPath, mode: number): Promise<void>;
  removeDirectory(path: VirtualPath): Promise<void>;
  /** Removes a file or a link, not a directory. */
  remove(path: VirtualPath): Promise<void>;
  /** @param options.replace false: refuse with ALREADY_EXISTS if `to` exists (SFTP v3 RENAME); true: rename(2) */
  rename(from: VirtualPath, to: VirtualPath, options: { readonly replace: boolean }): Promise<void>;
  setAttributes(
    path: VirtualPath,
    change: AttributeChange,
    options: { readonly follow: boolean },
  ): Promise<void>;
  /** The text of a link. */
  readLink(path: VirtualPath): Promise<string>;
  /**
   * Makes a symbolic link. What it points to must stay beneath the root, but need not be there; an absolute target is
   * stored as the relative one that means the same, so that it also holds on the host.
   */
  makeLink(path: VirtualPath, target: string): Promise<void>;
  /** Gives a file a second name; ALREADY_EXISTS if `to` is taken. */
  makeHardLink(from: VirtualPath, to: VirtualPath): Promise<void>;
  /** The file system that holds a path, as this user may see it. */
  space(path: VirtualPath): Promise<Space>;
  /** The hash of a stored file. */
  hash(path: VirtualPath, options: HashOptions): Promise<Buffer>;
  /**
   * Resolves when everything that this session was told is done is durable: directories fsynced, records in the
   * journal. No success may be reported to a client before it: SCP's exit status and SFTP's reply to whatever changed
   * something wait for it. Rejects if any of it could not be made durable.
   */
  settle(): Promise<void>;
  /** Ends whatever is still open (uploads are aborted with `reason`) and releases the root. Never throws. */
  close(reason: ErrorCode): Promise<void>;
}
