/**
 * The client's first packet, its KEXINIT (RFC 4253, section 7.1), read before ours is sent. The client's order of ciphers
 * decides, and OpenSSH's has AES-CTR with a MAC before AES-GCM, which takes a third of the CPU. So a client that knows
 * AES-GCM is offered nothing else; one that does not, and one that waits for our KEXINIT first, is offered all.
 */
import type { Socket } from 'node:net';
import { sshFirstOfferMs, sshPacketBytesMax } from '../limits.ts';
import { WireReader } from '../users/wire.ts';
import { message } from './messages.ts';
import { isGcm } from './ssh2.ts';

const lengthFieldBytes = 4;
const kexinitStart = lengthFieldBytes + 1; // behind the length of the padding (RFC 4253, section 6)
const cookieBytes = 16;

export interface ClientOffer {
  /** Whether the client knows AES-GCM in both directions. */
  readonly knowsGcm: boolean;
  /** Everything that was read, what came before included. */
  readonly bytes: Buffer;
}

/**
 * Calls `done` once, with the socket paused: when the first packet is there, when it can't be one, or after
 * `sshFirstOfferMs`. Not if the connection ends before that.
 * @param read what was read already: the identification line, and perhaps more behind it
 */
export function readClientOffer(socket: Socket, read: Buffer, done: (offer: ClientOffer) => void): void {
  const lineEnd = read.indexOf('\n') + 1;
  let bytes = read;
  const onData = (chunk: Buffer): void => {
    bytes = Buffer.concat([bytes, chunk]);
    if (!isPartial(bytes.subarray(lineEnd))) finish();
  };
  const stop = (): void => {
    clearTimeout(timer);
    socket.off('data', onData);
    socket.off('end', stop);
    socket.off('close', stop);
  };
  const finish = (): void => {
    stop();
    socket.pause();
    done({ knowsGcm: knowsGcm(bytes.subarray(lineEnd)), bytes });
  };
  const timer = setTimeout(finish, sshFirstOfferMs);
  if (!isPartial(bytes.subarray(lineEnd))) {
    finish();
    return;
  }
  socket.once('end', stop);
  socket.once('close', stop);
  socket.on('data', onData);
  socket.resume();
}

/** Whether more has to come for a first packet. What is too long to be one is ssh2's to refuse. */
function isPartial(packet: Buffer): boolean {
  if (packet.length < lengthFieldBytes) return true;
  const lengthBytes = packet.readUInt32BE(0);
  return lengthBytes <= sshPacketBytesMax && packet.length < lengthFieldBytes + lengthBytes;
}

/** Exported for its table of tests. */
export function knowsGcm(packet: Buffer): boolean {
  if (packet[kexinitStart] !== message.KEXINIT) return false;
  try {
    const reader = new WireReader(packet, kexinitStart + 1 + cookieBytes);
    reader.name(); // key exchanges
    reader.name(); // host keys
    return [reader.name(), reader.name()].every((ciphers) => ciphers.split(',').some((name) => isGcm(name)));
  } catch {
    return false; // ssh2 will say what is wrong with it
  }
}
