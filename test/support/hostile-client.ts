/**
 * An SSH client that obeys only its test. ssh2's client does the transport (key exchange, encryption); from then on every
 * message that comes is recorded, and every message that goes is made by the test, byte for byte.
 */
import { createPrivateKey, sign } from 'node:crypto';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import ssh2 from 'ssh2';
import { wireString, wireUint32 } from '../../src/users/wire.ts';

export interface ClientKey {
  readonly privateKey: string;
  readonly publicKey: string;
}

const patienceMs = 20_000;

export class HostileClient {
  readonly socket: Socket;
  /** Every message after the first key exchange, key exchanges left out. */
  readonly received: Buffer[] = [];
  /** Never answers a key exchange that the server begins. */
  ignoresKeyExchanges = false;
  readonly #client: ssh2.Client;
  #taken = 0;
  #wake: (() => void) | undefined;

  private constructor(socket: Socket, client: ssh2.Client) {
    this.socket = socket;
    this.#client = client;
  }

  /** Shakes hands and asks for the authentication service. */
  static async connect(options: {
    readonly port: number;
    readonly ident?: string;
    readonly algorithms?: Record<string, readonly string[]>;
  }): Promise<HostileClient> {
    const socket = connect({ host: '127.0.0.1', port: options.port });
    const client = new ssh2.Client();
    const hostile = new HostileClient(socket, client);
    socket.on('error', () => hostile.#notice());
    socket.on('close', () => hostile.#notice());
    client.on('error', () => undefined);
    client.connect({
      sock: socket,
      username: 'nobody',
      ident: options.ident ?? 'hostile_1.0',
      readyTimeout: 0,
      keepaliveInterval: 0,
      ...(options.algorithms === undefined ? {} : { algorithms: options.algorithms }),
    });
    const { _protocol: protocol } = client;
    const { _onPayload: handle } = protocol;
    Object.assign(protocol, {
      _onPayload: (payload: Buffer) => {
        const type = payload[0] ?? 0;
        if (type >= 20 && type <= 49) return hostile.ignoresKeyExchanges ? undefined : handle(payload);
        hostile.received.push(Buffer.from(payload));
        hostile.#notice();
        return undefined;
      },
    });
    await hostile.next(6, 'SERVICE_ACCEPT'); // The library asked for ssh-userauth; everything else is ours.
    return hostile;
  }

  /** The session identifier, which signatures cover. */
  get sessionId(): Buffer {
    const { _protocol: protocol } = this.#client;
    const { _kex: keyExchange } = protocol;
    if (keyExchange?.sessionID === undefined) throw new Error('no key exchange yet');
    return keyExchange.sessionID;
  }

  get isClosed(): boolean {
    return this.socket.destroyed;
  }

  /** Sends a message made of these parts, at once. Numbers are bytes. */
  send(...parts: readonly (number | Buffer)[]): void {
    const payload = Buffer.concat(parts.map((part) => (typeof part === 'number' ? Buffer.of(part) : part)));
    const { _protocol: protocol } = this.#client;
    const { _packetRW: packetWriters, _cipher: cipher } = protocol;
    const writer = packetWriters.write;
    const packet = writer.alloc(payload.length, true);
    packet.set(payload, writer.allocStartKEX);
    cipher.encrypt(writer.finalize(packet, true));
  }

  rekey(): void {
    const { _protocol: protocol } = this.#client;
    protocol.rekey();
  }

  /** The next message, of these types only; others are passed over. Rejects when the connection ends first. */
  async next(types: number | readonly number[], what = 'a message'): Promise<Buffer> {
    const wanted = typeof types === 'number' ? [types] : types;
    const deadline = Date.now() + patienceMs;
    for (;;) {
      while (this.#taken < this.received.length) {
        const message = this.received[this.#taken];
        this.#taken += 1;
        if (message !== undefined && wanted.includes(message[0] ?? 0)) return message;
      }
      if (this.isClosed) throw new Error(`the connection ended before ${what} (${wanted.join(', ')})`);
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`${what} (${wanted.join(', ')}) never came`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Resolves when the server has closed the socket. */
  async closed(): Promise<void> {
    if (this.socket.destroyed) return;
    this.socket.resume();
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('the server never closed the connection')), patienceMs);
      this.socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Asks with a key, or signs with it; the answer's first byte is its type: 51 no, 52 yes, 60 the key would do. */
  async tryKey(request: KeyRequest): Promise<Buffer> {
    this.sendKey(request);
    return this.next([51, 52, 60], 'an answer');
  }

  sendKey(request: KeyRequest): void {
    this.send(keyRequest(this.sessionId, request));
  }

  async logIn(user: string, key: ClientKey): Promise<void> {
    const answer = await this.tryKey({ user, key, signed: true });
    if (answer[0] !== 52) throw new Error('the login was refused');
  }

  /** Opens a session channel; resolves to the server's number of it. */
  async openSession(ourId = 0, windowBytes = 1 << 21, packetBytesMax = 1 << 15): Promise<number> {
    this.sendOpen('session', { ourId, windowBytes, packetBytesMax });
    const answer = await this.next([91, 92], 'the channel');
    if (answer[0] !== 91) throw new Error(`refused with reason ${answer.readUInt32BE(5)}`);
    return answer.readUInt32BE(5);
  }

  /** `rest` is what follows the opening's common part. */
  sendOpen(
    type: string,
    { ourId = 0, windowBytes = 1 << 20, packetBytesMax = 1 << 15, rest = none }: Opening = {},
  ): void {
    this.send(
      90,
      wireString(type),
      wireUint32(ourId),
      wireUint32(windowBytes),
      wireUint32(packetBytesMax),
      rest,
    );
  }

  sendRequest(channel: number, name: string, wantsReply: boolean, rest: Buffer = Buffer.alloc(0)): void {
    this.send(98, wireUint32(channel), wireString(name), wantsReply ? 1 : 0, rest);
  }

  async exec(channel: number, command: string): Promise<void> {
    this.sendRequest(channel, 'exec', true, wireString(command));
    const answer = await this.next([99, 100], 'the answer to exec');
    if (answer[0] !== 99) throw new Error('exec was refused');
  }

  sendData(channel: number, bytes: Buffer | string): void {
    this.send(94, wireUint32(channel), wireString(bytes));
  }

  #notice(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

const none = Buffer.alloc(0);

export interface Opening {
  readonly ourId?: number;
  readonly windowBytes?: number;
  readonly packetBytesMax?: number;
  readonly rest?: Buffer;
}

export interface KeyRequest {
  readonly user: string;
  readonly key: ClientKey;
  readonly signed: boolean;
  /** What the request and the signature say; default: the key's own type, rsa-sha2-256 for RSA. */
  readonly algorithm?: string;
  /** Replaces the signature. */
  readonly signature?: Buffer;
  /** Replaces the key that is signed with, but not the one that is named. */
  readonly signer?: ClientKey;
}

/** A USERAUTH_REQUEST of method publickey (RFC 4252, section 7). */
export function keyRequest(sessionId: Buffer, request: KeyRequest): Buffer {
  const [type = '', base64 = ''] = request.key.publicKey.split(' ');
  const algorithm = request.algorithm ?? (type === 'ssh-rsa' ? 'rsa-sha2-256' : type);
  const body = Buffer.concat([
    Buffer.of(50),
    ...[request.user, 'ssh-connection', 'publickey'].map((text) => wireString(text)),
    Buffer.of(request.signed ? 1 : 0),
    wireString(algorithm),
    wireString(Buffer.from(base64, 'base64')),
  ]);
  if (!request.signed) return body;
  const signature =
    request.signature ??
    signBlob(request.signer ?? request.key, algorithm, Buffer.concat([wireString(sessionId), body]));
  return Buffer.concat([body, wireString(Buffer.concat([wireString(algorithm), wireString(signature)]))]);
}

/** A signature as it stands on the wire, without its algorithm. */
function signBlob(key: ClientKey, algorithm: string, data: Buffer): Buffer {
  const parsed = ssh2.utils.parseKey(key.privateKey);
  if (parsed instanceof Error || !('getPrivatePEM' in parsed)) throw new Error('not a private key');
  const privateKey = createPrivateKey(parsed.getPrivatePEM());
  switch (algorithm) {
    case 'ssh-ed25519':
      return sign(null, data, privateKey);
    case 'ecdsa-sha2-nistp256': {
      const both = sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' });
      return Buffer.concat(
        [both.subarray(0, 32), both.subarray(32)].map((half) => wireString(positive(half))),
      );
    }
    case 'rsa-sha2-512':
      return sign('sha512', data, privateKey);
    case 'ssh-rsa':
      return sign('sha1', data, privateKey);
    default:
      return sign('sha256', data, privateKey);
  }
}

function positive(digits: Buffer): Buffer {
  return ((digits[0] ?? 0) & 0x80) === 0 ? digits : Buffer.concat([Buffer.of(0), digits]);
}
