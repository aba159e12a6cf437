/**
 * The companion commands that clients run beside their transfers: each row of the table in `protocol/command/programs.ts`
 * with what answers it. No process is started for any of them.
 */
import { rootPath } from '../guard/virtual-path.ts';
import type { Files } from '../guard/files.ts';
import type { CompanionCommand } from '../protocol/command/parse-command.ts';
import type { CompanionName } from '../protocol/command/programs.ts';
import type { Channel } from './channel.ts';
import { chgrp, chmod, chown, cp, ln, mv, rm } from './command-change.ts';
import { cd, mkdir, pwd } from './command-directories.ts';
import { hashCommand } from './command-hash.ts';
import { ls } from './command-list.ts';
import { df } from './command-space.ts';
import { CommandOutput, type CommandContext, type RunCommand } from './command.ts';
import type { ScpOptions } from './scp-attempt.ts';

const echo: RunCommand = async (context, words) => {
  await context.output.print(`${words.map(({ text }) => text).join(' ')}\n`);
  return 0;
};

const groups: RunCommand = async (context) => {
  await context.output.print(`${context.userName}\n`);
  return 0;
};

/** The one variable that matters: names are UTF-8, as far as they are anything. */
const printenv: RunCommand = async (context, [name]) => {
  if (name?.text !== 'LANG') return 1;
  await context.output.print('C.UTF-8\n');
  return 0;
};

const nothing: RunCommand = async () => 0;

const table: Readonly<Record<CompanionName, RunCommand>> = {
  md5sum: hashCommand('md5sum', 'md5'),
  sha1sum: hashCommand('sha1sum', 'sha1'),
  sha256sum: hashCommand('sha256sum', 'sha256'),
  sha512sum: hashCommand('sha512sum', 'sha512'),
  df,
  ls,
  mkdir,
  pwd,
  echo,
  cd,
  rm,
  mv,
  cp,
  ln,
  chmod,
  chgrp,
  chown,
  groups,
  printenv,
  unset: nothing,
  unalias: nothing,
  exit: nothing,
};

/** Runs one command; what it printed is sent when the promise settles. Throws what is no failed attempt on `Files`. */
export async function runCommand(context: CommandContext, command: CompanionCommand): Promise<number> {
  const status = await table[command.name](context, command.parameters);
  await context.output.flush();
  return status;
}

export interface CompanionRun {
  readonly channel: Channel;
  readonly files: Files;
  readonly userName: string;
  readonly options: ScpOptions;
}

/** Runs the command of an exec request to its exit status, which is sent when what it did is durable. */
export async function runCompanion(
  { channel, files, userName, options }: CompanionRun,
  command: CompanionCommand,
): Promise<number> {
  const output = new CommandOutput(channel);
  const context = { files, userName, options, output, input: channel.input, directory: rootPath };
  const status = await runCommand(context, command);
  await files.settle();
  return status;
}
