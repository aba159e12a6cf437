/**
 * A worker's journal: records go to the supervisor, which is the one writer. Records of one turn travel together, and the
 * supervisor is told whether somebody waits until they are on disk. What is not acknowledged is bounded, so a worker can't
 * fill the supervisor.
 */
import type { AuditRecord, Journal } from '../audit/record.ts';
import { ScpdError } from '../errors.ts';
import { workerRecordsMax } from '../limits.ts';

interface Waiter {
  /** Waits for so many records, from the first on. */
  readonly records: number;
  readonly resolve: () => void;
  readonly reject: (error: ScpdError) => void;
}

export class JournalProxy implements Journal {
  readonly #send: (records: readonly AuditRecord[], waits: boolean) => void;
  #batch: AuditRecord[] = [];
  #appended = 0;
  #settled = 0;
  /** As many are waited for, as the supervisor knows or is told at the end of this turn. */
  #awaited = 0;
  #isTelling = false;
  #isFlushing = false;
  #waiters: Waiter[] = [];
  #failed = false;
  #gone = false;

  /** @param send takes the records of a turn, and whether somebody waits for these and all before them */
  constructor(send: (records: readonly AuditRecord[], waits: boolean) => void) {
    this.#send = send;
  }

  /** Records that are not known to be on disk. */
  get waiting(): number {
    return this.#appended - this.#settled;
  }

  ensureWritable(): void {
    if (this.#failed || this.#gone) throw failure();
  }

  append(record: AuditRecord): boolean {
    if (this.#gone || this.waiting >= workerRecordsMax) return false;
    this.#batch.push(record);
    this.#appended += 1;
    this.#flushSoon();
    return true;
  }

  async settled(): Promise<void> {
    if (this.waiting === 0) return;
    if (this.#gone) throw failure();
    const records = this.#appended;
    if (records > this.#awaited) {
      [this.#awaited, this.#isTelling] = [records, true];
      this.#flushSoon();
    }
    await new Promise<void>((resolve, reject) => this.#waiters.push({ records, resolve, reject }));
  }

  /** The supervisor's answer: so many records are on disk, or can't be written for now. */
  onSettled({ records, failed }: { readonly records: number; readonly failed: boolean }): void {
    this.#failed = failed;
    if (!failed) this.#settled = Math.max(this.#settled, records);
    const answered = this.#waiters.filter((waiter) => waiter.records <= records);
    this.#waiters = this.#waiters.filter((waiter) => waiter.records > records);
    for (const { resolve, reject } of answered) {
      if (failed) reject(failure());
      else resolve();
    }
  }

  /** The supervisor is gone: nothing can be written any more. */
  lose(): void {
    this.#gone = true;
    for (const { reject } of this.#waiters.splice(0)) reject(failure());
  }

  #flushSoon(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    const [records, waits] = [this.#batch, this.#isTelling];
    [this.#batch, this.#isTelling, this.#isFlushing] = [[], false, false];
    this.#send(records, waits);
  }
}

function failure(): ScpdError {
  return new ScpdError('AUDIT_FAILED');
}
