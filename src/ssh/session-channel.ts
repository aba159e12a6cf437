/**
 * One session channel (RFC 4254, sections 5 and 6), from the client's CHANNEL_OPEN to both sides' CLOSE. It works on
 * ssh2's packet functions and not on ssh2's Channel, which has no back-pressure towards the socket, loses write callbacks
 * when a channel closes, polices neither window, and never ends for a reader that stopped reading.
 *
 * Invariants: the client never has more in flight and unread than its `ReceiveWindow` allows; we never send beyond the client's
 * window or packet size; after our CLOSE nothing is sent; every promise settles once the channel or connection is gone.
 */
import { ProtocolError, ScpdError } from '../errors.ts';
import { sshChannelCloseMsMax, sshDataBytesMax } from '../limits.ts';
import { printable } from '../name-bytes.ts';
import type { Channel, ChannelInput } from '../session/channel.ts';
import { InputQueue } from './input-queue.ts';
import type { Outbound } from './outbound.ts';
import { ReceiveWindow, type WindowBudget } from './receive-window.ts';
import type { Packets } from './transport.ts';

const standardError = 1; // SSH_EXTENDED_DATA_STDERR, RFC 4254, section 5.2
const errorLineLengthMax = 1000;

export interface ChannelOpening {
  readonly ourId: number;
  readonly theirId: number;
  /** What the client lets us send before it grants more. */
  readonly windowBytes: number;
  readonly packetBytesMax: number;
}

export interface ChannelSurroundings {
  readonly packets: Packets;
  readonly outbound: Outbound;
  readonly windows: WindowBudget;
  /** Called for data in either direction. */
  readonly onActivity: () => void;
  /** Called once, when both sides have closed the channel or the connection is gone. */
  readonly onGone: (channel: SessionChannel) => void;
}

export class SessionChannel implements Channel {
  readonly ourId: number;
  readonly theirId: number;
  readonly #surroundings: ChannelSurroundings;
  readonly #packetBytesMax: number;
  readonly #input: InputQueue;
  readonly #gone = new AbortController();
  #outgoingWindow: number;
  readonly #incomingWindow: ReceiveWindow;
  #eofReceived = false;
  #closeReceived = false;
  #closeSent = false;
  #writes: Promise<void> = Promise.resolve();
  #writesPending = 0;
  #resumeWriter: (() => void) | undefined;
  #finished: Promise<void> | undefined;
  #resumeFinish: (() => void) | undefined;

  constructor(opening: ChannelOpening, surroundings: ChannelSurroundings) {
    this.ourId = opening.ourId;
    this.theirId = opening.theirId;
    this.#outgoingWindow = opening.windowBytes;
    // A larger one would only make larger packets than anybody is used to.
    this.#packetBytesMax = Math.min(opening.packetBytesMax, sshDataBytesMax);
    this.#surroundings = surroundings;
    this.#incomingWindow = new ReceiveWindow(surroundings.windows);
    this.#input = new InputQueue((byteCount) => this.#grantWindow(byteCount));
  }

  get input(): ChannelInput {
    return this.#input;
  }

  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Whether the next step is the client's: to send, to read, or to close. */
  get waitsForClient(): boolean {
    return this.#input.isAwaited || this.#writesPending > 0 || this.#closeSent;
  }

  write(bytes: Buffer): Promise<void> {
    return this.#enqueue((part) => this.#surroundings.packets.channelData(this.theirId, part), bytes);
  }

