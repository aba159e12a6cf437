/**
 * Whether a journal is what was written: one pass over its files, each line against the one before. What is found is told
 * with the number of the record; where several readings are possible, the one that needs least is told.
 */
import { genesisHash, readLink, type Head, type Link } from './chain.ts';
import { checkpointText } from './checkpoint.ts';
import { indexProblem } from './block-index.ts';
import { indexSuffix, journalFiles, journalFileName, linesOf, type JournalFile } from './journal-files.ts';
import type { PublicJournalKey } from './journal-key.ts';
import { recordIn } from './recover.ts';

/**
 * - `changed`: the record is not what was written, or is none at all.
 * - `removed`: records `seq` to `until` are missing. - `inserted`: a record stands where none was, or again.
 * - `moved`: a record is not in its place. - `unlinked`: it does not follow from the record before it: that one was
 *   changed, and its own hash made anew.
 * - `signature`: a checkpoint was not signed by the key, so everything since the last good one may be made up.
 * - `beginning`: the journal begins in the middle, and nothing in it says that older files were taken out.
 * - `head`: the end is not the one that was expected: records are cut off, or others stand in their place.
 * - `unreadable`: a file can't be read to its end.
 * - `index`: a file's index says otherwise than its records, so a search may pass over some.
 */
export type FindingKind =
  | 'changed'
  | 'removed'
  | 'inserted'
  | 'moved'
  | 'unlinked'
  | 'signature'
  | 'beginning'
  | 'head'
  | 'unreadable'
  | 'index';

export interface JournalFinding {
  readonly kind: FindingKind;
  /** The record, or the first of several. */
  readonly seq: number;
  readonly until?: number;
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly detail?: string;
}

export interface VerifyRequest {
  readonly directory: string;
  readonly key: PublicJournalKey;
  /** What `scpd audit head` once said: that record must be there. */
  readonly expectHead?: Head | undefined;
  /** Told of bytes on the disk that were read. */
  readonly progress?: (bytes: number) => void;
}

export interface JournalSummary {
  records: number;
  checkpoints: number;
  /** The last record that a good signature covers. */
  signedSeq: number;
  head: Head;
}

/** Reads all of a journal. Findings come in the order of the journal; the summary when it has been read. Throws host errors. */
export async function* verifyJournal(request: VerifyRequest): AsyncGenerator<JournalFinding, JournalSummary> {
  const reader = new Verifier(request.key, request.expectHead);
  for (const file of await journalFiles(request.directory)) {
    try {
      yield* readFile(reader, file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).syscall !== undefined) throw error;
      yield reader.found('unreadable', { detail: error instanceof Error ? error.message : String(error) });
    }
    const problem = await indexProblem(file);
    if (problem !== undefined)
      yield {
        kind: 'index',
        seq: file.firstSeq,
        file: `${file.name}${indexSuffix}`,
        line: 1,
        detail: problem,
      };
    request.progress?.(file.bytes);
  }
  yield* reader.end();
  return reader.summary;
}

async function* readFile(reader: Verifier, file: JournalFile): AsyncGenerator<JournalFinding> {
  reader.begin(file.name);
  for await (const { lines, isWhole } of linesOf(file)) {
    for (const line of lines) {
      const findings = reader.line(line, isWhole);
      if (findings.length > 0) yield* findings;
    }
  }
}

/** Gaps that are kept to see whether what is missing comes later. */
const gapsMax = 10_000;

class Verifier {
  readonly summary: JournalSummary = {
    records: 0,
    checkpoints: 0,
    signedSeq: 0,
    head: { seq: 0, hash: genesisHash },
  };
  readonly #key: PublicJournalKey;
  readonly #expected: Head | undefined;
  #file = '';
  #line = 0;
  /** The chain so far: what the next record must follow. */
  #last: Head | undefined;
  #first: Pick<Link, 'seq' | 'prev'> | undefined;
  /** The last record was changed, so what its hash should have been is not known. */
  #isBroken = false;
  /** Taken out by the journal itself, as it says. */
  #removed: Head | undefined;
  #expectedFound = false;
  /** Numbers that were passed over: they are missing, unless they stand further on. */
  readonly #gaps: JournalFinding[] = [];

  constructor(key: PublicJournalKey, expected: Head | undefined) {
    this.#key = key;
    this.#expected = expected;
  }

