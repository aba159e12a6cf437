/** A session as a whole: how it begins, keeps order, is held back by a client that does not read, and how it ends. */
import t from 'tap';
import { ProtocolError, ScpdError, sftpStatus } from '../../src/errors.ts';
import { sftpBytesInFlightMax, sftpReadBytesMax } from '../../src/limits.ts';
import { encodeVersion } from '../../src/protocol/sftp/replies.ts';
import { randomNumbers } from '../support/random-numbers.ts';
import { openSession, startSession, type TestSession } from '../support/sftp-session.ts';
import { encodeRequest, framed, hex, noFlags, type Question } from '../support/sftp-wire.ts';

const create = { ...noFlags, write: true, create: true };
const read = { ...noFlags, read: true };

/** One of each thing that can be open: an upload of /up, a download of /down, a listing of /. */
async function openOneOfEach({ files, peer }: TestSession): Promise<void> {
  files.put('/up', 'old');
  files.put('/down', 'content');
  const upload = await peer.askHandle({ kind: 'open', path: 'up', flags: create, attributes: {} });
  await peer.ask({ kind: 'write', handle: upload, offset: 0, data: Buffer.from('half of it') });
  await peer.askHandle({ kind: 'open', path: 'down', flags: read, attributes: {} });
  await peer.askHandle({ kind: 'opendir', path: '/' });
  t.equal(files.openCount, 3);
}

t.test('INIT of any version is answered with version 3', async (t) => {
  for (const version of [0, 3, 6, 0xffffffff]) {
    const { channel, peer, exit } = openSession();
    t.strictSame(
      framed(await peer.start(version)),
      encodeVersion(() => true),
    );
    channel.end();
    t.equal(await exit, 0);
  }
});

t.test('VERSION does not offer what the rules can never allow', async (t) => {
  const { files, peer } = openSession();
  files.forbidden.add('rename').add('hash').add('create');
  const version = (await peer.start()).toString('latin1');
  for (const absent of ['posix-rename@', 'check-file-name', 'hardlink@', 'fsync@', 'copy-data']) {
    t.notOk(version.includes(absent), absent);
  }
  for (const offered of ['statvfs@openssh.com', 'limits@openssh.com', 'check-file-handle', 'vendor-id']) {
    t.ok(version.includes(offered), offered);
  }
});

t.test('EOF at once is a success', async (t) => {
  const { channel, exit, faults } = openSession();
  channel.end();
  t.equal(await exit, 0);
  t.strictSame([channel.unreadBytes, faults], [0, []]);
});

t.test('at EOF everything has been answered, in order', async (t) => {
  const { channel, files, peer, exit } = openSession();
  files.put('/a', Buffer.alloc(100_000, 1));
  await peer.start();
  const handle = await peer.askHandle({ kind: 'open', path: 'a', flags: read, attributes: {} });
  const questions: readonly Question[] = [
    { kind: 'read', handle, offset: 0, lengthBytes: 100_000 },
    { kind: 'stat', path: 'a' },
    { kind: 'read', handle, offset: 0, lengthBytes: 10 },
    { kind: 'stat', path: 'nowhere' },
    { kind: 'realpath', path: '' },
    { kind: 'read', handle, offset: 0, lengthBytes: 50_000 },
    { kind: 'limits' },
    { kind: 'close', handle },
    { kind: 'read', handle, offset: 0, lengthBytes: 10 },
  ];
  const kinds = ['data', 'attributes', 'data', 'status', 'names', 'data', 'limits', 'status', 'status'];
  const last = peer.send(...questions, ...questions.slice(0, -3));
  channel.end();
  t.equal(await exit, 0);
  for (let index = 0; index < questions.length; index += 1) {
    const { id, reply } = await peer.receive();
    t.strictSame([id, reply.kind], [last - 14 + index, kinds[index]]);
  }
  for (let id = last - 5; id <= last; id += 1) t.equal((await peer.receive()).id, id);
  t.equal(channel.unreadBytes, 0);
});

t.test('EOF without CLOSE aborts what is open and is still a success', async (t) => {
  const session = await startSession();
  await openOneOfEach(session);
  session.channel.end();
  t.equal(await session.exit, 0);
  t.strictSame(session.files.journal.slice(-2), ['abort /up CONNECTION_LOST', 'abort /down CONNECTION_LOST']);
  t.equal(session.files.content('/up')?.toString(), 'old');
  t.equal(session.files.openCount, 0);
  t.strictSame(session.faults, []);
});

t.test('a lost connection aborts what is open', async (t) => {
  const session = await startSession();
  await openOneOfEach(session);
  session.channel.lose();
  t.equal(await session.exit, 1);
  t.strictSame(session.files.journal.slice(-2), ['abort /up CONNECTION_LOST', 'abort /down CONNECTION_LOST']);
  t.equal(session.files.content('/up')?.toString(), 'old');
  t.equal(session.files.openCount, 0);
  t.strictSame(session.faults, [], 'it is nobody’s fault here');
});

