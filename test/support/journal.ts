/** Journals on disk for tests, and what stands in them. */
import type { Test } from 'tap';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { readPublicKeyFile } from '../../src/audit/journal-key.ts';
import { OpenEntries } from '../../src/audit/open-entries.ts';
import { verifyJournal } from '../../src/audit/verify.ts';
import { openFileJournal, type FileJournal, type JournalOptions } from '../../src/audit/file-journal.ts';
import type { AuditRecord, RecordFacts, WrittenRecord } from '../../src/audit/record.ts';
import { checkRecord, testSession } from './checked-journal.ts';

export interface TestJournalOptions extends Partial<JournalOptions> {
  readonly directory: string;
}

/** What a journal said to its operator's log. */
export const said: string[] = [];

export function testJournalOptions(options: TestJournalOptions): JournalOptions {
  const say = (_fields: object, message: string): void => void said.push(message);
  return {
    sync: true,
    onFailure: 'refuse',
    fileBytesMax: 2 ** 26,
    fileMsMax: 2 ** 40,
    keep: {},
    processes: { own: 'test', isAlive: () => false },
    log: { info: say, warn: say, error: say },
    ...options,
  };
}

/** Opens one that is closed when the test ends, if it is not yet. */
export async function openTestJournal(t: Test, options: TestJournalOptions): Promise<FileJournal> {
  const journal = await openFileJournal(testJournalOptions(options));
  t.teardown(() => journal.close().catch(() => undefined));
  return journal;
}

export function recordOf(facts: Partial<RecordFacts> & { readonly path: string }): AuditRecord {
  return { time: new Date().toISOString(), ...testSession, operation: 'mkdir', outcome: 'done', ...facts };
}

/** The lines of all files of a journal, in order. */
export function linesIn(directory: string): string[] {
  const names = readdirSync(directory).filter((name) => /^audit.*\.jsonl(\.gz)?$/.test(name));
  const inOrder = names.toSorted(
    (a, b) => Number(a === 'audit.jsonl') - Number(b === 'audit.jsonl') || (a < b ? -1 : 1),
  );
  return inOrder.flatMap((name) => {
    const bytes = readFileSync(join(directory, name));
    const text = (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
    if (text !== '' && !text.endsWith('\n')) throw new Error(`${name} ends in a torn line`);
    return text.split('\n').slice(0, -1);
  });
}

/** The records of a journal, each checked against the schema. */
export function recordsIn(directory: string): WrittenRecord[] {
  return linesIn(directory).map((line) => {
    const record = JSON.parse(line) as WrittenRecord;
    checkRecord(record);
    return record;
  });
}

/** Those that somebody's session made. */
export function clientRecordsIn(directory: string): WrittenRecord[] {
  return recordsIn(directory).filter(({ protocol }) => protocol !== 'server');
}

/** What is wrong with a journal after a crash and a start: in its chain, and what was begun and never ended. */
export async function journalProblems(directory: string): Promise<string[]> {
  const key = await readPublicKeyFile(join(directory, 'journal-key.pub'));
  const problems: string[] = [];
  for await (const { kind, seq } of verifyJournal({ directory, key })) problems.push(`${kind} ${seq}`);
  const entries = new OpenEntries();
  for (const record of recordsIn(directory)) entries.saw(record, { seq: record.seq, process: '' });
  return [...problems, ...entries.of().map(({ begin }) => `no end of ${begin.operation} ${begin.path}`)];
}
