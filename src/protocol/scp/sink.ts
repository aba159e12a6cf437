/**
 * The receiving end of SCP (`scp -t`) as a machine without I/O: bytes go in, events come out, and every event that the
 * client expects an answer to must be answered before the next is taken. An answer too many or too few would put both
 * sides out of step for good, so the machine makes them here and throws (an ordinary error: we are wrong) if one is
 * made twice or forgotten. It never waits for the client to wait: clients that send header, data and all without reading
 * answers are common, and are understood.
 */
import { ProtocolError } from '../../errors.ts';
import { scpDepthMax, scpEntriesMax } from '../../limits.ts';
import { decodeName } from '../../name-bytes.ts';
import { LineReader } from './line-reader.ts';
import { parseRecord, recordLeaders, type ScpEntry, type ScpRecord, type ScpTimes } from './records.ts';
import { answerOf, fatalReply, okReply, warningReply } from './replies.ts';

/** A file that the client wants to send; `accept` asks for its bytes, `warn` makes the client skip it. */
export interface ScpFileEvent extends ScpEntry {
  readonly kind: 'file';
  readonly sizeBytes: bigint;
  /** Of the T record before this one, if there was one. */
  readonly times?: ScpTimes;
}

/** A directory that the client wants to enter; after `warn` it skips all of it. */
export interface ScpDirectoryEvent extends ScpEntry {
  readonly kind: 'directory';
  readonly times?: ScpTimes;
}

export type ScpSinkEvent =
  /** T. To be answered; the times come again with the entry that they are for. */
  | { readonly kind: 'times' }
  /** C. To be answered. */
  | ScpFileEvent
  /** The next bytes of the file; as many in all as it declared. Not to be answered. */
  | { readonly kind: 'data'; readonly bytes: Buffer }
  /**
   * All bytes and the client's own verdict on them: its error text, or undefined if all is well. The one answer says
   * whether the file was stored. A client that ends its input in the place of the verdict means well, too: libssh2 does.
   */
  | { readonly kind: 'fileEnd'; readonly clientError: string | undefined }
  /** D. To be answered. */
  | ScpDirectoryEvent
  /** E. To be answered. Outside of all directories it ends the session. */
  | { readonly kind: 'leave' }
  /** The client could not send something. Not to be answered; when fatal, nothing follows. */
  | { readonly kind: 'remoteError'; readonly message: string; readonly fatal: boolean }
  /** C or D with a name that leads elsewhere. To be answered; nothing follows. */
  | { readonly kind: 'hostileName'; readonly name: string }
  /** Only from `end`: whether the input ended where it may. */
  | { readonly kind: 'end'; readonly complete: boolean };

/** What the answer that is owed is about. */
type Owed = 'nothing' | 'greeting' | 'file' | 'directory' | 'hostileName' | 'other';

export interface ScpSinkOptions {
  /** Whether D records are allowed: `scp -r`. */
  readonly recursive: boolean;
  /** How many C and D records one session may have. */
  readonly entriesMax?: number;
}

export class ScpSink {
  readonly #recursive: boolean;
  readonly #entriesMax: number;
  #entries = 0;
  readonly #lines = new LineReader();
  #expecting: 'record' | 'data' | 'verdict' | 'nothing' = 'record';
  /** The client waits for a first answer before it says anything. */
  #owed: Owed = 'greeting';
  #depth = 0;
  #times: ScpTimes | undefined;
  #remainingBytes = 0n;
  /** Set once something was skipped: from then on the client must wait for each answer, or both are out of step. */
  #inStep = false;
  #chunk: Buffer = Buffer.alloc(0);
  #offset = 0;

  constructor({ recursive, entriesMax = scpEntriesMax }: ScpSinkOptions) {
    this.#recursive = recursive;
    this.#entriesMax = entriesMax;
  }

  /** Whether the session is at its end: nothing more is read. */
  get isOver(): boolean {
    return this.#expecting === 'nothing';
  }

  /** Whether bytes have come behind the record of the last event: such a client does not wait for answers. */
  get hasUnread(): boolean {
    return this.#offset < this.#chunk.length;
  }

  /** The events of the next bytes; to be taken to the end before the next `push`. Throws `ProtocolError`. */
  *push(chunk: Buffer): Generator<ScpSinkEvent, void, void> {
    this.#assertAnswered();
    this.#chunk = chunk;
    this.#offset = 0;
    while (!this.isOver && this.hasUnread) {
      const event = this.#read();
      if (event === undefined) continue;
      yield event;
      this.#assertAnswered();
    }
  }

  /** The client's EOF. Its last event is `end`. Throws `ProtocolError`. */
  *end(): Generator<ScpSinkEvent, void, void> {
    this.#assertAnswered();
    if (this.#expecting === 'verdict') {
      const clientError = this.#lines.isOpen ? decodeName(this.#lines.unfinished.subarray(1)) : undefined;
      yield this.#fileEnd(clientError);
      this.#assertAnswered();
    }
    const complete = this.#expecting === 'record' && !this.#lines.isOpen && this.#depth === 0;
    const wasOver = this.isOver;
    this.#expecting = 'nothing';
    yield { kind: 'end', complete: complete || wasOver };
  }

