/**
 * Copies of what is in the journal, for those who keep it elsewhere: records to syslog or to standard output, heads to a
 * witness. A copy never holds up the journal: what can't be sent in time is counted and said in the log, and the journal has
 * it all the same.
 */
import { auditCopyComplaintMs } from '../limits.ts';
import type { JournalLog } from './file-journal.ts';

/** Where copies go. Neither method throws or rejects. */
export interface JournalCopy {
  /** Of it in the log and in the metrics. */
  readonly name: string;
  /** Records, or heads, that did not get there. */
  readonly lost: number;
  /** Told of lines that are on disk, in order. */
  push(lines: readonly string[]): void;
  /** Sends what waits, or gives it up after a moment. */
  close(): Promise<void>;
}

export class JournalCopies {
  readonly #log: JournalLog;
  #copies: readonly JournalCopy[] = [];
  readonly #lostBefore = new Map<string, number>();
  readonly #told = new Map<string, { readonly lost: number; readonly timeMs: number }>();

  constructor(log: JournalLog) {
    this.#log = log;
  }

  /** From now on these, and no others. */
  configure(copies: readonly JournalCopy[]): void {
    const before = this.#copies;
    for (const { name, lost } of before) this.#lostBefore.set(name, this.#total(name, lost));
    this.#copies = copies;
    for (const copy of before) void copy.close();
  }

  push(lines: readonly string[]): void {
    for (const copy of this.#copies) {
      copy.push(lines);
      this.#complain(copy);
    }
  }

  /** What each has lost since the start. */
  get lost(): readonly { readonly copy: string; readonly lost: number }[] {
    return this.#copies.map(({ name, lost }) => ({ copy: name, lost: this.#total(name, lost) }));
  }

  async close(): Promise<void> {
    await Promise.all(this.#copies.map((copy) => copy.close()));
    for (const copy of this.#copies) this.#complain(copy, { atOnce: true });
  }

  #total(name: string, lost: number): number {
    return (this.#lostBefore.get(name) ?? 0) + lost;
  }

  /** At most once in a while. */
  #complain({ name, lost }: JournalCopy, { atOnce = false } = {}): void {
    const total = this.#total(name, lost);
    const told = this.#told.get(name) ?? { lost: 0, timeMs: -Infinity };
    const isDue = atOnce || performance.now() - told.timeMs >= auditCopyComplaintMs;
    if (total === told.lost || !isDue) return;
    this.#told.set(name, { lost: total, timeMs: performance.now() });
    this.#log.warn(
      { copy: name, lost: total },
      'not all of the audit journal could be copied; the journal itself is whole',
    );
  }
}
