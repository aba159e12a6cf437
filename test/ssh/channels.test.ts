/**
 * Goal: nobody gets more than sessions, and no channel message, however wrong, does more than end its own connection.
 * Method: a logged-in client that makes every message by hand.
 */
import t from 'tap';
import { wireString, wireUint32 } from '../../src/users/wire.ts';
import { HostileClient } from '../support/hostile-client.ts';
import { eventually, keys, startServer } from '../support/ssh-harness.ts';
import type { Harness, HarnessOptions, Test } from '../support/ssh-harness.ts';

const granted = 99;
const refused = 100;

async function loggedIn(
  t: Test,
  options?: HarnessOptions,
): Promise<{ server: Harness; client: HostileClient }> {
  const server = await startServer(t, options);
  const client = await server.hostile();
  await client.logIn('alice', keys.ed25519);
  return { server, client };
}

async function lives(server: Harness): Promise<boolean> {
  return (await server.ssh(['alice@127.0.0.1', 'exit 0'])).code === 0;
}

async function protocolError(server: Harness, client: HostileClient, words: RegExp): Promise<boolean> {
  await client.closed();
  const [closed] = (await server.until('connectionClosed'))[0] ?? [];
  return closed?.reason === 'protocol' && words.test(closed.detail);
}

for (const size of [0, 1, 1023]) {
  await t.test(`a maximum packet size of ${size} is refused`, async (t) => {
    const { server, client } = await loggedIn(t);
    await t.rejects(client.openSession(0, 1 << 30, size), { message: /refused with reason 2/ });
    const channel = await client.openSession(1);
    await client.exec(channel, 'pour 100000');
    await client.next(97);
    t.ok(await lives(server));
  });
}

t.test('a huge packet size does not make huge packets', async (t) => {
  const { client } = await loggedIn(t);
  const channel = await client.openSession(0, 0xffff_ffff, 0xffff_ffff);
  await client.exec(channel, 'pour 1000000');
  await client.next(97);
  const sizes = client.received
    .filter((message) => message[0] === 94)
    .map((message) => message.readUInt32BE(5));
  t.equal(
    sizes.reduce((sum, size) => sum + size, 0),
    1_000_000,
  );
  t.ok(Math.max(...sizes) <= 32 * 1024, String(Math.max(...sizes)));
});

t.test('our data stays within a small window', async (t) => {
  const { client } = await loggedIn(t);
  const channel = await client.openSession(0, 10);
  await client.exec(channel, 'pour 25');
  t.equal((await client.next(94)).readUInt32BE(5), 10);
  client.send(93, wireUint32(channel), wireUint32(10));
  t.equal((await client.next(94)).readUInt32BE(5), 10);
  client.send(93, wireUint32(channel), wireUint32(0xffff_ffff));
  client.send(93, wireUint32(channel), wireUint32(0xffff_ffff));
  t.equal((await client.next(94)).readUInt32BE(5), 5);
  await client.next(97);
});

t.test('data beyond the window ends the connection', async (t) => {
  const { server, client } = await loggedIn(t, {
    // Asks for nothing until its client is gone.
    startSession: async (_request, channel) => {
      while (
        await channel.write(Buffer.of(0)).then(
          () => true,
          () => false,
        )
      ) {
        await new Promise((resolve) => {
          setTimeout(resolve, 20);
        });
      }
    },
  });
  const channel = await client.openSession();
  client.sendRequest(channel, 'exec', true, wireString('never reads'));
  await client.next(granted);
  for (let sent = 0; sent <= 2 * 1024 * 1024; sent += 32_768) client.sendData(channel, Buffer.alloc(32_768));
  t.ok(await protocolError(server, client, /beyond the window/));
});

t.test('data on a channel without a program is counted too', async (t) => {
  const { server, client } = await loggedIn(t);
  const channel = await client.openSession();
  for (let sent = 0; sent <= 2 * 1024 * 1024; sent += 32_768) client.sendData(channel, Buffer.alloc(32_768));
  t.ok(await protocolError(server, client, /beyond the window/));
  t.ok(await lives(server));
});

