/** An attempt in the words of its record. */
import { errorCatalogue, errorCode, ScpdError } from '../errors.ts';
import type { RecordFacts } from '../audit/record.ts';
import type { Attempt, Notes } from './attempt.ts';
import type { AttributeChange } from './files.ts';

/** How an attempt went: what it found out, and what was thrown, if it was. */
export interface Course {
  readonly startedMs: number;
  readonly notes: Notes;
  readonly error?: unknown;
}

/** The record of an attempt that is over. */
export function attemptRecord(
  { operation, path, target, asked }: Attempt,
  { startedMs, notes, error }: Course,
): RecordFacts {
  return {
    operation,
    ...asked,
    outcome: 'done',
    path,
    ...(target === undefined ? {} : { target }),
    ...notes,
    durationMs: Math.round(performance.now() - startedMs),
    ...(error === undefined ? {} : failureFacts(error)),
  };
}

/** What went wrong, and which rule said no if it was one. */
export function failureFacts(error: unknown): Pick<RecordFacts, 'outcome' | 'error' | 'rule'> {
  const code = errorCode(error);
  const { rule } = error instanceof ScpdError ? error : {};
  return { outcome: errorCatalogue[code].outcome, error: code, ...(rule === undefined ? {} : { rule }) };
}

/** Whether it can be written with four digits for the year. A file system may know others. */
function isDate(seconds: number | undefined): seconds is number {
  return seconds !== undefined && seconds >= -62_135_596_800 && seconds < 253_402_300_800;
}

/** Mode and time of modification in the words of a record. */
export function recordedAttributes({
  mode,
  modifiedSeconds,
}: Pick<AttributeChange, 'mode' | 'modifiedSeconds'>): Pick<RecordFacts, 'mode' | 'mtime'> {
  return {
    ...(mode === undefined ? {} : { mode: (mode & 0o777).toString(8).padStart(4, '0') }),
    ...(isDate(modifiedSeconds) ? { mtime: new Date(modifiedSeconds * 1000).toISOString() } : {}),
  };
}
