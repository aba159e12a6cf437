/** Who may log in, and who did. Plain frozen facts; nothing here acts. */

/** A named rule set; what each allows stands in `guard/access.ts`. */
export type Preset = 'full' | 'read-only' | 'drop-box';

export interface User {
  readonly name: string;
  /** Host path of the directory that this user sees as "/". Never shown to a client. */
  readonly root: string;
  readonly preset: Preset;
  /** Largest file that this user may store, in bytes. */
  readonly fileBytesMax: number;
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
