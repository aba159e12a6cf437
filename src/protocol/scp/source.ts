/**
 * The sending end of SCP (`scp -f`) as a machine without I/O: it makes the records and reads the client's answers. A
 * record that is answered may not be followed by another before its answer was taken; the machine throws (an ordinary
 * error: we are wrong) if it is. Answers that a client sent ahead are taken when their turn comes.
 */
import { decodeName } from '../../name-bytes.ts';
import { LineReader } from './line-reader.ts';
import { encodeRecord, type ScpEntry, type ScpTimes } from './records.ts';
import { answerOf, okReply, warningReply, type ScpAnswer } from './replies.ts';

export class ScpSource {
  readonly #lines = new LineReader();
  #chunk: Buffer = Buffer.alloc(0);
  #offset = 0;
  /** The client speaks first: its answer to nothing says that it is there. */
  #isAwaiting = true;

  /** More bytes of the client; only when `answer` has found none left. */
  push(chunk: Buffer): void {
    if (this.#offset < this.#chunk.length) throw new Error('answers are left unread');
    this.#chunk = chunk;
    this.#offset = 0;
  }

  /** The awaited answer, or undefined if more bytes are needed. Throws `ProtocolError`. */
  answer(): ScpAnswer | undefined {
    if (!this.#isAwaiting) throw new Error('no answer is awaited');
    const byte = this.#chunk[this.#offset];
    if (byte === undefined) return undefined;
    const answer = this.#lines.isOpen ? undefined : answerOf(byte);
    if (answer !== undefined) {
      this.#offset += 1;
      this.#isAwaiting = false;
      return answer;
    }
    return this.#errorAnswer();
  }

  times(times: ScpTimes): Buffer {
    return this.#awaiting(encodeRecord({ kind: 'times', times }));
  }

  /** Exactly `sizeBytes` bytes and `fileEnd` follow, unless the answer is an error. */
  file(entry: ScpEntry, sizeBytes: number): Buffer {
    return this.#awaiting(encodeRecord({ kind: 'file', sizeBytes: BigInt(sizeBytes), ...entry }));
  }

  /**
   * Our own verdict on the bytes that were sent: undefined, or the words for a file that is not what was declared.
   */
  fileEnd(problem: string | undefined): Buffer {
    return this.#awaiting(problem === undefined ? okReply() : warningReply(problem));
  }

  /** Its entries and `leave` follow, unless the answer is an error. */
  directory(entry: ScpEntry): Buffer {
    return this.#awaiting(encodeRecord({ kind: 'directory', ...entry }));
  }

  leave(): Buffer {
    return this.#awaiting(encodeRecord({ kind: 'leave' }));
  }

  /** Something can't be sent. In the place of a record; not answered. */
  warning(words: string): Buffer {
    this.#assertAnswered();
    return warningReply(words);
  }

  #errorAnswer(): ScpAnswer | undefined {
    const { line, nextOffset } = this.#lines.read(this.#chunk, this.#offset);
    this.#offset = nextOffset;
    if (line === undefined) return undefined;
    this.#isAwaiting = false;
    return { kind: 'error', fatal: line[0] === 0x02, message: decodeName(line.subarray(1)) };
  }

  #awaiting(bytes: Buffer): Buffer {
    this.#assertAnswered();
    this.#isAwaiting = true;
    return bytes;
  }

  #assertAnswered(): void {
    if (this.#isAwaiting) throw new Error('the answer to the last record was not taken');
  }
}
