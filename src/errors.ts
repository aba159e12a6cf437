/**
 * The one catalogue of everything that can go wrong with an attempt: each code with the SFTP status it becomes and the
 * words a client is told. Clients never see anything else: no host path, no errno, no stack.
 *
 * Four kinds of fault, by blame:
 * - the peer broke the protocol: `ProtocolError`; its session ends.
 * - policy or the state of the tree says no: `ScpdError`; the attempt is answered and the session goes on.
 * - the host failed: also `ScpdError`, with the errno as `cause` for the log and neutral words for the client.
 * - we are wrong: any other error; that connection dies, the server does not.
 */

/** SFTP status codes of draft-ietf-secsh-filexfer-02, section 7. */
export const sftpStatus = {
  OK: 0,
  EOF: 1,
  NO_SUCH_FILE: 2,
  PERMISSION_DENIED: 3,
  FAILURE: 4,
  BAD_MESSAGE: 5,
  OP_UNSUPPORTED: 8,
} as const;
export type SftpStatus = (typeof sftpStatus)[keyof typeof sftpStatus];

interface CatalogueEntry {
  readonly sftp: SftpStatus;
  /** How the audit record puts it: a rule or the protocol said no, or it was allowed and did not succeed. */
  readonly outcome: 'refused' | 'failed';
  /** What the client reads, in the words that OpenSSH's tools use where they have some. */
  readonly words: string;
}

