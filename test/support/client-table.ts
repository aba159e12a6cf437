/**
 * What real clients did in the interop tests, as rows from which `docs/clients.md` is made. Where the environment variable
 * SCPD_CLIENT_TABLE names a file, each row is appended to it as a line of JSON; otherwise nothing is written.
 */
import { appendFileSync } from 'node:fs';

export interface ClientRow {
  readonly client: string;
  readonly protocol: 'SCP' | 'SFTP';
  /** The rights of the user that the client logged in as. */
  readonly preset: string;
  /** What was done, such as "resume an upload". */
  readonly action: string;
  /** Whether the client could do it; where it can't, `why` says what is in its way. */
  readonly works: boolean;
  readonly why?: string;
}

/** To be called when the test has seen what the row says. */
export function noteClient(row: ClientRow): void {
  const file = process.env['SCPD_CLIENT_TABLE'];
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(row)}\n`);
}
