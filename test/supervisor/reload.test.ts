/** Goal: a reload holds for who comes and ends only who may not be there any more; a drain is seen, and harms nobody. */
import t from 'tap';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServerStatus } from '../../src/observe/status.ts';
import { runCli } from '../support/cli.ts';
import { missing } from '../support/clients.ts';
import { sha256Of, writeRandom } from '../support/content.ts';
import { holdSession } from '../support/processes/held-session.ts';
import { isProcessThere, signal, until } from '../support/processes/until.ts';
import { remote, startServer, type TestServer } from '../support/server.ts';

const skip = missing('scp');

const configOf = (server: TestServer): string => join(server.place, 'config/scpd.json');

/** Changes the configuration and has it read. */
async function reload(server: TestServer, from: string | RegExp, to: string): Promise<void> {
  const before = readFileSync(configOf(server), 'utf8');
  const after = before.replace(from, to);
  if (after === before) throw new Error(`nothing like ${String(from)} is in the configuration`);
  writeFileSync(configOf(server), after);
  const { exitCode, stderr } = await runCli(['reload'], server.place);
  if (exitCode !== 0) throw new Error(stderr);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await until(() => server.listening, 'a port');
  const { port } = server.address() as { readonly port: number };
  server.close();
  return port;
}

async function answers(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

/** Of all connections. */
async function usersOf(server: TestServer): Promise<(string | null)[]> {
  const { stdout } = await runCli(['status', '--json'], server.place);
  return (JSON.parse(stdout) as ServerStatus).connections.map(({ user }) => user);
}

async function health(server: TestServer) {
  const { stdout } = await runCli(['status', '--json'], server.place);
  const { port } = (JSON.parse(stdout) as ServerStatus).health ?? { port: 0 };
  return async (path: string): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return `${response.status} ${await response.text()}`;
  };
}

for (const workers of [0, 2]) {
  t.test(`who may not be there any more is sent away (workers: ${workers})`, { skip }, async (t) => {
    const server = await startServer(t, {
      settings: { workers },
      users: { removed: {}, revoked: { authorizedKeys: '../keys/users/revoked' } },
      prepare: (place) => copyFileSync(join(place, 'keys/users/demo'), join(place, 'keys/users/revoked')),
    });
    const place = mkdtempSync(join(tmpdir(), 'scpd-reload-'));
    t.teardown(() => rmSync(place, { recursive: true, force: true }));
    const file = join(place, 'file');
    writeRandom(file, 4_000_000);
    const [removed, revoked, kept] = ['removed', 'revoked', 'demo'].map((user) => holdSession(server, user));
    for (const session of [removed, revoked, kept]) t.ok(await session?.isIn);
    const old = server.workers;
    const slow = server.scp('scp', ['-l', '10000', file, remote('slow')]);
    await until(() => server.staged().length === 1, 'the upload');
    writeFileSync(join(server.place, 'keys/users/revoked'), '');
    await reload(server, '"removed"', '"somebody"');
    await until(
      async () => (await usersOf(server)).every((user) => user === 'demo'),
      'the end of the others',
    );
    t.not(await removed?.end('ls'), 0, 'a removed user');
    t.not(await revoked?.end('ls'), 0, 'a revoked key');
    t.not((await server.sftp('pwd\n', 'removed')).status, 0);
    t.match(await kept?.run('pwd'), /Remote working directory/, 'who may be there stays');
    const { status, stderr } = await slow;
    t.equal(status, 0, stderr);
    t.equal(await sha256Of(server.stored('slow')), await sha256Of(file), 'a transfer under way is finished');
    t.equal(await kept?.end(), 0);
    await until(() => !old.some(isProcessThere), 'the end of the old workers');
    t.equal((await server.sftp('pwd\n')).status, 0);
  });
}

t.test('listeners come and go', { skip }, async (t) => {
  const server = await startServer(t, { settings: { workers: 1 } });
  const session = holdSession(server, 'demo');
  t.ok(await session.isIn);
  const [first, second] = [server.port, await freePort()];
  const listener = `{ "host": "127.0.0.1", "port": ${second} }`;
  await reload(server, '"listen": [', `"listen": [ ${listener}, `);
  t.ok(await answers(first));
  t.ok(await answers(second));
  await reload(server, /"listen": \[[^\]]*\]/, `"listen": [${listener}]`);
  t.notOk(await answers(first));
  server.knowHostAt(second);
  t.equal((await server.sftp('pwd\n', 'demo', { port: second })).status, 0);
  t.match(await session.run('pwd'), /Remote working directory/, 'connections are not their listeners');
  t.equal(await session.end(), 0);
});

t.test('a drain is seen, and what is under way is finished', { skip }, async (t) => {
  const server = await startServer(t, { settings: { workers: 2, health: { port: 0 } } });
  const place = mkdtempSync(join(tmpdir(), 'scpd-reload-'));
  t.teardown(() => rmSync(place, { recursive: true, force: true }));
  const file = join(place, 'file');
  writeRandom(file, 3_000_000);
  const get = await health(server);
  t.equal(await get('/readyz'), '200 ready\n');
  const slow = server.scp('sftp', ['-l', '10000', file, remote('slow')]);
  await until(() => server.staged().length === 1, 'the upload');
  const ended = server.end('SIGTERM');
  await until(async () => (await get('/readyz')).startsWith('503'), 'the drain');
  t.match(await get('/readyz'), /^503 stopping$/m);
  t.equal(await get('/healthz'), '200 alive\n');
  t.notOk(await answers(server.port), 'nobody new');
  t.equal((await slow).status, 0);
  t.equal(await sha256Of(server.stored('slow')), await sha256Of(file));
  t.same(await ended, { status: 0, signal: null });
});

t.test('transfers that end with their worker are counted', { skip }, async (t) => {
  const server = await startServer(t, { settings: { workers: 1, health: { port: 0 } } });
  const place = mkdtempSync(join(tmpdir(), 'scpd-reload-'));
  t.teardown(() => rmSync(place, { recursive: true, force: true }));
  const file = join(place, 'file');
  writeRandom(file, 3_000_000);
  const get = await health(server);
  const slow = server.scp('scp', ['-l', '10000', file, remote('slow')]);
  // Only what the supervisor was told of can it count, and that takes some milliseconds.
  const isBegun = (): boolean =>
    server.records().some(({ operation, phase }) => operation === 'upload' && phase === 'begin');
  await until(isBegun, 'the record of its beginning');
  signal(server.workers[0], 'SIGKILL');
  t.not((await slow).status, 0);
  await until(
    async () => /^scpd_transfers_total\{.*verdict="aborted"\} 1$/m.test(await get('/metrics')),
    'the count',
    5000,
  );
  t.match(await get('/metrics'), /^scpd_worker_deaths_total 1$/m);
  t.notOk(existsSync(server.stored('slow')));
});
