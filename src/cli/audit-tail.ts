/** `scpd audit tail`: the newest records, and those that come. */
import { setTimeout as delay } from 'node:timers/promises';
import { newestLines, JournalFollower } from '../audit/follow.ts';
import { recordIn } from '../audit/recover.ts';
import { findJournal, journalOptions } from './audit-common.ts';
import { rowOf } from './audit-query.ts';
import type { Command } from './command.ts';
import { UsageError } from './options.ts';
import { printSlowly } from './output.ts';

const lookMs = 250;

export const command: Command = {
  description: `Prints the newest records, and with --follow those that come, until it is ended.

Exit code 0: printed. 2: there is no journal.`,
  options: {
    lines: { value: 'NUMBER', summary: 'so many', default: '10' },
    follow: { summary: 'go on with what comes', short: 'f' },
    ...journalOptions,
    json: { summary: 'print JSON objects, one a line' },
  },

  async run(values) {
    const { lines = '', follow, json } = values;
    if (!/^[0-9]{1,5}$/.test(lines)) throw new UsageError('--lines: expected a number from 0 to 99999');
    const found = await findJournal(values);
    if (found === undefined) return 2;
    const print = async (line: Buffer): Promise<void> => {
      const record = recordIn(line);
      if (record !== undefined) await printSlowly(json === '' ? rowOf(record) : JSON.stringify(record));
    };
    const follower = new JournalFollower(found.directory);
    try {
      await follower.toEnd();
      for (const line of await newestLines(found.files, Number(lines))) await print(line);
      if (follow === '') return 0;
      for (;;) {
        for (const line of await follower.next()) await print(line);
        await delay(lookMs);
      }
    } finally {
      await follower.close();
    }
  },
};
