/** What each request asks of `Files`, what a handle may be used for, and what a client is told when it fails. */
import t from 'tap';
import { ScpdError, sftpStatus } from '../../src/errors.ts';
import { virtualPath } from '../../src/guard/virtual-path.ts';
import {
  sftpHandlesMax,
  sftpListingBytesMax,
  sftpListingEntriesMax,
  sftpRefusalsNotedMax,
} from '../../src/limits.ts';
import { describeRequests } from '../../src/session/sftp-requests.ts';
import { startSession } from '../support/sftp-session.ts';
import { framed, noFlags, type Question } from '../support/sftp-wire.ts';

const ok = { kind: 'status', status: sftpStatus.OK, words: 'Success' } as const;
const denied = { kind: 'status', status: sftpStatus.PERMISSION_DENIED, words: 'Permission denied' } as const;
const invalid = { kind: 'status', status: sftpStatus.FAILURE, words: 'Invalid handle' } as const;
const read = { ...noFlags, read: true };
const create = { ...noFlags, write: true, create: true };
const data = Buffer.from('data');

for (const [flags, expected] of [
  [{ write: true, create: true }, 'upload /f modify create'],
  [{ write: true, create: true, truncate: true }, 'upload /f replace create'],
  [{ write: true, truncate: true }, 'upload /f replace refuse'],
  [{ write: true }, 'upload /f modify refuse'],
  [{ write: true, exclusive: true }, 'upload /f modify refuse'],
  [{ write: true, create: true, append: true }, 'upload /f modify create append'],
  [{ read: true, write: true, create: true, truncate: true }, 'upload /f replace create'],
  [{ read: true }, 'download /f'],
  [{ read: true, create: true, truncate: true }, 'download /f'],
  [{}, 'download /f'],
  [{ read: true, create: true }, 'download /f'],
] as const) {
  t.test(`OPEN ${Object.keys(flags).join(' ') || 'without flags'} is "${expected}"`, async (t) => {
    const { files, peer } = await startSession();
    files.put('/f', 'old');
    await peer.askHandle({ kind: 'open', path: 'f', flags: { ...noFlags, ...flags }, attributes: {} });
    t.strictSame(files.journal, [expected]);
  });
}

t.test('OPEN that creates exclusively refuses what exists; without CREAT nothing is made', async (t) => {
  const { files, peer } = await startSession();
  files.put('/f', 'old');
  const exclusive = { ...create, exclusive: true, truncate: true };
  t.match(await peer.ask({ kind: 'open', path: 'f', flags: exclusive, attributes: {} }), {
    words: 'File exists',
  });
  const locked = { ...read, create: true, exclusive: true };
  t.match(await peer.ask({ kind: 'open', path: 'f', flags: locked, attributes: {} }), {
    words: 'File exists',
  });
  const missing = { kind: 'open', path: 'none', flags: { ...noFlags, write: true }, attributes: {} } as const;
  t.match(await peer.ask(missing), { status: sftpStatus.NO_SUCH_FILE });
  t.strictSame(files.openCount, 0);
});

for (const [permissions, mode] of [
  [undefined, 0o644],
  [0o100600, 0o600],
  [0o107777, 0o755],
  [0, 0],
] as const) {
  t.test(`a new file asked for with mode ${permissions?.toString(8)} gets ${mode.toString(8)}`, async (t) => {
    const { files, peer } = await startSession();
    const attributes = permissions === undefined ? {} : { permissions };
    const handle = await peer.askHandle({ kind: 'open', path: 'f', flags: create, attributes });
    t.strictSame(await peer.ask({ kind: 'close', handle }), ok);
    t.equal(files.attributesOf('/f')?.mode, mode, 'the umask of the test is 022');
  });
}

t.test('a handle is used only for what it was opened for', async (t) => {
  const { files, peer } = await startSession();
  files.put('/r', 'content');
  const reader = await peer.askHandle({ kind: 'open', path: 'r', flags: read, attributes: {} });
  const writer = await peer.askHandle({ kind: 'open', path: 'w', flags: create, attributes: {} });
  const listing = await peer.askHandle({ kind: 'opendir', path: '/' });
  const table: readonly [Question, unknown][] = [
    [{ kind: 'write', handle: reader, offset: 0, data }, denied],
    [{ kind: 'fsetstat', handle: reader, attributes: { sizeBytes: 0 } }, denied],
    [{ kind: 'fsetstat', handle: reader, attributes: {} }, denied],
    [{ kind: 'fsync', handle: reader }, ok],
    [{ kind: 'readdir', handle: reader }, invalid],
    [{ kind: 'read', handle: writer, offset: 0, lengthBytes: 5 }, denied],
    [{ kind: 'readdir', handle: writer }, invalid],
    [{ kind: 'read', handle: listing, offset: 0, lengthBytes: 5 }, invalid],
    [{ kind: 'write', handle: listing, offset: 0, data }, invalid],
    [{ kind: 'fstat', handle: listing }, invalid],
    [{ kind: 'fsetstat', handle: listing, attributes: { permissions: 0 } }, invalid],
    [{ kind: 'fsync', handle: listing }, invalid],
  ];
  for (const [question, expected] of table) t.strictSame(await peer.ask(question), expected, question.kind);
  t.equal(files.content('/r')?.toString(), 'content');
});

