/**
 * Goal: whatever is to hold for a whole server holds when four processes serve it. Method: each limit and each right is tried
 * by many clients at once, which the supervisor spreads over its workers, and what came of all of them is counted.
 */
import t from 'tap';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServerStatus } from '../../src/observe/status.ts';
import { runCli } from '../support/cli.ts';
import { missing } from '../support/clients.ts';
import { writeRandom } from '../support/content.ts';
import { holdSession } from '../support/processes/held-session.ts';
import { remote, startServer, type TestServer } from '../support/server.ts';

const skip = missing('scp');
const attempts = 8;
const numbers = Array.from({ length: attempts }, (_, index) => index);
const protocolOf = (index: number): 'scp' | 'sftp' => (index % 2 === 0 ? 'scp' : 'sftp');

async function statusOf(server: TestServer): Promise<ServerStatus> {
  return JSON.parse((await runCli(['status', '--json'], server.place)).stdout) as ServerStatus;
}

t.test('four workers are cheated', { skip }, async (t) => {
  const server = await startServer(t, {
    settings: { workers: 4 },
    limits: { connectionsPerUser: 3, connectionsPerIp: 40 },
    users: {
      capped: {},
      quoted: { quota: { bytes: 5_000_000 } },
      box: { preset: 'drop-box' },
      other: { preset: 'drop-box', root: '../var/box' },
      ...Object.fromEntries(
        numbers.map((index) => [`sender-${index}`, { preset: 'drop-box', root: '../var/box' }]),
      ),
      ...Object.fromEntries(numbers.map((index) => [`writer-${index}`, { root: '../var/capped' }])),
    },
  });
  const place = mkdtempSync(join(tmpdir(), 'scpd-cheat-'));
  t.teardown(() => rmSync(place, { recursive: true, force: true }));
  const files = numbers.map((index) => join(place, `file-${index}`));
  for (const file of files) writeRandom(file, 1_000_000);
  const contents = files.map((file) => readFileSync(file));
  const stored = (name: string, user: string): number =>
    contents.findIndex((content) => content.equals(readFileSync(server.stored(name, user))));
  const send = async (index: number, name: string, user: string): Promise<boolean> =>
    (await server.scp(protocolOf(index), [files[index] ?? '', remote(name, user)])).status === 0;

  await t.test('connections of one user', async (t) => {
    const sessions = numbers.map(() => holdSession(server, 'capped'));
    const areIn = await Promise.all(sessions.map(({ isIn }) => isIn));
    t.equal(areIn.filter(Boolean).length, 3);
    const { workers } = await statusOf(server);
    t.ok(workers.filter(({ connections }) => connections > 0).length > 1, 'they are in several workers');
    await Promise.all(sessions.map((session) => session.end()));
    t.ok(await send(0, 'later', 'capped'), 'the places became free');
  });

  await t.test('connections of one address', async (t) => {
    const sockets = Array.from({ length: 60 }, () => helloFrom(server, '127.0.0.2'));
    const served = await Promise.all(sockets.map(({ isServed }) => isServed));
    t.equal(served.filter(Boolean).length, 40);
    t.ok(await send(0, 'from-elsewhere', 'capped'), 'another address may');
    for (const { socket } of sockets) socket.destroy();
  });

  await t.test('a quota', async (t) => {
    await Promise.all(numbers.map((index) => send(index, `at-once-${index}`, 'quoted')));
    const bytesStored = (): number =>
      readdirSync(server.stored('', 'quoted')).filter((name) => !name.startsWith('.')).length * 1_000_000;
    t.ok(bytesStored() <= 5_000_000);
    for (const index of numbers) await send(index, `one-by-one-${index}`, 'quoted');
    t.equal(bytesStored(), 5_000_000, 'all of it can be used, and no more');
    const usage = (await statusOf(server)).users.find(({ name }) => name === 'quoted')?.usage;
    t.match(usage, { bytes: 5_000_000, reservedBytes: 0 });
  });

  await t.test('one name, which only one may create', async (t) => {
    const sent = await Promise.all(numbers.map((index) => send(index, 'one', `sender-${index}`)));
    t.equal(sent.filter(Boolean).length, 1);
    t.equal(stored('one', 'box'), sent.indexOf(true), 'it is the file of who was told so');
  });

  await t.test('one name, which all may overwrite', async (t) => {
    const sent = await Promise.all(numbers.map((index) => send(index, 'all', `writer-${index}`)));
    t.equal(sent.filter(Boolean).length, attempts);
    t.not(stored('all', 'capped'), -1, 'one of them, whole');
  });

  await t.test("what is somebody's own", async (t) => {
    t.ok(await send(0, 'mine', 'box'));
    const thieves = await Promise.all(
      numbers.map((index) => server.sftp(`rename mine stolen-${index}\n`, `sender-${index}`)),
    );
    t.ok(thieves.every(({ status }) => status !== 0));
    const owners = await Promise.all(
      [0, 1, 2].map((index) => server.sftp(`rename mine renamed-${index}\n`, 'box')),
    );
    t.equal(owners.filter(({ status }) => status === 0).length, 1, 'only one rename finds it');
    t.equal(readdirSync(server.stored('', 'box')).filter((name) => name.startsWith('renamed')).length, 1);
    t.ok(await send(1, 'mine', 'other'), 'the name is free');
    const before = await Promise.all([0, 1, 2].map(() => server.sftp('rm mine\n', 'box')));
    t.ok(
      before.every(({ status }) => status !== 0),
      'whose it was may not remove what is there now',
    );
    t.equal(stored('mine', 'box'), 1);
    t.match(await server.sftp('rm mine\n', 'other'), { status: 0 });
    t.notOk(existsSync(server.stored('mine', 'box')));
  });
});

/** Begins to speak SSH, and tells whether anybody answers. */
function helloFrom(
  server: TestServer,
  localAddress: string,
): { readonly socket: Socket; readonly isServed: Promise<boolean> } {
  const socket = connect({ host: '127.0.0.1', port: server.port, localAddress });
  socket.write('SSH-2.0-test\r\n');
  const isServed = new Promise<boolean>((resolve) => {
    socket.once('data', () => resolve(true));
    socket.on('error', () => resolve(false));
    socket.once('close', () => resolve(false));
  });
  return { socket, isServed };
}
