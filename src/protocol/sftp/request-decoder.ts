/**
 * Bytes from a client in, requests out. It also holds the one rule about order that the protocol has: the first packet
 * is INIT, and there is no second one (draft-ietf-secsh-filexfer-02, section 4). Only ProtocolError escapes.
 */
import { ProtocolError } from '../../errors.ts';
import { packetType } from './numbers.ts';
import { PacketReader } from './packet-reader.ts';
import { decodeRequest, type SftpRequest } from './requests.ts';

/** The client's first packet. What it offers beyond version 3 is not looked at. */
export interface InitRequest {
  readonly kind: 'init';
  readonly version: number;
}

export class RequestDecoder {
  readonly #packets: PacketReader;
  #initialized = false;

  /** @param allocate memory for a packet, of which the data of a WRITE is a slice */
  constructor(allocate?: (lengthBytes: number) => Buffer) {
    this.#packets = new PacketReader(allocate);
  }

  /**
   * The requests that `chunk` completes. The result must be iterated to its end before the next call. Throws ProtocolError, after which the decoder must not be used.
   */
  *push(chunk: Buffer): Generator<InitRequest | SftpRequest, void> {
    for (const packet of this.#packets.push(chunk)) {
      yield packet[0] === packetType.INIT ? this.#init(packet) : this.#request(packet);
    }
  }

  /** The client has sent EOF. Throws ProtocolError if that was in the middle of a packet. */
  end(): void {
    if (!this.#packets.isBetweenPackets) throw new ProtocolError('SFTP packet ends too early');
  }

  #init(packet: Buffer): InitRequest {
    if (this.#initialized) throw new ProtocolError('SFTP session opened twice');
    if (packet.length < 5) throw new ProtocolError('SFTP INIT without a version');
    this.#initialized = true;
    return { kind: 'init', version: packet.readUInt32BE(1) };
  }

  #request(packet: Buffer): SftpRequest {
    if (!this.#initialized) throw new ProtocolError('SFTP request before INIT');
    return decodeRequest(packet);
  }
}
