/** The programs that speak SCP, each behind the same two calls, with what it can't do said plainly. */
import { appendFileSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, type Finished, type RunOptions } from './clients.ts';
import { remote, type TestServer } from './server.ts';

/** A server, and what clients need to reach it. */
export interface Desk {
  readonly server: TestServer;
  /** A directory of the test's own. */
  readonly place: string;
  /** Ed25519, in OpenSSH's format. */
  readonly key: string;
  /** RSA, in PEM, for clients that know no other. */
  readonly rsaKey: string;
  /** ECDSA, in PEM, for JSch, which signs with RSA only by SHA-1. */
  readonly ecdsaKey: string;
}

export type Flag = '-r' | '-p';

export interface Transfer {
  readonly local: string;
  /** As the server sees it; each client quotes it in its own way. */
  readonly path: string;
  readonly flags?: readonly Flag[];
  readonly user?: string;
}

export type Behaviour = 'a tree up' | 'a tree down' | 'times up' | 'times down' | 'special names';

export interface ScpClientProgram {
  /** Also the name of its transcripts. */
  readonly name: string;
  /** The program that must be installed. */
  readonly program: string;
  /** Prints the version. */
  readonly version: readonly [program: string, ...parameters: string[]];
  /** What it does not do, and why. */
  readonly lacks?: Partial<Readonly<Record<Behaviour, string>>>;
  /** Names that it can't send or fetch as they are, and why. */
  readonly hardNames?: { readonly pattern: RegExp; readonly why: string };
  /** It puts a tree that it fetches into a directory of the given name, and not under that name. */
  readonly fetchesInto?: boolean;
  put(desk: Desk, transfer: Transfer): Promise<Finished>;
  get(desk: Desk, transfer: Transfer): Promise<Finished>;
}

/** For clients that hand the path to what they take for a shell. */
export const shellQuoted = (path: string): string => path.replaceAll(/[^\w./\u0080-\u{10ffff}-]/gu, '\\$&');

const host = '127.0.0.1';
const script = (name: string): string => fileURLToPath(new URL(`clients/${name}`, import.meta.url));

/** A script of ours that drives a library. */
function scripted(
  facts: Omit<ScpClientProgram, 'put' | 'get' | 'version'>,
  [interpreter, file]: readonly [string, string],
  keyOf: (desk: Desk) => string = ({ key }) => key,
): ScpClientProgram {
  const act = (action: string) => async (desk: Desk, transfer: Transfer) => {
    const { local, path, flags = [], user = 'demo' } = transfer;
    const words = [action, `-${flags.map((flag) => flag[1]).join('')}`, String(desk.server.port), user];
    return await run(interpreter, [script(file), ...words, keyOf(desk), local, path], {
      environment: { HOME: desk.place },
    });
  };
  return { ...facts, version: [interpreter, script(file), 'version'], put: act('put'), get: act('get') };
}

async function openssh(desk: Desk, parameters: readonly string[]): Promise<Finished> {
  return await desk.server.scp('scp', parameters);
}

/** PuTTY takes the fingerprint of the host key on the command line, and the key in its own format. */
async function pscp(desk: Desk, parameters: readonly string[]): Promise<Finished> {
  const { server, place, key } = desk;
  const ppk = join(place, 'key.ppk');
  await run('puttygen', [key, '-O', 'private', '-o', ppk]);
  const hostKey = join(server.place, 'keys', 'host', 'ssh_host_ed25519_key.pub');
  const { stdout } = await run('ssh-keygen', ['-l', '-f', hostKey]);
  const options = ['-scp', '-batch', '-noagent', '-P', String(server.port), '-i', ppk];
  return await run('pscp', [...options, '-hostkey', stdout.split(' ')[1] ?? '', ...parameters]);
}

/** scp starts what `-S` names with OpenSSH's options, of which dbclient knows few. */
async function dropbear(desk: Desk, parameters: readonly string[]): Promise<Finished> {
  const { place, server } = desk;
  const key = join(place, 'dropbear_key');
  await run('dropbearconvert', ['openssh', 'dropbear', desk.rsaKey, key]);
  const wrapper = join(place, 'dbclient-for-scp');
  const text = `#!/bin/sh
while [ $# -gt 0 ]; do
  case "$1" in
    -l) user=$2; shift 2;;
    -p) port=$2; shift 2;;
    -o) shift 2;;
    --) shift; break;;
    -*) shift;;
    *) break;;
  esac
done
exec dbclient -y -y -T -i '${key}' -p "$port" -l "$user" "$@"
`;
  writeFileSync(wrapper, text, { mode: 0o755 });
  return await run('scp', ['-O', '-S', wrapper, '-P', String(server.port), ...parameters], {
    environment: { HOME: place },
  });
}

/** For clients that look for it in the home directory. */
function placeKnownHosts({ server, place }: Desk): void {
  mkdirSync(join(place, '.ssh'), { recursive: true });
  copyFileSync(join(server.place, 'keys/demo/known_hosts'), join(place, '.ssh', 'known_hosts'));
}

async function curl(desk: Desk, parameters: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const { place, key } = desk;
  placeKnownHosts(desk);
  return await run('curl', ['-sS', '--key', key, '--pubkey', `${key}.pub`, ...parameters], {
    ...options,
    environment: { HOME: place },
  });
}

const jschWords = ['-cp', '/usr/share/java/jsch.jar', script('jsch-scp.java')];

