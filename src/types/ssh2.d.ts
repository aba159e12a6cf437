/**
 * What we use of ssh2 1.17.0, internals included. Written by hand because @types/ssh2 is wrong where it matters
 * (`verify()` also returns Error) and silent about the internals. `src/ssh/ssh2.ts` checks at start that all of it is there.
 */
declare module 'ssh2' {
  import type { EventEmitter } from 'node:events';
  import type { Duplex } from 'node:stream';

  namespace ssh2 {
    /** Makes packets. `alloc(length, true)` gives a whole packet even in the middle of a key exchange. */
    interface PacketWriter {
      readonly allocStartKEX: number;
      alloc(payloadLength: number, force: boolean): Buffer;
      finalize(packet: Buffer, force: boolean): Buffer;
    }

    interface KeyExchange {
      readonly sessionID: Buffer | undefined;
      /** Whether the client wants EXT_INFO; ssh2 sends its own, broken one when it is true. */
      remoteExtInfoEnabled: boolean;
    }

    interface NameList {
      readonly array: readonly string[];
    }

    interface AlgorithmLists<List> {
      readonly kex: List;
      readonly serverHostKey: List;
      readonly cs: Readonly<Record<'cipher' | 'mac' | 'compress' | 'lang', List>>;
      readonly sc: Readonly<Record<'cipher' | 'mac' | 'compress' | 'lang', List>>;
    }

    /** What a KEXINIT offers. */
    interface KexInit {
      readonly constructor: new (lists: AlgorithmLists<readonly string[]>) => KexInit;
      readonly lists: AlgorithmLists<NameList>;
    }

    type PayloadHandler = (payload: Buffer) => unknown;

    interface Protocol {
      /** Sends the identification line; gone once called. */
      start: (() => void) | undefined;
      /** Undefined once the connection is unusable. */
      readonly _destruct: unknown;
      /** Every decrypted payload outside of key exchanges. Taken over for each key exchange's new decipher. */
      _onPayload: PayloadHandler;
      /** `_packet` is the encrypted packet of which something is still to come. */
      readonly _decipher: { _onPayload: PayloadHandler; readonly _packet: Uint8Array | null };
      /** `allocPacket` gives a packet with all but the payload; those of native code have room for the tag as well. */
      readonly _cipher: { encrypt(packet: Buffer): void; allocPacket(payloadLength: number): Buffer };
      /** Where each cipher writes to; taken over for each key exchange's new one. */
      readonly _onWrite: (bytes: Buffer) => void;
      readonly _packetRW: { readonly write: PacketWriter };
      /** Our KEXINIT while a key exchange runs, else undefined. */
      readonly _kexinit: Buffer | undefined;
      /** Packets that wait for the end of a key exchange. */
      readonly _queue: readonly Buffer[] | undefined;
      _kex: KeyExchange | undefined;
      /** Shared by all connections of a server. */
      _offer: KexInit;
      rekey(): void;
      requestSuccess(): void;
      requestFailure(): void;
      channelSuccess(id: number): void;
      channelFailure(id: number): void;
      channelEOF(id: number): void;
      channelClose(id: number): void;
      channelWindowAdjust(id: number, bytes: number): void;
      channelData(id: number, bytes: Buffer): void;
      channelExtData(id: number, bytes: Buffer, type: number): void;
      channelOpenConfirm(theirId: number, ourId: number, windowBytes: number, packetBytesMax: number): void;
      channelOpenFail(theirId: number, reason: number, words: string): void;
      exitStatus(id: number, status: number): void;
    }

    interface AuthContext {
      readonly username: string;
      readonly method: string;
      /** Of method `publickey` only. `algo` is `ssh-rsa` for all RSA algorithms; PK_OK echoes it. */
      readonly key?: { algo: string; readonly data: Buffer };
      readonly hashAlgo?: 'sha256' | 'sha512' | undefined;
      readonly signature?: Buffer | undefined;
      readonly blob?: Buffer | undefined;
      accept(): void;
      reject(methodsLeft: readonly string[]): void;
    }

    /** One client's connection, as the server sees it. */
    interface Connection extends EventEmitter {
      readonly _protocol: Protocol;
      readonly _sock: Duplex;
      readonly authenticated: boolean;
      on(event: 'error', listener: (error: Error & { readonly level?: string }) => void): this;
      on(event: 'authentication', listener: (context: AuthContext) => void): this;
      on(event: 'ready' | 'handshake' | 'end' | 'close', listener: () => void): this;
    }

    interface ServerConfig {
      readonly hostKeys: readonly Buffer[];
      readonly ident: string;
      readonly keepaliveInterval: number;
      readonly keepaliveCountMax: number;
      readonly algorithms: {
        readonly kex: readonly string[];
        readonly cipher: readonly string[];
        readonly hmac: readonly string[];
        readonly compress: readonly string[];
        readonly serverHostKey: readonly string[];
      };
    }

    class Server {
      constructor(config: ServerConfig);
      on(event: 'connection', listener: (client: Connection) => void): this;
      injectSocket(socket: Duplex): void;
    }

    interface ParsedKey {
      readonly type: string;
      isPrivateKey(): boolean;
      getPublicSSH(): Buffer;
      getPrivatePEM(): string;
    }

    /** The client side; only tests use it. */
    class Client {
      readonly _protocol: Protocol;
      readonly _sock: Duplex;
      on(event: string, listener: (...facts: never[]) => void): this;
      connect(options: Record<string, unknown>): this;
      end(): this;
      destroy(): this;
    }

    const utils: { parseKey(key: Buffer | string): ParsedKey | readonly ParsedKey[] | Error };
  }

  export = ssh2;
}
