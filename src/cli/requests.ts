/** `scpd requests`: every SFTP request and extension that is served, and what the rules are asked about it. */
import { describeRequests } from '../session/sftp-requests.ts';
import type { Command } from './command.ts';
import { printLine } from './output.ts';

export const command: Command = {
  description: `Lists the requests of SFTP version 3 that are served, with their packet types, and the
extensions. "verbs" are what the rules are asked about: one or another of them for a request;
an extension is offered to those who may do all of them somewhere. "-" means that nothing
more is asked: the handle was asked about when it was opened, or there is nothing to decide.`,
  options: {},

  async run() {
    const rows = describeRequests().map(({ kind, type, verbs, changes }) => ({
      name: typeof type === 'number' ? kind.toUpperCase() : type,
      type: typeof type === 'number' ? String(type) : 'extension',
      changes: changes ? 'yes' : '-',
      verbs: verbs.length === 0 ? '-' : verbs.join(' '),
    }));
    const head = { name: 'request', type: 'type', changes: 'changes', verbs: 'verbs' };
    for (const { name, type, changes, verbs } of [head, ...rows]) {
      printLine(`${name.padEnd(32)}${type.padEnd(11)}${changes.padEnd(9)}${verbs}`);
    }
    return 0;
  },
};
