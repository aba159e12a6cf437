/** Hashes of stored files, for the clients that compare. */
import { createHash } from 'node:crypto';
import { blocks } from '../blocks.ts';
import { blockBytes } from '../limits.ts';
import type { HashOptions } from './files.ts';
import type { StoredFile } from './store.ts';

/** Whether it is the one hash that may be known already. */
export function isWholeSha256({ algorithm, offset = 0, lengthBytes }: HashOptions): boolean {
  return algorithm === 'sha256' && offset === 0 && lengthBytes === undefined;
}

/** The digest of a range of a file; a range beyond its end is cut. */
export async function hashOf(
  file: StoredFile,
  { algorithm, offset = 0, lengthBytes }: HashOptions,
): Promise<Buffer> {
  const hash = createHash(algorithm);
  const end = offset + (lengthBytes ?? Infinity);
  for (let position = offset; position < end;) {
    const bytes = await file.read(position, Math.min(blockBytes, end - position));
    if (bytes.length === 0) break;
    hash.update(bytes);
    position += bytes.length;
    blocks.giveBack(bytes);
  }
  return hash.digest();
}
