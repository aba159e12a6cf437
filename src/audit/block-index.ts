/**
 * The index of a closed file: for each block of some thousand records, where it stands, its times and its users. In a
 * compressed file each block is a gzip member of its own, so that one can be read without those before it; together they
 * are an ordinary `.gz`. An index is only a shortcut: without one, or with one that can't be read, the file is read whole.
 */
import { constants } from 'node:fs';
import { open, readFile, type FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { readStart } from './chain.ts';
import { indexSuffix, type JournalFile } from './journal-files.ts';

const unzip = promisify(gunzip);

/** Records in a block: some 1.3 MB of text, which is read in some 10 ms. */
export const blockRecords = 2000;
/** More users than this in one block are not listed. */
const blockUsersMax = 64;
/** What a block may become when it is unzipped: far more than it is made of. */
const blockBytesMax = 512 * 1024 * 1024;

export interface Block {
  readonly offset: number;
  /** In the file. */
  readonly bytes: number;
  readonly firstSeq: number;
  readonly records: number;
  readonly minMs: number;
  readonly maxMs: number;
  /** Null: too many to list. */
  readonly users: readonly string[] | null;
}

const version = 1;

/** What the index file has. */
export function indexText(blocks: readonly Block[]): string {
  return `${JSON.stringify({ version, blocks })}\n`;
}

/** What is to be said of the lines of a block. */
export function describeBlock(
  lines: readonly Buffer[],
  place: { readonly offset: number; readonly bytes: number },
): Block {
  const users = new Set<string>();
  let [firstSeq, minMs, maxMs] = [0, Infinity, -Infinity];
  for (const line of lines) {
    const start = readStart(line);
    if (start === undefined) continue;
    if (firstSeq === 0) firstSeq = start.seq;
    const timeMs = Date.parse(start.time);
    [minMs, maxMs] = [Math.min(minMs, timeMs), Math.max(maxMs, timeMs)];
    if (users.size <= blockUsersMax) {
      const user = userIn(line);
      if (user !== undefined) users.add(user);
    }
  }
  const isListed = users.size <= blockUsersMax;
  return { ...place, firstSeq, records: lines.length, minMs, maxMs, users: isListed ? [...users] : null };
}

const userStart = Buffer.from(',"user":"');

/** A user's name has no quotes, so it need not be parsed; one that a stranger made up may, and is then not found in parts. */
function userIn(line: Buffer): string | undefined {
  const start = line.indexOf(userStart);
  if (start === -1) return undefined;
  const end = line.indexOf('","key":', start + userStart.length);
  if (end === -1) return undefined;
  try {
    return JSON.parse(line.toString('utf8', start + userStart.length - 1, end + 1)) as string;
  } catch {
    return undefined;
  }
}

/** The index of a file; undefined if it has none that can be used. */
export async function blocksOf(file: JournalFile): Promise<readonly Block[] | undefined> {
  try {
    const text = await readFile(`${file.path}${indexSuffix}`, 'utf8');
    const index = JSON.parse(text) as { readonly version?: number; readonly blocks?: readonly Block[] };
    const blocks = index.version === version ? index.blocks : undefined;
    if (!Array.isArray(blocks) || !isWhole(blocks as Block[], file.bytes)) return undefined;
    return blocks as Block[];
  } catch {
    return undefined;
  }
}

/** Whether blocks cover a file without a gap. */
function isWhole(blocks: readonly Block[], fileBytes: number): boolean {
  let end = 0;
  for (const { offset, bytes } of blocks) {
    if (offset !== end || !Number.isSafeInteger(bytes) || bytes < 0) return false;
    end = offset + bytes;
  }
  return end === fileBytes;
}

/** What of an index is not so, in words; undefined if whoever goes by it overlooks nothing. Throws host errors. */
export async function indexProblem(file: JournalFile): Promise<string | undefined> {
  const blocks = await blocksOf(file);
  if (blocks === undefined) return undefined; // nobody goes by it
  let nextSeq = file.firstSeq;
  for (const block of blocks) {
    const problem = await blockProblem(file, block, nextSeq);
    if (problem !== undefined) return `${problem}, in the block of record ${nextSeq}`;
    nextSeq += block.records;
  }
  return undefined;
}

async function blockProblem(file: JournalFile, block: Block, firstSeq: number): Promise<string | undefined> {
  let text: Buffer;
  try {
    text = await readBlock(file, block);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall !== undefined) throw error;
    return 'wrong places';
  }
  const lines = linesIn(text);
  const hasAll = text.at(-1) === 0x0a && lines.length === block.records;
  const found = describeBlock(lines, block);
  if (!hasAll || block.firstSeq !== firstSeq) return 'wrong places';
  if (!(block.minMs <= found.minMs && block.maxMs >= found.maxMs)) return 'wrong times';
  const { users } = block;
  if (users === null) return undefined;
  const isListed = Array.isArray(users) && found.users?.every((user) => users.includes(user));
  return isListed === true ? undefined : 'wrong users';
}

/** The text of a block. Throws host errors, and those of zlib. */
export async function readBlock(file: JournalFile, { offset, bytes }: Block): Promise<Buffer> {
  const handle = await open(file.path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const stored = await readExactly(handle, offset, bytes);
    return file.isCompressed ? await unzip(stored, { maxOutputLength: blockBytesMax }) : stored;
  } finally {
    await handle.close();
  }
}

async function readExactly(handle: FileHandle, offset: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.alloc(bytes);
  for (let done = 0; done < bytes;) {
    const { bytesRead } = await handle.read(buffer, done, bytes - done, offset + done);
    if (bytesRead === 0) return buffer.subarray(0, done);
    done += bytesRead;
  }
  return buffer;
}

/** The whole lines of a text, without their newlines. */
export function linesIn(text: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  let start = 0;
  for (let end = text.indexOf(0x0a); end !== -1; end = text.indexOf(0x0a, start)) {
    lines.push(text.subarray(start, end));
    start = end + 1;
  }
  return lines;
}