const jsch = (action: string) => async (desk: Desk, transfer: Transfer) => {
  const { local, path, flags = [], user = 'demo' } = transfer;
  const { server, place, ecdsaKey } = desk;
  placeKnownHosts(desk);
  const words = [action, `-${flags.map((flag) => flag[1]).join('')}`, String(server.port), user];
  return await run('java', [...jschWords, ...words, ecdsaKey, local, path], {
    // It takes names for what the locale says.
    environment: { HOME: place, LC_ALL: 'C.UTF-8' },
  });
};

const url = ({ server }: Desk, path: string): string =>
  `scp://${host}:${server.port}/${path.split('/').map(encodeURIComponent).join('/')}`;

const singleFiles = {
  'a tree up': 'has no -r',
  'a tree down': 'has no -r',
  'times up': 'sends none',
  'times down': 'does not ask for them',
};

export const scpClients: readonly ScpClientProgram[] = [
  {
    name: 'openssh',
    program: 'scp',
    version: ['ssh', '-V'],
    put: (desk, { local, path, flags = [], user }) =>
      openssh(desk, [...flags, local, remote(shellQuoted(path), user)]),
    get: (desk, { local, path, flags = [], user }) =>
      openssh(desk, [...flags, remote(shellQuoted(path), user), local]),
  },
  {
    name: 'pscp',
    program: 'pscp',
    version: ['pscp', '-V'],
    // It takes a backslash in a source for a wildcard's, and drops one from each path in a target.
    hardNames: { pattern: /\\|[*?[]/, why: 'a backslash, * ? and [ are its wildcards’' },
    put: (desk, { local, path, flags = [], user = 'demo' }) =>
      pscp(desk, [...flags, local, `${user}@${host}:${shellQuoted(path)}`]),
    get: (desk, { local, path, flags = [], user = 'demo' }) =>
      pscp(desk, ['-unsafe', ...flags, `${user}@${host}:${shellQuoted(path)}`, local]),
  },
  {
    name: 'dropbear',
    program: 'dbclient',
    version: ['dbclient', '-V'],
    put: (desk, { local, path, flags = [], user }) =>
      dropbear(desk, [...flags, local, remote(shellQuoted(path), user)]),
    get: (desk, { local, path, flags = [], user }) =>
      dropbear(desk, [...flags, remote(shellQuoted(path), user), local]),
  },
  {
    name: 'curl',
    program: 'curl',
    version: ['curl', '-V'],
    lacks: singleFiles,
    put: (desk, { local, path, user = 'demo' }) =>
      curl(desk, ['-u', `${user}:`, '-T', local, url(desk, path)]),
    get: (desk, { local, path, user = 'demo' }) =>
      curl(desk, ['-u', `${user}:`, '-o', local, url(desk, path)]),
  },
  scripted({ name: 'scp.py', program: '/usr/bin/python3' }, ['/usr/bin/python3', 'paramiko_scp.py']),
  scripted(
    {
      name: 'asyncssh',
      program: '/usr/bin/python3',
      lacks: { 'special names': 'sends the path as it is; to quote it is its caller’s matter' },
    },
    ['/usr/bin/python3', 'asyncssh_scp.py'],
  ),
  scripted(
    { name: 'net-scp', program: '/usr/bin/ruby', fetchesInto: true },
    ['/usr/bin/ruby', 'net_scp.rb'],
    ({ rsaKey }) => rsaKey,
  ),
  scripted({ name: 'net-ssh2', program: 'perl', lacks: singleFiles }, ['perl', 'net_ssh2.pl']),
  {
    name: 'jsch',
    program: 'java',
    version: ['java', ...jschWords, 'version'],
    lacks: {
      'a tree up': 'leaves SCP to its caller; its examples have no -r',
      'a tree down': 'leaves SCP to its caller; its examples have no -r',
    },
    put: jsch('put'),
    get: jsch('get'),
  },
];

/** Makes the keys that "init" has not made, and lets them log in. */
export async function setDesk(server: TestServer, place: string): Promise<Desk> {
  const makeKey = async (...type: string[]): Promise<string> => {
    const path = join(place, `id_${type[0]}`);
    await run('ssh-keygen', ['-q', '-t', ...type, '-m', 'PEM', '-N', '', '-f', path]);
    const keys = join(server.place, 'keys', 'users', 'demo');
    appendFileSync(keys, readFileSync(`${path}.pub`));
    return path;
  };
  const rsaKey = await makeKey('rsa', '-b', '2048');
  const ecdsaKey = await makeKey('ecdsa');
  return { server, place, rsaKey, ecdsaKey, key: join(server.place, 'keys', 'demo', 'id_ed25519') };
}

/** The first line of what the program says of itself. */
export async function versionOf(client: ScpClientProgram): Promise<string> {
  const [program, ...parameters] = client.version;
  const { stdout, stderr } = await run(program, parameters);
  const line = (stdout + stderr).trim().split('\n')[0] ?? '';
  const shown = line.replace(/\(x86_64[^)]*\).*?(libssh2\/[\d.]+).*/, '$1').replace(/,? +OpenSSL.*/, '');
  return client.name === 'dropbear'
    ? `scp -S dbclient, ${shown}`
    : client.name === 'openssh'
      ? `scp -O, ${shown}`
      : shown.replace('pscp: Release', 'PuTTY pscp -scp');
}
