/** `scpd status`: what a running server is doing. */
import type { ServerStatus, UserStatus } from '../observe/status.ts';
import type { TransferStatus } from '../supervisor/messages.ts';
import { printable } from '../name-bytes.ts';
import { addressText } from './address.ts';
import type { Command } from './command.ts';
import { askServer, controlOptions } from './control-option.ts';
import { printLine } from './output.ts';
import { bytesWords, table, timeWords } from './table.ts';

const pathLengthMax = 60;

export const command: Command = {
  description: `Shows the workers, the transfers under way with their progress and rate, and for each user the
last upload that ended well and what is stored. Exit code 1 if no server answers, or if it is
not ready to serve.`,
  options: controlOptions,

  async run({ config, json }) {
    const status = (await askServer(config, { command: 'status' })) as ServerStatus | undefined;
    if (status === undefined) return 1;
    if (json === 'yes') printLine(JSON.stringify(status));
    else printStatus(status, Date.now());
    return status.problems.length === 0 ? 0 : 1;
  },
};

function printStatus(status: ServerStatus, nowMs: number): void {
  const { version, pid, state, upMs, addresses, health, problems } = status;
  printLine(
    `scpd ${version}, process ${pid}, ${state} for ${timeWords(upMs)} on ${addresses.map(addressText).join(', ')}`,
  );
  if (health !== null) printLine(`health on http://${addressText(health)}/readyz`);
  for (const problem of problems) printLine(`NOT READY: ${problem}`);
  printTable(
    ['WORKER', 'STATE', 'CONNECTIONS', 'UP', 'MEMORY', 'LATE'],
    status.workers.map((worker) => [
      String(worker.pid),
      worker.state,
      String(worker.connections),
      timeWords(worker.upMs),
      bytesWords(worker.memoryBytes),
      `${worker.loopLagMs} ms`,
    ]),
  );
  printTable(['TRANSFER', 'USER', 'PROTOCOL', 'DONE', 'RATE', 'PATH'], status.transfers.map(transferRow));
  printTable(
    ['USER', 'CONNECTIONS', 'LAST GOOD UPLOAD', 'SIZE', 'STORED', 'QUOTA', 'FILES'],
    status.users.map((user) => userRow(user, nowMs)),
  );
}

function printTable(heading: readonly string[], rows: readonly (readonly string[])[]): void {
  if (rows.length === 0) return;
  printLine('');
  for (const line of table(heading, rows)) printLine(line);
}

function transferRow({
  operation,
  user,
  protocol,
  bytes,
  bytesExpected,
  runningMs,
  path,
}: TransferStatus): string[] {
  const share = bytesExpected
    ? ` of ${bytesWords(bytesExpected)} (${Math.floor((100 * bytes) / bytesExpected)} %)`
    : '';
  const rate = `${bytesWords(Math.round((bytes * 1000) / Math.max(runningMs, 1)))}/s`;
  return [operation, user, protocol, `${bytesWords(bytes)}${share}`, rate, printable(path, pathLengthMax)];
}

function userRow({ name, connections, lastUpload, usage, quota }: UserStatus, nowMs: number): string[] {
  const age = lastUpload === null ? 'never' : `${timeWords(nowMs - Date.parse(lastUpload.time))} ago`;
  const { bytesMax, filesMax } = quota;
  return [
    name,
    String(connections),
    age,
    lastUpload === null ? '' : bytesWords(lastUpload.bytes),
    bytesWords(usage.bytes),
    bytesMax === undefined ? 'none' : bytesWords(bytesMax),
    filesMax === undefined ? String(usage.files) : `${usage.files} of ${filesMax}`,
  ];
}
