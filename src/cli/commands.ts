/** `scpd commands`: the table of what clients may run over ssh, from the code that answers it. */
import { programs, type Program } from '../protocol/command/programs.ts';
import type { Command } from './command.ts';
import { printLine } from './output.ts';

export const command: Command = {
  description: `Lists the commands that clients may run over ssh (exec), and those that only the shell of
WinSCP's SCP mode has. None of them starts a program: scpd answers each itself, within the
user's root and by the user's rules. Everything else is refused.`,
  options: {},

  async run() {
    printLine('Over exec, and in the shell:');
    printRows('exec');
    printLine('');
    printLine('Only in the shell of a client that drives one by echo, as WinSCP does:');
    printRows('shell');
    return 0;
  },
};

function printRows(where: Program['where']): void {
  const rows: readonly Program[] = programs;
  for (const { usage, summary, verbs } of rows.filter((row) => row.where === where)) {
    printLine(`  ${usage.padEnd(50)}${summary}${verbs === '' ? '' : ` [${verbs}]`}`);
  }
}
