/** Builds one packet: its length field is filled in by `finish`, everything else in the order of the calls. */
import { encodeName } from '../../name-bytes.ts';

const lengthFieldBytes = 4;

export class PacketWriter {
  #bytes: Buffer;
  #lengthBytes = lengthFieldBytes;

  /** @param capacityBytes a guess of the packet's length; it grows when needed */
  constructor(type: number, capacityBytes = 64) {
    this.#bytes = Buffer.allocUnsafe(Math.max(capacityBytes, 2 * lengthFieldBytes));
    const start = this.#extend(1);
    this.#bytes.writeUInt8(type, start);
  }

  uint32(value: number): this {
    const start = this.#extend(4);
    this.#bytes.writeUInt32BE(value, start);
    return this;
  }

  uint64(value: number): this {
    const start = this.#extend(8);
    this.#bytes.writeBigUInt64BE(BigInt(value), start);
    return this;
  }

  /** A `string` of the protocol: length and bytes. */
  string(bytes: Buffer): this {
    this.uint32(bytes.length);
    const start = this.#extend(bytes.length);
    bytes.copy(this.#bytes, start);
    return this;
  }

  /** Bytes as they are, without a length. */
  raw(bytes: Buffer): this {
    const start = this.#extend(bytes.length);
    bytes.copy(this.#bytes, start);
    return this;
  }

  /** Texts packed into one string, as users-groups-by-id@openssh.com has them. */
  textList(texts: readonly string[]): this {
    const encoded = texts.map((text) => encodeName(text));
    this.uint32(encoded.reduce((sum, bytes) => sum + lengthFieldBytes + bytes.length, 0));
    for (const bytes of encoded) this.string(bytes);
    return this;
  }

  /** A name or a sentence, as the bytes that `encodeName` gives. */
  text(text: string): this {
    return this.string(encodeName(text));
  }

  /** The packet. @param followingBytes what the caller sends right behind it as the rest of the packet */
  finish(followingBytes = 0): Buffer {
    this.#bytes.writeUInt32BE(this.#lengthBytes - lengthFieldBytes + followingBytes);
    return this.#bytes.subarray(0, this.#lengthBytes);
  }

  /** Makes room for `lengthBytes`; returns where they start. It may replace `#bytes`, so it goes first. */
  #extend(lengthBytes: number): number {
    const start = this.#lengthBytes;
    this.#lengthBytes += lengthBytes;
    if (this.#lengthBytes > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#lengthBytes, 2 * this.#bytes.length));
      this.#bytes.copy(grown, 0, 0, start);
      this.#bytes = grown;
    }
    return start;
  }
}
