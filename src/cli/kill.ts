/** `scpd kill`: ends one connection of a running server. */
import type { Command } from './command.ts';
import { askServer } from './control-option.ts';
import { configOption } from './config-option.ts';
import { printLine, printProblem } from './output.ts';

export const command: Command = {
  description: `Ends a connection. What it was transferring is aborted, and its client is told. Exit code 1 if
there is no such connection, or no server answers.`,
  options: configOption,
  arguments: [{ name: 'ID', summary: 'of a connection, as "scpd sessions" shows it', required: true }],

  async run({ config, ID = '' }) {
    const answer = await askServer(config, { command: 'kill', connection: ID });
    if (answer === undefined) return 1;
    if ('ended' in answer && answer.ended === true) {
      printLine('ended');
      return 0;
    }
    printProblem('scpd: there is no connection with this ID; "scpd sessions" lists them');
    return 1;
  },
};
