/**
 * What the journal has begun and not yet ended, and how often in a row a path was tried. Kept by the journal's writer
 * from the records that pass, and at start from those that stand in the journal: so both are the same whoever asks.
 */
import { auditAttemptsMax, auditTextMax } from '../limits.ts';
import { printable } from '../name-bytes.ts';
import type { AuditRecord } from './record.ts';

/** A `begin` without its `end`. */
export interface OpenEntry {
  readonly seq: number;
  /** Which process does it. */
  readonly process: string;
  readonly begin: AuditRecord;
}

export class OpenEntries {
  /** In the order of their `seq`. As many as connections may have sessions, and these open files. */
  readonly #open = new Map<string, OpenEntry>();
  /** User, direction and path → tries without success. In the order of the last try. */
  readonly #attempts = new Map<string, number>();

  /** The oldest begin without an end. */
  get since(): number | null {
    for (const { seq } of this.#open.values()) return seq;
    return null;
  }

  /** To be told of each record, once it has its number. */
  saw(record: AuditRecord, { seq, process }: { readonly seq: number; readonly process: string }): void {
    const id = idOf(record);
    if (id === undefined) return;
    if (record.phase === 'begin') this.#open.set(id, { seq, process, begin: record });
    if (record.phase === 'end') this.#open.delete(id);
  }

  /** What was begun by one process, or by any. */
  of(process?: string): OpenEntry[] {
    const all = [...this.#open.values()];
    return process === undefined ? all : all.filter((entry) => entry.process === process);
  }

  /** Who does what is open: transfer or session → process. */
  owners(): [string, string][] {
    return [...this.#open].map(([id, { process }]) => [id, process]);
  }

  /** What these name is done by processes that live on. */
  entrust(owners: ReadonlyMap<string, string>): void {
    for (const [id, process] of owners) {
      const entry = this.#open.get(id);
      if (entry !== undefined) this.#open.set(id, { ...entry, process }); // in its old place
    }
  }

  /** Which try a record is or ends; undefined for what is no transfer. */
  attempt(record: AuditRecord): number | undefined {
    const { operation, phase, outcome, user, path } = record;
    if ((operation !== 'upload' && operation !== 'download') || path === null) return undefined;
    const key = `${user} ${operation} ${printable(path, auditTextMax)}`; // as a journal that is read has it
    const before = this.#attempts.get(key) ?? 0;
    // The end of a try is no further one.
    const tries = phase === 'end' ? Math.max(before, 1) : before + 1;
    this.#attempts.delete(key);
    const isOver = outcome === 'done' && phase !== 'begin';
    if (!isOver) this.#attempts.set(key, tries);
    if (this.#attempts.size > auditAttemptsMax) this.#forgetOldest();
    return tries;
  }

  #forgetOldest(): void {
    for (const key of this.#attempts.keys()) {
      this.#attempts.delete(key);
      return;
    }
  }
}

function idOf({ transfer, operation, session }: AuditRecord): string | undefined {
  if (transfer !== undefined) return transfer;
  return operation === 'session' && session !== null ? session : undefined;
}

/** The end of what nobody can end any more. @param bytes how much had come, where that is known */
export function interrupted(begin: AuditRecord, bytes = 0): AuditRecord {
  const { connection, session, user, key, address, client, protocol, operation, path } = begin;
  const time = new Date();
  const who = { connection, session, user, key, address, client, protocol };
  const end = {
    ...who,
    time: time.toISOString(),
    operation,
    phase: 'end',
    outcome: 'failed',
    path,
    durationMs: Math.max(0, time.getTime() - Date.parse(begin.time)),
    error: 'INTERRUPTED',
  } as const;
  if (begin.transfer === undefined) return end;
  const { transfer, direction } = begin;
  return { ...end, transfer, ...(direction === undefined ? {} : { direction }), verdict: 'aborted', bytes };
}
