/**
 * Copies of what is in the journal, for those who keep it elsewhere: records to syslog or to standard output, heads to a
 * witness. A copy never holds up the journal: what can't be sent in time is counted and said in the log, and the journal has
 * it all the same. A copy that a new configuration has as well goes on as it is, with what waits for it.
 */
import { isDoneInTime } from '../in-time.ts';
import { auditCopyCloseMs, auditCopyComplaintMs } from '../limits.ts';
import type { JournalLog } from './file-journal.ts';

/** Where copies go. No method throws or rejects. */
export interface JournalCopy {
  /** Of it in the log and in the metrics. */
  readonly name: string;
  /** Where to. With the same name and target it is the same copy. */
  readonly target: string;
  /** Records, or heads, that did not get there. */
  readonly lost: number;
  /** Told of lines that are on disk, in order. */
  push(lines: readonly string[]): void;
  /** Resolves when nothing waits to be sent: never, where nobody takes it. */
  settled(): Promise<void>;
  /** Gives up what waits. */
  close(): void;
}

export class JournalCopies {
  readonly #log: JournalLog;
  #copies: readonly JournalCopy[] = [];
  /** No longer told of anything, and what waits is still being sent. */
  readonly #ending = new Map<JournalCopy, Promise<void>>();
  readonly #lostBefore = new Map<string, number>();
  readonly #told = new Map<string, { readonly lost: number; readonly timeMs: number }>();

  constructor(log: JournalLog) {
    this.#log = log;
  }

  /** From now on these, and no others. */
  configure(wanted: readonly JournalCopy[]): void {
    const before = this.#copies;
    this.#copies = wanted.map((copy) => before.find((one) => isSame(one, copy)) ?? copy);
    for (const copy of before) if (!this.#copies.includes(copy)) this.#end(copy);
  }

  push(lines: readonly string[]): void {
    for (const copy of this.#copies) {
      copy.push(lines);
      this.#complain(copy.name);
    }
  }

  /** What each has lost since the start, also if it is none any more. */
  get lost(): readonly { readonly copy: string; readonly lost: number }[] {
    const names = new Set([...this.#all.map(({ name }) => name), ...this.#lostBefore.keys()]);
    return [...names].map((copy) => ({ copy, lost: this.#total(copy) }));
  }

  /** Resolves when nothing waits, or after this time. */
  async settled(msMax: number): Promise<void> {
    await isDoneInTime(Promise.all(this.#copies.map((copy) => copy.settled())), msMax);
  }

  /** Sends what waits, or gives it up after a moment. */
  async close(): Promise<void> {
    this.configure([]);
    await Promise.all(this.#ending.values());
  }

  #end(copy: JournalCopy): void {
    const ended = isDoneInTime(copy.settled(), auditCopyCloseMs).then(() => {
      copy.close();
      this.#ending.delete(copy);
      this.#lostBefore.set(copy.name, (this.#lostBefore.get(copy.name) ?? 0) + copy.lost);
      this.#complain(copy.name, { atOnce: true });
    });
    this.#ending.set(copy, ended);
  }

  get #all(): JournalCopy[] {
    return [...this.#copies, ...this.#ending.keys()];
  }

  #total(name: string): number {
    const now = this.#all.filter((copy) => copy.name === name);
    return now.reduce((sum, { lost }) => sum + lost, this.#lostBefore.get(name) ?? 0);
  }

  /** At most once in a while. */
  #complain(name: string, { atOnce = false } = {}): void {
    const total = this.#total(name);
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

function isSame(one: JournalCopy, other: JournalCopy): boolean {
  return one.name === other.name && one.target === other.target;
}
