/**
 * Finds records: by what they say, and by when. Whole files and blocks are passed over by their times, where an index says
 * them; within what is read, a look at the bytes decides what is worth parsing.
 */
import { auditReadAheadBlocks } from '../limits.ts';
import { blocksOf, linesIn, readBlock, type Block } from './block-index.ts';
import { journalFiles, linesOf, type JournalFile } from './journal-files.ts';
import { recordIn } from './recover.ts';
import type { Operation, Outcome, Verdict, WrittenRecord } from './record.ts';

export interface JournalQuery {
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
  readonly user?: string | undefined;
  readonly operation?: Operation | undefined;
  readonly outcome?: Outcome | undefined;
  readonly verdict?: Verdict | undefined;
  readonly bytesMin?: number | undefined;
  /** Whether a path is meant. */
  readonly path?: ((path: string) => boolean) | undefined;
  /** A text of safe characters that each path that is meant has in it: cheap to look for. */
  readonly pathText?: string | undefined;
  /** A transfer, a session, a connection, or the number of a record. */
  readonly id?: string | undefined;
}

/** The records that fit, in the order of the journal. Throws host errors, and those of zlib. */
export async function* queryJournal(directory: string, query: JournalQuery): AsyncGenerator<WrittenRecord> {
  const filter = new Filter(query);
  for (const file of await journalFiles(directory)) {
    const blocks = await blocksOf(file);
    if (blocks === undefined) {
      for await (const { lines, isWhole } of linesOf(file)) if (isWhole) yield* filter.records(lines);
      continue;
    }
    const wanted = blocks.filter((block) => filter.mayHold(block));
    for await (const text of readAhead(file, wanted))
      if (filter.mayBeIn(text)) yield* filter.records(linesIn(text));
  }
}

/** The texts of blocks, in order. Some are unzipped while one is looked through. */
async function* readAhead(file: JournalFile, blocks: readonly Block[]): AsyncGenerator<Buffer> {
  const reading: Promise<Buffer>[] = [];
  let next = 0;
  try {
    for (;;) {
      for (; next < blocks.length && reading.length < auditReadAheadBlocks; next += 1)
        reading.push(readBlock(file, blocks[next] as Block));
      const text = reading.shift();
      if (text === undefined) return;
      yield await text;
    }
  } finally {
    await Promise.allSettled(reading);
  }
}

class Filter {
  readonly #query: JournalQuery;
  /** Texts that must stand in a line; cheaper to look for than to parse. */
  readonly #texts: readonly Buffer[];

  constructor(query: JournalQuery) {
    this.#query = query;
    const { user, operation, outcome, verdict, id, pathText } = query;
    const field = (name: string, value: string | undefined): string[] =>
      value === undefined ? [] : [`"${name}":${JSON.stringify(value)}`];
    const texts = [
      ...field('user', user),
      ...field('operation', operation),
      ...field('outcome', outcome),
      ...field('verdict', verdict),
      ...(pathText === undefined ? [] : [pathText]),
      ...(id === undefined ? [] : [/^[0-9]+$/.test(id) ? `{"seq":${id},` : `"${id}"`]),
    ];
    this.#texts = texts.map((text) => Buffer.from(text));
  }

  mayHold({ minMs, maxMs, users }: Block): boolean {
    const { sinceMs = -Infinity, untilMs = Infinity, user } = this.#query;
    if (maxMs < sinceMs || minMs > untilMs) return false;
    return user === undefined || users === null || users.includes(user);
  }

  /** Whether there is any use in looking at the lines of a text. */
  mayBeIn(text: Buffer): boolean {
    return this.#texts.every((one) => text.includes(one));
  }

  *records(lines: readonly Buffer[]): Generator<WrittenRecord> {
    for (const line of lines) {
      if (!this.#texts.every((text) => line.includes(text))) continue;
      const record = recordIn(line);
      if (record !== undefined && this.#fits(record)) yield record;
    }
  }

  #fits(record: WrittenRecord): boolean {
    const { sinceMs = -Infinity, untilMs = Infinity, bytesMin, path, id } = this.#query;
    const timeMs = Date.parse(record.time);
    return (
      timeMs >= sinceMs &&
      timeMs <= untilMs &&
      this.#isOfKind(record) &&
      (bytesMin === undefined || (record.bytes ?? -1) >= bytesMin) &&
      (path === undefined || pathsOf(record).some(path)) &&
      (id === undefined || idsOf(record).includes(id))
    );
  }

  #isOfKind(record: WrittenRecord): boolean {
    const fields = ['user', 'operation', 'outcome', 'verdict'] as const;
    return fields.every((field) => this.#query[field] === undefined || record[field] === this.#query[field]);
  }
}

function pathsOf({ path, target, stored }: WrittenRecord): string[] {
  return [path, target, stored].filter((one) => typeof one === 'string');
}

function idsOf({
  seq,
  transfer,
  session,
  connection,
}: WrittenRecord): readonly (string | null | undefined)[] {
  return [String(seq), transfer, session, connection];
}
