/** Goal: sessions learn how their client left, connections end in time, and closing the server leaves nothing behind. */
import { connect } from 'node:net';
import t from 'tap';
import { pino } from 'pino';
import type { StartSession } from '../../src/session/start.ts';
import { checkSsh2 } from '../../src/ssh/ssh2-check.ts';
import { wireString, wireUint32 } from '../../src/users/wire.ts';
import { eventually, keys, listeningServer, startServer } from '../support/ssh-harness.ts';

const host = 'alice@127.0.0.1';

/** A session that notes how its input ended. */
function noting(endings: string[]): StartSession {
  return async (_request, channel) => {
    let bytes = 0;
    try {
      for await (const chunk of channel.input) bytes += chunk.length;
      endings.push(`end after ${bytes}`);
    } catch (error) {
      endings.push(
        `${error instanceof Error && 'code' in error ? String(error.code) : 'other'} after ${bytes}`,
      );
    }
    await channel.write(Buffer.from('x')).catch((error: unknown) => {
      endings.push(error instanceof Error && 'code' in error ? `write: ${String(error.code)}` : 'other');
    });
    await channel.finish(0);
    endings.push('finished');
  };
}

for (const [how, expected] of [
  ['vanishes', ['CONNECTION_LOST after 5', 'write: CONNECTION_LOST', 'finished']],
  [
    'closes the channel without end of file',
    ['CONNECTION_LOST after 5', 'write: CONNECTION_LOST', 'finished'],
  ],
  ['closes the channel after end of file', ['end after 5', 'write: CONNECTION_LOST', 'finished']],
  ['says goodbye', ['CONNECTION_LOST after 5', 'write: CONNECTION_LOST', 'finished']],
  ['breaks the protocol', ['CONNECTION_LOST after 5', 'write: CONNECTION_LOST', 'finished']],
  ['ends its file and stays', ['end after 5', 'finished']],
] as const) {
  await t.test(`a client that ${how}`, async (t) => {
    const endings: string[] = [];
    const server = await startServer(t, { startSession: noting(endings) });
    const client = await server.hostile();
    await client.logIn('alice', keys.ed25519);
    const channel = await client.openSession();
    await client.exec(channel, 'note');
    client.sendData(channel, 'bytes');
    if (how.includes('after end') || how.startsWith('ends')) client.send(96, wireUint32(channel));
    if (how.startsWith('closes')) client.send(97, wireUint32(channel));
    if (how === 'says goodbye') client.send(1, wireUint32(11), wireString(''), wireString(''));
    if (how === 'breaks the protocol') client.send(94);
    if (how === 'vanishes') client.socket.end(() => client.destroy());
    if (how.startsWith('ends')) {
      await client.next(97);
      client.send(97, wireUint32(channel));
    }
    await eventually(() => endings.includes('finished'), 'the session');
    t.same(endings, expected);
    if (how.startsWith('closes'))
      t.equal((await client.next(97)).readUInt32BE(1), 0, 'our close is the answer');
  });
}

t.test('an idle connection ends, with words; one that moves does not', async (t) => {
  const server = await startServer(t, { limits: { idleSeconds: 1 } });
  const idle = await server.hostile();
  await idle.logIn('alice', keys.ed25519);
  const busy = await server.hostile();
  await busy.logIn('alice', keys.ed25519);
  const channel = await busy.openSession();
  await busy.exec(channel, 'cat');
  const moving = setInterval(() => busy.sendData(channel, 'x'), 20);
  t.teardown(() => clearInterval(moving));
  t.match((await idle.next(1)).toString('latin1'), /idle for too long/);
  await idle.closed();
  t.notOk(busy.isClosed);
  clearInterval(moving);
  await busy.closed();
  t.same(
    (await server.until('connectionClosed', 2)).map(([{ reason }]) => reason),
    ['idle', 'idle'],
  );
});

t.test('a session that works while its client waits is not idle', async (t) => {
  const server = await startServer(t, {
    limits: { idleSeconds: 2 },
    startSession: async (_request, channel) => {
      await new Promise((resolve) => {
        setTimeout(resolve, 5000);
      });
      await channel.finish(0);
    },
  });
  t.equal((await server.ssh([host, 'fsync'])).code, 0);
});

