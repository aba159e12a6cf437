/**
 * The journal on disk: one JSON object a line, appended, fsynced in groups. One writer: this process.
 *
 * Records queue in memory; one write and one fdatasync carry all that wait, while the next group gathers. A group that
 * can't be written whole is cut off again (no torn line stays), kept, and tried again; until it is written, nothing
 * is acknowledged and no transfer begins.
 */
import { constants } from 'node:fs';
import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { ScpdError } from '../errors.ts';
import { auditQueueRecordsMax, auditTextMax } from '../limits.ts';
import { printable } from '../name-bytes.ts';
import type { AuditRecord, Journal } from './record.ts';

export const journalFileName = 'audit.jsonl';

/** How long a failed group waits before it is tried again unasked. */
const retryMs = 1000;

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: ScpdError) => void;
}

export interface JournalOptions {
  readonly directory: string;
  /** False: records are written at once but not fsynced. */
  readonly sync: boolean;
  /** Told when writing starts to fail; once per failure. */
  readonly onFailure: (error: unknown) => void;
}

/** Opens the journal, making its directory (0700) and file (0600) if need be. Throws host errors. */
export async function openFileJournal(options: JournalOptions): Promise<FileJournal> {
  await mkdir(options.directory, { recursive: true, mode: 0o700 });
  const path = join(options.directory, journalFileName);
  const file = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  try {
    return new FileJournal(file, await endOfLastRecord(file), options);
  } catch (error) {
    await file.close();
    throw error;
  }
}

export class FileJournal implements Journal {
  readonly #file: FileHandle;
  readonly #options: JournalOptions;
  #endBytes: number;
  #queue: string[] = [];
  #waiters: Waiter[] = [];
  #failure: ScpdError | undefined;
  #flushing: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;

  constructor(file: FileHandle, endBytes: number, options: JournalOptions) {
    this.#file = file;
    this.#endBytes = endBytes;
    this.#options = options;
  }

  ensureWritable(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  append(record: AuditRecord): boolean {
    if (this.#queue.length >= auditQueueRecordsMax) return false;
    this.#queue.push(`${JSON.stringify(record, shown)}\n`);
    this.#flush();
    return true;
  }

  async settled(): Promise<void> {
    if (this.#queue.length === 0 && this.#flushing === undefined) return;
    const written = new Promise<void>((resolve, reject) => this.#waiters.push({ resolve, reject }));
    this.#flush();
    await written;
  }

  /** Writes what waits and closes the file; if it can't be written, throws what `settled` does. */
  async close(): Promise<void> {
    try {
      await this.settled();
    } finally {
      clearTimeout(this.#retry);
      await this.#file.close();
    }
  }

  #flush(): void {
    this.#flushing ??= this.#writeGroups().finally(() => {
      this.#flushing = undefined;
      const more = this.#queue.length > 0 || this.#waiters.length > 0;
      if (more && this.#failure === undefined) this.#flush(); // came after the last group was taken
    });
  }

  /** Group after group until nothing waits. Never rejects: the outcome goes to the waiters. */
  async #writeGroups(): Promise<void> {
    await Promise.resolve(); // let the caller queue the rest of this turn
    while (this.#queue.length > 0 || this.#waiters.length > 0) {
      const [group, waiters] = [this.#queue, this.#waiters];
      this.#queue = [];
      this.#waiters = [];
      try {
        if (group.length > 0) await this.#write(Buffer.from(group.join(''), 'utf8'));
        this.#failure = undefined;
        waiters.forEach((waiter) => waiter.resolve());
      } catch (error) {
        this.#queue = [...group, ...this.#queue];
        this.#fail(error, [...waiters, ...this.#waiters.splice(0)]);
        return;
      }
    }
  }

  async #write(bytes: Buffer): Promise<void> {
    try {
      let written = 0;
      while (written < bytes.length) {
        const { bytesWritten } = await this.#file.write(
          bytes,
          written,
          bytes.length - written,
          this.#endBytes + written,
        );
        written += bytesWritten;
      }
      if (this.#options.sync) await this.#file.datasync();
      this.#endBytes += bytes.length;
    } catch (error) {
      await this.#file.truncate(this.#endBytes).catch(() => undefined); // the next try writes over it anyway
      throw error;
    }
  }

  #fail(error: unknown, waiters: readonly Waiter[]): void {
    if (this.#failure === undefined) this.#options.onFailure(error);
    const failure = new ScpdError('AUDIT_FAILED', undefined, { cause: error });
    this.#failure = failure;
    waiters.forEach((waiter) => waiter.reject(failure));
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#flush(), retryMs);
    this.#retry.unref();
  }
}

/** Keys and values as they may be read in a terminal: nothing in a record can pass for another or move a cursor. */
function shown(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? printable(value, auditTextMax) : value;
}

/** Where the next record goes: after the last whole line. A line torn by a crash is closed with a newline, not dropped. */
async function endOfLastRecord(file: FileHandle): Promise<number> {
  const { size } = await file.stat();
  if (size === 0) return 0;
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  if (buffer[0] === 0x0a) return size;
  await file.write('\n', size);
  return size + 1;
}
