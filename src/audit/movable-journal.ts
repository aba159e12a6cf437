/**
 * The journal of a server that may hand it to another process, or has yet to get it from one. While it is nowhere here, no
 * transfer may begin and none succeeds; the few records of the server itself are kept until it is.
 */
import { ScpdError } from '../errors.ts';
import { auditEarlyRecordsMax } from '../limits.ts';
import type { FileJournal } from './file-journal.ts';
import type { AuditRecord, SharedJournal } from './record.ts';

export class MovableJournal implements SharedJournal {
  #journal: FileJournal | undefined;
  #early: ((journal: FileJournal) => void)[] = [];

  constructor(journal?: FileJournal) {
    this.#journal = journal;
  }

  /** It is here from now on. */
  take(journal: FileJournal): void {
    this.#journal = journal;
    for (const act of this.#early.splice(0)) act(journal);
  }

  /** Who does what has begun and not ended, but for this process itself: transfer or session → process. */
  get open(): [string, string][] {
    return this.#journal?.open ?? [];
  }

  /** Writes all that came and closes it, for another process to open it. */
  async release(): Promise<void> {
    const journal = this.#journal;
    this.#journal = undefined;
    await journal?.close();
  }

  ensureWritable(): void {
    if (this.#journal === undefined) throw new ScpdError('AUDIT_FAILED');
    this.#journal.ensureWritable();
  }

  append(record: AuditRecord, process?: string): boolean {
    if (this.#journal !== undefined) return this.#journal.append(record, process);
    if (this.#early.length >= auditEarlyRecordsMax) return false;
    this.#early.push((journal) => void journal.append(record, process));
    return true;
  }

  abandon(process: string, bytesOf?: (transfer: string) => number | undefined): readonly AuditRecord[] {
    if (this.#journal !== undefined) return this.#journal.abandon(process, bytesOf);
    this.#early.push((journal) => void journal.abandon(process, bytesOf));
    return [];
  }

  async settled(): Promise<void> {
    if (this.#journal === undefined) throw new ScpdError('AUDIT_FAILED');
    await this.#journal.settled();
  }

  async close(): Promise<void> {
    await this.release();
  }
}
