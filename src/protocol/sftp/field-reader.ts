/**
 * Reads the fields of one packet, never beyond its end. What can't be read throws `ScpdError`: BAD_MESSAGE if the field
 * is not all there, NAME_TOO_LONG and FILE_TOO_LARGE if it can't be used. `decodeRequest` turns that into an event.
 */
import { ScpdError } from '../../errors.ts';
import { pathBytesMax } from '../../limits.ts';
import { decodeName } from '../../name-bytes.ts';
import { handleBytesMax } from './numbers.ts';

export class FieldReader {
  readonly #bytes: Buffer;
  #offset: number;

  constructor(bytes: Buffer, offset = 0) {
    this.#bytes = bytes;
    this.#offset = offset;
  }

  /** Bytes that have not been read yet. */
  get remainingBytes(): number {
    return this.#bytes.length - this.#offset;
  }

  uint32(): number {
    return this.#bytes.readUInt32BE(this.#advance(4));
  }

  /** A size or an offset. Above 2^53-1 there are no files, and a double would lie: FILE_TOO_LARGE. */
  uint64(): number {
    const value = this.#bytes.readBigUInt64BE(this.#advance(8));
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new ScpdError('FILE_TOO_LARGE');
    return Number(value);
  }

  /** A `string` of the protocol: length and bytes. The result is a slice of the packet. */
  string(): Buffer {
    const lengthBytes = this.uint32();
    const start = this.#advance(lengthBytes);
    return this.#bytes.subarray(start, start + lengthBytes);
  }

  /** A file name or path. The length is checked before the bytes are looked at. */
  path(): string {
    const bytes = this.string();
    if (bytes.length > pathBytesMax) throw new ScpdError('NAME_TOO_LONG');
    return decodeName(bytes);
  }

  /** A handle, one character a byte; only we give a meaning to it. */
  handle(): string {
    const bytes = this.string();
    if (bytes.length > handleBytesMax) throw new ScpdError('BAD_MESSAGE');
    return bytes.toString('latin1');
  }

  /** Numbers packed into one string, as users-groups-by-id@openssh.com has them. */
  uint32List(): readonly number[] {
    const bytes = this.string();
    if (bytes.length % 4 !== 0) throw new ScpdError('BAD_MESSAGE');
    return Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readUInt32BE(index * 4));
  }

  /** Skips `lengthBytes` that must be there; returns where they start. */
  #advance(lengthBytes: number): number {
    if (lengthBytes > this.remainingBytes) throw new ScpdError('BAD_MESSAGE');
    const start = this.#offset;
    this.#offset += lengthBytes;
    return start;
  }
}
