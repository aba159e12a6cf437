/** A journal that somebody looks at: each record as it comes, and how long it takes to the disk. */
import type { AuditRecord, SharedJournal } from './record.ts';

export class ObservedJournal implements SharedJournal {
  /** How long the last wait for the disk took; while one lasts longer, that one. */
  get lagMs(): number {
    const [oldest] = this.#waits;
    return Math.max(this.#lagMs, oldest === undefined ? 0 : performance.now() - oldest);
  }

  readonly #journal: SharedJournal;
  readonly #onRecord: (record: AuditRecord) => void;
  readonly #waits = new Set<number>();
  #lagMs = 0;

  constructor(journal: SharedJournal, onRecord: (record: AuditRecord) => void) {
    this.#journal = journal;
    this.#onRecord = onRecord;
  }

  ensureWritable(): void {
    this.#journal.ensureWritable();
  }

  append(record: AuditRecord, process?: string): boolean {
    this.#onRecord(record);
    return this.#journal.append(record, process);
  }

  abandon(process: string, bytesOf?: (transfer: string) => number | undefined): readonly AuditRecord[] {
    const ended = this.#journal.abandon(process, bytesOf);
    ended.forEach(this.#onRecord);
    return ended;
  }

  async settled(): Promise<void> {
    const began = performance.now();
    this.#waits.add(began);
    try {
      await this.#journal.settled();
      this.#lagMs = performance.now() - began;
    } finally {
      this.#waits.delete(began);
    }
  }
}
