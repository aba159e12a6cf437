/** `scpd audit export`: records as CSV (RFC 4180), for a spreadsheet or a database. */
import { queryJournal } from '../audit/journal-query.ts';
import { recordSchema } from '../audit/record-schema.ts';
import { findJournal, journalOptions } from './audit-common.ts';
import { queryFrom, queryOptions } from './audit-query.ts';
import type { Command } from './command.ts';
import { UsageError } from './options.ts';
import { printSlowly } from './output.ts';

export const command: Command = {
  description: `Prints records as CSV, one column for each field of a record, with a line of names. A text that a
spreadsheet would take for a formula gets a ' in front.

Exit code 0: printed. 2: nothing was looked at.`,
  options: { csv: { summary: 'as CSV, the one form that there is' }, ...queryOptions, ...journalOptions },

  async run(values) {
    if (values['csv'] === '') throw new UsageError('say --csv: it is the one form that there is');
    const query = queryFrom(values);
    const found = await findJournal(values);
    if (found === undefined) return 2;
    const columns = Object.keys(recordSchema.properties);
    await printSlowly(`${columns.join(',')}\r`);
    for await (const record of queryJournal(found.directory, query)) {
      const fields = { ...record } as Readonly<Record<string, unknown>>;
      await printSlowly(`${columns.map((column) => csvField(fields[column])).join(',')}\r`);
    }
    return 0;
  },
};

/** A value as a field of CSV. */
export function csvField(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'number') return String(value);
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const harmless = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
