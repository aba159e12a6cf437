/**
 * Where a journal that is there goes on: the head of its chain, and what is open in it. What a crash left behind the last
 * whole record was acknowledged to nobody; it is set aside, so that the chain goes on from that record.
 */
import { constants } from 'node:fs';
import { open, rename, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { genesis, readLink, type Head, type Link } from './chain.ts';
import { journalFileName, journalFiles, linesOf, syncDirectory, type JournalFile } from './journal-files.ts';
import { OpenEntries } from './open-entries.ts';
import type { WrittenRecord } from './record.ts';

/** What a record that this process did not write itself is said to be of. */
const earlierProcess = '';

export interface Recovered {
  readonly file: FileHandle;
  /** Where the next record goes. */
  readonly endBytes: number;
  readonly head: Head;
  /** The number of the first record of the file, and when that was; undefined while it has none. */
  readonly first: { readonly seq: number; readonly timeMs: number } | undefined;
  readonly entries: OpenEntries;
  /** Bytes behind the last whole record, set aside. */
  readonly tornBytes: number;
  /** What was found in the place of the journal and is none, by its new name. */
  readonly setAside: string | undefined;
}

/** Opens the growing file, making it if need be, and reads where it ends. Throws host errors. */
export async function recoverJournal(directory: string): Promise<Recovered> {
  const files = await journalFiles(directory);
  const current = files.find(({ name }) => name === journalFileName);
  const closed = files.filter((file) => file !== current);
  let scanned = current === undefined ? undefined : await scan(current);
  let setAside: string | undefined;
  if (scanned !== undefined && scanned.bytes > 0 && scanned.last === undefined) {
    setAside = `${journalFileName}.not-a-journal-${Date.now()}`;
    await rename(join(directory, journalFileName), join(directory, setAside));
    await syncDirectory(directory);
    scanned = undefined;
  }
  const head = scanned?.last ?? (await headOf(closed)) ?? genesis;
  const entries = new OpenEntries();
  await replay(closed, scanned, entries);
  const path = join(directory, journalFileName);
  const file = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  try {
    const endBytes = scanned?.endBytes ?? 0;
    const tornBytes = (await file.stat()).size - endBytes;
    if (tornBytes > 0) await cut(file, path, endBytes);
    return { file, endBytes, head, first: scanned?.first, entries, tornBytes, setAside };
  } catch (error) {
    await file.close();
    throw error;
  }
}

interface Scanned {
  readonly file: JournalFile;
  readonly bytes: number;
  /** The end of the last sound record. */
  readonly endBytes: number;
  readonly first: Recovered['first'];
  readonly last: Head | undefined;
  /** What the file's first record says was open before it. */
  readonly openSince: number | null;
}

async function scan(file: JournalFile): Promise<Scanned> {
  let first: Recovered['first'];
  let last: Head | undefined;
  let openSince: number | null = null;
  let [bytes, endBytes] = [0, 0];
  for await (const { lines, isWhole } of linesOf(file)) {
    bytes += lines.reduce((sum, line) => sum + line.length + 1, 0);
    if (!isWhole) continue;
    const firstLine = first === undefined ? lines.find(isSound) : undefined;
    const link = firstLine && readLink(firstLine);
    if (firstLine !== undefined && link !== undefined) {
      first = { seq: link.seq, timeMs: Date.parse(link.time) };
      openSince = recordIn(firstLine)?.journal?.openSince ?? null;
    }
    // The last sound line of each group is looked for from its end: to hash all lines takes longer than to read them.
    let groupEnd = bytes;
    for (const line of lines.toReversed()) {
      const end = readLink(line);
      if (end?.isSound === true) {
        last = { seq: end.seq, hash: end.hash };
        endBytes = groupEnd;
        break;
      }
      groupEnd -= line.length + 1;
    }
  }
  return { file, bytes, endBytes, first, last, openSince };
}

function isSound(line: Buffer): boolean {
  return readLink(line)?.isSound === true;
}

/** The last record of the newest closed file: what a journal goes on from whose growing file is new. */
async function headOf(closed: readonly JournalFile[]): Promise<Head | undefined> {
  const newest = closed.at(-1);
  return newest === undefined ? undefined : (await scan(newest)).last;
}

/** The last whole record of a journal. */
export async function lastRecord(files: readonly JournalFile[]): Promise<Link | undefined> {
  for (const file of files.toReversed()) {
    let last: Link | undefined;
    for await (const { lines, isWhole } of linesOf(file)) {
      // Only the last one counts, and hashing each takes time.
      const line = isWhole ? lines.at(-1) : undefined;
      if (line !== undefined) last = readLink(line) ?? last;
    }
    if (last !== undefined) return last;
  }
  return undefined;
}

/** Tells `entries` of every record from the oldest one that is still open. */
async function replay(
  closed: readonly JournalFile[],
  scanned: Scanned | undefined,
  entries: OpenEntries,
): Promise<void> {
  // A growing file that is missing or empty says nothing; then the newest closed one does.
  const newest = closed.at(-1);
  const since =
    scanned?.last === undefined
      ? newest === undefined
        ? null
        : ((await scan(newest)).openSince ?? newest.firstSeq)
      : scanned.openSince;
  const from = since === null ? closed.length : closed.findLastIndex(({ firstSeq }) => firstSeq <= since);
  const files = [...closed.slice(Math.max(from, 0)), ...(scanned === undefined ? [] : [scanned.file])];
  for (const file of files) {
    for await (const { lines } of linesOf(file)) {
      for (const line of lines) {
        // Only transfers and sessions are of interest, and parsing is what takes the time.
        if (!line.includes('"phase":"') && !line.includes('load"')) continue;
        const record = recordIn(line);
        if (record === undefined) continue;
        entries.attempt(record);
        entries.saw(record, { seq: record.seq, process: earlierProcess });
      }
    }
  }
}

/** A line's record; undefined where it has none. */
export function recordIn(line: Buffer | string): WrittenRecord | undefined {
  try {
    const value: unknown = JSON.parse(line.toString());
    return typeof value === 'object' && value !== null ? (value as WrittenRecord) : undefined;
  } catch {
    return undefined;
  }
}

/** Keeps what is cut off beside the journal: it may be all that is left of what somebody did. */
async function cut(file: FileHandle, path: string, endBytes: number): Promise<void> {
  const { size } = await file.stat();
  const aside = await open(`${path}.torn-${Date.now()}`, 'wx', 0o600);
  try {
    const chunk = Buffer.alloc(1024 * 1024);
    for (let at = endBytes; at < size;) {
      const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
      if (bytesRead === 0) break;
      await aside.write(chunk, 0, bytesRead);
      at += bytesRead;
    }
    await aside.sync();
  } finally {
    await aside.close();
  }
  await file.truncate(endBytes);
  await file.sync();
}