/** Code → wire answer. A code is what the audit record and the log name. */
export const errorCatalogue = {
  NOT_FOUND: { sftp: sftpStatus.NO_SUCH_FILE, outcome: 'failed', words: 'No such file or directory' },
  PERMISSION_DENIED: { sftp: sftpStatus.PERMISSION_DENIED, outcome: 'refused', words: 'Permission denied' },
  HOST_DENIED: { sftp: sftpStatus.PERMISSION_DENIED, outcome: 'failed', words: 'Permission denied' },
  ALREADY_EXISTS: { sftp: sftpStatus.FAILURE, outcome: 'failed', words: 'File exists' },
  NOT_A_DIRECTORY: { sftp: sftpStatus.FAILURE, outcome: 'failed', words: 'Not a directory' },
  IS_A_DIRECTORY: { sftp: sftpStatus.FAILURE, outcome: 'failed', words: 'Is a directory' },
  NOT_A_REGULAR_FILE: { sftp: sftpStatus.FAILURE, outcome: 'failed', words: 'not a regular file' },
  NOT_A_LINK: { sftp: sftpStatus.FAILURE, outcome: 'failed', words: 'Not a symbolic link' },
  DIRECTORY_NOT_EMPTY: { sftp: sftpStatus.FAILURE, outcome: 'failed', words: 'Directory not empty' },
  INVALID_NAME: { sftp: sftpStatus.FAILURE, outcome: 'refused', words: 'Invalid file name' },
  NAME_TOO_LONG: { sftp: sftpStatus.FAILURE, outcome: 'refused', words: 'File name too long' },
  TOO_MANY_LINKS: { sftp: sftpStatus.FAILURE, outcome: 'failed', words: 'Too many levels of symbolic links' },
  LINK_REFUSED: {
    sftp: sftpStatus.PERMISSION_DENIED,
    outcome: 'refused',
    words: 'Symbolic links are not allowed here',
  },
  INVALID_RENAME: {
    sftp: sftpStatus.FAILURE,
    outcome: 'failed',
    words: 'Cannot move a directory into itself',
  },
  OTHER_FILE_SYSTEM: {
    sftp: sftpStatus.FAILURE,
    outcome: 'failed',
    words: 'Not possible across file systems',
  },
  FILE_TOO_LARGE: {
    sftp: sftpStatus.FAILURE,
    outcome: 'refused',
    words: 'File is larger than this account may store',
  },
  RETAINED: {
    sftp: sftpStatus.PERMISSION_DENIED,
    outcome: 'refused',
    words: 'File is retained and can not be removed yet',
  },
  QUOTA_EXCEEDED: { sftp: sftpStatus.FAILURE, outcome: 'refused', words: 'Quota exceeded' },
  NO_SPACE: { sftp: sftpStatus.FAILURE, outcome: 'failed', words: 'No space left on the server' },
  TOO_MANY_MATCHES: { sftp: sftpStatus.FAILURE, outcome: 'refused', words: 'Argument list too long' },
  TOO_MANY_HANDLES: {
    sftp: sftpStatus.FAILURE,
    outcome: 'refused',
    words: 'Too many open files in this session',
  },
  INVALID_HANDLE: { sftp: sftpStatus.FAILURE, outcome: 'failed', words: 'Invalid handle' },
  BAD_MESSAGE: { sftp: sftpStatus.BAD_MESSAGE, outcome: 'failed', words: 'Malformed request' },
  UNSUPPORTED: { sftp: sftpStatus.OP_UNSUPPORTED, outcome: 'refused', words: 'Operation not supported' },
  COMMAND_REFUSED: { sftp: sftpStatus.PERMISSION_DENIED, outcome: 'refused', words: 'command not allowed' },
  LOGIN_REFUSED: { sftp: sftpStatus.PERMISSION_DENIED, outcome: 'refused', words: 'Permission denied' },
  LIMIT_REACHED: { sftp: sftpStatus.FAILURE, outcome: 'refused', words: 'Too many connections' },
  INCOMPLETE: { sftp: sftpStatus.FAILURE, outcome: 'failed', words: 'Data ended before the declared size' },
  NOT_CONTINUED: {
    sftp: sftpStatus.FAILURE,
    outcome: 'failed',
    words: 'Does not continue the interrupted upload: resume at its end, or send the file whole',
  },
  CLIENT_FAILED: { sftp: sftpStatus.FAILURE, outcome: 'failed', words: 'The client reported an error' },
  CONFIG_REJECTED: { sftp: sftpStatus.FAILURE, outcome: 'refused', words: 'Configuration rejected' },
  INTERRUPTED: { sftp: sftpStatus.FAILURE, outcome: 'failed', words: 'The server ended' },
  CONNECTION_LOST: { sftp: sftpStatus.FAILURE, outcome: 'failed', words: 'Connection lost' },
  PROTOCOL_BROKEN: { sftp: sftpStatus.BAD_MESSAGE, outcome: 'failed', words: 'protocol error' },
  STORAGE_FAILED: { sftp: sftpStatus.FAILURE, outcome: 'failed', words: 'Server storage error' },
  AUDIT_FAILED: { sftp: sftpStatus.FAILURE, outcome: 'failed', words: 'Server cannot write its journal' },
  INTERNAL: { sftp: sftpStatus.FAILURE, outcome: 'failed', words: 'Internal server error' },
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof errorCatalogue;

/** The rule that said no, as the audit record has it: its place in the configuration, if it stands there. */
export interface RuleRefusal {
  readonly reason: string;
  /** Such as `config/scpd.json:18:9`. */
  readonly place?: string;
  /** Such as `users.acme.rules[0]`. */
  readonly key?: string;
}

export interface ScpdErrorOptions extends ErrorOptions {
  readonly rule?: RuleRefusal | undefined;
}

/** An attempt that was refused or failed. `message` is for the operator's log; clients get `clientWords`. */
export class ScpdError extends Error {
  override readonly name = 'ScpdError';
  readonly code: ErrorCode;
  /** Which rule refused it, if it was one. For the record only. */
  readonly rule: RuleRefusal | undefined;

  /** @param detail for the log only; may name host facts. */
  constructor(code: ErrorCode, detail?: string, options?: ScpdErrorOptions) {
    super(
      detail === undefined ? errorCatalogue[code].words : `${errorCatalogue[code].words}: ${detail}`,
      options,
    );
    this.code = code;
    this.rule = options?.rule;
  }
}

/** The peer sent what its protocol does not allow. `message` is safe to send back: it never quotes the peer's bytes. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

/** The catalogue code of anything that was thrown; what we did not foresee is `INTERNAL`. */
export function errorCode(error: unknown): ErrorCode {
  if (error instanceof ScpdError) return error.code;
  if (error instanceof ProtocolError) return 'PROTOCOL_BROKEN';
  return 'INTERNAL';
}

/** What a client may be told of anything that was thrown. */
export function clientWords(error: unknown): string {
  return error instanceof ProtocolError ? error.message : errorCatalogue[errorCode(error)].words;
}
