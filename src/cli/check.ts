/** `scpd check`: judges a configuration exactly as `scpd serve` would, and starts nothing. */
import type { Config } from '../config/config.ts';
import { shownFile } from '../config/host-files.ts';
import { printable } from '../name-bytes.ts';
import { createUserDirectory } from '../users/directory.ts';
import { addressText } from './address.ts';
import type { Command } from './command.ts';
import { configOption, loadReported } from './config-option.ts';
import { printLine, printProblem } from './output.ts';

export const command: Command = {
  description: `Reports every problem of a configuration at once, each with file, line and column on
standard error: syntax, keys and values, and the files and directories that it names. Lines
of authorized_keys that let nobody in are warnings.
Starts nothing and changes nothing. "scpd serve" makes the same checks.`,
  options: configOption,

  async run({ config: path = configOption.config.default }) {
    const config = await loadReported(path);
    if (config === undefined) return 1;
    await warnOfKeys(config);
    printLine(`${printable(path)}: no problem found`);
    for (const line of summary(config)) printLine(`  ${line}`);
    return 0;
  },
};

/** Asks for each user as a login would, so that the key files are read, and tells what is wrong in them. */
async function warnOfKeys({ users }: Config): Promise<void> {
  const noKey = Buffer.alloc(0);
  const directory = createUserDirectory(users, ({ file, line, words }) => {
    printProblem(`warning: ${shownFile(file)}${line === null ? ' ' : `:${line}: `}${words}`);
  });
  for (const { user } of users) await directory.find(user.name, noKey);
}

function summary({ listen, hostKeys, users }: Config): string[] {
  return [
    `listens on ${listen.map(addressText).join(', ')}`,
    `host keys: ${hostKeys.map(({ type }) => type).join(', ')}`,
    users.length === 0 ? 'no users: nobody can log in' : `users: ${users.length}`,
    ...users.map(({ user }) => `  ${user.name}: ${user.preset ?? 'rules'} in ${shownFile(user.root)}`),
  ];
}
