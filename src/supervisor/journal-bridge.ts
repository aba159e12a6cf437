/**
 * The supervisor's end of one worker's journal: appends what comes, and says when it is on disk. It asks for the disk only
 * when the worker waits: a small upload has some six records, of which one is waited for, and each of these would
 * cost an fsync. What nobody waits for is looked at after a while, so that the worker's count of it stays true.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { AuditRecord, SharedJournal } from '../audit/record.ts';
import { auditTickMs, workerRecordsMax } from '../limits.ts';

/** How long after a failure it is asked again whether records could be written. The journal tries by itself. */
const retryMs = 250;
/** By then the journal has synced by itself what nobody waits for. */
const unaskedMs = 2 * auditTickMs;
/** Long before the worker may send no more. */
const unaskedRecordsMax = workerRecordsMax / 4;

export interface JournalBridgeOptions {
  readonly journal: SharedJournal;
  /** Whose records they are: what it leaves open is ended by this name. */
  readonly process: string;
  /** So many has it sent to another supervisor. */
  readonly recordsBefore: number;
  /** What else must be done before the worker may tell its clients of success. */
  readonly alsoAwait: () => Promise<void>;
  readonly answer: (answer: { readonly records: number; readonly failed: boolean }) => void;
  /** A record could not be queued: the worker is told of no success any more. Once at most. */
  readonly onLost: () => void;
}

export class JournalBridge {
  readonly #options: JournalBridgeOptions;
  #received: number;
  #answered = 0;
  /** As many are to be on disk. */
  #wanted = 0;
  #timer: NodeJS.Timeout | undefined;
  #isSettling = false;
  #closed = false;
  /** A record of it is missing, so nothing that comes after it counts as written. */
  #hasLost = false;

  constructor(options: JournalBridgeOptions) {
    this.#options = options;
    this.#received = options.recordsBefore;
  }

  /** Nobody waits for an answer. */
  get isIdle(): boolean {
    return !this.#isSettling;
  }

  /** How many have come. */
  get records(): number {
    return this.#received;
  }

  /** @param waits whether the worker waits for these and all before them */
  receive(records: readonly AuditRecord[], waits: boolean): void {
    for (const record of records) {
      if (!this.#options.journal.append(record, this.#options.process)) this.#lose();
    }
    this.#received += records.length;
    if (this.#hasLost) this.#refuse();
    else if (waits || this.#received - this.#wanted >= unaskedRecordsMax) this.#want();
    else this.#timer ??= setTimeout(() => this.#want(), unaskedMs).unref();
  }

  /** Asks for nothing by itself until the next record: the journal may be on its way to another process. */
  pause(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** The worker is gone: nobody waits for answers. What it sent is written all the same. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** It says nothing of success any more. */
  get #isOver(): boolean {
    return this.#closed || this.#hasLost;
  }

  #lose(): void {
    if (this.#hasLost) return;
    this.#hasLost = true;
    clearTimeout(this.#timer);
    this.#options.onLost();
  }

  /** Whoever waits hears that it failed, now; a worker that retires could not end otherwise. */
  #refuse(): void {
    if (!this.#closed) this.#options.answer({ records: this.#received, failed: true });
  }

  #want(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#wanted = this.#received;
    if (!this.#isSettling) void this.#settle();
  }

  async #settle(): Promise<void> {
    this.#isSettling = true;
    while (this.#answered < this.#wanted && !this.#isOver) {
      const records = this.#received;
      const failed = await this.#fails();
      if (!this.#isOver) this.#options.answer({ records, failed });
      if (failed) await delay(retryMs);
      else this.#answered = records;
    }
    this.#isSettling = false;
  }

  async #fails(): Promise<boolean> {
    try {
      await Promise.all([this.#options.journal.settled(), this.#options.alsoAwait()]);
      return false;
    } catch {
      return true;
    }
  }
}
