/**
 * Goal: only who proves a key gets in, and who does not learns nothing. Method: a client that sends any authentication
 * request it likes, and after each attack an honest login, because the server must not have suffered.
 */
import { generateKeyPairSync, sign } from 'node:crypto';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { wireString, wireUint32 } from '../../src/users/wire.ts';
import { keyRequest } from '../support/hostile-client.ts';
import { eventually, keys, startServer } from '../support/ssh-harness.ts';
import type { Harness } from '../support/ssh-harness.ts';

const failure = 51;
const success = 52;
const keyWouldDo = 60;

async function lives(server: Harness): Promise<boolean> {
  return (await server.ssh(['alice@127.0.0.1', 'exit 0'])).code === 0;
}

for (const name of ['ed25519', 'ecdsa', 'rsa'] as const) {
  await t.test(`${name}: a question, then a login`, async (t) => {
    const server = await startServer(t);
    const client = await server.hostile();
    const question = await client.tryKey({ user: 'alice', key: keys[name], signed: false });
    t.equal(question[0], keyWouldDo);
    const [type = '', base64 = ''] = keys[name].publicKey.split(' ');
    const algorithm = type === 'ssh-rsa' ? 'rsa-sha2-256' : type;
    const expected = [wireString(algorithm), wireString(Buffer.from(base64, 'base64'))];
    t.strictSame(question.subarray(1), Buffer.concat(expected), 'the answer repeats the request');
    t.equal((await client.tryKey({ user: 'alice', key: keys[name], signed: true }))[0], success);
  });
}

t.test('a question is no proof', async (t) => {
  const server = await startServer(t);
  const client = await server.hostile();
  await client.tryKey({ user: 'alice', key: keys.ed25519, signed: false });
  await t.rejects(client.openSession(), 'no channel before login');
  await client.closed();
  const other = await server.hostile();
  await other.tryKey({ user: 'alice', key: keys.ed25519, signed: false });
  const answer = await other.tryKey({ user: 'alice', key: keys.stranger, signed: true });
  t.equal(answer[0], failure, 'the key of the question does not help the key of the signature');
  t.equal(server.of('loginSucceeded').length, 0);
  t.ok(await lives(server));
});

t.test('a signature that cannot even be verified is no login', async (t) => {
  const server = await startServer(t);
  // Each names alice's real key with an algorithm that is not the key's: verifying gives an error, not false.
  for (const [key, algorithm] of [
    [keys.ed25519, 'rsa-sha2-256'],
    [keys.ed25519, 'rsa-sha2-512'],
    [keys.ed25519, 'ssh-rsa'],
    [keys.ecdsa, 'ssh-ed25519'],
    [keys.rsa, 'ssh-ed25519'],
    [keys.ed25519, 'ssh-dss'],
    [keys.ed25519, 'no-such-algorithm'],
    [keys.ed25519, ''],
  ] as const) {
    const client = await server.hostile();
    const signature = Buffer.alloc(64, 7);
    const answer = await client.tryKey({ user: 'alice', key, signed: true, algorithm, signature });
    t.equal(answer[0], failure, algorithm);
    const question = await client.tryKey({ user: 'alice', key, signed: false, algorithm });
    t.equal(question[0], failure, `${algorithm}: it would not do either`);
    client.destroy();
  }
  t.equal(server.of('loginSucceeded').length, 0);
  t.ok(await lives(server));
});

t.test('wrong signatures of every kind', async (t) => {
  const server = await startServer(t);
  const user = 'alice';
  const zeros = Buffer.concat([wireString(Buffer.of(0)), wireString(Buffer.of(0))]);
  const otherRsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  for (const [what, request] of Object.entries({
    'signed with another key': { user, key: keys.ed25519, signed: true, signer: keys.stranger },
    zeros: { user, key: keys.ed25519, signed: true, signature: Buffer.alloc(64) },
    empty: { user, key: keys.ed25519, signed: true, signature: Buffer.alloc(0) },
    'RSA by another key': {
      user,
      key: keys.rsa,
      signed: true,
      signature: sign('sha256', Buffer.from('x'), otherRsa),
    },
    'RSA empty': { user, key: keys.rsa, signed: true, signature: Buffer.alloc(0) },
    'ECDSA of zeros': { user, key: keys.ecdsa, signed: true, signature: zeros },
  })) {
    const client = await server.hostile();
    t.equal((await client.tryKey(request))[0], failure, what);
    client.destroy();
  }
  const broken = await server.hostile();
  const nothing = Buffer.concat([wireString(''), wireString('')]);
  broken.sendKey({ user, key: keys.ecdsa, signed: true, signature: nothing });
  await broken.closed();
  t.same([...new Set(server.of('loginRefused').map(([{ reason }]) => reason))], ['signature']);
  t.ok(await lives(server));
});

