/** Files to send: random content on disk, and how to tell two files alike. */
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, createReadStream, openSync, writeSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';

const chunkBytes = 1024 * 1024;

/** Writes a file of exactly `sizeBytes` random bytes. */
export function writeRandom(path: string, sizeBytes: number): void {
  const descriptor = openSync(path, 'w');
  for (let written = 0; written < sizeBytes; written += chunkBytes) {
    writeSync(descriptor, randomBytes(Math.min(chunkBytes, sizeBytes - written)));
  }
  closeSync(descriptor);
}

/** Hex SHA-256 of a file. */
export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