  writeError(line: string): Promise<void> {
    const bytes = Buffer.from(`${printable(line.trimEnd(), errorLineLengthMax)}\n`, 'utf8');
    return this.#enqueue(
      (part) => this.#surroundings.packets.channelExtData(this.theirId, part, standardError),
      bytes,
    );
  }

  finish(exitStatus: number): Promise<void> {
    this.#finished ??= this.#finish(exitStatus);
    return this.#finished;
  }

  /** Tells the client that the channel is open. */
  confirm(): void {
    const { packets } = this.#surroundings;
    packets.channelOpenConfirm(this.theirId, this.ourId, this.#incomingWindow.initialBytes, sshDataBytesMax);
  }

  /** The answer to a request of the client's. */
  answer(granted: boolean): void {
    if (this.#closeSent) return;
    if (granted) this.#surroundings.packets.channelSuccess(this.theirId);
    else this.#surroundings.packets.channelFailure(this.theirId);
  }

  /** The client granted more window. */
  onWindowAdjust(byteCount: number): void {
    // RFC 4254, section 5.2: the window must not get larger than this.
    this.#outgoingWindow = Math.min(this.#outgoingWindow + byteCount, 0xffff_ffff);
    this.#resume();
  }

  /** The client sent data. Throws `ProtocolError` when it was not allowed to. */
  onData(bytes: Buffer): void {
    this.#countIncoming(bytes.length);
    this.#surroundings.onActivity();
    this.#input.push(bytes);
  }

  /** The client sent extended data, which no server expects. It uses up the window like other data, and is dropped. */
  onExtendedData(byteCount: number): void {
    this.#countIncoming(byteCount);
    this.#grantWindow(byteCount);
  }

  onEof(): void {
    this.#eofReceived = true;
    this.#input.end();
  }

  /** The client closed the channel. Our CLOSE is the answer, if it did not come first. */
  onClose(): void {
    this.#sendClose();
    this.#end();
  }

  /** The connection is gone. */
  onLost(): void {
    this.#closeSent = true;
    this.#end();
  }

  #end(): void {
    if (this.#closeReceived) return;
    this.#closeReceived = true;
    this.#gone.abort(new ScpdError('CONNECTION_LOST'));
    this.#input.lose();
    this.#resume();
    this.#resumeFinish?.();
    this.#surroundings.onGone(this);
  }

  #countIncoming(byteCount: number): void {
    if (this.#eofReceived) throw new ProtocolError('data after end of file');
    if (byteCount > sshDataBytesMax) throw new ProtocolError('data packet too large');
    this.#incomingWindow.receive(byteCount);
  }

  #grantWindow(byteCount: number): void {
    if (this.#closeSent || this.#eofReceived) return;
    const grantBytes = this.#incomingWindow.take(byteCount);
    if (grantBytes > 0) this.#surroundings.packets.channelWindowAdjust(this.theirId, grantBytes);
  }

  #enqueue(send: (part: Buffer) => void, bytes: Buffer): Promise<void> {
    this.#writesPending += 1;
    const sent = this.#writes.then(() => this.#send(send, bytes));
    const settled = (): void => {
      this.#writesPending -= 1;
    };
    this.#writes = sent.then(settled, settled);
    return sent;
  }

  async #send(send: (part: Buffer) => void, bytes: Buffer): Promise<void> {
    if (this.#closeSent) throw new ScpdError('CONNECTION_LOST');
    for (let offset = 0; offset < bytes.length;) {
      await this.#waitUntilSendable();
      const end = Math.min(bytes.length, offset + this.#packetBytesMax, offset + this.#outgoingWindow);
      send(bytes.subarray(offset, end));
      this.#outgoingWindow -= end - offset;
      offset = end;
      this.#surroundings.onActivity();
    }
  }

  async #waitUntilSendable(): Promise<void> {
    const { outbound } = this.#surroundings;
    for (;;) {
      // The await between two packets lets channels that wait for the same socket take turns.
      await Promise.resolve();
      if (this.#closeSent) throw new ScpdError('CONNECTION_LOST');
      if (this.#outgoingWindow === 0) await this.#nextWindow();
      else if (outbound.isOpen) return;
      else await outbound.wait();
    }
  }

  #nextWindow(): Promise<void> {
    return new Promise((resolve) => {
      this.#resumeWriter = resolve;
    });
  }

  #resume(): void {
    this.#resumeWriter?.();
    this.#resumeWriter = undefined;
  }

  async #finish(exitStatus: number): Promise<void> {
    await this.#writes;
    this.#input.discard();
    this.#incomingWindow.close();
    if (!this.#closeSent) {
      this.#surroundings.packets.exitStatus(this.theirId, exitStatus);
      this.#surroundings.packets.channelEOF(this.theirId);
      this.#sendClose();
    }
    await this.#closedByClient();
  }

  #sendClose(): void {
    if (this.#closeSent) return;
    this.#closeSent = true;
    this.#surroundings.packets.channelClose(this.theirId);
  }

  async #closedByClient(): Promise<void> {
    if (this.#closeReceived) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, sshChannelCloseMsMax);
      this.#resumeFinish = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
