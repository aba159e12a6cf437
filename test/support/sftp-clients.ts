/** How real clients other than OpenSSH's are driven: keys, host keys and options in the form that each of them wants. */
import type { Test } from 'tap';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, type Finished, type RunOptions } from './clients.ts';
import { startServer, type ServerOptions, type TestServer } from './server.ts';

export const host = '127.0.0.1';

/** A server, and a place for a client's own files. */
export interface Desk {
  readonly server: TestServer;
  readonly place: string;
  readonly key: string;
  readonly user: string;
  /** Kills the client that is running when it is aborted. */
  readonly kill?: AbortSignal;
}

/** A desk of the user "demo", who may do everything. */
export async function setDesk(t: Test, options?: ServerOptions): Promise<Desk> {
  const place = mkdtempSync(join(tmpdir(), 'scpd-desk-'));
  t.teardown(() => rmSync(place, { recursive: true, force: true }));
  const server = await startServer(t, options);
  const desk = { server, place, key: join(server.place, 'keys', 'demo', 'id_ed25519'), user: 'demo' };
  // Several clients look into the home directory and nowhere else.
  mkdirSync(join(place, '.ssh'), { mode: 0o700 });
  copyFileSync(join(server.place, 'keys/demo/known_hosts'), join(place, '.ssh', 'known_hosts'));
  return desk;
}

export async function psftp(desk: Desk, batch: string): Promise<Finished> {
  const script = join(desk.place, 'psftp-batch');
  writeFileSync(script, batch);
  const options = await puttyOptions(desk);
  return await run('psftp', [...options, '-b', script, `${desk.user}@${host}`], {
    cwd: desk.place,
    kill: desk.kill,
  });
}

export async function pscp(
  desk: Desk,
  parameters: readonly string[],
  mode: '-sftp' | '-scp' = '-sftp',
): Promise<Finished> {
  return await run('pscp', [mode, ...(await puttyOptions(desk)), ...parameters], { cwd: desk.place });
}

/** PuTTY takes the fingerprint of the host key on the command line, and the key in its own format. */
async function puttyOptions({ server, place, key }: Desk): Promise<string[]> {
  const ppk = join(place, 'key.ppk');
  await run('puttygen', [key, '-O', 'private', '-o', ppk]);
  const hostKey = join(server.place, 'keys', 'host', 'ssh_host_ed25519_key.pub');
  const { stdout } = await run('ssh-keygen', ['-l', '-f', hostKey]);
  const fingerprint = stdout.split(' ')[1] ?? '';
  return ['-batch', '-noagent', '-P', String(server.port), '-i', ppk, '-hostkey', fingerprint];
}

/** @param parameters `URL/` in front of a path is replaced by the address of the server */
export async function curl(
  { server, place, key, user, kill }: Desk,
  parameters: readonly string[],
): Promise<Finished> {
  const words = parameters.map((word) => word.replace(/^URL\//, `sftp://${host}:${server.port}/`));
  const login = ['-sS', '-u', `${user}:`, '--key', key, '--pubkey', `${key}.pub`];
  return await run('curl', [...login, ...words], { environment: { HOME: place }, cwd: place, kill });
}

export async function rclone(
  { server, place, key, user, kill }: Desk,
  parameters: readonly string[],
  environment: Readonly<Record<string, string>> = { RCLONE_CONFIG_BOX_SHELL_TYPE: 'none' },
): Promise<Finished> {
  return await run('rclone', [...parameters, '--config', join(place, 'none'), '--retries', '1'], {
    cwd: place,
    kill,
    environment: {
      HOME: place,
      RCLONE_CONFIG_BOX_TYPE: 'sftp',
      RCLONE_CONFIG_BOX_HOST: host,
      RCLONE_CONFIG_BOX_PORT: String(server.port),
      RCLONE_CONFIG_BOX_USER: user,
      RCLONE_CONFIG_BOX_KEY_FILE: key,
      RCLONE_CONFIG_BOX_KNOWN_HOSTS_FILE: join(server.place, 'keys/demo/known_hosts'),
      ...environment,
    },
  });
}

export async function lftp({ server, place, user, kill }: Desk, commands: string): Promise<Finished> {
  const connect = `ssh -a -x ${server.sshOptions.join(' ')}`;
  const settings = `set sftp:connect-program "${connect}"; set net:max-retries 1; set cmd:fail-exit yes`;
  const script = `${settings}; open -u ${user}, -p ${server.port} sftp://${host}; ${commands}`;
  return await run('lftp', ['--norc', '-c', script], { environment: { HOME: place }, cwd: place, kill });
}

/** Runs a program in which `HOST`, `PORT`, `USER`, `KEY` and `KNOWN_HOSTS` of the environment say where to go. */
export async function runScript(
  desk: Desk,
  [program = '', ...parameters]: readonly string[],
  options: RunOptions = {},
): Promise<Finished> {
  return await run(program, parameters, {
    cwd: desk.place,
    ...options,
    environment: {
      HOME: desk.place,
      SFTP_HOST: host,
      SFTP_PORT: String(desk.server.port),
      SFTP_USER: desk.user,
      SFTP_KEY: desk.key,
      SFTP_KNOWN_HOSTS: join(desk.server.place, 'keys/demo/known_hosts'),
      ...options.environment,
    },
  });
}

/** A program `ssh` that needs no options: for clients that can only be told a command, or look for one. */
export function sshProgram({ server, place }: Desk): string {
  const path = join(place, 'ssh-to-test');
  const options = server.sshOptions.map((word) => `'${word}'`).join(' ');
  writeFileSync(path, `#!/bin/sh\nexec ssh ${options} -p ${server.port} "$@"\n`);
  chmodSync(path, 0o755);
  return path;
}
