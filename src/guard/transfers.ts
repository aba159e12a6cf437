/**
 * A transfer under way: an attempt that lasts. Its record is written when it ends, in every way that it can end, exactly
 * once.
 */
import { newId } from '../ids.ts';
import { ScpdError, errorCode, type ErrorCode } from '../errors.ts';
import type { RecordFacts, Verdict } from '../audit/record.ts';
import type { SessionJournal } from '../audit/session-journal.ts';
import { failureFacts, recordedAttributes } from './attempt-record.ts';
import type { AttributeChange, Attributes, CommitOptions, Download, Upload } from './files.ts';
import type { PartialUpload } from './ledger.ts';
import type { UploadClaim } from './upload-claim.ts';
import { Resumption } from './resumption.ts';
import { Sequence } from './sequence.ts';
import type { Published, StagedFile, StoredFile } from './store.ts';
import type { VirtualPath } from './virtual-path.ts';

export interface Transfer {
  readonly progress: TransferProgress;
  abort(reason: ErrorCode): Promise<void>;
}

/** How far a transfer is. */
export interface TransferProgress {
  readonly operation: 'upload' | 'download';
  readonly path: VirtualPath;
  readonly bytes: number;
  /** The whole size, where it is known. */
  readonly bytesExpected: number | null;
  readonly runningMs: number;
}

interface TransferFacts {
  readonly path: VirtualPath;
  readonly journal: SessionJournal;
  /** The size, if it is known from the start. */
  readonly bytesExpected: number | null;
  /** Told once, when the transfer is over. */
  readonly ended: (transfer: Transfer) => void;
}

interface UploadFacts extends TransferFacts {
  readonly fileBytesMax: number;
  readonly append: boolean;
  /** What is thrown where the rules say no to a write: it names them. */
  readonly denial: () => ScpdError;
  readonly tooLarge: (sizeBytes: number) => ScpdError;
  /** What the file may come to; given back when the upload is over. */
  readonly claim: UploadClaim;
  /** Bytes from the start that must stay as they are: only what follows them may be written. */
  readonly keptBytes: number;
  /** False where content is kept that the user may not read. */
  readonly isReadable: boolean;
  /** Whether it is a new file, from a client that would go on with it; and what it goes on with. */
  readonly resumable: boolean;
  readonly resumed: PartialUpload | undefined;
  /** Told the name that the file got. Answers its path if that is not the one that was asked for. */
  readonly published: (made: Pick<Published, 'name' | 'identity'>) => VirtualPath | undefined;
  /** Gives up what is kept of an earlier upload to the path. Never throws. */
  readonly dropPartial: () => Promise<void>;
  /** Drops old versions of which there are too many by now. Never throws. */
  readonly pruneVersions: () => Promise<void>;
  /** Begins what `Files.settle` waits for. Never throws. */
  readonly settleSoon: () => void;
  /** What the client is told of a failure. */
  readonly answer: (error: unknown) => unknown;
}

type EndFacts = Pick<
  RecordFacts,
  'verdict' | 'bytes' | 'sha256' | 'stored' | 'mode' | 'mtime' | 'upload' | 'partialBytes' | 'resumedBytes'
>;