t.test('a connection lost while an answer waits to be read ends the session', async (t) => {
  const { channel, files, peer, exit } = await startSession({ unreadBytesMax: 1000 });
  files.put('/a', Buffer.alloc(5000));
  const handle = await peer.askHandle({ kind: 'open', path: 'a', flags: read, attributes: {} });
  peer.send({ kind: 'read', handle, offset: 0, lengthBytes: 5000 }, { kind: 'stat', path: 'a' });
  await channel.take(20);
  channel.lose();
  t.equal(await exit, 1);
  t.equal(files.openCount, 0);
});

t.test('a broken protocol ends the session after the answers that are owed', async (t) => {
  const broken = {
    'length 0': hex('00000000'),
    'length 2^31': hex('80000000'),
    'length 2^32-1': hex('ffffffff'),
    'length above the limit': hex('00040001'),
    'no id': hex('00000003 110000'),
    'a second INIT': encodeRequest({ kind: 'init', version: 3 }),
  };
  for (const [name, bytes] of Object.entries(broken)) {
    const session = await startSession();
    await openOneOfEach(session);
    session.channel.feed(Buffer.concat([encodeRequest({ kind: 'realpath', id: 77, path: '.' }), bytes]));
    t.equal(await session.exit, 1, name);
    t.equal((await session.peer.receive()).id, 77, name);
    t.equal(session.channel.unreadBytes, 0, name);
    t.strictSame(
      session.files.journal.slice(-2),
      ['abort /up PROTOCOL_BROKEN', 'abort /down PROTOCOL_BROKEN'],
      name,
    );
    t.equal(session.faults.length, 1, name);
    t.ok(session.faults[0] instanceof ProtocolError, name);
  }
});

t.test('a request before INIT, and an end inside a packet, are protocol errors', async (t) => {
  const early = openSession();
  early.peer.send({ kind: 'realpath', path: '.' });
  t.equal(await early.exit, 1);
  t.equal(early.channel.unreadBytes, 0);
  const cut = await startSession();
  cut.channel.feed(hex('00000009 11 0000'));
  cut.channel.end();
  t.equal(await cut.exit, 1);
});

t.test('what is malformed or unknown is answered, and the session goes on', async (t) => {
  const { channel, peer } = await startSession();
  channel.feed(framed(hex('11 00000007 ffffffff')));
  t.strictSame(await peer.receive(), {
    id: 7,
    reply: { kind: 'status', status: sftpStatus.BAD_MESSAGE, words: 'Malformed request' },
  });
  for (const packet of [
    hex('15 00000008', "00000001 '/' 00000001 'l'"),
    hex('c8 00000008', "0000000d 'copy-file@x.y' 00000001 '/'"),
    hex('63 00000008'),
  ]) {
    channel.feed(framed(packet));
    t.strictSame(await peer.receive(), {
      id: 8,
      reply: { kind: 'status', status: sftpStatus.OP_UNSUPPORTED, words: 'Operation not supported' },
    });
  }
  channel.feed(framed(hex('05 00000009', "00000001 'h'", 'ffffffffffffffff 00000001')));
  t.match(await peer.receive(), { id: 9, reply: { status: sftpStatus.FAILURE } });
  t.match(await peer.ask({ kind: 'realpath', path: '.' }), { kind: 'names' });
});

t.test('a flood of READs whose answers are never read stays bounded', async (t) => {
  const unreadBytesMax = 64 * 1024;
  const { channel, files, peer, exit } = await startSession({ unreadBytesMax });
  files.put('/a', Buffer.alloc(sftpReadBytesMax + 1));
  const handle = await peer.askHandle({ kind: 'open', path: 'a', flags: read, attributes: {} });
  let reads = 0;
  const counted = files.failIfAsked.bind(files);
  files.failIfAsked = (call) => {
    if (call === 'read') reads += 1;
    counted(call);
  };
  for (let round = 0; round < 60; round += 1) {
    peer.send(
      ...Array.from(
        { length: 100 },
        () => ({ kind: 'read', handle, offset: 0, lengthBytes: 0xffffffff }) as const,
      ),
    );
  }
  const fedBytes = channel.fedBytes;
  // Many more turns than a session without limit would need for some of the 6,000.
  for (let turn = 0; turn < 500; turn += 1) await new Promise(setImmediate);
  t.ok(channel.unreadBytes <= unreadBytesMax + sftpReadBytesMax + 13, `${channel.unreadBytes} bytes`);
  t.ok(reads <= sftpBytesInFlightMax / sftpReadBytesMax, `${reads} reads`);
  t.ok(channel.fedBytes >= fedBytes - fedBytes / 60, 'and the rest was left on the channel');
  const first = await peer.receive();
  t.equal(first.reply.kind === 'data' && first.reply.data.length, sftpReadBytesMax, 'READ is clamped');
  channel.lose();
  t.equal(await exit, 1);
});

