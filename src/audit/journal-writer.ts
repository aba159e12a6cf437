/**
 * Lines to disk, in order and in groups. What is pushed is with the operating system some ms later, so that it survives
 * the end of this process, and on disk when somebody waits for it (`settled`): one write and one fdatasync carry all
 * that wait, while the next group gathers.
 *
 * A group that can't be written whole is cut off again (no torn line stays), kept, and tried again; groups are small, so
 * that a disk with a little room takes a little of the backlog. After a failed sync all that is not known to be on disk
 * is written again: the kernel may have dropped it, and says so only once.
 */
import { constants } from 'node:fs';
import { lstat, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { ScpdError } from '../errors.ts';
import { auditGroupBytesMax, auditRetryMs, auditWriteMs } from '../limits.ts';
import { closedFileName, journalFileName, syncDirectory } from './journal-files.ts';
import { PromptFile, type LineFile } from './line-file.ts';

export interface WriterOptions {
  readonly directory: string;
  /** False: lines are written at once but not fsynced. */
  readonly sync: boolean;
  /** Told when writing starts to fail, and when it works again. */
  readonly onFailure: (error: unknown) => void;
  readonly onRecovery: () => void;
  /** Told of lines that are on disk, in order. */
  readonly onWritten: (lines: readonly string[]) => void;
  /** Told when a file was closed and the next one begun. */
  readonly onClosed: () => void;
}

interface Pending {
  readonly line: string;
  readonly seq: number;
  /** Set on the last line of a file: the number of its first. */
  readonly closes: number | undefined;
}

interface Waiter {
  readonly seq: number;
  readonly resolve: () => void;
  readonly reject: (error: ScpdError) => void;
}

export class JournalWriter {
  readonly #options: WriterOptions;
  #file: LineFile;
  /** The end of what is on disk. */
  #endBytes: number;
  /** Not known to be on disk; the first `#writtenLines` of them are with the operating system. */
  #pending: Pending[] = [];
  #writtenLines = 0;
  #writtenBytes = 0;
  #waiters: Waiter[] = [];
  #failure: ScpdError | undefined;
  /** The first number of a file whose last line is on disk, and that could not yet be closed. */
  #toClose: number | undefined;
  #working: Promise<void> | undefined;
  #isSyncDue = false;
  #isEnding = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(file: LineFile, endBytes: number, options: WriterOptions) {
    this.#file = file;
    this.#endBytes = endBytes;
    this.#options = options;
  }

  get failure(): ScpdError | undefined {
    return this.#failure;
  }

  get pendingRecords(): number {
    return this.#pending.length;
  }

  push(line: string, seq: number, closes?: number): void {
    this.#pending.push({ line, seq, closes });
    this.#timer ??= setTimeout(() => this.#wake(), this.#failure === undefined ? auditWriteMs : auditRetryMs);
  }

  /** Sees to it that all that was pushed gets to the disk, though nobody waits for it. */
  sync(): void {
    if (this.#pending.length === 0) return;
    this.#isSyncDue = true;
    if (this.#failure === undefined) this.#wake();
  }

  /** Resolves when the line of this number is on disk; rejects with `ScpdError('AUDIT_FAILED')`. */
  async settled(seq: number): Promise<void> {
    if (this.#pending.length === 0 || (this.#pending[0]?.seq ?? 0) > seq) return;
    const written = new Promise<void>((resolve, reject) => this.#waiters.push({ seq, resolve, reject }));
    this.#wake();
    await written;
  }

  /** Writes what waits and closes the file; if it can't be written, throws what `settled` does. */
  async close(): Promise<void> {
    this.#isEnding = true;
    try {
      const last = this.#pending.at(-1);
      if (last !== undefined) await this.settled(last.seq);
    } finally {
      clearTimeout(this.#timer);
      await this.#working;
      clearTimeout(this.#timer);
      await this.#file.close();
    }
  }

  #wake(): void {
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
      if (this.#hasWork && this.#failure === undefined) this.#wake(); // came after the last look
    });
  }

  get #hasWork(): boolean {
    return this.#pending.length > this.#writtenLines || this.#waiters.length > 0 || this.#isSyncDue;
  }

  /** Group after group until nothing is to be done. Never rejects: the outcome goes to the waiters. */
  async #work(): Promise<void> {
    await Promise.resolve(); // let the caller push the rest of this turn
    clearTimeout(this.#timer);
    this.#timer = undefined;
    try {
      while (this.#hasWork || this.#toClose !== undefined) {
        if (this.#toClose !== undefined) await this.#closeFile(this.#toClose);
        await this.#writeGroup();
        this.#recovered();
      }
    } catch (error) {
      await this.#file.truncate(this.#endBytes).catch(() => undefined); // the next try writes over it anyway
      this.#fail(error);
    }
  }

  async #writeGroup(): Promise<void> {
    const group = this.#nextGroup();
    await this.#write(group);
    const closes = group.at(-1)?.closes;
    const isFull = this.#writtenBytes >= auditGroupBytesMax;
    const isSyncDue = this.#isSyncDue || this.#waiters.length > 0;
    if (!isSyncDue && !isFull && closes === undefined && this.#options.sync) return;
    // Whoever comes to wait while this is under way needs the next one.
    if (this.#pending.length === this.#writtenLines) this.#isSyncDue = false;
    if (this.#options.sync) await this.#file.datasync();
    this.#toClose = closes;
    this.#onDisk();
  }

  /** As much as may be written at once. While the disk fails, a single line: it tells whether there is room again. */
  #nextGroup(): Pending[] {
    const group: Pending[] = [];
    let bytes = 0;
    for (const next of this.#pending.slice(this.#writtenLines, this.#writtenLines + 2000)) {
      bytes += next.line.length;
      if (group.length > 0 && (bytes > auditGroupBytesMax || this.#failure !== undefined)) break;
      group.push(next);
      if (next.closes !== undefined) break;
    }
    return group;
  }

  async #write(group: readonly Pending[]): Promise<void> {
    if (group.length === 0) return;
    const bytes = Buffer.from(group.map(({ line }) => line).join(''), 'utf8');
    const start = this.#endBytes + this.#writtenBytes;
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, start + done);
      done += bytesWritten;
    }
    this.#writtenLines += group.length;
    this.#writtenBytes += bytes.length;
  }

  #onDisk(): void {
    const lines = this.#pending.splice(0, this.#writtenLines);
    this.#endBytes += this.#writtenBytes;
    [this.#writtenLines, this.#writtenBytes] = [0, 0];
    const last = lines.at(-1)?.seq ?? 0;
    const left: Waiter[] = [];
    for (const waiter of this.#waiters) {
      if (waiter.seq <= last || this.#pending.length === 0) waiter.resolve();
      else left.push(waiter);
    }
    this.#waiters = left;
    if (lines.length > 0) this.#options.onWritten(lines.map(({ line }) => line));
  }

  async #closeFile(firstSeq: number): Promise<void> {
    const { directory } = this.#options;
    const path = join(directory, journalFileName);
    const closed = join(directory, closedFileName(firstSeq));
    // An earlier try may have got that far, and what has the name then is the next file.
    if (!(await isThere(closed))) await rename(path, closed);
    const next = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    try {
      await syncDirectory(directory);
    } catch (error) {
      await next.close();
      throw error;
    }
    await this.#file.close().catch(() => undefined); // all of it is on disk
    [this.#file, this.#endBytes, this.#toClose] = [new PromptFile(next), 0, undefined];
    this.#options.onClosed();
  }

  #recovered(): void {
    if (this.#failure === undefined) return;
    this.#failure = undefined;
    this.#options.onRecovery();
  }

  #fail(error: unknown): void {
    [this.#writtenLines, this.#writtenBytes] = [0, 0];
    if (this.#failure === undefined) this.#options.onFailure(error);
    this.#failure = new ScpdError('AUDIT_FAILED', undefined, { cause: error });
    for (const waiter of this.#waiters.splice(0)) waiter.reject(this.#failure);
    if (this.#isEnding) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#wake(), auditRetryMs);
    this.#timer.unref();
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
