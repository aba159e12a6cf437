/**
 * When a connection may send more. ssh2 never looks at the socket's buffer and queues without bound while a key exchange
 * runs, so a client that stops reading would have us hold whatever its window allows: up to 4 GiB.
 */
import type { Socket } from 'node:net';
import { sshOutboundBytes, sshOutboundBytesMax, sshOutboundPacketsMax } from '../limits.ts';
import type { Transport } from './transport.ts';

export class Outbound {
  readonly #socket: Socket;
  readonly #transport: Transport;
  #waiting: (() => void)[] = [];

  constructor(socket: Socket, transport: Transport) {
    this.#socket = socket;
    this.#transport = transport;
    socket.on('drain', () => this.release());
  }

  /** Whether channel data may be sent now. */
  get isOpen(): boolean {
    return !this.#transport.isExchangingKeys && this.#socket.writableLength < sshOutboundBytes;
  }

  /** Whether the client makes us send replies that it does not read. */
  get isFlooded(): boolean {
    const unread = this.#socket.writableLength > sshOutboundBytesMax;
    return unread || this.#transport.queuedPackets > sshOutboundPacketsMax;
  }

  /** Resolves when it is worth to ask again. Those who wait are served in turn. */
  wait(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Lets all who wait ask again: the buffer drained, a key exchange ended, or the connection did. */
  release(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resume of waiting) resume();
  }
}
