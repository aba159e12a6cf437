/** `scpd stop`: ends a running server as SIGTERM does, and waits until it has ended. */
import type { Command } from './command.ts';
import { askServer } from './control-option.ts';
import { configOption } from './config-option.ts';
import { printLine } from './output.ts';

export const command: Command = {
  description: `Stops a running server: it takes no more connections, lets transfers finish for
limits.drainSeconds, aborts what is left, and ends. Returns when it has. Exit code 1 if no
server answers.`,
  options: configOption,

  async run({ config }) {
    const answer = await askServer(config, { command: 'stop' });
    if (answer === undefined) return 1;
    printLine('stopped');
    return 0;
  },
};
