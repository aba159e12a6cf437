/** A session's way into the journal: adds who and when to what, and never lets a lost record pass for a success. */
import { ScpdError } from '../errors.ts';
import type { AuditRecord, Journal, RecordFacts, SessionFacts } from './record.ts';

export class SessionJournal {
  readonly #journal: Journal;
  readonly #session: SessionFacts;
  #lost = false;

  constructor(journal: Journal, session: SessionFacts) {
    this.#journal = journal;
    this.#session = session;
  }

  /** As `Journal.ensureWritable`; to be asked before a transfer begins. */
  ensureWritable(): void {
    this.#journal.ensureWritable();
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