t.test('closing waits for sessions that run, and refuses new ones', async (t) => {
  const server = await startServer(t);
  const client = await server.hostile();
  await client.logIn('alice', keys.ed25519);
  const channel = await client.openSession();
  await client.exec(channel, 'cat');
  const idle = await server.hostile();
  const stranger = await server.hostile();
  await idle.logIn('alice', keys.ed25519);
  const closing = server.server.close({ drainSeconds: 60 });
  t.match((await idle.next(1)).toString('latin1'), /shutting down/);
  await idle.closed();
  await stranger.closed();
  await t.rejects(client.openSession(1), { message: /reason 1/ });
  client.sendData(channel, 'still served');
  t.equal((await client.next(94)).subarray(9).toString(), 'still served');
  client.send(96, wireUint32(channel));
  await client.next(97);
  client.send(97, wireUint32(channel));
  await client.closed();
  await closing;
  const refused = connect({ host: '127.0.0.1', port: server.port });
  await t.resolves(new Promise((resolve) => refused.once('error', resolve)), 'nobody listens any more');
});

t.test('closing ends what still runs when the time is over', async (t) => {
  const endings: string[] = [];
  const server = await startServer(t, { startSession: noting(endings) });
  const client = await server.hostile();
  await client.logIn('alice', keys.ed25519);
  const channel = await client.openSession();
  await client.exec(channel, 'never ends');
  await server.server.close({ drainSeconds: 0.1 });
  t.same(endings, ['CONNECTION_LOST after 0', 'write: CONNECTION_LOST', 'finished']);
  t.match(server.of('connectionClosed'), [[{ reason: 'shutdown', login: { user: { name: 'alice' } } }]]);
});

t.test('closing waits for what sessions still do after their client is gone', async (t) => {
  let isDone = false;
  const server = await startServer(t, {
    startSession: async (_request, channel) => {
      await t.rejects(channel.input[Symbol.asyncIterator]().next());
      await new Promise((resolve) => {
        setTimeout(resolve, 1500);
      });
      isDone = true;
    },
  });
  const client = await server.hostile();
  await client.logIn('alice', keys.ed25519);
  await client.exec(await client.openSession(), 'cleans up');
  await server.server.close({ drainSeconds: 0 });
  t.ok(isDone);
});

t.test('events tell of a connection once each', async (t) => {
  const server = await startServer(t);
  await server.ssh([host, 'exit 0']);
  await server.until('connectionClosed');
  t.same(
    server.events.map(({ event }) => event),
    ['loginSucceeded', 'connectionClosed'],
  );
  const [facts] = server.of('connectionClosed')[0] ?? [];
  t.ok(facts !== undefined && facts.bytesReceived > 500 && facts.bytesSent > 500);
});

t.test('an audit that fails harms nobody', async (t) => {
  const fail = (): never => {
    throw new Error('the disk is full');
  };
  const log: string[] = [];
  const server = await listeningServer({
    hostKeys: [Buffer.from(keys.ed25519.privateKey)],
    limits: {
      loginGraceSeconds: 5,
      authAttempts: 3,
      connections: 9,
      connectionsPerIp: 9,
      connectionsPerUser: 9,
      unauthenticatedConnections: 9,
      idleSeconds: 9,
    },
    users: {
      find: () => Promise.reject(new Error('the directory is broken')),
      stillKnows: () => Promise.resolve(true),
    },
    startSession: () => Promise.resolve(),
    events: {
      connectionRefused: fail,
      loginSucceeded: fail,
      loginRefused: fail,
      requestRefused: fail,
      connectionClosed: fail,
    },
    log: pino({}, { write: (line: string) => void log.push(line) }),
  });
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  const { HostileClient } = await import('../support/hostile-client.ts');
  const client = await HostileClient.connect({ port });
  client.sendKey({ user: 'alice', key: keys.ed25519, signed: true });
  await client.closed();
  await server.close({ drainSeconds: 0 });
  t.match(log.join(''), /the disk is full/);
});

t.test('the installed ssh2 is the one that we know', async (t) => {
  await t.resolves(checkSsh2());
});

t.test('a port that is taken is an error for the operator', async (t) => {
  const server = await startServer(t);
  await t.rejects(server.server.listen({ host: '127.0.0.1', port: server.port }), Error);
});
