/**
 * How packets leave: all of one turn in one system call, and large ones from memory that is used again. ssh2 writes each
 * packet by itself, from a buffer of its own.
 */
import { randomFillSync } from 'node:crypto';
import type { Socket } from 'node:net';
import { blocks } from '../blocks.ts';

/** Writes to the socket when the turn ends; a socket that is ended before writes what waits first. */
export function gatheringWrites(socket: Socket): (bytes: Buffer) => void {
  const uncork = (): void => socket.uncork();
  return (bytes) => {
    if (!socket.writable) return;
    if (socket.writableCorked === 0) {
      socket.cork();
      process.nextTick(uncork);
    }
    socket.write(bytes, () => blocks.giveBack(bytes));
  };
}

const lengthFieldBytes = 4;
const blockLengthBytes = 16;
const paddingBytesMin = 4;
const tagBytes = 16;

/**
 * Memory for a packet of AES-GCM (RFC 5647, section 7.1: the length field is not encrypted, and does not count for the
 * padding), with everything but the payload filled in, and room for the tag.
 */
export function gcmPacket(payloadBytes: number): Buffer {
  const withoutPadding = 1 + payloadBytes;
  const short = blockLengthBytes - (withoutPadding % blockLengthBytes);
  const paddingBytes = short < paddingBytesMin ? short + blockLengthBytes : short;
  const packetBytes = withoutPadding + paddingBytes;
  const packet = blocks.take(lengthFieldBytes + packetBytes + tagBytes);
  packet.writeUInt32BE(packetBytes);
  packet[lengthFieldBytes] = paddingBytes;
  packet.set(randomPadding(paddingBytes), lengthFieldBytes + withoutPadding);
  return packet;
}

const random = Buffer.allocUnsafeSlow(16 * 1024);
let randomUsed = random.length;

/** Bytes that nobody can guess and that come once only. Asking the generator for a few each time costs more than the rest. */
function randomPadding(byteCount: number): Buffer {
  if (randomUsed + byteCount > random.length) {
    randomFillSync(random);
    randomUsed = 0;
  }
  randomUsed += byteCount;
  return random.subarray(randomUsed - byteCount, randomUsed);
}
