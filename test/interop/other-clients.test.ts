/** Goal: clients other than OpenSSH's send and fetch a file whole, replace it, and see failures as failures. */
import t, { type Test } from 'tap';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missing, run, type Finished } from '../support/clients.ts';
import { sha256Of, writeRandom } from '../support/content.ts';
import { startServer, type TestServer } from '../support/server.ts';

interface Client {
  readonly name: string;
  readonly program: string;
  /** What the record says of a complete upload. */
  readonly verdict: 'verified' | 'closed';
  /** It makes missing directories itself. */
  readonly makesDirectories?: boolean;
  put(desk: Desk, local: string, path: string): Promise<Finished>;
  get(desk: Desk, path: string, local: string): Promise<Finished>;
}

/** A server, and what clients need to reach it: keys and host keys in the forms that each of them wants. */
interface Desk {
  readonly server: TestServer;
  readonly place: string;
  readonly key: string;
}

const host = '127.0.0.1';

async function pscp(desk: Desk, mode: string, parameters: readonly string[]): Promise<Finished> {
  return await run('pscp', [mode, ...(await puttyOptions(desk)), ...parameters]);
}

async function psftp(desk: Desk, batch: string): Promise<Finished> {
  const script = join(desk.place, 'psftp-batch');
  writeFileSync(script, batch);
  return await run('psftp', [...(await puttyOptions(desk)), '-b', script, `demo@${host}`]);
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

/** curl looks for known_hosts in the home directory. */
async function curl({ server, place, key }: Desk, parameters: readonly string[]): Promise<Finished> {
  mkdirSync(join(place, '.ssh'), { recursive: true });
  writeFileSync(
    join(place, '.ssh', 'known_hosts'),
    readFileSync(join(server.place, 'keys/demo/known_hosts')),
  );
  const keys = ['--key', key, '--pubkey', `${key}.pub`];
  return await run('curl', ['-sS', '-u', 'demo:', ...keys, ...parameters], { environment: { HOME: place } });
}

async function rclone({ server, place, key }: Desk, parameters: readonly string[]): Promise<Finished> {
  return await run('rclone', [...parameters, '--config', join(place, 'none')], {
    environment: {
      RCLONE_CONFIG_BOX_TYPE: 'sftp',
      RCLONE_CONFIG_BOX_HOST: host,
      RCLONE_CONFIG_BOX_PORT: String(server.port),
      RCLONE_CONFIG_BOX_USER: 'demo',
      RCLONE_CONFIG_BOX_KEY_FILE: key,
      RCLONE_CONFIG_BOX_KNOWN_HOSTS_FILE: join(server.place, 'keys/demo/known_hosts'),
      RCLONE_CONFIG_BOX_SHELL_TYPE: 'none',
    },
  });
}

async function lftp({ server, place }: Desk, commands: string): Promise<Finished> {
  const connect = `ssh -a -x ${server.sshOptions.join(' ')}`;
  const script = `set sftp:connect-program "${connect}"; set net:max-retries 1; open -u demo, -p ${server.port} sftp://${host}; ${commands}`;
  return await run('lftp', ['--norc', '-c', script], { environment: { HOME: place } });
}

const clients: readonly Client[] = [
  {
    name: 'pscp -scp',
    program: 'pscp',
    verdict: 'verified',
    put: (desk, local, path) => pscp(desk, '-scp', [local, `demo@${host}:${path}`]),
    get: (desk, path, local) => pscp(desk, '-scp', [`demo@${host}:${path}`, local]),
  },
  {
    name: 'pscp -sftp',
    program: 'pscp',
    verdict: 'closed',
    put: (desk, local, path) => pscp(desk, '-sftp', [local, `demo@${host}:${path}`]),
    get: (desk, path, local) => pscp(desk, '-sftp', [`demo@${host}:${path}`, local]),
  },
  {
    name: 'psftp',
    program: 'psftp',
    verdict: 'closed',
    put: (desk, local, path) => psftp(desk, `put ${local} ${path}\n`),
    get: (desk, path, local) => psftp(desk, `get ${path} ${local}\n`),
  },
  {
    name: 'curl scp://',
    program: 'curl',
    verdict: 'verified',
    put: (desk, local, path) => curl(desk, ['-T', local, `scp://${host}:${desk.server.port}/${path}`]),
    get: (desk, path, local) => curl(desk, ['-o', local, `scp://${host}:${desk.server.port}/${path}`]),
  },
  {
    name: 'curl sftp://',
    program: 'curl',
    verdict: 'closed',
    put: (desk, local, path) => curl(desk, ['-T', local, `sftp://${host}:${desk.server.port}/${path}`]),
    get: (desk, path, local) => curl(desk, ['-o', local, `sftp://${host}:${desk.server.port}/${path}`]),
  },
  {
    name: 'rclone',
    program: 'rclone',
    verdict: 'closed',
    makesDirectories: true,
    put: (desk, local, path) => rclone(desk, ['copyto', '--ignore-times', local, `box:${path}`]),
    get: (desk, path, local) => rclone(desk, ['copyto', `box:${path}`, local]),
  },
  {
    name: 'lftp',
    program: 'lftp',
    verdict: 'closed',
    put: (desk, local, path) => lftp(desk, `put ${local} -o ${path}`),
    get: (desk, path, local) => lftp(desk, `get ${path} -o ${local}`),
  },
];

async function setDesk(t: Test): Promise<Desk> {
  const place = mkdtempSync(join(tmpdir(), 'scpd-others-'));
  t.teardown(() => rmSync(place, { recursive: true, force: true }));
  const server = await startServer(t);
  return { server, place, key: join(server.place, 'keys', 'demo', 'id_ed25519') };
}

t.test('other clients', async (t) => {
  const desk = await setDesk(t);
  const { server, place } = desk;
  writeRandom(join(place, 'long'), 3_000_000);
  writeRandom(join(place, 'short'), 5000);
  for (const client of clients) {
    await t.test(client.name, { skip: missing(client.program) }, async (t) => {
      const path = `by-${client.name.replaceAll(/\W/g, '')}`;
      for (const name of ['long', 'short']) {
        const up = await client.put(desk, join(place, name), path);
        t.equal(up.status, 0, `${name} up: ${up.stderr}${up.stdout}`);
        t.equal(await sha256Of(server.stored(path)), await sha256Of(join(place, name)), 'same bytes');
        const down = await client.get(desk, path, join(place, `back-${path}-${name}`));
        t.equal(down.status, 0, `${name} down: ${down.stderr}${down.stdout}`);
        t.equal(
          await sha256Of(join(place, `back-${path}-${name}`)),
          await sha256Of(join(place, name)),
          'same bytes',
        );
      }
      const record = server.records().findLast(({ operation }) => operation === 'upload');
      t.match(record, { outcome: 'done', bytes: 5000, verdict: client.verdict });
      t.not((await client.get(desk, 'nothing-of-that-name', join(place, 'none'))).status, 0);
      const astray = await client.put(desk, join(place, 'short'), `no/${path}/place`);
      if (client.makesDirectories !== true)
        t.not(astray.status, 0, `a missing directory: ${astray.stdout}${astray.stderr}`);
    });
  }
  t.strictSame(server.staged(), []);
});