t.test('what is refused before it comes to a file is told all the same', async (t) => {
  const { channel, files, peer } = await startSession();
  files.put('/r', 'content');
  const reader = await peer.askHandle({ kind: 'open', path: 'r', flags: read, attributes: {} });
  const writer = await peer.askHandle({ kind: 'open', path: 'w', flags: create, attributes: {} });
  await peer.ask({ kind: 'write', handle: reader, offset: 0, data });
  await peer.ask({ kind: 'read', handle: writer, offset: 0, lengthBytes: 5 });
  await peer.ask({ kind: 'stat', path: 'none' });
  await peer.ask({ kind: 'stat', path: 'a\0b' });
  const name = Buffer.from('evil@example.com');
  channel.feed(framed(Buffer.concat([Buffer.from([200, 0, 0, 0, 99, 0, 0, 0, name.length]), name])));
  await peer.receivePacket();
  const rule = { reason: 'handle' };
  t.strictSame(files.refusals, [
    { what: 'sftp write /r', error: 'PERMISSION_DENIED', rule },
    { what: 'sftp read /w', error: 'PERMISSION_DENIED', rule },
    { what: 'sftp stat a\0b', error: 'INVALID_NAME' },
    { what: 'sftp extension evil@example.com', error: 'UNSUPPORTED' },
  ]);
});

t.test('handles that are closed, guessed or foreign are unknown', async (t) => {
  const { files, peer } = await startSession();
  const foreign = await startSession();
  files.put('/r', 'content');
  foreign.files.put('/r', 'content');
  const question = { kind: 'open', path: 'r', flags: read, attributes: {} } as const;
  const handle = await peer.askHandle(question);
  await peer.askHandle(question);
  await foreign.peer.askHandle(question);
  const other = await foreign.peer.askHandle(question);
  t.equal(handle.length, 8);
  t.strictSame(await peer.ask({ kind: 'close', handle }), ok);
  for (const guess of [handle, other, '', '0', '__proto__', 'constructor', '\0'.repeat(256), 'x'.repeat(8)]) {
    t.strictSame(await peer.ask({ kind: 'close', handle: guess }), invalid);
    t.strictSame(await peer.ask({ kind: 'read', handle: guess, offset: 0, lengthBytes: 1 }), invalid);
    t.strictSame(await peer.ask({ kind: 'fstat', handle: guess }), invalid);
    t.strictSame(await peer.ask({ kind: 'readdir', handle: guess }), invalid);
  }
  t.not(await peer.askHandle(question), handle, 'a handle does not come back');
});

t.test('thousands of opens stop at the limit, and go on after a CLOSE', async (t) => {
  const { channel, files, peer, exit } = await startSession();
  files.put('/r', 'content');
  const handles: string[] = [];
  for (let count = 0; count < 3000; count += 1) {
    const kind = (['open', 'opendir'] as const)[count % 2];
    const reply = await peer.ask(
      kind === 'open' ? { kind, path: 'r', flags: read, attributes: {} } : { kind: 'opendir', path: '/' },
    );
    if (reply.kind === 'handle') handles.push(reply.handle);
    else t.match(reply, { words: 'Too many open files in this session' });
  }
  t.equal(files.refusals.length, Math.min(3000 - sftpHandlesMax, sftpRefusalsNotedMax));
  t.match(files.refusals[0], { what: /^sftp open(dir)? /, error: 'TOO_MANY_HANDLES' });
  t.equal(new Set(handles).size, sftpHandlesMax);
  t.equal(files.openCount, sftpHandlesMax);
  await peer.ask({ kind: 'close', handle: handles[0] ?? '' });
  await peer.askHandle({ kind: 'opendir', path: '/' });
  channel.end();
  t.equal(await exit, 0);
  t.equal(files.openCount, 0);
});

