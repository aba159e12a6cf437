/**
 * Requests that are sent without waiting for answers: what runs side by side, what keeps its order, what is gathered, and
 * where it ends.
 */
import t from 'tap';
import { ScpdError, sftpStatus } from '../../src/errors.ts';
import type { Upload } from '../../src/guard/files.ts';
import {
  sftpBytesInFlightMax,
  sftpGatheredBytesMax,
  sftpHandlesMax,
  sftpRequestsInFlightMax,
} from '../../src/limits.ts';
import { othersGetTurns } from '../support/longest-wait.ts';
import { startSession, type TestSession } from '../support/sftp-session.ts';
import { encodeRequest, noFlags, type Question } from '../support/sftp-wire.ts';

const ok = { kind: 'status', status: sftpStatus.OK, words: 'Success' } as const;
const create = { ...noFlags, write: true, create: true };
const read = { ...noFlags, read: true };

/** Lets everything run that needs no more than a few turns. */
async function turns(count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise(setImmediate);
}

/** A door that holds everyone who waits at it until it is opened. */
function gate(): { readonly wait: () => Promise<void>; readonly open: () => void; waiting: number } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const door = {
    waiting: 0,
    open,
    wait: async () => {
      door.waiting += 1;
      await opened;
    },
  };
  return door;
}

/** Makes every upload of the session pass through `change` when it is opened. */
function changeUploads({ files }: TestSession, change: (upload: Upload) => void): void {
  const upload = files.upload.bind(files);
  files.upload = async (...parameters) => {
    const opened = await upload(...parameters);
    change(opened);
    return opened;
  };
}

t.test('CLOSEs of different files run side by side, and are answered in order', async (t) => {
  const session = await startSession();
  const { files, peer } = session;
  const door = gate();
  changeUploads(session, (upload) => {
    const commit = upload.commit.bind(upload);
    upload.commit = async (verdict) => {
      await door.wait();
      await commit(verdict);
    };
  });
  const handles: string[] = [];
  for (let index = 0; index < 20; index += 1) {
    handles.push(await peer.askHandle({ kind: 'open', path: `f${index}`, flags: create, attributes: {} }));
  }
  const last = peer.send(...handles.map((handle) => ({ kind: 'close', handle }) as const));
  await turns();
  t.equal(door.waiting, 20, 'all are at work');
  door.open();
  for (let id = last - 19; id <= last; id += 1) t.strictSame(await peer.receive(), { id, reply: ok });
  t.ok(files.content('/f19'));
});

t.test('what could see the work of an earlier request waits for it', async (t) => {
  for (const [name, questions, expected] of [
    [
      'RENAME of what is being closed',
      (handle: string) => [
        { kind: 'close', handle },
        { kind: 'rename', from: 'd/f', to: 'd/g' },
      ],
      ['commit /d/f closed', 'settle', 'rename /d/f /d/g', 'settle'],
    ],
    [
      'OPENDIR of where something is being closed',
      (handle: string) => [
        { kind: 'close', handle },
        { kind: 'opendir', path: 'd' },
      ],
      ['commit /d/f closed', 'settle', 'list /d'],
    ],
    [
      'a tree that is taken down from below',
      (handle: string) => [
        { kind: 'close', handle },
        { kind: 'remove', path: '/d/./f' },
        { kind: 'rmdir', path: 'd' },
      ],
      ['commit /d/f closed', 'settle', 'remove /d/f', 'settle', 'rmdir /d', 'settle'],
    ],
    [
      'a tree that is made from above',
      () => [
        { kind: 'mkdir', path: 'a', attributes: {} },
        { kind: 'mkdir', path: 'a/b', attributes: {} },
        { kind: 'symlink', path: 'a/b/l', target: 'x' },
      ],
      ['mkdir /a 777', 'settle', 'mkdir /a/b 777', 'settle', 'link /a/b/l x', 'settle'],
    ],
  ] as const satisfies readonly (readonly [
    string,
    (handle: string) => readonly Question[],
    readonly string[],
  ])[]) {
    await t.test(name, async (t) => {
      const session = await startSession();
      session.files.putDirectory('/d');
      const settle = session.files.settle.bind(session.files);
      session.files.settle = async () => {
        await turns(3);
        await settle();
      };
      const handle = await session.peer.askHandle({
        kind: 'open',
        path: 'd/f',
        flags: create,
        attributes: {},
      });
      const before = session.files.journal.length;
      const asked = questions(handle);
      session.peer.send(...asked);
      for (let count = 0; count < asked.length; count += 1) {
        t.not((await session.peer.receive()).reply, { kind: 'status', status: sftpStatus.FAILURE });
      }
      t.strictSame(session.files.journal.slice(before), expected);
    });
  }
});

