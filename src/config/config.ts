/**
 * The configuration as the rest of the program sees it: checked, complete, frozen. Host paths are absolute, sizes are
 * bytes, defaults are filled in. Only `load.ts` makes one.
 */
import type { User } from '../users/user.ts';

export interface ListenAddress {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

/** A host key that was read and looks sound. Parsing the private half is left to `ssh/`. */
export interface HostKey {
  /** Host path of the private key. */
  readonly path: string;
  /** Name of the key's type on the wire, such as `ssh-ed25519`. */
  readonly type: string;
  /** The private key file as it is. The one thing in a configuration that can't be frozen. */
  readonly privateKey: Buffer;
  /** The public half as it stands on the wire (RFC 4253, section 6.6), as the private key file states it. */
  readonly publicKeyBlob: Buffer;
}

/** `full`: a success is on disk; `none`: it is with the operating system. */
export type Durability = 'full' | 'none';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

export interface ConfiguredLimits {
  readonly loginGraceSeconds: number;
  readonly authAttempts: number;
  readonly connections: number;
  readonly connectionsPerIp: number;
  readonly connectionsPerUser: number;
  readonly unauthenticatedConnections: number;
  readonly idleSeconds: number;
  readonly drainSeconds: number;
  readonly retireSeconds: number;
  readonly workerSilenceSeconds: number;
  readonly workerMemoryBytesMax: number;
}

export interface ConfiguredScp {
  /** What becomes of the target of `scp -t two words`. */
  readonly unquotedSpaces: 'refuse' | 'join';
}

export interface ConfiguredAudit {
  /** The directory may not exist yet; the path is absolute. */
  readonly dir: string;
  /** What becomes of transfers while the journal can't be written. */
  readonly onFailure: 'refuse' | 'continue';
  /** Where copies of records go: `udp://…`, `tcp://…` or `unix:…`, as the schema has it; and standard output. */
  readonly syslog?: string;
  readonly stdout: boolean;
  /** Who gets heads: an absolute path, or a URL. */
  readonly witness?: string;
  /** A file of the journal that is larger or older is closed, and the next one begun. */
  readonly fileBytesMax: number;
  readonly fileMsMax: number;
  /** How much of the closed files is kept, compressed. What is absent is no limit. */
  readonly keep: { readonly bytesMax?: number; readonly msMax?: number };
}

export interface ConfiguredUser {
  readonly user: User;
  /** Host path of the user's authorized_keys file; it existed and had a safe mode when the configuration was read. */
  readonly authorizedKeysFile: string;
}

export interface Config {
  /** Host path of the file that this was read from. */
  readonly path: string;
  /** Hex SHA-256 of its bytes. */
  readonly sha256: string;
  readonly listen: readonly ListenAddress[];
  readonly hostKeys: readonly HostKey[];
  readonly durability: Durability;
  readonly audit: ConfiguredAudit;
  /** Host path of the database. Neither it nor its directory need exist yet. */
  readonly catalog: { readonly file: string };
  /** What uploads leave free on each file system. */
  readonly freeBytesMin: number;
  /** How long an upload that was interrupted can be gone on with; 0: not at all. */
  readonly resumeMs: number;
  readonly log: { readonly level: LogLevel };
  /** Processes that serve connections; 0: this one does. */
  readonly workers: number;
  /** Host path of the Unix socket. Neither it nor its directory need exist yet. */
  readonly control: { readonly socket: string };
  /** Where health and metrics are told over HTTP; undefined: nowhere. */
  readonly health: ListenAddress | undefined;
  readonly limits: ConfiguredLimits;
  readonly scp: ConfiguredScp;
  /** In the order of the file; names are unique. */
  readonly users: readonly ConfiguredUser[];
}