t.test('after a write that failed, CLOSE drops the upload and says why', async (t) => {
  const { files, peer } = await startSession();
  files.put('/f', 'the old file');
  const handle = await peer.askHandle({ kind: 'open', path: 'f', flags: create, attributes: {} });
  const full = { kind: 'status', status: sftpStatus.FAILURE, words: 'No space left on the server' } as const;
  files.faults.set('write', new ScpdError('NO_SPACE'));
  peer.send(
    { kind: 'write', handle, offset: 0, data },
    { kind: 'write', handle, offset: 4, data },
    { kind: 'fsetstat', handle, attributes: { sizeBytes: 8 } },
    { kind: 'fsetstat', handle, attributes: { permissions: 0o600 } },
    { kind: 'fsync', handle },
    { kind: 'close', handle },
    { kind: 'close', handle },
  );
  for (let count = 0; count < 6; count += 1) t.strictSame((await peer.receive()).reply, full);
  t.strictSame((await peer.receive()).reply, invalid);
  t.equal(files.content('/f')?.toString(), 'the old file');
  t.equal(files.journal.at(-1), 'abort /f NO_SPACE');
});

t.test('an upload that failed and is never closed is recorded with what went wrong', async (t) => {
  const { channel, files, peer, exit } = await startSession();
  const handle = await peer.askHandle({ kind: 'open', path: 'f', flags: create, attributes: {} });
  files.faults.set('write', new ScpdError('NO_SPACE'));
  await peer.ask({ kind: 'write', handle, offset: 0, data });
  channel.end();
  t.equal(await exit, 0);
  t.equal(files.journal.at(-1), 'abort /f NO_SPACE');
});

for (const [call, question] of [
  ['setAttributes', { kind: 'fsetstat', attributes: { sizeBytes: 0 } }],
  ['sync', { kind: 'fsync' }],
] as const) {
  t.test(`after ${question.kind} that failed, CLOSE drops the upload`, async (t) => {
    const { files, peer } = await startSession();
    files.put('/f', 'the old file');
    const handle = await peer.askHandle({ kind: 'open', path: 'f', flags: create, attributes: {} });
    files.faults.set(call, new ScpdError('STORAGE_FAILED'));
    t.match(await peer.ask({ ...question, handle }), { words: 'Server storage error' });
    t.match(await peer.ask({ kind: 'close', handle }), { words: 'Server storage error' });
    t.equal(files.content('/f')?.toString(), 'the old file');
  });
}

t.test('a mode that can’t be set does not spoil the content', async (t) => {
  const { files, peer } = await startSession();
  const handle = await peer.askHandle({ kind: 'open', path: 'f', flags: create, attributes: {} });
  files.faults.set('setAttributes', new ScpdError('PERMISSION_DENIED'));
  t.strictSame(await peer.ask({ kind: 'fsetstat', handle, attributes: { permissions: 0o600 } }), denied);
  t.strictSame(await peer.ask({ kind: 'close', handle }), ok);
  t.ok(files.content('/f'));
});

t.test('CLOSE fails when the commit or what it waits for fails', async (t) => {
  for (const call of ['commit', 'settle'] as const) {
    const { files, peer } = await startSession();
    const handle = await peer.askHandle({ kind: 'open', path: 'f', flags: create, attributes: {} });
    files.faults.set(call, new ScpdError('AUDIT_FAILED'));
    t.match(await peer.ask({ kind: 'close', handle }), { words: 'Server cannot write its journal' });
    t.strictSame(await peer.ask({ kind: 'close', handle }), invalid);
    t.equal(files.openCount, 0);
  }
});

t.test('changes of the tree wait for their durability', async (t) => {
  for (const question of [
    { kind: 'mkdir', path: 'd', attributes: {} },
    { kind: 'rmdir', path: 'empty' },
    { kind: 'remove', path: 'f' },
    { kind: 'rename', from: 'f', to: 'g' },
    { kind: 'posix-rename', from: 'f', to: 'g' },
    { kind: 'setstat', path: 'f', attributes: { permissions: 0o600 } },
  ] as const satisfies readonly Question[]) {
    const { files, peer } = await startSession();
    files.put('/f', '');
    files.putDirectory('/empty');
    files.faults.set('settle', new ScpdError('AUDIT_FAILED'));
    t.match(await peer.ask(question), { words: 'Server cannot write its journal' }, question.kind);
  }
});

t.test('LSTAT does not follow links; STAT and SETSTAT do', async (t) => {
  const { files, peer } = await startSession();
  files.put('/f', '');
  const asked: unknown[] = [];
  const found = await files.stat(virtualPath('/f'));
  files.stat = async (path: string, options?: unknown) => {
    asked.push([path, options]);
    return found;
  };
  files.setAttributes = async (path: string, _change: unknown, options?: unknown) => {
    asked.push([path, options]);
  };
  t.match(await peer.ask({ kind: 'stat', path: 'f' }), { attributes: { permissions: 0o100644 } });
  t.match(await peer.ask({ kind: 'lstat', path: 'f' }), { attributes: { permissions: 0o100644 } });
  await peer.ask({ kind: 'setstat', path: 'f', attributes: { permissions: 0 } });
  t.strictSame(asked, [
    ['/f', { follow: true, partial: true }],
    ['/f', { follow: false, partial: true }],
    ['/f', { follow: true }],
  ]);
});