t.test('a signature counts for its session, its user and its key only', async (t) => {
  const server = await startServer(t);
  const first = await server.hostile();
  const second = await server.hostile();
  second.send(keyRequest(first.sessionId, { user: 'alice', key: keys.ed25519, signed: true }));
  t.equal((await second.next([failure, success]))[0], failure, 'of another session');
  const third = await server.hostile();
  const request = keyRequest(third.sessionId, { user: 'mallory', key: keys.ed25519, signed: true });
  // "mallory" and "alice" have different lengths: rebuild the head, keep the signature.
  const tail = request.subarray(1 + 4 + 'mallory'.length);
  third.send(50, wireString('alice'), tail);
  t.equal((await third.next([failure, success]))[0], failure, 'of another user');
  t.ok(await lives(server));
});

t.test('RSA with SHA-1 is refused, with a signature that is otherwise right', async (t) => {
  const server = await startServer(t);
  const client = await server.hostile();
  const request = { user: 'alice', key: keys.rsa, algorithm: 'ssh-rsa' } as const;
  t.equal((await client.tryKey({ ...request, signed: false }))[0], failure);
  t.equal((await client.tryKey({ ...request, signed: true }))[0], failure);
  t.match(server.of('loginRefused'), [[{ reason: 'algorithm' }], [{ reason: 'algorithm' }]]);
  const answer = await client.tryKey({ ...request, signed: true, algorithm: 'rsa-sha2-512' });
  t.equal(answer[0], success, 'the same key with SHA-2 is welcome');
});

t.test('unknown users, unknown keys and wrong signatures look alike', async (t) => {
  const server = await startServer(t, { limits: { authAttempts: 100 } });
  const answers = new Set<string>();
  const times: Record<string, number> = {};
  for (const [what, request] of Object.entries({
    'unknown user, question': { user: 'mallory', key: keys.ed25519, signed: false },
    'unknown user, signed': { user: 'mallory', key: keys.ed25519, signed: true },
    'impossible user': { user: '../alice\0', key: keys.ed25519, signed: true },
    'a property name': { user: '__proto__', key: keys.ed25519, signed: true },
    'unknown key, question': { user: 'alice', key: keys.stranger, signed: false },
    'unknown key, signed': { user: 'alice', key: keys.stranger, signed: true },
    'wrong signature': { user: 'alice', key: keys.ed25519, signed: true, signer: keys.stranger },
  })) {
    const began = performance.now();
    const client = await server.hostile();
    const connected = performance.now();
    answers.add((await client.tryKey(request)).toString('hex'));
    times[what] = performance.now() - connected;
    t.ok(began < connected);
    client.destroy();
  }
  t.same(
    [...answers],
    [Buffer.concat([Buffer.of(51), wireString('publickey'), Buffer.of(0)]).toString('hex')],
  );
  // Not how fast the machine is, but that no answer comes before the fixed time that hides the work.
  for (const [what, time] of Object.entries(times)) t.ok(time > 95, `${what}: ${time} ms`);
  t.ok(await lives(server));
});

t.test('odd names do no harm and are shown harmless', async (t) => {
  const server = await startServer(t);
  const names = [
    '',
    '__proto__',
    'constructor',
    'alice\0',
    'ALICE',
    'alice ',
    'a\nb',
    '\u202ealice',
    'x'.repeat(30_000),
  ];
  for (const user of names) {
    const client = await server.hostile();
    t.equal(
      (await client.tryKey({ user, key: keys.ed25519, signed: true }))[0],
      failure,
      JSON.stringify(user.slice(0, 20)),
    );
    client.destroy();
  }
  for (const [{ userName }] of server.of('loginRefused')) {
    t.ok(userName.length <= 64);
    t.notMatch(userName, /[\p{Cc}\u202e]/u);
  }
  t.ok(await lives(server));
});