t.test('a data packet larger than announced ends the connection', async (t) => {
  const { server, client } = await loggedIn(t);
  const channel = await client.openSession();
  client.sendData(channel, Buffer.alloc(32_769));
  t.ok(await protocolError(server, client, /too large/));
});

t.test('data after end of file ends the connection', async (t) => {
  const { server, client } = await loggedIn(t);
  const channel = await client.openSession();
  client.sendRequest(channel, 'exec', true, wireString('swallow'));
  client.send(96, wireUint32(channel));
  client.sendData(channel, 'x');
  t.ok(await protocolError(server, client, /after end of file/));
  t.ok(await lives(server));
});

t.test('extended data is dropped, and uses up the window', async (t) => {
  const { server, client } = await loggedIn(t);
  const channel = await client.openSession();
  await client.exec(channel, 'cat');
  for (let count = 0; count < 200; count += 1) {
    client.send(95, wireUint32(channel), wireUint32(1), wireString(Buffer.alloc(32_768)));
  }
  client.sendData(channel, 'data');
  t.equal((await client.next(94)).subarray(9).toString(), 'data');
  client.send(96, wireUint32(channel));
  await client.next(97);
  t.ok(await lives(server));
});

t.test('no more than 64 sessions, and room again when one is closed', async (t) => {
  const { server, client } = await loggedIn(t);
  for (let count = 0; count < 3000; count += 1) client.sendOpen('session', { ourId: count });
  const answers: Buffer[] = [];
  while (answers.length < 3000) answers.push(await client.next([91, 92]));
  const opened = answers.filter((answer) => answer[0] === 91);
  t.equal(opened.length, 64);
  t.equal(answers.find((answer) => answer[0] === 92)?.readUInt32BE(5), 4, 'for a shortage of resources');
  const first = opened[0]?.readUInt32BE(5) ?? -1;
  client.send(97, wireUint32(first));
  t.equal((await client.next(97)).readUInt32BE(1), 0, 'a close is answered, also without a program');
  t.type(await client.openSession(5000), 'number');
  t.ok(await lives(server));
});

t.test('a program that still runs keeps its seat when its channel is closed', async (t) => {
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { client } = await loggedIn(t, { startSession: () => held });
  for (let count = 0; count < 64; count += 1) {
    const channel = await client.openSession(count);
    client.sendRequest(channel, 'shell', true);
    await client.next(granted);
    client.send(97, wireUint32(channel));
    await client.next(97);
  }
  await t.rejects(client.openSession(64), { message: /reason 4/ });
  release();
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
  t.type(await client.openSession(65), 'number');
});

t.test('one program per channel', async (t) => {
  const { server, client } = await loggedIn(t);
  const channel = await client.openSession();
  await client.exec(channel, 'cat');
  for (const [name, rest] of [
    ['exec', wireString('exit 0')],
    ['shell', Buffer.alloc(0)],
    ['subsystem', wireString('sftp')],
  ] as const) {
    client.sendRequest(channel, name, true, rest);
    t.equal((await client.next([granted, refused]))[0], refused, name);
  }
  client.sendData(channel, 'still here');
  t.equal((await client.next(94)).subarray(9).toString(), 'still here');
  t.equal(server.sessions.length, 1);
  t.match(
    server.of('requestRefused').map(([, { request }]) => request),
    ['exec', 'shell', 'subsystem'],
  );
});

