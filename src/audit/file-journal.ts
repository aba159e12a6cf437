/**
 * The journal on disk, and its one writer: gives records their number and their place in the chain, signs checkpoints,
 * begins new files, and ends what a process that is gone has begun. `journal-writer.ts` brings the lines to the disk.
 */
import { mkdir } from 'node:fs/promises';
import { auditCheckpointMs, auditCheckpointRecords, auditQueueRecordsMax, auditTickMs } from '../limits.ts';
import { chain, type Additions, type Head } from './chain.ts';
import { checkpointText } from './checkpoint.ts';
import { compressClosed, removeOld, type Keeping } from './housekeeping.ts';
import { openJournalKey, type JournalKey } from './journal-key.ts';
import { lockJournal, type Processes } from './journal-lock.ts';
import { JournalWriter } from './journal-writer.ts';
import { PromptFile } from './line-file.ts';
import { interrupted, type OpenEntries } from './open-entries.ts';
import { serverRecord, type AuditRecord, type JournalFacts, type SharedJournal } from './record.ts';
import { recoverJournal, type Recovered } from './recover.ts';

export { journalFileName } from './journal-files.ts';

/** As much of pino's logger as is used here. */
export interface JournalLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface JournalOptions {
  readonly directory: string;
  /** False: records are written at once but not fsynced. */
  readonly sync: boolean;
  /** What becomes of transfers while the journal can't be written. */
  readonly onFailure: 'refuse' | 'continue';
  /** A file that is larger or older is closed, and the next one begun. */
  readonly fileBytesMax: number;
  readonly fileMsMax: number;
  /** How much of the closed files is kept. */
  readonly keep: Keeping;
  readonly processes: Processes;
  readonly log: JournalLog;
  /** How much had come of a transfer that a crash has cut off, where that is known. */
  readonly bytesOf?: (transfer: string) => number | undefined;
  /** What another process has left open and others go on with: transfer or session → process. */
  readonly inherited?: ReadonlyMap<string, string>;
  /** Told of lines that are on disk, in order; must not throw. */
  readonly onWritten?: (lines: readonly string[]) => void;
  /** What is made of lines that are on disk, for whoever waits for them; must not reject. */
  readonly followUp?: () => Promise<void>;
}

/** The process that writes the journal itself, as opposed to those that send it records. */
const ownProcess = 'main';

/**
 * Opens the journal, making its directory (0700), key and file (0600) if need be, and ends what an earlier process has left
 * open. Throws host errors, and an Error that says what is in the way.
 */
export async function openFileJournal(options: JournalOptions): Promise<FileJournal> {
  const { directory, log } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const unlock = await lockJournal(directory, options.processes);
  try {
    const { key, isNew } = await openJournalKey(directory);
    const recovered = await recoverJournal(directory);
    const { head, tornBytes, setAside } = recovered;
    if (setAside !== undefined)
      log.error(
        { directory, keptAs: setAside },
        'what stood in the place of the audit journal is none (or one of an earlier version); a new one is begun',
      );
    if (tornBytes > 0)
      log.warn(
        { directory, tornBytes },
        'a crash had left a torn record in the audit journal; it was set aside',
      );
    if (isNew && head.seq > 0)
      log.warn(
        { directory, key: key.id },
        'the key of the audit journal was gone; a new one signs from now on',
      );
    return new FileJournal({ key, recovered, unlock }, options);
  } catch (error) {
    await unlock();
    throw error;
  }
}

interface Opened {
  readonly key: JournalKey;
  readonly recovered: Recovered;
  readonly unlock: () => Promise<void>;
}

export class FileJournal implements SharedJournal {
  readonly #options: JournalOptions;
  readonly #key: JournalKey;
  readonly #unlock: () => Promise<void>;
  readonly #entries: OpenEntries;
  readonly #writer: JournalWriter;
  readonly #ticker: NodeJS.Timeout;
  #head: Head;
  /** Of the file that the next record goes to. */
  #fileFirstSeq: number;
  #fileBeganMs: number;
  #fileBytes: number;
  #sinceCheckpoint = 0;
  #checkpointMs = performance.now();
  #lostRecords = 0;
  /** What is done with closed files, one after the other. */
  #tending: Promise<void> = Promise.resolve();
  #isClosing = false;

