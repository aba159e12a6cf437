/**
 * A worker's journal: records go to the supervisor, which is the one writer. Those that nobody waits for travel with the next
 * one that is waited for, or after a few ms: the beginning of a small upload with its end. What is not acknowledged is
 * bounded, so a worker can't fill the supervisor.
 */
import type { AuditRecord, Journal } from '../audit/record.ts';
import { ScpdError } from '../errors.ts';
import { workerBatchRecordsMax, workerRecordsMax, workerRecordsMs } from '../limits.ts';

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
  #timer: NodeJS.Timeout | undefined;
  #waiters: Waiter[] = [];
  #failed = false;
  #gone = false;

  /** @param send takes records, and whether somebody waits for these and all before them */
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
    if (this.#batch.length >= workerBatchRecordsMax) this.#flushSoon();
    else this.#timer ??= setTimeout(() => this.#flush(), workerRecordsMs);
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

  /** With what comes in the same turn. */
  #flushSoon(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    clearTimeout(this.#timer);
    const [records, waits] = [this.#batch, this.#isTelling];
    [this.#batch, this.#isTelling, this.#isFlushing, this.#timer] = [[], false, false, undefined];
    if (records.length > 0 || waits) this.#send(records, waits);
  }
}

function failure(): ScpdError {
  return new ScpdError('AUDIT_FAILED');
}
