/** A session's way into the journal: adds who and when to what, and never lets a lost record pass for a success. */
import { errorCatalogue, ScpdError, type ErrorCode } from '../errors.ts';
import type { AuditRecord, Journal, Operation, RecordFacts, SessionFacts } from './record.ts';

export class SessionJournal {
  readonly #journal: Journal;
  readonly #session: SessionFacts;
  readonly #looks = { list: 0, stat: 0 };
  #openedMs: number | undefined;
  #path: string | null = null;
  #lost = false;

  constructor(journal: Journal, session: SessionFacts) {
    this.#journal = journal;
    this.#session = session;
  }

  /** As `Journal.ensureWritable`; to be asked before a transfer begins. */
  ensureWritable(): void {
    this.#journal.ensureWritable();
  }

  /** The session begins. @param path what was asked for, such as a command */
  opened(path: string): void {
    this.#openedMs = performance.now();
    this.#path = path;
    this.record({ operation: 'session', phase: 'begin', outcome: 'done', path });
  }

  /** The session is over; what it merely looked at is told in sum. Without `opened`, nothing is written. */
  closed(error?: ErrorCode): void {
    if (this.#openedMs === undefined) return;
    const durationMs = Math.round(performance.now() - this.#openedMs);
    this.#openedMs = undefined;
    this.record({
      operation: 'session',
      phase: 'end',
      outcome: error === undefined ? 'done' : errorCatalogue[error].outcome,
      path: this.#path,
      durationMs,
      ...(error === undefined ? {} : { error }),
      looks: { ...this.#looks },
    });
  }

  /** Counts a look at something, which is worth no record of its own; what is no look has one. */
  looked(operation: Operation): void {
    if (operation === 'list' || operation === 'stat') this.#looks[operation] += 1;
  }

  /** Queues a record. Never throws: what could not be queued makes `settled` fail. */
  record(facts: RecordFacts): void {
    const record: AuditRecord = { time: new Date().toISOString(), ...this.#session, ...facts };
    if (!this.#journal.append(record)) this.#lost = true;
  }

  /** Resolves when all records of this session are on disk; rejects with `ScpdError('AUDIT_FAILED')`. */
  async settled(): Promise<void> {
    if (this.#lost) throw new ScpdError('AUDIT_FAILED', 'too many records waited for the disk');
    await this.#journal.settled();
  }
}
