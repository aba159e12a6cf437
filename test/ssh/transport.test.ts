/**
 * Goal: a connection costs little until somebody logged in, and always ends. Method: raw sockets that say too little, too
 * much or nonsense; stock and hostile clients that exchange keys at bad moments.
 */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import t from 'tap';
import { HostileClient } from '../support/hostile-client.ts';
import { wireString, wireUint32 } from '../../src/users/wire.ts';
import { eventually, keys, pattern, run, sha256, sshArgs, startServer } from '../support/ssh-harness.ts';
import type { Harness, Test } from '../support/ssh-harness.ts';

const host = 'alice@127.0.0.1';

/** A socket that collects what it gets and never ends its own side. */
async function raw(
  t: Test,
  server: Harness,
): Promise<{ socket: Socket; got: () => string; closed: Promise<void> }> {
  const socket = connect({ host: '127.0.0.1', port: server.port, allowHalfOpen: true, noDelay: true });
  let got = '';
  socket.on('data', (chunk: Buffer) => (got += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
    // The server closes its side; ours stays open, so a reset is all that tells us that it destroyed the socket.
    socket.once('end', () => {
      const probe = setInterval(() => socket.write('x'), 20);
      socket.once('close', () => clearInterval(probe));
    });
  });
  await new Promise((resolve) => socket.once('connect', resolve));
  t.teardown(() => socket.destroy());
  return { socket, got: () => got, closed };
}

async function lives(server: Harness): Promise<boolean> {
  return (await server.ssh([host, 'exit 0'])).code === 0;
}

t.test('the server speaks first, in one line, and does not say what it is made of', async (t) => {
  const server = await startServer(t);
  const { got } = await raw(t, server);
  await eventually(() => got().includes('\n'), 'a greeting');
  t.equal(got(), 'SSH-2.0-scpd\r\n');
});

t.test('a client that waits for our KEXINIT before it sends its own gets it', async (t) => {
  const server = await startServer(t);
  const { socket, got } = await raw(t, server);
  socket.write('SSH-2.0-patient\r\n');
  await eventually(() => got().includes('curve25519-sha256'), 'the offer of the server');
  t.match(got(), /aes128-gcm@openssh\.com,.*aes256-ctr/, 'all of it');
});