t.test(
  'requests of every kind, with and without an answer wanted, before and while a program runs',
  async (t) => {
    const { server, client } = await loggedIn(t);
    const channel = await client.openSession();
    const pty = [wireString('xterm'), wireUint32(80), wireUint32(24), wireUint32(0), wireUint32(0)];
    const requests: Record<string, Buffer> = {
      env: Buffer.concat([wireString('LD_PRELOAD'), wireString('x')]),
      'pty-req': Buffer.concat([...pty, wireString(Buffer.of(3, 255, 0, 0, 127, 0))]),
      'x11-req': Buffer.concat([
        Buffer.of(0),
        wireString('MIT-MAGIC-COOKIE-1'),
        wireString('00'),
        wireUint32(0),
      ]),
      'auth-agent-req@openssh.com': Buffer.alloc(0),
      'window-change': Buffer.alloc(16),
      signal: wireString('KILL'),
      'xon-xoff': Buffer.of(1),
      break: wireUint32(500),
      'exit-status': wireUint32(0),
      'exit-signal': Buffer.alloc(0),
      'eow@openssh.com': Buffer.alloc(0),
      'winadj@putty.projects.tartarus.org': Buffer.alloc(0),
      'keepalive@openssh.com': Buffer.alloc(0),
      '': Buffer.alloc(0),
      ['x'.repeat(20_000)]: Buffer.alloc(0),
      ['__proto__']: Buffer.alloc(0),
    };
    for (const state of ['before', 'running']) {
      if (state === 'running') await client.exec(channel, 'cat');
      for (const [name, rest] of Object.entries(requests)) {
        client.sendRequest(channel, name, false, rest);
        client.sendRequest(channel, name, true, rest);
        t.equal((await client.next([granted, refused]))[0], refused, `${name.slice(0, 40)}, ${state}`);
      }
    }
    client.sendData(channel, 'alive');
    t.equal((await client.next(94)).subarray(9).toString(), 'alive');
    t.same(
      [...new Set(server.of('requestRefused').map(([, { request }]) => request))],
      ['x11-req', 'auth-agent-req@openssh.com'],
    );
    t.ok(await lives(server));
  },
);

t.test('exec, shell and subsystem work without an answer wanted', async (t) => {
  const { server, client } = await loggedIn(t);
  for (const [index, [name, rest]] of [
    ['exec', wireString('exit 0')],
    ['shell', Buffer.alloc(0)],
    ['subsystem', wireString('sftp')],
  ].entries() as ArrayIterator<[number, [string, Buffer]]>) {
    const channel = await client.openSession(index);
    client.sendRequest(channel, name, false, rest);
    await client.next(97);
    client.send(97, wireUint32(channel));
  }
  t.equal(server.sessions.length, 3);
  t.notOk(client.received.some((message) => message[0] === granted || message[0] === refused));
});

t.test('nothing is forwarded anywhere', async (t) => {
  const { server, client } = await loggedIn(t);
  const tcp = Buffer.concat([
    wireString('127.0.0.1'),
    wireUint32(server.port),
    wireString('127.0.0.1'),
    wireUint32(1),
  ]);
  for (const [type, reason, rest] of [
    ['direct-tcpip', 1, tcp],
    [
      'direct-streamlocal@openssh.com',
      1,
      Buffer.concat([wireString('/tmp/x'), wireString(''), wireUint32(0)]),
    ],
    ['forwarded-tcpip', 3, tcp],
    ['x11', 3, Buffer.concat([wireString('127.0.0.1'), wireUint32(1)])],
    ['auth-agent@openssh.com', 3, Buffer.alloc(0)],
    ['tun@openssh.com', 3, Buffer.alloc(0)],
    ['', 3, Buffer.alloc(0)],
  ] as const) {
    client.sendOpen(type, { ourId: 7, rest });
    const answer = await client.next([91, 92]);
    t.strictSame([answer[0], answer.readUInt32BE(1), answer.readUInt32BE(5)], [92, 7, reason], type);
  }
  for (const [name, rest] of [
    ['tcpip-forward', Buffer.concat([wireString(''), wireUint32(0)])],
    ['cancel-tcpip-forward', Buffer.concat([wireString(''), wireUint32(0)])],
    ['streamlocal-forward@openssh.com', wireString('/tmp/x')],
    ['keepalive@openssh.com', Buffer.alloc(0)],
  ] as const) {
    client.send(80, wireString(name), 0, rest);
    client.send(80, wireString(name), 1, rest);
    t.equal((await client.next([81, 82]))[0], 82, name);
  }
  const reported = server.of('requestRefused').map(([, { request }]) => request);
  t.ok(
    ['direct-tcpip', 'direct-streamlocal@openssh.com', 'tcpip-forward'].every((name) =>
      reported.includes(name),
    ),
  );
  t.equal(
    (await server.ssh(['-N', '-o', 'ExitOnForwardFailure=yes', '-R', '0:127.0.0.1:1', 'alice@127.0.0.1']))
      .code,
    255,
  );
});