  begin(file: string): void {
    [this.#file, this.#line] = [file, 0];
  }

  found(kind: FindingKind, facts: Partial<JournalFinding> = {}): JournalFinding {
    const seq = this.#last === undefined ? 1 : this.#last.seq + 1;
    return { kind, seq, file: this.#file, line: this.#line, ...facts };
  }

  line(line: Buffer, isWhole: boolean): JournalFinding[] {
    this.#line += 1;
    const link = isWhole ? readLink(line) : undefined;
    // A torn end of the file that grows may be a record that is being written at this moment.
    if (link === undefined && !isWhole && this.#file === journalFileName) return [];
    this.summary.records += 1;
    if (link === undefined) return this.#changed(undefined);
    const order = this.#inOrder(link);
    if (order.isMisplaced) return order.findings;
    if (!link.isSound) return [...order.findings, ...this.#changed(link)];
    const findings = [...order.findings, ...this.#follows(link)];
    this.#first ??= link;
    [this.#last, this.#isBroken] = [{ seq: link.seq, hash: link.hash }, false];
    this.summary.head = this.#last;
    if (link.seq === this.#expected?.seq) this.#expectedFound = link.hash === this.#expected.hash;
    findings.push(...this.#ofTheJournal(line, link));
    return findings;
  }

  /** Few records say something about the journal itself, and only these are parsed. */
  #ofTheJournal(line: Buffer, link: Link): JournalFinding[] {
    if (line.includes('"operation":"checkpoint"')) return this.#checkpoint(line, link);
    if (line.includes('"removed":{')) this.#removed = recordIn(line)?.journal?.removed ?? this.#removed;
    return [];
  }

  *end(): Generator<JournalFinding> {
    yield* this.#gaps;
    const first = this.#first;
    if (first !== undefined && first.seq > 1) {
      const { seq = 0, hash = '' } = this.#removed ?? {};
      // Files go one by one: what was said last is what is gone.
      if (seq !== first.seq - 1 || hash !== first.prev)
        yield { kind: 'beginning', seq: 1, until: first.seq - 1, file: this.#file, line: 0 };
    }
    const expected = this.#expected;
    if (expected === undefined || this.#expectedFound) return;
    const { seq } = this.summary.head;
    if (seq < expected.seq) yield this.found('head', { seq: seq + 1, until: expected.seq });
    else yield this.found('head', { seq: expected.seq });
  }

  #changed(link: Link | undefined): JournalFinding[] {
    const seq = link?.seq ?? (this.#last?.seq ?? 0) + 1;
    const finding = this.found('changed', { seq, ...(link === undefined ? { detail: 'no record' } : {}) });
    this.#first ??= { seq, prev: link?.prev ?? '' };
    // Later ones are judged by their own hashes; whether they follow from this one can't be said.
    [this.#last, this.#isBroken] = [{ seq, hash: link?.hash ?? '' }, true];
    return [finding];
  }

  #inOrder({ seq, prev }: Link): { readonly findings: JournalFinding[]; readonly isMisplaced: boolean } {
    const last = this.#last;
    if (last === undefined || seq === last.seq + 1) return { findings: [], isMisplaced: false };
    if (seq > last.seq + 1) {
      // It follows from the last one all the same: then only its number is wrong, which its own hash tells.
      if (prev !== last.hash) this.#gaps.push(this.found('removed', { seq: last.seq + 1, until: seq - 1 }));
      const findings = this.#gaps.length > gapsMax ? this.#gaps.splice(0) : [];
      return { findings, isMisplaced: false };
    }
    const kind = this.#fillGap(seq) ? 'moved' : 'inserted';
    return { findings: [this.found(kind, { seq })], isMisplaced: true };
  }

  /** Whether a number was missing. */
  #fillGap(seq: number): boolean {
    const index = this.#gaps.findIndex((gap) => gap.seq <= seq && seq <= (gap.until ?? gap.seq));
    const gap = this.#gaps[index];
    if (gap === undefined) return false;
    const { until = gap.seq } = gap;
    const parts = [
      { ...gap, until: seq - 1 },
      { ...gap, seq: seq + 1, until },
    ];
    this.#gaps.splice(index, 1, ...parts.filter((part) => part.seq <= part.until));
    return true;
  }

  #follows({ seq, prev }: Link): JournalFinding[] {
    const last = this.#last;
    if (last === undefined) return seq === 1 && prev !== genesisHash ? [this.found('unlinked', { seq })] : [];
    if (prev === last.hash || this.#isBroken || seq !== last.seq + 1) return [];
    return [this.found('unlinked', { seq: last.seq, detail: `record ${seq} follows from another one` })];
  }

  #checkpoint(line: Buffer, link: Link): JournalFinding[] {
    const { signature = '', signer = '' } = recordIn(line)?.journal ?? {};
    if (this.#key.verifies(checkpointText(link), signature)) {
      this.summary.checkpoints += 1;
      this.summary.signedSeq = link.seq;
      return [];
    }
    const by = signer === this.#key.id ? '' : `signed by the key ${signer}`;
    return [this.found('signature', { seq: link.seq, ...(by === '' ? {} : { detail: by }) })];
  }
}