t.test('only public keys: every other method is refused, and named nowhere', async (t) => {
  const server = await startServer(t, { limits: { authAttempts: 100 } });
  const client = await server.hostile();
  const head = [50, wireString('alice'), wireString('ssh-connection')] as const;
  for (const [method, rest] of [
    ['none', Buffer.alloc(0)],
    ['password', Buffer.concat([Buffer.of(0), wireString('secret')])],
    ['password', Buffer.concat([Buffer.of(1), wireString('old'), wireString('new')])],
    ['keyboard-interactive', Buffer.concat([wireString(''), wireString('')])],
  ] as const) {
    client.send(...head, wireString(method), rest);
    const answer = await client.next([failure, success]);
    t.strictSame(answer, Buffer.concat([Buffer.of(51), wireString('publickey'), Buffer.of(0)]), method);
  }
  t.equal(server.of('loginRefused').length, 3, 'asking for the methods is no attempt');
  t.notMatch(
    JSON.stringify(server.events) + server.log.join(''),
    /secret|\bold\b/,
    'passwords are written nowhere',
  );
});

t.test('after so many refused keys the connection ends', async (t) => {
  const server = await startServer(t, { limits: { authAttempts: 3 } });
  const client = await server.hostile();
  for (let attempt = 0; attempt < 2; attempt += 1) {
    t.equal((await client.tryKey({ user: 'alice', key: keys.stranger, signed: false }))[0], failure);
  }
  client.sendKey({ user: 'alice', key: keys.stranger, signed: false });
  t.match((await client.next(1)).toString('latin1'), /Too many authentication failures/);
  await client.closed();
  t.match(await server.until('connectionClosed'), [[{ reason: 'login-attempts', login: null }]]);
  t.equal(server.of('loginRefused').length, 3);
  t.ok(await lives(server));
});

t.test('endless harmless messages before login are limited too', async (t) => {
  const server = await startServer(t);
  const client = await server.hostile();
  for (let count = 0; count < 300; count += 1) client.send(2, wireString(''));
  await client.closed();
  const [facts] = (await server.until('connectionClosed'))[0] ?? [];
  t.match(facts, { reason: 'protocol', login: null, detail: /too many packets/ });
  t.ok(await lives(server));
});

for (const [what, order] of [
  ['in an order that makes ssh2 throw', 'password, question, password'],
  ['in another order', 'password, question, password, question'],
  ['questions only', 'question, question, question'],
] as const) {
  await t.test(`requests sent without waiting for answers, ${what}`, async (t) => {
    const server = await startServer(t);
    const client = await server.hostile();
    const password = [wireString('password'), 0, wireString('x')];
    for (const kind of order.split(', ')) {
      if (kind === 'password')
        client.send(50, wireString('alice'), wireString('ssh-connection'), ...password);
      else client.sendKey({ user: 'alice', key: keys.ed25519, signed: false });
    }
    if (what.endsWith('throw')) {
      await client.closed();
      const [facts] = (await server.until('connectionClosed'))[0] ?? [];
      t.match(facts, { reason: 'protocol', detail: /out of order/ });
    } else {
      t.equal((await client.next(keyWouldDo))[0], keyWouldDo);
    }
    t.ok(await lives(server));
  });
}

t.test('a flood of questions ends the connection', async (t) => {
  const server = await startServer(t);
  const flood = await server.hostile();
  for (let count = 0; count < 50; count += 1)
    flood.sendKey({ user: 'alice', key: keys.stranger, signed: false });
  await flood.closed();
  t.ok(await lives(server));
});