t.test('attributes of what is no file, and times that do not fit', async (t) => {
  const { files, peer } = await startSession();
  const found = await files.stat(virtualPath('/'));
  for (const [attributes, expected] of [
    [{ kind: 'link', mode: 0o777 }, { permissions: 0o120777 }],
    [{ kind: 'other', mode: 0o7644 }, { permissions: 0o644 }],
    [
      { modifiedSeconds: -0.5, accessedSeconds: 1e12 },
      { times: { modifiedSeconds: 0, accessedSeconds: 0xffffffff } },
    ],
    [{ modifiedSeconds: 1.9, accessedSeconds: 2 }, { times: { modifiedSeconds: 1, accessedSeconds: 2 } }],
  ] as const) {
    files.stat = async () => ({ ...found, ...attributes });
    t.match(await peer.ask({ kind: 'lstat', path: '/' }), { attributes: expected });
  }
});

t.test('owners are nobody’s to change, and asking is no error', async (t) => {
  const { files, peer } = await startSession();
  files.put('/f', '');
  const attributes = { owner: { uid: 0, gid: 0 } };
  const handle = await peer.askHandle({ kind: 'open', path: 'f', flags: create, attributes });
  t.strictSame(await peer.ask({ kind: 'setstat', path: 'f', attributes }), ok);
  t.strictSame(await peer.ask({ kind: 'fsetstat', handle, attributes }), ok);
  t.strictSame(
    await peer.ask({ kind: 'setstat', path: 'f', attributes: { ...attributes, permissions: 0o104711 } }),
    ok,
  );
  t.equal(files.attributesOf('/f')?.mode, 0o711, 'setuid is dropped');
  t.strictSame(
    files.journal.filter((line) => line.startsWith('set /')),
    ['set /f {"mode":457}'],
  );
});

t.test('a READ of nothing is answered with nothing, beyond the end too', async (t) => {
  const { files, peer } = await startSession();
  files.put('/r', 'content');
  const handle = await peer.askHandle({ kind: 'open', path: 'r', flags: read, attributes: {} });
  for (const offset of [0, 100]) {
    t.strictSame(await peer.ask({ kind: 'read', handle, offset, lengthBytes: 0 }), {
      kind: 'data',
      data: Buffer.alloc(0),
    });
  }
});

t.test('paths are canonical, and what is no path is refused in words', async (t) => {
  const { peer } = await startSession();
  for (const [path, name] of [
    ['', '/'],
    ['.', '/'],
    ['/../..', '/'],
    ['a//./b/../c/', '/a/c'],
    ['\udcff', '/\udcff'],
  ] as const) {
    t.match(await peer.ask({ kind: 'realpath', path }), {
      kind: 'names',
      entries: [{ name, longName: name }],
    });
  }
  for (const [path, words] of [
    ['a\0b', 'Invalid file name'],
    ['n'.repeat(256), 'File name too long'],
    ['d/'.repeat(2000), 'File name too long'],
    ['d/'.repeat(3000), 'File name too long'],
  ] as const) {
    t.match(await peer.ask({ kind: 'stat', path }), { kind: 'status', words });
    t.match(await peer.ask({ kind: 'realpath', path }), { kind: 'status', words });
  }
});

t.test('a big directory comes in bounded answers', async (t) => {
  const { files, peer } = await startSession();
  const count = 250;
  for (let index = 0; index < count; index += 1) files.put(`/d/${String(index).padStart(255, 'n')}`, '');
  const handle = await peer.askHandle({ kind: 'opendir', path: 'd' });
  const names = new Set<string>();
  for (;;) {
    peer.send({ kind: 'readdir', handle });
    const packet = await peer.receivePacket();
    if (packet[0] !== 104) break;
    t.ok(packet.length <= sftpListingBytesMax, `${packet.length} bytes`);
    t.ok(packet.readUInt32BE(5) <= sftpListingEntriesMax);
    const found = packet.toString('latin1').match(/n+[0-9]+/g) ?? [];
    for (const name of found) names.add(name);
  }
  t.equal(names.size, count);
});

t.test('the requests can be listed', async (t) => {
  const described = describeRequests();
  t.equal(described.length, 34);
  t.strictSame(described[0], {
    kind: 'open',
    type: 3,
    changes: false,
    verbs: ['read', 'create', 'overwrite', 'append'],
  });
  t.match(described.at(-1), { kind: 'vendor-id', type: 'vendor-id', verbs: [] });
});
