/** `scpd audit show`: one transfer's, session's or connection's whole story. */
import { queryJournal } from '../audit/journal-query.ts';
import type { WrittenRecord } from '../audit/record.ts';
import { findJournal, journalOptions } from './audit-common.ts';
import { rowOf } from './audit-query.ts';
import type { Command } from './command.ts';
import { UsageError } from './options.ts';
import { printLine, printProblem } from './output.ts';

/** How long before the id was made something of the same story may have happened: a login long before its transfer. */
const beforeMs = 60 * 60 * 1000;
/** Records of one story that are told; a session may have millions. */
const recordsMax = 10_000;

export const command: Command = {
  description: `Tells the story of an id: a transfer (its beginning and end, with the connection, login and session that it
belongs to), a session or connection (all that happened in it), or a record by its number.

Exit code 0: told. 1: there is nothing with this id. 2: nothing was looked at.`,
  arguments: [
    { name: 'ID', summary: 'of a transfer, session or connection, or a record number', required: true },
  ],
  options: { ...journalOptions, json: { summary: 'print JSON objects, one a line' } },

  async run(values) {
    const id = values['ID'] ?? '';
    if (!/^[0-9A-Za-z-]{1,64}$/.test(id)) throw new UsageError('ID: expected an id as in the records');
    const found = await findJournal(values);
    if (found === undefined) return 2;
    const records = await storyOf(found.directory, id);
    for (const record of records) {
      if (values['json'] !== '') printLine(JSON.stringify(record));
      else for (const line of [rowOf(record), ...factsOf(record)]) printLine(line);
    }
    if (records.length === 0) printProblem(`scpd: there is no record with the id ${id}`);
    return records.length === 0 ? 1 : 0;
  },
};

async function storyOf(directory: string, id: string): Promise<WrittenRecord[]> {
  const madeMs = timeOf(id);
  const sinceMs = madeMs === undefined ? undefined : madeMs - beforeMs;
  const own = await collect(directory, { id, sinceMs });
  const [first] = own;
  if (first?.transfer !== id || first.connection === null) return own;
  // A transfer is told with what let it happen.
  const around = await collect(directory, { id: first.connection, sinceMs });
  const told = around.filter(
    (record) =>
      record.transfer === id ||
      record.operation === 'login' ||
      record.operation === 'disconnect' ||
      (record.operation === 'session' && record.session === first.session),
  );
  return told;
}

async function collect(
  directory: string,
  query: { readonly id: string; readonly sinceMs: number | undefined },
): Promise<WrittenRecord[]> {
  const records: WrittenRecord[] = [];
  for await (const record of queryJournal(directory, query)) {
    records.push(record);
    if (records.length === recordsMax) break;
  }
  return records;
}

/** When a UUID of version 7 was made. */
function timeOf(id: string): number | undefined {
  const [, high = '', low = ''] = /^([0-9a-f]{8})-([0-9a-f]{4})-7/.exec(id) ?? [];
  return high === '' ? undefined : Number.parseInt(high + low, 16);
}

/** What the one line of a record leaves out. */
function factsOf(record: WrittenRecord): string[] {
  const { transfer, session, connection, client, key, protocol, sha256, mode, mtime, bytesPerSecond } =
    record;
  const facts = { transfer, session, connection, protocol, client, key, sha256, mode, mtime, bytesPerSecond };
  return Object.entries(facts)
    .filter(([, value]) => value !== undefined && value !== null && value !== '')
    .map(([name, value]) => `${' '.repeat(11)}${name.padEnd(15)} ${value}`);
}
