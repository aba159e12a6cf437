/**
 * What is done with closed files: each is compressed and gets its index, and the oldest are taken out when they are more
 * or older than is to be kept. A file is whole under its old name until it is whole under the new one.
 */
import { constants } from 'node:fs';
import { open, rename, rm, writeFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { blockRecords, blocksOf, describeBlock, indexText, type Block } from './block-index.ts';
import { readLink, type Head } from './chain.ts';
import { checkpointText } from './checkpoint.ts';
import {
  indexSuffix,
  journalFileName,
  journalFiles,
  linesOf,
  partSuffix,
  syncDirectory,
  type JournalFile,
} from './journal-files.ts';
import type { PublicJournalKey } from './journal-key.ts';
import { recordIn } from './recover.ts';

const zip = promisify(gzip);

/** How much is kept; undefined: for ever. */
export interface Keeping {
  readonly bytesMax?: number | undefined;
  readonly msMax?: number | undefined;
}

/** Compresses all closed files that are not yet. Throws host errors; what was begun then is done again. */
export async function compressClosed(directory: string): Promise<void> {
  for (const name of await readdir(directory))
    if (name.endsWith(partSuffix)) await rm(join(directory, name), { force: true });
  for (const file of await journalFiles(directory))
    if (file.name !== journalFileName && !file.isCompressed) await compress(directory, file);
}

async function compress(directory: string, file: JournalFile): Promise<void> {
  const final = `${file.path}.gz`;
  const part = `${final}${partSuffix}`;
  const blocks: Block[] = [];
  const out = await open(part, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    let offset = 0;
    for await (const lines of blocksFrom(file)) {
      const bytes = await zip(Buffer.concat(lines.flatMap((line) => [line, newline])));
      await out.writeFile(bytes);
      blocks.push(describeBlock(lines, { offset, bytes: bytes.length }));
      offset += bytes.length;
    }
    await out.sync();
  } finally {
    await out.close();
  }
  const index = `${final}${indexSuffix}`;
  await writeFile(`${index}${partSuffix}`, indexText(blocks), { mode: 0o600 });
  await rename(`${index}${partSuffix}`, index);
  await rename(part, final);
  await syncDirectory(directory);
  await rm(file.path);
}

const newline = Buffer.from('\n');

async function* blocksFrom(file: JournalFile): AsyncGenerator<Buffer[]> {
  let block: Buffer[] = [];
  for await (const { lines } of linesOf(file)) {
    for (const line of lines) {
      // Copied, because what it is part of is far larger than it.
      block.push(Buffer.from(line));
      if (block.length < blockRecords) continue;
      yield block;
      block = [];
    }
  }
  if (block.length > 0) yield block;
}

export interface RemovalRequest {
  readonly directory: string;
  readonly keep: Keeping;
  readonly key: PublicJournalKey;
  /** What is open began with this record: it is needed yet. */
  readonly openSince: number | null;
  /** Writes down what goes, durably, before it goes. */
  readonly announce: (removed: Head) => Promise<void>;
  /** Told of a file that is too old and stays, because it does not end with a checkpoint of ours. */
  readonly keptBack: (name: string) => void;
}

/** Takes out what need not be kept, oldest first. Throws host errors. */
export async function removeOld(request: RemovalRequest): Promise<void> {
  const { directory, keep, openSince, announce, keptBack } = request;
  const files = await journalFiles(directory);
  let bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  for (const [index, file] of files.entries()) {
    const next = files[index + 1];
    if (file.name === journalFileName || next === undefined) return;
    const isTooMuch = keep.bytesMax !== undefined && bytes > keep.bytesMax;
    const isTooOld = keep.msMax !== undefined && (await newestMs(file)) < Date.now() - keep.msMax;
    if (!isTooMuch && !isTooOld) return;
    if (openSince !== null && openSince < next.firstSeq) return;
    const last = await signedEnd(file, request.key);
    if (last === undefined) {
      keptBack(file.name);
      return;
    }
    await announce(last);
    await rm(file.path);
    await rm(`${file.path}${indexSuffix}`, { force: true });
    bytes -= file.bytes;
  }
}

async function newestMs(file: JournalFile): Promise<number> {
  const times = (await blocksOf(file))?.map(({ maxMs }) => maxMs);
  if (times !== undefined) return Math.max(...times);
  let newest = -Infinity;
  for await (const { lines } of linesOf(file))
    for (const line of lines) {
      const link = readLink(line);
      if (link !== undefined) newest = Math.max(newest, Date.parse(link.time));
    }
  return newest;
}

/** The last record of a file, if it is a checkpoint that the key has signed. */
async function signedEnd(file: JournalFile, key: PublicJournalKey): Promise<Head | undefined> {
  let last: Buffer | undefined;
  for await (const { lines } of linesOf(file)) last = lines.at(-1) ?? last;
  const link = last === undefined ? undefined : readLink(last);
  if (last === undefined || link?.isSound !== true) return undefined;
  const signature = recordIn(last)?.journal?.signature ?? '';
  return key.verifies(checkpointText(link), signature) ? { seq: link.seq, hash: link.hash } : undefined;
}