/** The records of one transfer: one at its beginning, one at its end. */
class TransferRecord {
  readonly #what: Pick<RecordFacts, 'transfer' | 'direction' | 'path'> & {
    readonly operation: TransferProgress['operation'];
  };
  readonly #facts: TransferFacts;
  readonly #startedMs = performance.now();
  #over = false;

  constructor(operation: TransferProgress['operation'], id: string, facts: TransferFacts) {
    const direction = operation === 'upload' ? 'in' : 'out';
    this.#what = { operation, transfer: id, direction, path: facts.path };
    this.#facts = facts;
    facts.journal.record({ ...this.#what, phase: 'begin', outcome: 'done' });
  }

  progress(bytes: number): TransferProgress {
    const { path, bytesExpected } = this.#facts;
    const runningMs = Math.round(performance.now() - this.#startedMs);
    return { operation: this.#what.operation, path, bytes, bytesExpected, runningMs };
  }

  /** False if the transfer was over already: then there is nothing left to do. */
  end(transfer: Transfer): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#facts.ended(transfer);
    return true;
  }

  success(facts: EndFacts): void {
    this.#write({ outcome: 'done', ...facts });
  }

  failure(error: unknown, facts: EndFacts): void {
    this.#write({ verdict: 'aborted', ...facts, ...failureFacts(error) });
  }

  #write(facts: EndFacts & Pick<RecordFacts, 'outcome' | 'error' | 'rule'>): void {
    const durationMs = Math.round(performance.now() - this.#startedMs);
    const bytesPerSecond = Math.round(((facts.bytes ?? 0) * 1000) / Math.max(durationMs, 1));
    this.#facts.journal.record({ ...this.#what, phase: 'end', durationMs, bytesPerSecond, ...facts });
  }
}

export class GuardedUpload implements Upload, Transfer {
  readonly #staged: StagedFile;
  readonly #facts: UploadFacts;
  readonly #record: TransferRecord;
  readonly #sequence = new Sequence();
  readonly #resumption: Resumption;
  #receivedBytes = 0;
  /** A failed call that the client may have overlooked: it must not be able to commit what is left. */
  #failure: unknown;

  constructor(staged: StagedFile, facts: UploadFacts) {
    this.#staged = staged;
    this.#facts = facts;
    this.#record = new TransferRecord('upload', staged.id, facts);
    const { claim, resumable: isWanted, resumed } = facts;
    this.#resumption = new Resumption({ staged, claim, isWanted, resumed });
  }

  get progress(): TransferProgress {
    return this.#record.progress(this.#receivedBytes);
  }

  async write(bytes: Buffer, offset: number): Promise<void> {
    await this.#step(async () => {
      const start = this.#facts.append ? this.#staged.sizeBytes : offset;
      this.#checkKept(start);
      this.#checkSize(start + bytes.length);
      if (bytes.length > 0) await this.#resumption.beforeWrite(start, offset);
      await this.#facts.claim.cover(Math.max(this.#staged.sizeBytes, start + bytes.length), bytes.length);
      await this.#staged.write(bytes, start);
      this.#receivedBytes += bytes.length;
      await this.#resumption.wrote();
    });
  }

  async read(offset: number, lengthBytes: number): Promise<Buffer> {
    if (!this.#facts.isReadable)
      throw new ScpdError('PERMISSION_DENIED', 'read an upload that keeps content');
    return await this.#step(() => this.#staged.read(offset, lengthBytes));
  }

  async attributes(): Promise<Attributes> {
    return await this.#sequence.run(() => this.#staged.attributes());
  }

  async setAttributes(change: AttributeChange): Promise<void> {
    await this.#step(async () => {
      this.#checkKept(change.sizeBytes);
      this.#checkSize(change.sizeBytes ?? 0);
      if (change.sizeBytes !== undefined) {
        await this.#resumption.beforeResize(change.sizeBytes);
        await this.#facts.claim.cover(change.sizeBytes);
      }
      await this.#staged.setAttributes(change);
    });
  }

  async sync(): Promise<void> {
    await this.#step(() => this.#staged.sync());
  }

  async commit(
    verdict: Exclude<Verdict, 'aborted'>,
    { settlesNext = false }: CommitOptions = {},
  ): Promise<void> {
    if (this.#failure !== undefined) {
      await this.abort(errorCode(this.#failure));
      throw this.#failure;
    }
    if (!this.#record.end(this)) throw new ScpdError('INVALID_HANDLE', 'the upload is over');
    try {
      const { kept } = await this.#sequence.end(() => this.#publish(verdict, settlesNext));
      await this.#facts.dropPartial();
      if (kept !== undefined) await this.#facts.pruneVersions();
    } catch (error) {
      await this.#facts.claim.release();
      this.#record.failure(error, { bytes: this.#receivedBytes });
      throw this.#facts.answer(error);
    }
  }

  async abort(reason: ErrorCode): Promise<void> {
    if (!this.#record.end(this)) return;
    const partialBytes = await this.#sequence.end(() => {
      // What failed is not what the client sent, and a client that gave up does not come back for it.
      const mayKeep = reason === 'CONNECTION_LOST' && this.#failure === undefined;
      return this.#resumption.end({ mayKeep });
    });
    const { id } = this.#facts.claim;
    // The step that failed knows which rule said no.
    const isCause = this.#failure !== undefined && errorCode(this.#failure) === reason;
    this.#record.failure(isCause ? this.#failure : new ScpdError(reason), {
      bytes: this.#receivedBytes,
      ...this.#resumedFacts,
      ...(partialBytes === 0 || id === undefined ? {} : { upload: id, partialBytes }),
    });
  }

  /** The record of what goes on with another upload says which one that is, and how much came by it. */
  get #resumedFacts(): Pick<RecordFacts, 'upload' | 'resumedBytes'> {
    const { resumed } = this.#resumption;
    return resumed === undefined ? {} : { upload: resumed.id, resumedBytes: resumed.sizeBytes };
  }

  async #publish(verdict: Exclude<Verdict, 'aborted'>, settlesNext: boolean): Promise<Published> {
    const { claim } = this.#facts;
    try {
      if (this.#failure !== undefined) throw this.#failure; // of a step that was still under way
      // To open what is kept and to add nothing to it is not to say that it is whole.
      if (this.#resumption.isUntouched) throw new ScpdError('NOT_CONTINUED', 'nothing was added');
      this.#facts.journal.ensureWritable();
      await claim.cover(this.#staged.sizeBytes); // bytes that were kept count as well
    } catch (error) {
      await this.#resumption.end({ mayKeep: false });
      throw error;
    }
    return await this.#staged.publish(async ({ bytes, identity, ...published }, look) => {
      const { name, sha256 } = published;
      const stored = this.#facts.published({ name, identity });
      // Before anything is waited for: records of one name stand in the order in which files got it.
      this.#record.success({
        verdict,
        bytes,
        sha256,
        ...recordedAttributes(published),
        ...(stored === undefined ? {} : { stored }),
        ...this.#resumedFacts,
      });
      if (settlesNext) this.#facts.settleSoon();
      await claim.stored({ ...published, verdict }, look);
    });
  }

  #checkKept(start = this.#facts.keptBytes): void {
    if (start < this.#facts.keptBytes) throw this.#facts.denial();
  }

  #checkSize(sizeBytes: number): void {
    if (sizeBytes > this.#facts.fileBytesMax) throw this.#facts.tooLarge(sizeBytes);
  }

  async #step<T>(act: () => Promise<T>): Promise<T> {
    return await this.#sequence.run(async () => {
      if (this.#failure !== undefined) throw this.#failure;
      try {
        return await act();
      } catch (error) {
        this.#failure = error;
        throw error;
      }
    });
  }
}

