/** `scpd restart`: has a running server replaced by this program as it is on the disk now, without anybody noticing. */
import type { Restarted } from '../compose-running.ts';
import type { Command } from './command.ts';
import { askServer, controlOptions } from './control-option.ts';
import { printLine, printProblem } from './output.ts';

export const command: Command = {
  description: `Has a new process take over from a running server: another version of scpd, or of Node, or a
changed configuration. It is started by the old one with the same command line. No connection is
refused, and transfers under way end in the old process, within limits.retireSeconds. If the new
one can't start, the old one goes on, and the problems are printed. Not with "workers": 0, and not
where the server is the first process of a container. Exit code 1 if it was not restarted.`,
  options: controlOptions,

  async run({ config, json }) {
    const restarted = (await askServer(config, { command: 'restart' })) as Restarted | undefined;
    if (restarted === undefined) return 1;
    if (json === 'yes') printLine(JSON.stringify(restarted));
    else if (restarted.kind === 'done') printLine(`process ${restarted.pid} serves now`);
    else for (const problem of restarted.problems) printProblem(problem);
    return restarted.kind === 'done' ? 0 : 1;
  },
};
