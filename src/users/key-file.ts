/**
 * One authorized_keys file, read at each login attempt so that a change takes effect at once, and parsed only when it
 * changed. Whatever is wrong with the file costs the keys in it, and nothing else.
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { BigIntStats } from 'node:fs';
import { authorizedKeysBytesMax } from '../limits.ts';
import { parseAuthorizedKeys } from './authorized-keys.ts';
import { keyFingerprint } from './public-key.ts';

/** Something in a key file that its operator should know. `line` is null where it is about the whole file. */
export interface KeyFileProblem {
  readonly file: string;
  readonly line: number | null;
  readonly words: string;
}

/** Timestamps are only as fine as the kernel's clock tick: a file this young may change again without looking changed. */
const settledMs = 2000;
const writableByAll = 0o002n;

export class KeyFile {
  readonly #file: string;
  readonly #report: (problem: KeyFileProblem) => void;
  #identity = '';
  #blobs: ReadonlySet<string> = new Set();
  #reported = '';

  /** @param report is told of each problem once, and again when it changed. */
  constructor(file: string, report: (problem: KeyFileProblem) => void) {
    this.#file = file;
    this.#report = report;
  }

  /** Whether the file lets this wire blob log in. Never throws. */
  async allows(blob: Buffer): Promise<boolean> {
    const blobs = await this.#read();
    return blobs.has(blob.toString('base64'));
  }

  /** The same for a key that is known by its fingerprint only. */
  async allowsFingerprint(fingerprint: string): Promise<boolean> {
    const blobs = await this.#read();
    return [...blobs].some((blob) => keyFingerprint(Buffer.from(blob, 'base64')) === fingerprint);
  }

  async #read(): Promise<ReadonlySet<string>> {
    try {
      // Not blocking: a FIFO in the file's place must not hold the login, or a thread, for ever.
      const handle = await open(this.#file, constants.O_RDONLY | constants.O_NONBLOCK);
      try {
        return await this.#readOpened(handle);
      } finally {
        await handle.close();
      }
    } catch (error) {
      return this.#unusable(errnoWords(error));
    }
  }

  async #readOpened(handle: FileHandle): Promise<ReadonlySet<string>> {
    const stats = await handle.stat({ bigint: true });
    const identity = [stats.dev, stats.ino, stats.size, stats.mode, stats.mtimeNs, stats.ctimeNs].join(':');
    if (identity === this.#identity) return this.#blobs;
    const fault = statsFault(stats);
    if (fault !== null) return this.#unusable(fault);
    const content = await readBounded(handle);
    if (content === null) return this.#unusable(tooLarge);
    const { keys, refused } = parseAuthorizedKeys(content);
    this.#tell(refused.map(({ line, words }) => ({ file: this.#file, line, words })));
    this.#blobs = new Set(keys.map(({ blob }) => blob.toString('base64')));
    this.#identity = Date.now() - Number(stats.ctimeMs) > settledMs ? identity : '';
    return this.#blobs;
  }

  #unusable(words: string): ReadonlySet<string> {
    this.#identity = '';
    this.#blobs = new Set();
    this.#tell([{ file: this.#file, line: null, words }]);
    return this.#blobs;
  }

  #tell(problems: readonly KeyFileProblem[]): void {
    const summary = JSON.stringify(problems);
    if (summary === this.#reported) return;
    this.#reported = summary;
    for (const problem of problems) this.#report(problem);
  }
}

const tooLarge = `is larger than ${authorizedKeysBytesMax} bytes; nobody can log in with it`;

function statsFault(stats: BigIntStats): string | null {
  if (!stats.isFile()) return 'is not a regular file; nobody can log in with it';
  if ((stats.mode & writableByAll) !== 0n)
    return 'can be written by everybody; nobody can log in with it until that is changed';
  return stats.size > BigInt(authorizedKeysBytesMax) ? tooLarge : null;
}

/** The whole file, or null if it has more bytes than allowed by the time they are read. */
async function readBounded(handle: FileHandle): Promise<Buffer | null> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of handle.createReadStream({ autoClose: false, end: authorizedKeysBytesMax })) {
    const bytes = part as Buffer;
    parts.push(bytes);
    length += bytes.length;
  }
  return length > authorizedKeysBytesMax ? null : Buffer.concat(parts);
}

function errnoWords(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'error';
  if (code === 'ENOENT') return 'does not exist; nobody can log in with it';
  if (code === 'EACCES') return 'may not be read by this server; nobody can log in with it';
  return `cannot be read (${code}); nobody can log in with it`;
}