t.test('requests about other files go on while one is being closed', async (t) => {
  const session = await startSession();
  const { files, peer } = session;
  const door = gate();
  changeUploads(session, (upload) => {
    const commit = upload.commit.bind(upload);
    upload.commit = async (verdict) => {
      await door.wait();
      await commit(verdict);
    };
  });
  const handle = await peer.askHandle({ kind: 'open', path: 'slow', flags: create, attributes: {} });
  peer.send(
    { kind: 'close', handle },
    { kind: 'mkdir', path: 'other', attributes: {} },
    { kind: 'open', path: 'other/f', flags: create, attributes: {} },
  );
  await turns();
  t.match(files.journal.slice(1), ['mkdir /other 777', 'settle', 'upload /other/f modify create']);
  door.open();
  t.match([(await peer.receive()).reply, (await peer.receive()).reply], [ok, ok]);
  t.equal((await peer.receive()).reply.kind, 'handle');
});

/** An upload of which every write is remembered as [offset, length], and waits at the door. */
async function watchedUpload(
  session: TestSession,
): Promise<{ handle: string; writes: [number, number][]; door: ReturnType<typeof gate> }> {
  const writes: [number, number][] = [];
  const door = gate();
  changeUploads(session, (upload) => {
    const write = upload.write.bind(upload);
    upload.write = async (bytes, offset) => {
      writes.push([offset, bytes.length]);
      await door.wait();
      await write(bytes, offset);
    };
  });
  const handle = await session.peer.askHandle({ kind: 'open', path: 'f', flags: create, attributes: {} });
  return { handle, writes, door };
}

t.test('small WRITEs that follow one another become one', async (t) => {
  const session = await startSession();
  const { peer, files } = session;
  const { handle, writes, door } = await watchedUpload(session);
  door.open();
  const bytes = Buffer.from(Array.from({ length: 100 }, (_, index) => index));
  const questions = Array.from(
    { length: 100 },
    (_, index) => ({ kind: 'write', handle, offset: index, data: bytes.subarray(index, index + 1) }) as const,
  );
  const last = peer.send(...questions, { kind: 'fstat', handle }, { kind: 'close', handle });
  for (let id = last - 101; id < last - 1; id += 1) t.strictSame(await peer.receive(), { id, reply: ok });
  t.match(await peer.receive(), { reply: { attributes: { sizeBytes: 100 } } });
  t.strictSame((await peer.receive()).reply, ok);
  t.strictSame(writes, [[0, 100]]);
  t.ok(files.content('/f')?.equals(bytes));
});

t.test('gathering ends at a gap, at a large WRITE, at its limit, and at any other request', async (t) => {
  const session = await startSession();
  const { peer } = session;
  const { handle, writes, door } = await watchedUpload(session);
  door.open();
  const write = (offset: number, lengthBytes: number): Question => ({
    kind: 'write',
    handle,
    offset,
    data: Buffer.alloc(lengthBytes),
  });
  const piece = 60_000;
  const many = Array.from({ length: 20 }, (_, index) => write(1_000_000 + index * piece, piece));
  const questions = [
    write(0, 10),
    write(10, 10),
    write(30, 10), // a gap
    write(40, 100_000), // large
    write(100_040, 10), // goes on behind it
    { kind: 'fsetstat', handle, attributes: { permissions: 0o600 } } as const,
    write(100_050, 10),
    write(5, 10), // back
    ...many,
  ];
  peer.send(...questions);
  for (let count = 0; count < questions.length; count += 1) t.strictSame((await peer.receive()).reply, ok);
  const atOnce = Math.floor(sftpGatheredBytesMax / piece);
  t.strictSame(writes, [
    [0, 20],
    [30, 10],
    [40, 100_010],
    [100_050, 10],
    [5, 10],
    [1_000_000, atOnce * piece],
    [1_000_000 + atOnce * piece, (20 - atOnce) * piece],
  ]);
});

t.test('if a gathered WRITE fails, each of its parts has failed', async (t) => {
  const { files, peer } = await startSession();
  const handle = await peer.askHandle({ kind: 'open', path: 'f', flags: create, attributes: {} });
  files.faults.set('write', new ScpdError('NO_SPACE'));
  const data = Buffer.from('xy');
  peer.send(
    { kind: 'write', handle, offset: 0, data },
    { kind: 'write', handle, offset: 2, data },
    { kind: 'close', handle },
  );
  for (let count = 0; count < 3; count += 1) {
    t.match((await peer.receive()).reply, { words: 'No space left on the server' });
  }
  t.equal(files.content('/f'), undefined);
});

t.test('a disk that does not move: what is held is bounded, the rest stays with the client', async (t) => {
  const session = await startSession();
  const { channel, peer, exit } = session;
  const { handle, door } = await watchedUpload(session);
  const data = Buffer.alloc(250_000);
  const count = 200;
  for (let index = 0; index < count; index += 1) {
    peer.send({ kind: 'write', handle, offset: index * data.length, data });
  }
  await turns(200);
  const held = count * data.length - channel.fedBytes;
  t.ok(held <= sftpBytesInFlightMax + data.length, `${held} bytes held`);
  t.ok(held > sftpBytesInFlightMax / 2, 'and they were taken');
  door.open();
  for (let index = 0; index < count; index += 1) t.strictSame((await peer.receive()).reply, ok);
  channel.end();
  t.equal(await exit, 0);
});