export class GuardedDownload implements Download, Transfer {
  readonly #file: StoredFile;
  readonly #record: TransferRecord;
  readonly #sequence = new Sequence();
  #sentBytes = 0;

  constructor(file: StoredFile, facts: TransferFacts) {
    this.#file = file;
    this.#record = new TransferRecord('download', newId(), facts);
  }

  get progress(): TransferProgress {
    return this.#record.progress(this.#sentBytes);
  }

  async attributes(): Promise<Attributes> {
    return await this.#sequence.run(() => this.#file.attributes());
  }

  async read(offset: number, lengthBytes: number): Promise<Buffer> {
    const bytes = await this.#sequence.run(() => this.#file.read(offset, lengthBytes));
    this.#sentBytes += bytes.length;
    return bytes;
  }

  async finish(verdict: Exclude<Verdict, 'aborted'>): Promise<void> {
    if (!this.#record.end(this)) throw new ScpdError('INVALID_HANDLE', 'the download is over');
    await this.#close();
    this.#record.success({ verdict, bytes: this.#sentBytes });
  }

  async abort(reason: ErrorCode): Promise<void> {
    if (!this.#record.end(this)) return;
    await this.#close();
    this.#record.failure(new ScpdError(reason), { bytes: this.#sentBytes });
  }

  /** What is sent was read; a descriptor that can't be closed changes nothing about that. */
  async #close(): Promise<void> {
    await this.#sequence.end(() => this.#file.close()).catch(() => undefined);
  }
}