t.test('small READs flood no further than a batch', async (t) => {
  const { channel, files, peer, exit } = await startSession({ unreadBytesMax: 1000 });
  files.put('/a', 'x');
  const handle = await peer.askHandle({ kind: 'open', path: 'a', flags: read, attributes: {} });
  peer.send(
    ...Array.from({ length: 6000 }, () => ({ kind: 'read', handle, offset: 0, lengthBytes: 1 }) as const),
  );
  for (let turn = 0; turn < 500; turn += 1) await new Promise(setImmediate);
  t.ok(channel.unreadBytes < 40_000, `${channel.unreadBytes} bytes`);
  for (let count = 0; count < 6000; count += 1) await peer.receive();
  channel.end();
  t.equal(await exit, 0);
});

t.test('an unforeseen error is told to the log and not to the client', async (t) => {
  const { files, peer, faults } = await startSession();
  const bug = new TypeError('/srv/secret/root is undefined');
  files.faults.set('stat', bug);
  t.strictSame(await peer.ask({ kind: 'stat', path: '/' }), {
    kind: 'status',
    status: sftpStatus.FAILURE,
    words: 'Internal server error',
  });
  const hostFault = new ScpdError('STORAGE_FAILED', 'EIO on /srv/secret');
  files.faults.set('stat', hostFault);
  t.match(await peer.ask({ kind: 'stat', path: '/' }), { words: 'Server storage error' });
  t.strictSame(faults, [bug, hostFault]);
  t.equal((await peer.ask({ kind: 'stat', path: 'none' })).kind, 'status');
  t.equal(faults.length, 2, 'an ordinary refusal is no fault');
  t.equal((await peer.ask({ kind: 'stat', path: '/' })).kind, 'attributes');
});

/** Some request, sensible or not, about few names and few handles. */
function someQuestion(random: (below: number) => number, handles: readonly string[]): Question {
  const path = ['a', 'b', 'd', 'd/x', '', '..', 'a/b', '\udcff'][random(8)] ?? '';
  const handle = handles[random(handles.length + 1)] ?? 'unknown';
  const attributes = [{}, { sizeBytes: random(50) }, { permissions: random(0o10000) }][random(3)] ?? {};
  const offset = random(40);
  const bit = (): boolean => random(2) === 1;
  const questions: readonly Question[] = [
    {
      kind: 'open',
      path,
      flags: { read: bit(), write: bit(), append: bit(), create: bit(), truncate: bit(), exclusive: bit() },
      attributes,
    },
    { kind: 'opendir', path },
    { kind: 'close', handle },
    { kind: 'write', handle, offset, data: Buffer.alloc(random(30), 'x') },
    { kind: 'read', handle, offset, lengthBytes: random(60) },
    { kind: 'readdir', handle },
    { kind: 'fstat', handle },
    { kind: 'fsetstat', handle, attributes },
    { kind: 'fsync', handle },
    { kind: 'stat', path },
    { kind: 'setstat', path, attributes },
    { kind: 'mkdir', path, attributes },
    { kind: 'rmdir', path },
    { kind: 'remove', path },
    { kind: 'rename', from: path, to: 'b' },
    { kind: 'posix-rename', from: 'a', to: path },
    { kind: 'realpath', path },
  ];
  return questions[random(questions.length)] ?? { kind: 'limits' };
}

t.test(
  'whatever is asked, each request has its one answer in its turn, and nothing stays open',
  async (t) => {
    for (let seed = 1; seed <= 100; seed += 1) {
      const random = randomNumbers(seed);
      const { channel, files, peer, faults, exit } = await startSession();
      const handles: string[] = [];
      for (let turn = 0; turn < 20; turn += 1) {
        const questions = Array.from({ length: 1 + random(8) }, () => someQuestion(random, handles));
        const last = peer.send(...questions);
        for (let id = last - questions.length + 1; id <= last; id += 1) {
          const received = await peer.receive();
          if (received.id !== id) t.fail(`seed ${seed}: reply ${received.id} to request ${id}`);
          if (received.reply.kind === 'handle') handles.push(received.reply.handle);
        }
      }
      if (seed % 2 === 0) channel.lose();
      else channel.end();
      t.strictSame([await exit, files.openCount, faults], [seed % 2 === 0 ? 1 : 0, 0, []], `seed ${seed}`);
    }
  },
);
