/** What both SCP drivers make of a failed attempt on `Files`: an answer to the client, and the session goes on. */
import { clientWords, ScpdError, type ErrorCode } from '../errors.ts';
import { aboutPath } from '../protocol/scp/replies.ts';

/** What was refused before `Files` heard of it, for the journal. */
export interface ScpRefusal {
  readonly operation: 'upload' | 'download' | 'mkdir';
  /** As the client wrote it. */
  readonly path: string;
  readonly error: ErrorCode;
}

export interface ScpOptions {
  /** Told of what an operator should know: faults of the host, and a client that attacks. Must not throw. */
  readonly onFault?: (error: unknown) => void;
  /** Writes the record of a refusal. Must not reject. */
  readonly onRefusal?: (refusal: ScpRefusal) => Promise<void>;
}

export type Attempted<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: ScpdError };

const faultCodes: ReadonlySet<ErrorCode> = new Set(['STORAGE_FAILED', 'AUDIT_FAILED', 'INTERNAL']);

/** Runs `act`, which does nothing but paths and `Files`. An error that is none of the catalogue's ends the session. */
export async function attempt<T>(options: ScpOptions, act: () => Promise<T>): Promise<Attempted<T>> {
  try {
    return { ok: true, value: await act() };
  } catch (error) {
    if (!(error instanceof ScpdError)) throw error;
    if (faultCodes.has(error.code)) options.onFault?.(error);
    return { ok: false, error };
  }
}

/** The complaint that the client gets: `PATH: WORDS`, with the path as the client wrote it. */
export function complaint(path: string, error: unknown): string {
  return aboutPath(path, clientWords(error));
}
