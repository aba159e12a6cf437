/**
 * Cuts the byte stream of an SFTP channel into packets: `uint32 length`, then `length` bytes. However the bytes are
 * split into chunks, the same packets come out. Each byte is copied once, so that a packet outlives the chunks it came in.
 * No more than one packet is ever held.
 */
import { ProtocolError } from '../../errors.ts';
import { sftpPacketBytesMax } from '../../limits.ts';

const lengthFieldBytes = 4;

export class PacketReader {
  readonly #allocate: (lengthBytes: number) => Buffer;
  readonly #lengthField = Buffer.alloc(lengthFieldBytes);
  #lengthFieldFilled = 0;
  /** Announced length of the packet being read; 0 while that is not known. */
  #lengthBytes = 0;
  /** The packet being read. */
  #partial: Buffer | undefined;
  #partialFilled = 0;

  /** @param allocate memory for a packet, which is the caller's from then on */
  constructor(allocate = (lengthBytes: number): Buffer => Buffer.allocUnsafe(lengthBytes)) {
    this.#allocate = allocate;
  }

  /**
   * The packets that `chunk` completes, without their length field. The result must be iterated to its end before the next call. Throws ProtocolError for a length of 0 or above `sftpPacketBytesMax`.
   */
  *push(chunk: Buffer): Generator<Buffer, void> {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#lengthBytes === 0) {
        offset += this.#takeLengthField(chunk, offset);
      } else {
        const wanted = this.#lengthBytes - this.#partialFilled;
        const end = Math.min(offset + wanted, chunk.length);
        const packet = this.#takePacket(chunk.subarray(offset, end));
        offset = end;
        if (packet !== undefined) yield packet;
      }
    }
  }

  /** Whether the bytes so far end between two packets. */
  get isBetweenPackets(): boolean {
    return this.#lengthBytes === 0 && this.#lengthFieldFilled === 0;
  }

  /** Returns how many bytes of `chunk` belong to the length field. */
  #takeLengthField(chunk: Buffer, offset: number): number {
    const taken = chunk.copy(this.#lengthField, this.#lengthFieldFilled, offset);
    this.#lengthFieldFilled += taken;
    if (this.#lengthFieldFilled < lengthFieldBytes) return taken;
    const lengthBytes = this.#lengthField.readUInt32BE();
    if (lengthBytes === 0) throw new ProtocolError('SFTP packet without a type');
    if (lengthBytes > sftpPacketBytesMax) throw new ProtocolError('SFTP packet is too long');
    this.#lengthBytes = lengthBytes;
    this.#lengthFieldFilled = 0;
    return taken;
  }

  /** Takes the next piece of the packet being read; returns the packet if that completes it. */
  #takePacket(piece: Buffer): Buffer | undefined {
    this.#partial ??= this.#allocate(this.#lengthBytes);
    piece.copy(this.#partial, this.#partialFilled);
    this.#partialFilled += piece.length;
    if (this.#partialFilled < this.#lengthBytes) return undefined;
    const packet = this.#partial;
    this.#partial = undefined;
    this.#partialFilled = 0;
    this.#lengthBytes = 0;
    return packet;
  }
}
