/** `scpd audit search`: the records that fit. */
import { queryJournal } from '../audit/journal-query.ts';
import { findJournal, journalOptions } from './audit-common.ts';
import { queryFrom, queryOptions, rowOf } from './audit-query.ts';
import type { Command } from './command.ts';
import { UsageError } from './options.ts';
import { printSlowly } from './output.ts';

export const command: Command = {
  description: `Prints the records of the journal for which all options hold, oldest first, one a line. --json prints
them as they stand in the journal. --path takes the patterns of rules, and looks at both ends of a
rename. Closed files are passed over by their times and users (their .index); what is read is not
checked: that does "scpd audit verify".

Exit code 0: some were found. 1: none. 2: nothing was looked at.`,
  options: {
    ...queryOptions,
    limit: { value: 'NUMBER', summary: 'end after so many', default: '' },
    ...journalOptions,
    json: { summary: 'print JSON objects, one a line' },
  },

  async run(values) {
    const query = queryFrom(values);
    const limit = limitIn(values['limit'] ?? '');
    const found = await findJournal(values);
    if (found === undefined) return 2;
    let count = 0;
    for await (const record of queryJournal(found.directory, query)) {
      await printSlowly(values['json'] === '' ? rowOf(record) : JSON.stringify(record));
      count += 1;
      if (count === limit) break;
    }
    return count === 0 ? 1 : 0;
  },
};

function limitIn(text: string): number {
  if (text === '') return Infinity;
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new UsageError('--limit: expected a number from 1 on');
  return Number(text);
}
