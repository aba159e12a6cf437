/**
 * The files of a journal: `audit.jsonl`, which grows, and those before it, which are closed: `audit-<number of the first
 * record>.jsonl`, and once it is compressed the same with `.gz`. Together, in this order, they are one chain.
 */
import { constants, createReadStream } from 'node:fs';
import { open, readdir, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { auditLineBytesMax } from '../limits.ts';

export const journalFileName = 'audit.jsonl';
/** What a closed file's index is called after the file's own name. */
export const indexSuffix = '.index';
export const partSuffix = '.part';

const closedPattern = /^audit-([0-9]{12,16})\.jsonl(\.gz)?$/;

export interface JournalFile {
  readonly name: string;
  readonly path: string;
  /** The number of its first record; Infinity for the one that grows. */
  readonly firstSeq: number;
  readonly isCompressed: boolean;
  /** On the disk. */
  readonly bytes: number;
}

export function closedFileName(firstSeq: number): string {
  return `audit-${String(firstSeq).padStart(12, '0')}.jsonl`;
}

/** How often the files are listed again because one was compressed or dropped meanwhile; that happens once in hours. */
const listingsMax = 10;

/** All files in their order, the growing one last. Of a file that is being compressed, the plain one. Throws host errors. */
export async function journalFiles(directory: string): Promise<JournalFile[]> {
  for (let listed = 1; ; listed += 1) {
    try {
      return await listFiles(directory);
    } catch (error) {
      if (!isMissing(error) || listed >= listingsMax) throw error;
    }
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

async function listFiles(directory: string): Promise<JournalFile[]> {
  const files = new Map<number, JournalFile>();
  for (const name of (await readdir(directory)).toSorted()) {
    const closed = closedPattern.exec(name);
    if (closed === null && name !== journalFileName) continue;
    const path = join(directory, name);
    const firstSeq = closed === null ? Infinity : Number(closed[1]);
    const file = {
      name,
      path,
      firstSeq,
      isCompressed: closed?.[2] === '.gz',
      bytes: (await stat(path)).size,
    };
    // Sorted, so the compressed one comes second: the plain one is whole as long as it is there.
    if (!files.has(firstSeq)) files.set(firstSeq, file);
  }
  return [...files.values()].toSorted((a, b) => a.firstSeq - b.firstSeq);
}

/** Lines of a file in groups, without their newlines; a last one that has none is told by `isWhole`. */
export interface LineGroup {
  readonly lines: readonly Buffer[];
  /** Where the first of them begins in the uncompressed file. */
  readonly offset: number;
  /** False: the last line of the group has no newline (or is longer than any record), and is no record. */
  readonly isWhole: boolean;
}

/** Opens a file, or what it was compressed to since it was listed. */
async function openEither({
  path,
  isCompressed,
}: JournalFile): Promise<{ readonly handle: FileHandle; readonly isCompressed: boolean }> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW;
  try {
    return { handle: await open(path, flags), isCompressed };
  } catch (error) {
    if (isCompressed || !isMissing(error)) throw error;
    return { handle: await open(`${path}.gz`, flags), isCompressed: true };
  }
}

/** Reads a file from its beginning. Throws host errors, and those of zlib where a compressed file is damaged. */
export async function* linesOf(file: JournalFile): AsyncGenerator<LineGroup> {
  const { handle, isCompressed } = await openEither(file);
  const source = createReadStream('', { fd: handle, highWaterMark: 1024 * 1024 });
  if (!isCompressed) {
    yield* splitLines(source);
    return;
  }
  const unzip = createGunzip({ chunkSize: 1024 * 1024 });
  source.once('error', (error) => unzip.destroy(error));
  try {
    yield* splitLines(source.pipe(unzip));
  } finally {
    source.destroy();
  }
}

/** The lines of all files of a journal, in their order. Throws as `linesOf`. */
export async function* journalLines(directory: string): AsyncGenerator<string> {
  for (const file of await journalFiles(directory)) {
    for await (const { lines } of linesOf(file)) for (const line of lines) yield line.toString('utf8');
  }
}

/** What a stream gives, as lines. */
export async function* splitLines(source: AsyncIterable<Buffer>): AsyncGenerator<LineGroup> {
  let rest: Buffer = Buffer.alloc(0);
  let offset = 0;
  for await (const chunk of source) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const lines: Buffer[] = [];
    let start = 0;
    for (let end = bytes.indexOf(0x0a); end !== -1; end = bytes.indexOf(0x0a, start)) {
      lines.push(bytes.subarray(start, end));
      start = end + 1;
    }
    rest = bytes.subarray(start);
    if (lines.length > 0) yield { lines, offset, isWhole: true };
    offset += start;
    while (rest.length > auditLineBytesMax) {
      yield { lines: [rest.subarray(0, auditLineBytesMax)], offset, isWhole: false };
      offset += auditLineBytesMax;
      rest = rest.subarray(auditLineBytesMax);
    }
  }
  if (rest.length > 0) yield { lines: [rest], offset, isWhole: false };
}

/** Makes the names in a directory durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle: FileHandle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
