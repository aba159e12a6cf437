/** Command lines for stock clients, ready to paste. The host key check is on: the known_hosts file makes it pass. */
import { shellPath, shellWord, shortPath } from '../config/host-files.ts';
import type { Preset } from '../users/user.ts';
import { hostText } from './address.ts';

export interface ClientTarget {
  readonly user: string;
  /** Undefined for a user with rules: nothing is known of what will work. */
  readonly preset: Preset | undefined;
  readonly host: string;
  readonly port: number;
  /** Host paths, absolute. */
  readonly keyFile: string;
  readonly knownHostsFile: string;
  /** An existing local file and a directory to send, and a directory to receive into. */
  readonly localFile: string;
  readonly localDirectory: string;
  readonly receiveDirectory: string;
  /** Name of a file in the user's root to fetch. */
  readonly remoteFile: string;
}

/** The lines that work with what the user may do. */
export function clientLines(target: ClientTarget): string[] {
  const options = [
    `-P ${target.port}`,
    `-i ${shellPath(target.keyFile).replaceAll('%', '%%')}`,
    '-o IdentitiesOnly=yes',
    `-o ${knownHostsOption(target.knownHostsFile)}`,
  ].join(' ');
  const there = `${target.user}@${hostText(target.host)}`;
  const file = shellPath(target.localFile);
  const receive = shellPath(target.receiveDirectory);
  const up = [
    `scp ${options} ${file} ${there}:`,
    `scp -O ${options} ${file} ${there}:`,
    `scp -r ${options} ${shellPath(target.localDirectory)} ${there}:`,
    `echo ${shellWord(`put "${shortPath(target.localFile)}"`)} | sftp -b - ${options} ${there}`,
  ];
  const down = [
    `scp ${options} ${there}:${target.remoteFile} ${receive}/`,
    `scp -O ${options} ${there}:${target.remoteFile} ${receive}/`,
    `sftp ${options} ${there}:${target.remoteFile} ${receive}/`,
  ];
  return [...(target.preset === 'read-only' ? [] : up), ...(target.preset === 'drop-box' ? [] : down)];
}

/** ssh splits the value at blanks and expands "%" in it, the shell has quotes of its own. */
function knownHostsOption(file: string): string {
  const value = shortPath(file).replaceAll('%', '%%');
  return shellWord(`UserKnownHostsFile=${/\s/.test(value) ? `"${value}"` : value}`);
}
