/** `scpd sessions`: who is connected. */
import type { ServerStatus } from '../observe/status.ts';
import type { Command } from './command.ts';
import { askServer, controlOptions } from './control-option.ts';
import { printLine } from './output.ts';
import { bytesWords, table, timeWords } from './table.ts';

export const command: Command = {
  description: `Lists the connections of a running server, with the ID that "scpd kill" takes. Exit code 1 if
no server answers.`,
  options: controlOptions,

  async run({ config, json }) {
    const status = (await askServer(config, { command: 'status' })) as ServerStatus | undefined;
    if (status === undefined) return 1;
    const { connections } = status;
    if (json === 'yes') {
      printLine(JSON.stringify(connections));
      return 0;
    }
    const rows = connections.map((connection) => [
      connection.id,
      connection.user ?? '(not logged in)',
      connection.address,
      connection.client,
      timeWords(connection.openMs),
      String(connection.sessions),
      bytesWords(connection.bytesReceived),
      bytesWords(connection.bytesSent),
    ]);
    const heading = ['ID', 'USER', 'ADDRESS', 'CLIENT', 'OPEN', 'SESSIONS', 'RECEIVED', 'SENT'];
    for (const line of table(heading, rows)) printLine(line);
    return 0;
  },
};
