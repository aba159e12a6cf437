/**
 * One connection of ssh2 under names of our own. All access to ssh2's internals is here and in the start-up check that
 * they exist; the rest of this folder sees a transport that carries messages.
 */
import { WireReader } from '../users/wire.ts';
import { message } from './messages.ts';
import type { Cipher, Connection, KeyExchange, PayloadHandler, Protocol } from './ssh2.ts';

const kexinitCookieEnd = 17; // the message's type and 16 random bytes

/** ssh2's functions that send one packet each. Packets wait while a key exchange runs. */
export type Packets = Pick<
  Protocol,
  | 'requestSuccess'
  | 'requestFailure'
  | 'channelSuccess'
  | 'channelFailure'
  | 'channelEOF'
  | 'channelClose'
  | 'channelWindowAdjust'
  | 'channelData'
  | 'channelExtData'
  | 'channelOpenConfirm'
  | 'channelOpenFail'
  | 'exitStatus'
>;

/**
 * Stands in front of a handler of ssh2's: gets each payload, whose memory is used again when it returns, and what to call if
 * ssh2 is to handle it. Its result goes to ssh2's parser; `Infinity` makes it drop the rest of what it has.
 */
export type Interceptor = (payload: Buffer, handle: PayloadHandler) => unknown;

export class Transport {
  readonly packets: Packets;
  readonly #protocol: Protocol;

  constructor({ _protocol: protocol }: Connection) {
    this.packets = protocol;
    this.#protocol = protocol;
  }

  /** Whether a key exchange runs, during which nothing else is sent. */
  get isExchangingKeys(): boolean {
    const { _kexinit: ourKexinit } = this.#protocol;
    return ourKexinit !== undefined;
  }

  /** Packets that wait for the end of a key exchange. */
  get queuedPackets(): number {
    const { _queue: queue } = this.#protocol;
    return queue?.length ?? 0;
  }

  /**
   * To be called after each chunk: a packet of which only the authentication tag is missing is a slice of the chunk, whose
   * memory is used again.
   */
  keepPartialPacket(chunk: Buffer): void {
    const { _decipher: decipher } = this.#protocol;
    const { _packet: packet } = decipher;
    if (packet?.buffer === chunk.buffer) Object.assign(decipher, { _packet: Buffer.from(packet) });
  }

  /** Starts a key exchange; does nothing while one runs. */
  rekey(): void {
    this.#protocol.rekey();
  }

  /** Sends a message at once, even in the middle of a key exchange. Does nothing if the connection can't send any more. */
  sendAtOnce(payload: Buffer): void {
    const { _destruct: destructor, _packetRW: packetWriters, _cipher: cipher } = this.#protocol;
    if (destructor === undefined) return;
    const writer = packetWriters.write;
    const packet = writer.alloc(payload.length, true);
    packet.set(payload, writer.allocStartKEX);
    cipher.encrypt(writer.finalize(packet, true));
  }

  /**
   * Packets leave through `write` from the end of the first key exchange on, and lie in memory from `allocate` if they are
   * encrypted by ssh2's native AES-GCM, which does so in place. To be called before that.
   */
  sendThrough(write: (bytes: Buffer) => void, allocate: (payloadBytes: number) => Buffer): void {
    let { _cipher: current } = this.#protocol;
    Object.defineProperties(this.#protocol, {
      _onWrite: { value: write, writable: true },
      _cipher: {
        get: () => current,
        set: (cipher: Cipher) => {
          if (cipher.constructor.name === 'AESGCMCipherBinding')
            Object.assign(cipher, { allocPacket: allocate });
          current = cipher;
        },
      },
    });
  }

  /** Intercepts the messages of the first key exchange. To be called before it began. */
  interceptKeyExchange(intercept: Interceptor): void {
    const { _decipher: decipher } = this.#protocol;
    const { _onPayload: handle } = decipher;
    const judged = this.#judgingGuesses(handle);
    Object.assign(decipher, { _onPayload: (payload: Buffer) => intercept(payload, judged) });
  }

  /** Intercepts all messages but those of key exchanges. To be called before the first one ended. */
  interceptMessages(intercept: Interceptor): void {
    const { _onPayload: handle } = this.#protocol;
    const judged = this.#judgingGuesses(handle);
    Object.assign(this.#protocol, { _onPayload: (payload: Buffer) => intercept(payload, judged) });
  }

  /**
   * A client may send the first packet of the key exchange that it expects right behind its KEXINIT (RFC 4253, section 7);
   * dropbear's does. ssh2 1.17 takes every such guess for wrong and drops the packet, and the client would wait for ever.
   * ssh2 gets a copy, of which it keeps parts.
   */
  #judgingGuesses(handle: PayloadHandler): PayloadHandler {
    return (payload) => {
      const result = handle(Buffer.from(payload));
      if (payload[0] === message.KEXINIT && this.#isRightGuess(payload)) {
        Object.assign(this.#protocol, { _skipNextInboundPacket: false });
      }
      return result;
    };
  }

  /** Whether both sides would like the same algorithms best, which is what makes a guess right (RFC 4253, section 7.1). */
  #isRightGuess(kexinit: Buffer): boolean {
    const { _offer: offer } = this.#protocol;
    const reader = new WireReader(kexinit, kexinitCookieEnd);
    const first = (): string | undefined => reader.name().split(',')[0];
    const { kex, serverHostKey } = offer.lists;
    return first() === kex.array[0] && first() === serverHostKey.array[0];
  }

  /**
   * Takes RSA host key signatures with SHA-1 out of the offer, which ssh2 adds to it whenever there is an RSA key. To be
   * called before our KEXINIT is sent.
   * @param isOffered whether a cipher stays in it
   */
  narrowOffer(isOffered: (cipher: string) => boolean): void {
    const { _offer: offer } = this.#protocol;
    const { kex, serverHostKey, cs, sc } = offer.lists;
    const names = (lists: typeof cs) => ({
      cipher: lists.cipher.array.filter(isOffered),
      mac: lists.mac.array,
      compress: lists.compress.array,
      lang: lists.lang.array,
    });
    const lists = {
      kex: kex.array,
      serverHostKey: serverHostKey.array.filter((algorithm) => algorithm !== 'ssh-rsa'),
      cs: names(cs),
      sc: names(sc),
    };
    Object.assign(this.#protocol, { _offer: new offer.constructor(lists) });
  }

  /**
   * Keeps ssh2 from sending its own EXT_INFO.
   * @returns whether the client asked for one (`ext-info-c`, RFC 8308, section 2.1); known once a key exchange began.
   */
  withholdExtensionInfo(): () => boolean {
    let wanted = false;
    let current: KeyExchange | undefined;
    Object.defineProperty(this.#protocol, '_kex', {
      configurable: true,
      get: () => current,
      set: (keyExchange: KeyExchange | undefined) => {
        current = keyExchange;
        if (keyExchange === undefined) return;
        Object.defineProperty(keyExchange, 'remoteExtInfoEnabled', {
          get: () => false,
          set: (value: boolean) => {
            wanted = value;
          },
        });
      },
    });
    return () => wanted;
  }
}

/** The socket that a connection was made for. */
export function socketOf({ _sock: socket }: Connection): object {
  return socket;
}