  constructor({ key, recovered, unlock }: Opened, options: JournalOptions) {
    this.#options = options;
    this.#key = key;
    this.#unlock = unlock;
    this.#entries = recovered.entries;
    this.#head = recovered.head;
    this.#fileFirstSeq = recovered.first?.seq ?? recovered.head.seq + 1;
    this.#fileBeganMs = recovered.first?.timeMs ?? Date.now();
    this.#fileBytes = recovered.endBytes;
    this.#writer = new JournalWriter(new PromptFile(recovered.file), recovered.endBytes, {
      directory: options.directory,
      sync: options.sync,
      onFailure: (error) => this.#failed(error),
      onRecovery: () => this.#recovered(),
      onWritten: (lines) => options.onWritten?.(lines),
      onClosed: () => this.#tend(),
    });
    this.#note('opened', {
      publicKey: key.pem,
      ...(recovered.tornBytes === 0 ? {} : { tornBytes: recovered.tornBytes }),
    });
    this.#entries.entrust(options.inherited ?? new Map());
    this.abandon();
    this.#ticker = setInterval(() => this.#tick(), auditTickMs);
    this.#ticker.unref();
    this.#tend();
  }

  /** The end of the chain, whether or not it is on disk yet. */
  get head(): Head {
    return this.#head;
  }

  /** Who does what has begun and not ended, but for this process itself: transfer or session → process. */
  get open(): [string, string][] {
    return this.#entries.owners().filter(([, process]) => process !== ownProcess);
  }

  get key(): JournalKey {
    return this.#key;
  }

  ensureWritable(): void {
    const { failure } = this.#writer;
    if (failure !== undefined && this.#options.onFailure === 'refuse') throw failure;
  }

  /** @param process who did it, if it was not this process: what `abandon` is told */
  append(record: AuditRecord, process = ownProcess): boolean {
    if (this.#writer.pendingRecords >= auditQueueRecordsMax) {
      this.#lostRecords += 1;
      return this.#options.onFailure === 'continue';
    }
    this.#push(record, { attempt: this.#entries.attempt(record) }, process);
    if (this.#sinceCheckpoint >= auditCheckpointRecords) this.#checkpoint();
    if (this.#isFileFull) this.#rotate();
    return true;
  }

  async settled(): Promise<void> {
    try {
      await this.#writer.settled(this.#head.seq);
    } catch (error) {
      if (this.#options.onFailure === 'refuse') throw error;
    }
    await this.#options.followUp?.();
  }

  /**
   * Ends, as `aborted`, all that a process has begun and can't end any more because it died; without a name, what earlier
   * runs of this server have.
   * @param bytesOf how much had come of a transfer, where that is known
   */
  abandon(process = '', bytesOf = this.#options.bytesOf): readonly AuditRecord[] {
    return this.#entries.of(process).map(({ begin }) => {
      const ended = interrupted(begin, begin.transfer === undefined ? undefined : bytesOf?.(begin.transfer));
      this.#push(ended, { attempt: this.#entries.attempt(ended) }, process);
      return ended;
    });
  }

  /** Writes what waits, with a last checkpoint, and closes the file; if it can't be written, throws what `settled` does. */
  async close(): Promise<void> {
    clearInterval(this.#ticker);
    this.#isClosing = true;
    await this.#tending;
    this.#note('closed');
    this.#checkpoint();
    try {
      await this.#writer.close();
      await this.#options.followUp?.();
    } finally {
      await this.#unlock();
    }
  }

  #push(record: AuditRecord, additions: Additions, process: string, closes?: number): void {
    const { line, seq, hash } = chain(record, this.#head, additions);
    this.#head = { seq, hash };
    this.#fileBytes += Buffer.byteLength(line);
    this.#sinceCheckpoint += 1;
    this.#entries.saw(record, { seq, process });
    this.#writer.push(line, seq, closes);
  }

  #note(what: string, facts: Partial<JournalFacts> = {}): void {
    const record = serverRecord({ operation: 'journal', outcome: 'done', path: what });
    this.#push(record, { journal: { ...this.#facts, ...facts } }, ownProcess);
  }

  get #facts(): Pick<JournalFacts, 'openSince' | 'signer'> {
    return { openSince: this.#entries.since, signer: this.#key.id };
  }

  /** @param closes set if it is the last record of a file: the number of the first one */
  #checkpoint(closes?: number): void {
    const record = serverRecord({ operation: 'checkpoint', outcome: 'done', path: null });
    const signed = { seq: this.#head.seq + 1, time: record.time, prev: this.#head.hash };
    const signature = this.#key.sign(checkpointText(signed));
    this.#push(record, { journal: { ...this.#facts, signature } }, ownProcess, closes);
    this.#sinceCheckpoint = 0;
    this.#checkpointMs = performance.now();
  }

  get #isFileFull(): boolean {
    const { fileBytesMax, fileMsMax } = this.#options;
    return this.#fileBytes >= fileBytesMax || Date.now() - this.#fileBeganMs >= fileMsMax;
  }

  /** A file ends with a checkpoint, and the next one says what was open. */
  #rotate(): void {
    this.#checkpoint(this.#fileFirstSeq);
    [this.#fileFirstSeq, this.#fileBytes, this.#fileBeganMs] = [this.#head.seq + 1, 0, Date.now()];
    this.#note('rotated', { publicKey: this.#key.pem });
  }

  #tick(): void {
    const isDue = performance.now() - this.#checkpointMs >= auditCheckpointMs;
    if (isDue && this.#sinceCheckpoint > 0) this.#checkpoint();
    // A file in which nothing happened but its beginning is no older for it.
    if (this.#isFileFull && this.#head.seq > this.#fileFirstSeq) this.#rotate();
    this.#writer.sync();
  }

  #tend(): void {
    this.#tending = this.#tending.then(async () => {
      if (this.#isClosing) return; // the next start does it
      try {
        await this.#tendFiles();
      } catch (error) {
        const { directory, log } = this.#options;
        log.warn(
          { err: error, directory },
          'closed files of the audit journal could not be tended; it is tried again',
        );
      }
    });
  }

  async #tendFiles(): Promise<void> {
    const { directory, keep, log } = this.#options;
    await compressClosed(directory);
    await removeOld({
      directory,
      keep,
      key: this.#key,
      openSince: this.#entries.since,
      announce: async (removed) => {
        this.#note('removed', { removed });
        await this.#writer.settled(this.#head.seq);
      },
      keptBack: (name) =>
        log.warn(
          { directory, name },
          'a file of the audit journal stays, because its last checkpoint is missing',
        ),
    });
  }

  #failed(error: unknown): void {
    const { directory, onFailure, log } = this.#options;
    const words = onFailure === 'refuse' ? 'transfers are refused' : 'transfers go on, as "onFailure" says';
    log.error({ err: error, directory }, `the audit journal can not be written; ${words}`);
  }

  #recovered(): void {
    const { log, directory } = this.#options;
    log.info({ directory, lostRecords: this.#lostRecords }, 'the audit journal can be written again');
    if (this.#lostRecords === 0) return;
    this.#note('lost', { lostRecords: this.#lostRecords });
    this.#lostRecords = 0;
  }
}