t.test('no more requests are begun than may be in flight', async (t) => {
  const { channel, files, peer, exit } = await startSession();
  const door = gate();
  const stat = files.stat.bind(files);
  files.stat = async (path) => {
    await door.wait();
    return stat(path);
  };
  const count = 3 * sftpRequestsInFlightMax;
  for (let index = 0; index < count; index += 1) peer.send({ kind: 'stat', path: '/' });
  await turns(200);
  t.equal(door.waiting, sftpRequestsInFlightMax);
  door.open();
  for (let index = 0; index < count; index += 1) t.equal((await peer.receive()).reply.kind, 'attributes');
  channel.end();
  t.equal(await exit, 0);
});

t.test('OPENs sent at once do not pass the limit of handles together', async (t) => {
  const { channel, files, peer, exit } = await startSession();
  files.put('/f', 'x');
  const opens = Array.from(
    { length: sftpHandlesMax + 20 },
    () => ({ kind: 'open', path: 'f', flags: read, attributes: {} }) as const,
  );
  peer.send(...opens);
  const kinds: string[] = [];
  for (let index = 0; index < opens.length; index += 1) kinds.push((await peer.receive()).reply.kind);
  t.equal(kinds.filter((kind) => kind === 'handle').length, sftpHandlesMax);
  channel.end();
  t.equal(await exit, 0);
  t.equal(files.openCount, 0);
});

t.test(
  'a connection lost with work under way: the work ends first, then everything open is dropped',
  async (t) => {
    const session = await startSession();
    const { channel, files, peer, exit } = session;
    const { handle, door } = await watchedUpload(session);
    const upload = files.upload.bind(files);
    const opening = gate();
    files.upload = async (...parameters) => {
      await opening.wait();
      return await upload(...parameters);
    };
    peer.send(
      { kind: 'write', handle, offset: 0, data: Buffer.from('half') },
      { kind: 'open', path: 'late', flags: create, attributes: {} },
    );
    await turns();
    channel.lose();
    await turns();
    t.equal(files.openCount, 1, 'nothing was closed under the write');
    door.open();
    opening.open();
    t.equal(await exit, 1);
    t.equal(files.openCount, 0, 'also what was opened too late');
    t.equal(files.content('/f'), undefined);
  },
);

t.test('a session sees what it uploads grow, by its name, behind its own WRITEs', async (t) => {
  const { files, peer } = await startSession();
  files.put('/old', 'the old file');
  for (const [path, sizeBytes] of [
    ['new', 4],
    ['old', 12],
  ] as const) {
    const handle = await peer.askHandle({ kind: 'open', path, flags: create, attributes: {} });
    peer.send(
      { kind: 'write', handle, offset: 0, data: Buffer.from('ab') },
      { kind: 'fsync', handle },
      { kind: 'write', handle, offset: 2, data: Buffer.from('cd') },
      { kind: 'lstat', path: `./${path}` },
      { kind: 'stat', path },
    );
    for (let count = 0; count < 3; count += 1) t.strictSame((await peer.receive()).reply, ok);
    for (let count = 0; count < 2; count += 1)
      t.match(await peer.receive(), { reply: { attributes: { sizeBytes } } });
    await peer.ask({ kind: 'write', handle, offset: 12, data: Buffer.from('more') });
    t.match(await peer.ask({ kind: 'stat', path }), { attributes: { sizeBytes: 16 } });
  }
  peer.send(
    { kind: 'open', path: 'sshfs', flags: { ...create, exclusive: true }, attributes: {} },
    { kind: 'lstat', path: 'sshfs' },
  );
  t.match(
    [await peer.receive(), await peer.receive()],
    [{ reply: { kind: 'handle' } }, { reply: { kind: 'attributes' } }],
  );
  const other = await startSession();
  t.match(await other.peer.ask({ kind: 'stat', path: 'new' }), { status: sftpStatus.NO_SUCH_FILE });
});

t.test(
  'what is set by the name of something that is being uploaded stays when it is published',
  async (t) => {
    const { files, peer } = await startSession();
    files.put('/old', 'the old file');
    const times = { accessedSeconds: 5, modifiedSeconds: 6 };
    for (const path of ['old', 'new']) {
      const handle = await peer.askHandle({ kind: 'open', path, flags: create, attributes: {} });
      t.strictSame(await peer.ask({ kind: 'setstat', path, attributes: { times } }), ok);
      t.strictSame(await peer.ask({ kind: 'close', handle }), ok);
      t.match(files.attributesOf(`/${path}`), times);
    }
    t.match(await peer.ask({ kind: 'setstat', path: 'none', attributes: { times } }), {
      status: sftpStatus.NO_SUCH_FILE,
    });
  },
);

t.test('thousands of requests in one piece let others have their turns', async (t) => {
  const { channel, files, peer } = await startSession();
  files.put('/file', 'x');
  const count = 10_000;
  const one = encodeRequest({ kind: 'stat', id: 1, path: 'file' });
  await othersGetTurns(t, async () => {
    channel.feed(Buffer.concat(Array.from({ length: count }, () => one)));
    for (let answers = 0; answers < count; answers += 1) await peer.receive();
  });
});