t.test('endless refused requests end the connection', async (t) => {
  const { server, client } = await loggedIn(t);
  const channel = await client.openSession();
  for (let count = 0; count < 1001; count += 1) client.sendRequest(channel, 'x11-req', false);
  t.ok(await protocolError(server, client, /too many refused requests/));
  t.equal(server.of('requestRefused').length, 1000);
});

t.test('no-more-sessions means it', async (t) => {
  const { client } = await loggedIn(t);
  const channel = await client.openSession(0);
  client.send(80, wireString('no-more-sessions@openssh.com'), 1);
  t.equal((await client.next([81, 82]))[0], 81);
  await t.rejects(client.openSession(1), { message: /reason 1/ });
  await client.exec(channel, 'exit 3');
  const status = await client.next(98);
  t.equal(status.subarray(9, 20).toString(), 'exit-status');
});

t.test('what follows a request in the same breath is not lost', async (t) => {
  const { client } = await loggedIn(t, {
    // A session that takes its time before it reads, as every real one does.
    startSession: async (_request, channel) => {
      await new Promise((resolve) => {
        setTimeout(resolve, 50);
      });
      for await (const chunk of channel.input) await channel.write(chunk);
      await channel.finish(0);
    },
  });
  const channel = await client.openSession();
  client.socket.cork();
  client.sendRequest(channel, 'exec', true, wireString('cat'));
  client.sendData(channel, 'first words');
  client.send(96, wireUint32(channel));
  client.socket.uncork();
  t.equal((await client.next(94)).subarray(9).toString(), 'first words');
  await client.next(97);
});

t.test('end of file before the request', async (t) => {
  const { client } = await loggedIn(t);
  const channel = await client.openSession();
  client.send(96, wireUint32(channel));
  await client.exec(channel, 'swallow');
  t.match((await client.next(94)).subarray(9).toString(), /^e3b0c442/);
  await client.next(97);
});

t.test('exit status, end of file and close come in this order, once', async (t) => {
  const { client } = await loggedIn(t);
  const channel = await client.openSession();
  await client.exec(channel, 'exit 5');
  await client.next(97);
  const last = client.received.slice(-3);
  t.same(
    last.map((message) => message[0]),
    [98, 96, 97],
  );
  t.equal(last[0]?.readUInt32BE(last[0].length - 4), 5);
  client.send(97, wireUint32(channel));
  client.sendRequest(channel, 'exec', true, wireString('late'));
  client.send(93, wireUint32(channel), wireUint32(1));
  client.sendData(channel, 'late');
  t.type(await client.openSession(1), 'number', 'messages for a channel that is gone are passed over');
});

t.test('messages cut short end the connection', async (t) => {
  const server = await startServer(t);
  for (const message of [
    Buffer.of(80),
    Buffer.from([80, 0, 0, 0, 9, 1]),
    Buffer.of(90),
    Buffer.concat([Buffer.of(90), wireString('session'), wireUint32(0)]),
    Buffer.of(93, 0, 0),
    Buffer.from([98, 0, 0, 0, 0]),
    Buffer.of(94),
    Buffer.from([96]),
  ]) {
    const client = await server.hostile();
    await client.logIn('alice', keys.ed25519);
    client.send(message);
    await client.closed();
  }
  await eventually(() => server.of('connectionClosed').length === 8, 'all ends');
  for (const [{ reason }] of server.of('connectionClosed')) t.equal(reason, 'protocol');
  t.ok(await lives(server));
});

t.test('answers to what was never asked, and unknown messages, are passed over', async (t) => {
  const { client } = await loggedIn(t);
  for (const type of [3, 7, 81, 82, 91, 92, 99, 100, 192, 255]) client.send(type, Buffer.alloc(20));
  t.type(await client.openSession(), 'number');
});
