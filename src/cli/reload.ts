/** `scpd reload`: has a running server read its configuration again. */
import type { Reloaded } from '../supervisor/supervisor.ts';
import type { Command } from './command.ts';
import { askServer, controlOptions } from './control-option.ts';
import { printLine, printProblem } from './output.ts';

export const command: Command = {
  description: `Has a running server read its configuration again, and prints what is different. If there is a
problem, everything stays as it was, and the problems are printed as "scpd check" does. New
connections get the new configuration; transfers under way end under the old one, within
limits.retireSeconds. Connections of removed users and keys are ended. Exit code 1 if it was
not reloaded.`,
  options: controlOptions,

  async run({ config, json }) {
    const reloaded = (await askServer(config, { command: 'reload' })) as Reloaded | undefined;
    if (reloaded === undefined) return 1;
    if (json === 'yes') printLine(JSON.stringify(reloaded));
    else if (reloaded.kind === 'refused') for (const problem of reloaded.problems) printProblem(problem);
    else if (reloaded.changes.length === 0) printLine('reloaded; nothing is different');
    else for (const change of reloaded.changes) printLine(change);
    return reloaded.kind === 'done' ? 0 : 1;
  },
};