  /** Yes: to the greeting, "I am here"; to a file, "send it"; to its end, "it is stored". */
  accept(): Buffer {
    const owed = this.#settle();
    if (owed === 'file') this.#expecting = this.#remainingBytes === 0n ? 'verdict' : 'data';
    if (owed === 'directory') this.#depth += 1;
    return okReply();
  }

  /** No, go on. To a file or a directory: the client does not send it. To the greeting: the session is over. */
  warn(words: string): Buffer {
    const owed = this.#settle();
    if (owed === 'file' || owed === 'directory') this.#inStep = true;
    if (owed === 'greeting') this.#expecting = 'nothing';
    return warningReply(words);
  }

  /** No, and the session is over; allowed at any time. */
  fail(words: string): Buffer {
    this.#owed = 'nothing';
    this.#expecting = 'nothing';
    return fatalReply(words);
  }

  #read(): ScpSinkEvent | undefined {
    if (this.#expecting === 'data') return this.#readData();
    if (this.#expecting === 'verdict') return this.#readVerdict();
    return this.#readRecord();
  }

  #readRecord(): ScpSinkEvent | undefined {
    if (!this.#lines.isOpen && !recordLeaders.has(this.#chunk[this.#offset] ?? 0)) {
      throw new ProtocolError('expected control record');
    }
    const line = this.#readLine();
    return line === undefined ? undefined : this.#event(parseRecord(line));
  }

  #event(record: ScpRecord): ScpSinkEvent {
    if (record.kind === 'error') {
      if (record.fatal) this.#expecting = 'nothing';
      return { kind: 'remoteError', message: record.message, fatal: record.fatal };
    }
    this.#checkInStep();
    if (record.kind === 'leave') return this.#leave();
    if (record.kind !== 'times') return this.#entry(record);
    this.#times = record.times;
    this.#owed = 'other';
    return { kind: 'times' };
  }

  #entry(record: Extract<ScpRecord, { kind: 'file' | 'directory' }>): ScpSinkEvent {
    if (record.kind === 'directory' && !this.#recursive)
      throw new ProtocolError('received directory without -r');
    if (record.kind === 'directory' && this.#depth === scpDepthMax) {
      throw new ProtocolError('directories are nested too deeply');
    }
    this.#entries += 1;
    if (this.#entries > this.#entriesMax) throw new ProtocolError('too many entries');
    if (isHostile(record.name)) {
      this.#owed = 'hostileName';
      this.#expecting = 'nothing';
      return { kind: 'hostileName', name: record.name };
    }
    const times = this.#times === undefined ? {} : { times: this.#times };
    this.#times = undefined;
    this.#owed = record.kind;
    if (record.kind === 'file') this.#remainingBytes = record.sizeBytes;
    return { ...record, ...times };
  }

  #leave(): ScpSinkEvent {
    if (this.#depth === 0) this.#expecting = 'nothing';
    else this.#depth -= 1;
    this.#times = undefined;
    this.#owed = 'other';
    return { kind: 'leave' };
  }

  #readData(): ScpSinkEvent {
    const unread = this.#chunk.length - this.#offset;
    const length = this.#remainingBytes < BigInt(unread) ? Number(this.#remainingBytes) : unread;
    const bytes = this.#chunk.subarray(this.#offset, this.#offset + length);
    this.#offset += length;
    this.#remainingBytes -= BigInt(length);
    if (this.#remainingBytes === 0n) this.#expecting = 'verdict';
    return { kind: 'data', bytes };
  }

  #readVerdict(): ScpSinkEvent | undefined {
    if (!this.#lines.isOpen && answerOf(this.#chunk[this.#offset] ?? 0) !== undefined) {
      this.#offset += 1;
      return this.#fileEnd(undefined);
    }
    const line = this.#readLine();
    if (line === undefined) return undefined;
    const message = decodeName(line.subarray(1));
    if (line[0] === 0x01) return this.#fileEnd(message);
    this.#expecting = 'nothing';
    return { kind: 'remoteError', message, fatal: true };
  }

  #fileEnd(clientError: string | undefined): ScpSinkEvent {
    this.#checkInStep();
    this.#expecting = 'record';
    this.#owed = 'other';
    return { kind: 'fileEnd', clientError };
  }

  #readLine(): Buffer | undefined {
    const { line, nextOffset } = this.#lines.read(this.#chunk, this.#offset);
    this.#offset = nextOffset;
    return line;
  }

  /**
   * After a skipped file, its bytes from a client that does not wait would be read as records - of the file's author,
   * not of the client. One that waits never sends anything behind a record that is to be answered.
   */
  #checkInStep(): void {
    if (this.#inStep && this.hasUnread)
      throw new ProtocolError('data was sent without waiting for the answer');
  }

  #assertAnswered(): void {
    if (this.#owed !== 'nothing') throw new Error(`an answer is owed: ${this.#owed}`);
  }

  #settle(): Owed {
    const owed = this.#owed;
    if (owed === 'nothing') throw new Error('no answer is owed');
    this.#owed = 'nothing';
    return owed;
  }
}

/** A record's name is one component: anything else would lead out of the target or to the target itself. */
function isHostile(name: string): boolean {
  return name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0');
}