t.test('another user name half-way ends the connection', async (t) => {
  const server = await startServer(t);
  const client = await server.hostile();
  await client.tryKey({ user: 'mallory', key: keys.ed25519, signed: false });
  client.sendKey({ user: 'alice', key: keys.ed25519, signed: true });
  await client.closed();
  t.equal(server.of('loginSucceeded').length, 0);
  t.ok(await lives(server));
});

t.test('messages that belong after login end the connection before it', async (t) => {
  const server = await startServer(t);
  const messages: Record<string, Buffer[]> = {
    'a channel': [
      Buffer.of(90),
      wireString('session'),
      wireUint32(0),
      wireUint32(1 << 20),
      wireUint32(1 << 15),
    ],
    exec: [Buffer.of(98), wireUint32(0), wireString('exec'), Buffer.of(1), wireString('cat')],
    data: [Buffer.of(94), wireUint32(0), wireString('x')],
    'a global request': [
      Buffer.of(80),
      wireString('tcpip-forward'),
      Buffer.of(1),
      wireString(''),
      wireUint32(0),
    ],
    'our own success': [Buffer.of(52)],
    'an unknown message': [Buffer.of(200)],
    'an answer to a question never asked': [Buffer.of(61), wireUint32(0)],
  };
  for (const [what, parts] of Object.entries(messages)) {
    const client = await server.hostile();
    client.send(...parts);
    await client.closed();
    t.equal(
      client.received.some((message) => [52, 82, 91, 92, 99].includes(message[0] ?? 0)),
      false,
      what,
    );
  }
  t.equal(server.sessions.length, 0);
  t.ok(await lives(server));
});

t.test('keys in a global request are never parsed', async (t) => {
  const server = await startServer(t);
  const client = await server.hostile();
  // ssh2's PEM parser takes quadratic time for this.
  const slow = wireString(`-----BEGIN RSA PRIVATE KEY-----\n${'a: b\n'.repeat(6000)}`);
  const began = performance.now();
  for (let count = 0; count < 10; count += 1) client.send(80, wireString('hostkeys-00@openssh.com'), 0, slow);
  await client.closed();
  const loggedIn = await server.hostile();
  await loggedIn.logIn('alice', keys.ed25519);
  for (let count = 0; count < 10; count += 1)
    loggedIn.send(80, wireString('hostkeys-00@openssh.com'), 0, slow);
  loggedIn.send(80, wireString('hostkeys-00@openssh.com'), 1, slow);
  t.equal((await loggedIn.next([81, 82]))[0], 82);
  t.ok(performance.now() - began < 2000, 'it would take tens of seconds');
});

t.test('a key that is added or taken away counts from the next attempt on', async (t) => {
  const server = await startServer(t);
  const client = await server.hostile();
  const request = { user: 'alice', key: keys.stranger, signed: false } as const;
  t.equal((await client.tryKey(request))[0], failure);
  appendFileSync(join(server.directory, 'authorized_keys'), keys.stranger.publicKey);
  t.equal((await client.tryKey(request))[0], keyWouldDo);
  writeFileSync(join(server.directory, 'authorized_keys'), keys.ed25519.publicKey);
  t.equal(
    (await client.tryKey({ ...request, signed: true }))[0],
    failure,
    'even between question and signature',
  );
});

t.test('a directory that fails costs the attempt, not the server', async (t) => {
  const server = await startServer(t);
  const client = await server.hostile();
  writeFileSync(join(server.directory, 'authorized_keys'), Buffer.alloc(2_000_000, 0x61));
  t.equal((await client.tryKey({ user: 'alice', key: keys.ed25519, signed: true }))[0], failure);
  writeFileSync(join(server.directory, 'authorized_keys'), keys.ed25519.publicKey);
  t.ok(await lives(server));
});

t.test('after login, more authentication is ignored', async (t) => {
  const server = await startServer(t);
  const client = await server.hostile();
  await client.logIn('alice', keys.ed25519);
  client.sendKey({ user: 'alice', key: keys.ed25519, signed: true });
  client.sendKey({ user: 'mallory', key: keys.ed25519, signed: true });
  const channel = await client.openSession();
  await client.exec(channel, 'exit 0');
  await eventually(() => server.sessions.length === 1, 'the session');
  t.equal(server.of('loginSucceeded').length, 1);
});