t.test('an identification that comes byte by byte is as good as another', async (t) => {
  const server = await startServer(t);
  // A stock client through a proxy that cuts everything it sends into single bytes at first.
  const { createServer } = await import('node:net');
  const proxy = createServer((socket) => {
    const upstream = connect({ host: '127.0.0.1', port: server.port, noDelay: true });
    let cut = 60;
    socket.on('data', (chunk: Buffer) => {
      socket.pause();
      void (async () => {
        for (const byte of chunk.subarray(0, cut)) {
          upstream.write(Buffer.of(byte));
          await new Promise((resolve) => {
            setTimeout(resolve, 1);
          });
        }
        upstream.write(chunk.subarray(cut));
        cut = Math.max(0, cut - chunk.length);
        socket.resume();
      })();
    });
    upstream.pipe(socket);
    for (const one of [socket, upstream]) {
      one.on('error', () => undefined);
      one.on('close', () => {
        socket.destroy();
        upstream.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => {
    proxy.listen(0, '127.0.0.1', resolve);
  });
  t.teardown(() => proxy.close());
  const address = proxy.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const args = sshArgs(server.directory, server.port, [
    '-o',
    `HostKeyAlias=[127.0.0.1]:${server.port}`,
    host,
    'exit 4',
  ]);
  args[args.indexOf('-p') + 1] = String(port);
  const result = await run('ssh', args);
  t.equal(result.code, 4, result.stderr);
  t.match(server.of('loginSucceeded')[0], [{ connection: { clientSoftware: /^OpenSSH_\S+$/ } }]);
});

for (const [what, bytes] of Object.entries({
  'a web browser': 'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
  'an old protocol': 'SSH-1.5-old\r\n',
  'no software': 'SSH-2.0-\r\n',
  'a line without end': `SSH-2.0-${'x'.repeat(400)}`,
  'a line of 256 bytes': `SSH-2.0-${'x'.repeat(246)}\r\n`,
  'a NUL byte': 'SSH-2.0-a\0b\r\n',
  'binary noise': '\x00\x00\x01\x00'.repeat(100),
  'an empty line': '\r\n',
})) {
  await t.test(`${what} is not let in, and the socket is really closed`, async (t) => {
    const server = await startServer(t);
    const { socket, got, closed } = await raw(t, server);
    socket.write(Buffer.from(bytes, 'latin1'));
    await closed;
    t.equal(got(), 'SSH-2.0-scpd\r\n', 'nothing more is said');
    t.match(await server.until('connectionClosed'), [[{ reason: 'identification' }]]);
    t.ok(await lives(server));
  });
}

t.test('the identification of a client is shown without its control characters', async (t) => {
  const server = await startServer(t);
  const client = await HostileClient.connect({ port: server.port, ident: 'evil\u001b[31m' });
  client.destroy();
  t.match(await server.until('connectionClosed'), [[{ connection: { clientSoftware: 'evil\\x1b[31m' } }]]);
});

t.test('who says nothing is sent away after the login grace time', async (t) => {
  const server = await startServer(t, { limits: { loginGraceSeconds: 0.2 } });
  const silent = await raw(t, server);
  const halfway = await raw(t, server);
  halfway.socket.write('SSH-2.0-half');
  const later = await raw(t, server);
  later.socket.write('SSH-2.0-later\r\n');
  const client = await server.hostile();
  await Promise.all([silent.closed, halfway.closed, later.closed, client.closed()]);
  const closed = await server.until('connectionClosed', 4);
  t.same(
    closed.map(([{ reason }]) => reason),
    Array.from({ length: 4 }, () => 'login-grace'),
  );
  t.ok(await lives(server), 'a login in time is not ended by the grace timer');
  const session = await server.ssh([host, 'cat'], { input: '' });
  t.equal(session.code, 0);
});

t.test('the grace time does not end who logged in', async (t) => {
  const server = await startServer(t, { limits: { loginGraceSeconds: 1 } });
  const client = await server.hostile();
  await client.logIn('alice', keys.ed25519);
  const witness = await raw(t, server);
  await witness.closed;
  t.type(await client.openSession(), 'number');
});

t.test(
  'after a protocol error the socket is closed, even if the client neither closes nor stops',
  async (t) => {
    const server = await startServer(t);
    const { socket, closed } = await raw(t, server);
    socket.write('SSH-2.0-raw\r\n');
    socket.write(Buffer.alloc(100, 0xff));
    const flood = setInterval(() => socket.write(Buffer.alloc(65_536, 0xff)), 5);
    t.teardown(() => clearInterval(flood));
    await closed;
    t.match(await server.until('connectionClosed'), [[{ reason: 'protocol' }]]);
    t.ok(await lives(server));
  },
);

t.test('a client that says goodbye but keeps its socket is closed as well', async (t) => {
  const server = await startServer(t);
  const client = await server.hostile();
  await client.logIn('alice', keys.ed25519);
  client.socket.allowHalfOpen = true;
  client.send(1, wireUint32(11), wireString('bye'), wireString(''));
  await server.until('connectionClosed');
  t.match(server.of('connectionClosed'), [[{ reason: 'client', login: { user: { name: 'alice' } } }]]);
});

t.test('a flood before login ends', async (t) => {
  const server = await startServer(t);
  const client = await server.hostile();
  // 40 ignored messages of 32 KiB: few packets, more than a mebibyte.
  for (let count = 0; count < 40; count += 1) client.send(2, wireString(Buffer.alloc(32_000)));
  await client.closed();
  t.match(await server.until('connectionClosed'), [[{ reason: 'limit' }]]);
  t.ok(await lives(server));
});

t.test('compression can not be negotiated', async (t) => {
  const server = await startServer(t);
  for (const compress of ['zlib', 'zlib@openssh.com']) {
    await t.rejects(
      HostileClient.connect({ port: server.port, algorithms: { compress: [compress] } }),
      compress,
    );
  }
  t.ok(await lives(server));
});

t.test('caps on connections: in total, per address, and before login', async (t) => {
  for (const [limits, reason] of [
    [{ connections: 2 }, 'connections'],
    [{ connectionsPerIp: 2 }, 'connections-per-address'],
    [{ unauthenticatedConnections: 2 }, 'unauthenticated-connections'],
  ] as const) {
    const server = await startServer(t, { limits });
    const first = await server.hostile();
    const second = await server.hostile();
    const third = await raw(t, server);
    await third.closed;
    t.equal(third.got(), '', 'nothing is said');
    t.match(await server.until('connectionRefused'), [[{ reason, connection: { address: '127.0.0.1' } }]]);
    if (reason === 'unauthenticated-connections') {
      await first.logIn('alice', keys.ed25519);
      const fourth = await server.hostile();
      fourth.destroy();
    }
    first.destroy();
    second.destroy();
    await server.until('connectionClosed', 2);
    t.ok(await lives(server), 'there is room again');
  }
});

for (const [what, limit] of [
  ['often', '1M'],
  ['at every chance', '256K'],
] as const) {
  await t.test(`a client that exchanges keys ${what} (${limit}) gets its bytes, both ways`, async (t) => {
    const server = await startServer(t);
    const input = pattern(24_000_000);
    const up = await server.ssh(['-v', '-o', `RekeyLimit=${limit}`, host, 'swallow'], { input });
    t.equal(up.code, 0, up.stderr.slice(-500));
    t.equal(up.stdout.toString(), sha256(input));
    const exchanges = up.stderr.match(/SSH2_MSG_NEWKEYS received/g)?.length ?? 0;
    t.ok(exchanges > 5, `${exchanges} key exchanges`);
    const down = await server.ssh(['-o', `RekeyLimit=${limit}`, host, `pour ${input.length}`]);
    t.equal(down.code, 0, down.stderr);
    t.equal(sha256(down.stdout), sha256(input));
    const echo = await server.ssh(['-o', `RekeyLimit=${limit}`, host, 'cat'], { input });
    t.equal(sha256(echo.stdout), sha256(input));
  });
}

t.test('the server renews keys by itself', async (t) => {
  const server = await startServer(t, { rekeyBytes: 1_000_000 });
  const input = pattern(12_000_000);
  const result = await server.ssh(['-v', host, 'cat'], { input });
  t.equal(result.code, 0, result.stderr.slice(-500));
  t.equal(sha256(result.stdout), sha256(input));
  const exchanges = result.stderr.match(/SSH2_MSG_NEWKEYS received/g)?.length ?? 0;
  t.ok(exchanges > 5, `${exchanges} key exchanges`);
});

t.test('endless key exchanges without data end the connection', async (t) => {
  const server = await startServer(t);
  const client = await server.hostile();
  await client.logIn('alice', keys.ed25519);
  const storm = setInterval(() => client.rekey(), 1);
  t.teardown(() => clearInterval(storm));
  await client.closed();
  t.match(await server.until('connectionClosed'), [
    [{ reason: 'protocol', detail: 'too many key exchanges' }],
  ]);
  t.ok(await lives(server));
});

t.test('a second key exchange before login ends the connection', async (t) => {
  const server = await startServer(t);
  const client = await server.hostile();
  client.rekey();
  await client.closed();
  t.match(await server.until('connectionClosed'), [[{ reason: 'protocol' }]]);
  t.ok(await lives(server));
});
