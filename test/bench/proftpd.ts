/** A second server that Debian has beside sshd: ProFTPD with mod_sftp, which is in C and has a process for each session, too. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { userInfo } from 'node:os';
import { run } from '../support/clients.ts';
import { accepts, end, freePort, type Cleanup, type Peer, type PeerKeys } from './peers.ts';

const program = '/usr/sbin/proftpd';
const sftpModule = '/usr/lib/proftpd/mod_sftp.so';
export const proftpdName = 'ProFTPD';

/** Why it can't be started here; undefined if it can. */
export function proftpdMissing(): string | undefined {
  return existsSync(program) && existsSync(sftpModule)
    ? undefined
    : `${program} with mod_sftp is not there, and its column is left out: apt-get install proftpd-core proftpd-mod-crypto`;
}

/** What it says of itself. */
export async function proftpdVersion(): Promise<string> {
  const { stdout, stderr } = await run(program, ['--version']);
  return `${stdout}${stderr}`.trim();
}

/** ProFTPD with the keys of a scpd, which its user reaches as the user who runs this. It waits for no disk, as sshd. */
export async function startProftpd(cleanup: Cleanup, keys: PeerKeys, below: string): Promise<Peer> {
  const place = join(below, `proftpd-${process.pid}`);
  const directory = join(place, 'files');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const port = await freePort();
  const configuration = join(place, 'proftpd.conf');
  const group = (await run('id', ['-gn'])).stdout.trim();
  writeFileSync(configuration, `${settings({ place, port, keys, group }).join('\n')}\n`);
  await writeUser(place, directory, keys);
  const began = performance.now();
  const child = spawn(program, ['-n', '-q', '-c', configuration], { stdio: ['ignore', 'ignore', 'pipe'] });
  let complaints = '';
  child.stderr.on('data', (bytes: Buffer) => (complaints += bytes.toString('utf8')));
  cleanup.teardown(() => end(child));
  await accepts(port, () => `ProFTPD does not start: ${complaints}`);
  return {
    name: proftpdName,
    port,
    user: userInfo().username,
    pid: child.pid ?? 0,
    directory,
    isWithoutShell: true,
    path: (name) => join(directory, name),
    readyMs: performance.now() - began,
    keys,
  };
}

interface Facts {
  readonly place: string;
  readonly port: number;
  readonly keys: PeerKeys;
  /** The name of the group of who runs this. */
  readonly group: string;
}

function settings({ place, port, keys, group }: Facts): string[] {
  const { username } = userInfo();
  return [
    'LoadModule mod_sftp.c',
    'ServerType standalone',
    'DefaultAddress 127.0.0.1',
    `Port ${port}`,
    'UseIPv6 off',
    `User ${username}`,
    `Group ${group}`,
    'RootLogin on',
    'RequireValidShell off',
    'UseFtpUsers off',
    'WtmpLog off',
    'TransferLog none',
    `SystemLog ${join(place, 'log')}`,
    `PidFile ${join(place, 'pid')}`,
    `ScoreboardFile ${join(place, 'scoreboard')}`,
    // It makes logins wait, so that their time does not tell whether there is such a user.
    'DelayEngine off',
    'AuthOrder mod_auth_file.c',
    `AuthUserFile ${join(place, 'passwd')}`,
    'AllowOverwrite on',
    'MaxInstances 1000',
    'SFTPEngine on',
    'SFTPAuthMethods publickey',
    `SFTPAuthorizedUserKeys file:${join(place, 'authorized')}`,
    ...['ed25519', 'ecdsa', 'rsa'].map(
      (type) => `SFTPHostKey ${join(keys.hostDirectory, `ssh_host_${type}_key`)}`,
    ),
  ];
}

/** The one user, and the key in the form that it reads. */
async function writeUser(place: string, directory: string, keys: PeerKeys): Promise<void> {
  const { username, uid, gid } = userInfo();
  const noPassword = `$1$${'x'.repeat(8)}$${'.'.repeat(22)}`;
  const user = `${username}:${noPassword}:${uid}:${gid}::${directory}:/bin/sh\n`;
  writeFileSync(join(place, 'passwd'), user, { mode: 0o600 });
  const { stdout } = await run('ssh-keygen', ['-e', '-m', 'RFC4716', '-f', `${keys.client}.pub`]);
  writeFileSync(join(place, 'authorized'), stdout, { mode: 0o600 });
}
