/**
 * Ids of connections, sessions, transfers and claims: UUIDs of version 7, which begin with the time. Random bytes are drawn for
 * many ids at once: a draw takes some 15 µs however little is drawn, and a small file has two ids.
 */
import { randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';

const idRandomBytes = 16;
const idsPerDraw = 256;

const drawn = Buffer.alloc(idsPerDraw * idRandomBytes);
let usedBytes = drawn.length;

/** An id that nobody else has. */
export function newId(): string {
  if (usedBytes === drawn.length) {
    randomFillSync(drawn);
    usedBytes = 0;
  }
  const random = drawn.subarray(usedBytes, usedBytes + idRandomBytes);
  usedBytes += idRandomBytes;
  return v7({ random });
}
