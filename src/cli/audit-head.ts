/** `scpd audit head`: where the journal ends, to be kept elsewhere. */
import { lastRecord } from '../audit/recover.ts';
import { findJournal, journalOptions } from './audit-common.ts';
import type { Command } from './command.ts';
import { printLine, printProblem } from './output.ts';

export const command: Command = {
  description: `Prints the number, hash and time of the last record. Kept where an attacker can't reach it, it proves
later that nothing up to it was changed or cut off: scpd audit verify --expect-head SEQ:HASH

Exit code 0: printed. 2: there is no journal, or no record in it.`,
  options: { ...journalOptions, json: { summary: 'print one JSON object' } },

  async run(values) {
    const found = await findJournal(values);
    if (found === undefined) return 2;
    const last = await lastRecord(found.files);
    if (last === undefined) {
      printProblem('scpd: there is no record in the journal');
      return 2;
    }
    const { seq, hash, time } = last;
    printLine(values['json'] === '' ? `${seq}:${hash} ${time}` : JSON.stringify({ seq, hash, time }));
    return 0;
  },
};
