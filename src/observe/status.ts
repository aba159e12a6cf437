/** What `scpd status` shows: plain data that goes through the control socket. */
import type { AuditRecord } from '../audit/record.ts';
import type { Quota, Usage } from '../guard/ledger.ts';
import type { ConnectionStatus, TransferStatus } from '../supervisor/messages.ts';
import type { WorkerStatus } from '../supervisor/serving.ts';

export interface GoodUpload {
  /** ISO 8601. */
  readonly time: string;
  readonly path: string;
  readonly bytes: number;
}

export interface UserStatus {
  readonly name: string;
  readonly connections: number;
  readonly lastUpload: GoodUpload | null;
  readonly usage: Usage;
  readonly quota: Quota;
}

export interface ServerStatus {
  readonly version: string;
  readonly pid: number;
  readonly state: 'serving' | 'stopping';
  readonly upMs: number;
  readonly config: string;
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
  readonly health: { readonly host: string; readonly port: number } | null;
  /** What is in the way of serving. */
  readonly problems: readonly string[];
  readonly workers: readonly WorkerStatus[];
  readonly connections: readonly ConnectionStatus[];
  readonly transfers: readonly TransferStatus[];
  readonly users: readonly UserStatus[];
}

/** The last upload of each user that ended well. */
export class LastUploads {
  readonly #byUser = new Map<string, GoodUpload>();

  of(user: string): GoodUpload | null {
    return this.#byUser.get(user) ?? null;
  }

  /** What was known before this server started. */
  know(user: string, upload: GoodUpload): void {
    if (!this.#byUser.has(user)) this.#byUser.set(user, upload);
  }

  record({ operation, phase, outcome, user, path, bytes = 0, time }: AuditRecord): void {
    // Users of the configuration only: nobody else can have uploaded anything.
    if (operation === 'upload' && phase !== 'begin' && outcome === 'done' && user !== null)
      this.#byUser.set(user, { time, path: path ?? '', bytes });
  }
}
