/** What each extension does, as a client sees it: links, space, home, names of owners, copies on the server, hashes. */
import t from 'tap';
import { createHash } from 'node:crypto';
import { ScpdError, sftpStatus } from '../../src/errors.ts';
import { sftpWorkChunkBytes } from '../../src/limits.ts';
import { randomNumbers } from '../support/random-numbers.ts';
import { startSession } from '../support/sftp-session.ts';
import { noFlags, type Question } from '../support/sftp-wire.ts';

const ok = { kind: 'status', status: sftpStatus.OK, words: 'Success' } as const;
const eof = { kind: 'status', status: sftpStatus.EOF, words: 'End of file' } as const;
const invalid = { kind: 'status', status: sftpStatus.FAILURE, words: 'Invalid handle' } as const;
const missing = { kind: 'status', status: sftpStatus.NO_SUCH_FILE } as const;
const unsupported = { kind: 'status', status: sftpStatus.OP_UNSUPPORTED } as const;
const read = { ...noFlags, read: true };
const create = { ...noFlags, write: true, create: true };

const names = (name: string): object => ({
  kind: 'names',
  entries: [{ name, longName: name, attributes: {} }],
});

t.test('links are made in OpenSSH’s order and read back', async (t) => {
  const { files, peer } = await startSession();
  files.put('/f', 'content');
  t.strictSame(await peer.ask({ kind: 'symlink', target: '../f', path: 'l' }), ok);
  t.strictSame(files.journal, ['link /l ../f', 'settle']);
  t.strictSame(await peer.ask({ kind: 'readlink', path: '/l' }), names('../f'));
  t.match(await peer.ask({ kind: 'readlink', path: 'f' }), { status: sftpStatus.FAILURE });
  t.match(await peer.ask({ kind: 'readlink', path: 'none' }), missing);
  t.match(await peer.ask({ kind: 'symlink', target: 'f', path: 'l' }), { words: 'File exists' });
});

t.test('links of clients that keep to the draft’s order', async (t) => {
  for (const clientSoftware of ['AsyncSSH_2.10.1', 'Erlang/4.15']) {
    const { files, peer } = await startSession({ clientSoftware });
    t.strictSame(await peer.ask({ kind: 'symlink', target: '/link', path: '../to' }), ok);
    t.strictSame(files.journal, ['link /link ../to', 'settle']);
  }
});

t.test('a hard link is a second name', async (t) => {
  const { files, peer } = await startSession();
  files.put('/f', 'content');
  t.strictSame(await peer.ask({ kind: 'hardlink', from: 'f', to: 'g' }), ok);
  t.equal(files.content('/g')?.toString(), 'content');
  t.match(await peer.ask({ kind: 'hardlink', from: 'f', to: 'g' }), { words: 'File exists' });
});

t.test('lsetstat does not follow, and a link has no size', async (t) => {
  const { files, peer } = await startSession();
  files.put('/f', '');
  const asked: unknown[] = [];
  files.setAttributes = async (path: string, change: unknown, options?: unknown) => {
    asked.push([path, change, options]);
  };
  t.strictSame(await peer.ask({ kind: 'lsetstat', path: 'f', attributes: { permissions: 0o600 } }), ok);
  t.match(await peer.ask({ kind: 'lsetstat', path: 'f', attributes: { sizeBytes: 0 } }), {
    status: sftpStatus.BAD_MESSAGE,
  });
  t.strictSame(asked, [['/f', { mode: 0o600 }, { follow: false }]]);
});

t.test('space is told of paths and of what is open, three ways', async (t) => {
  const { files, peer } = await startSession();
  files.put('/d/f', '');
  const upload = await peer.askHandle({ kind: 'open', path: 'd/new', flags: create, attributes: {} });
  const download = await peer.askHandle({ kind: 'open', path: 'd/f', flags: read, attributes: {} });
  const listing = await peer.askHandle({ kind: 'opendir', path: '/' });
  const facts = { blockBytes: 4096, totalBytes: 2 ** 31, freeBytes: 2 ** 30, availableBytes: 2 ** 29 };
  const whole = { kind: 'file-system', facts: { ...facts, totalFiles: 1000, freeFiles: 900 } };
  for (const question of [
    { kind: 'statvfs', path: 'd' },
    { kind: 'fstatvfs', handle: upload },
    { kind: 'fstatvfs', handle: download },
    { kind: 'fstatvfs', handle: listing },
  ] as const satisfies readonly Question[]) {
    t.strictSame(await peer.ask(question), whole, question.kind);
  }
  t.match(await peer.ask({ kind: 'space-available', path: '/' }), { kind: 'space', facts });
  t.match(await peer.ask({ kind: 'statvfs', path: 'none' }), missing);
  t.strictSame(await peer.ask({ kind: 'fstatvfs', handle: 'none' }), invalid);
});

t.test('home is the root, one’s own and nobody else’s', async (t) => {
  const { peer } = await startSession();
  for (const [path, name] of [
    ['~', '/'],
    ['~/a/../b', '/b'],
    ['~alice', '/'],
    ['~alice/x', '/x'],
    ['x/~', '/x/~'],
    ['/a//b', '/a/b'],
    ['', '/'],
  ] as const) {
    t.strictSame(await peer.ask({ kind: 'expand-path', path }), names(name), path);
  }
  t.match(await peer.ask({ kind: 'expand-path', path: '~bob/x' }), missing);
  for (const userName of ['', 'alice']) {
    t.strictSame(await peer.ask({ kind: 'home-directory', userName }), names('/'));
  }
  t.match(await peer.ask({ kind: 'home-directory', userName: 'root' }), missing);
});

t.test('the ids that files show have names, and no others', async (t) => {
  const { peer } = await startSession();
  t.strictSame(await peer.ask({ kind: 'owner-names', userIds: [1000, 0, 1000], groupIds: [0, 1000] }), {
    kind: 'owner-names',
    userNames: ['alice', '', 'alice'],
    groupNames: ['', 'scpd'],
  });
  t.strictSame(await peer.ask({ kind: 'vendor-id' }), ok);
});

/** Content of which no two blocks are the same. */
function content(lengthBytes: number): Buffer {
  const random = randomNumbers(lengthBytes);
  return Buffer.from(Array.from({ length: lengthBytes }, () => random(256)));
}

t.test('copy-data copies ranges, to the end, and tells of an early end', async (t) => {
  const { files, peer } = await startSession();
  const bytes = content(2 * sftpWorkChunkBytes + 100);
  files.put('/from', bytes);
  const fromHandle = await peer.askHandle({ kind: 'open', path: 'from', flags: read, attributes: {} });
  const toHandle = await peer.askHandle({ kind: 'open', path: 'to', flags: create, attributes: {} });
  const copy = { kind: 'copy-data', fromHandle, toHandle } as const;
  t.strictSame(await peer.ask({ ...copy, fromOffset: 0, lengthBytes: 0, toOffset: 0 }), ok, 'all of it');
  t.strictSame(await peer.ask({ ...copy, fromOffset: 5, lengthBytes: 3, toOffset: bytes.length }), ok);
  const beyond = { ...copy, fromOffset: bytes.length - 2, lengthBytes: 10, toOffset: bytes.length + 3 };
  t.strictSame(await peer.ask(beyond), eof, 'what there was');
  t.strictSame(await peer.ask({ ...copy, fromOffset: bytes.length, lengthBytes: 0, toOffset: 0 }), ok);
  t.strictSame(await peer.ask({ kind: 'close', handle: toHandle }), ok);
  t.ok(files.content('/to')?.equals(Buffer.concat([bytes, bytes.subarray(5, 8), bytes.subarray(-2)])));
});

t.test('copy-data needs two handles, one to read and one to write', async (t) => {
  const { files, peer } = await startSession();
  files.put('/f', 'content');
  const reader = await peer.askHandle({ kind: 'open', path: 'f', flags: read, attributes: {} });
  const flags = { ...create, read: true };
  const both = await peer.askHandle({ kind: 'open', path: 'g', flags, attributes: {} });
  const range = { fromOffset: 0, lengthBytes: 0, toOffset: 0 };
  for (const [fromHandle, toHandle, expected] of [
    [both, both, invalid],
    [reader, reader, invalid],
    [reader, 'none', invalid],
    ['none', both, invalid],
    [both, reader, { status: sftpStatus.PERMISSION_DENIED }],
    [reader, both, ok],
  ] as const) {
    t.match(await peer.ask({ kind: 'copy-data', fromHandle, toHandle, ...range }), expected);
  }
});

t.test('a copy that failed spoils the upload', async (t) => {
  const { files, peer } = await startSession();
  files.put('/f', 'content');
  const fromHandle = await peer.askHandle({ kind: 'open', path: 'f', flags: read, attributes: {} });
  const toHandle = await peer.askHandle({ kind: 'open', path: 'g', flags: create, attributes: {} });
  files.faults.set('write', new ScpdError('NO_SPACE'));
  const full = { words: 'No space left on the server' };
  const range = { fromOffset: 0, lengthBytes: 0, toOffset: 0 };
  t.match(await peer.ask({ kind: 'copy-data', fromHandle, toHandle, ...range }), full);
  t.match(await peer.ask({ kind: 'close', handle: toHandle }), full);
  t.equal(files.content('/g'), undefined);
});

t.test('a copy stops when the client is gone', async (t) => {
  const { channel, files, peer, exit } = await startSession();
  files.put('/f', 'content');
  const fromHandle = await peer.askHandle({ kind: 'open', path: 'f', flags: read, attributes: {} });
  const toHandle = await peer.askHandle({ kind: 'open', path: 'g', flags: create, attributes: {} });
  let reads = 0;
  const found = files.failIfAsked.bind(files);
  files.failIfAsked = (call) => {
    // A source without an end, as far as this test is concerned.
    if (call === 'write') files.put('/f', '');
    if (call === 'read') reads += 1;
    if (call === 'write' && reads === 1) channel.lose();
    found(call);
  };
  peer.send({ kind: 'copy-data', fromHandle, toHandle, fromOffset: 0, lengthBytes: 2 ** 40, toOffset: 0 });
  t.equal(await exit, 1);
  t.ok(reads <= 2, `${reads} reads`);
  t.equal(files.openCount, 0);
});

t.test('hashes of handles and names: whole, ranges, blocks', async (t) => {
  const { files, peer } = await startSession();
  const bytes = content(2000);
  files.put('/f', bytes);
  const handle = await peer.askHandle({ kind: 'open', path: 'f', flags: read, attributes: {} });
  const digest = (algorithm: string, ...ends: readonly (readonly [number, number])[]): Buffer =>
    Buffer.concat(
      ends.map(([start, end]) => createHash(algorithm).update(bytes.subarray(start, end)).digest()),
    );
  for (const [range, digests] of [
    [{ algorithms: ['md5'], offset: 0, lengthBytes: 0, blockBytes: 0 }, digest('md5', [0, 2000])],
    [{ algorithms: ['sha1'], offset: 7, lengthBytes: 10, blockBytes: 0 }, digest('sha1', [7, 17])],
    [{ algorithms: ['sha512'], offset: 7, lengthBytes: 5000, blockBytes: 0 }, digest('sha512', [7, 2000])],
    [{ algorithms: ['sha256'], offset: 3000, lengthBytes: 0, blockBytes: 0 }, digest('sha256', [0, 0])],
    [
      { algorithms: ['sha256'], offset: 100, lengthBytes: 1000, blockBytes: 512 },
      digest('sha256', [100, 612], [612, 1100]),
    ],
    [
      { algorithms: ['crc32', 'md5', 'sha1'], offset: 1000, lengthBytes: 0, blockBytes: 999 },
      digest('md5', [1000, 1999], [1999, 2000]),
    ],
  ] as const) {
    const algorithm = range.algorithms.find((name) => name !== 'crc32');
    const expected = { kind: 'hashes', algorithm, digests } as const;
    t.strictSame(await peer.ask({ kind: 'check-file-handle', handle, ...range }), {
      ...expected,
      named: false,
    });
    t.strictSame(await peer.ask({ kind: 'check-file', handle, ...range }), { ...expected, named: true });
    t.strictSame(await peer.ask({ kind: 'check-file-name', path: 'f', ...range }), {
      ...expected,
      named: false,
    });
  }
});

t.test('hashes that can’t be had', async (t) => {
  const { files, peer } = await startSession();
  files.put('/f', content(300_000));
  const handle = await peer.askHandle({ kind: 'open', path: 'f', flags: read, attributes: {} });
  const writer = await peer.askHandle({ kind: 'open', path: 'g', flags: create, attributes: {} });
  const all = { algorithms: ['sha256'], offset: 0, lengthBytes: 0, blockBytes: 0 };
  const ask = async (question: Question): Promise<unknown> => await peer.ask(question);
  t.match(await ask({ kind: 'check-file-handle', handle, ...all, algorithms: ['crc32'] }), unsupported);
  t.match(await ask({ kind: 'check-file-handle', handle, ...all, blockBytes: 255 }), unsupported);
  t.match(await ask({ kind: 'check-file-handle', handle: writer, ...all }), {
    status: sftpStatus.PERMISSION_DENIED,
  });
  t.strictSame(await ask({ kind: 'check-file-handle', handle: 'none', ...all }), invalid);
  t.match(await ask({ kind: 'check-file-name', path: 'none', ...all }), missing);
  files.put('/f', Buffer.alloc(256 * 9000));
  t.match(
    await ask({ kind: 'check-file-name', path: 'f', ...all, blockBytes: 256 }),
    unsupported,
    'too many',
  );
});

t.test('a size set by name during an upload is the upload’s: the old file stays whole', async (t) => {
  const { channel, files, peer, exit } = await startSession();
  files.put('/old', 'precious');
  const opened = await peer.ask({ kind: 'open', path: 'old', flags: create, attributes: {} });
  t.match(opened, { kind: 'handle' });
  t.strictSame(await peer.ask({ kind: 'setstat', path: 'old', attributes: { sizeBytes: 0 } }), ok);
  t.equal(String(files.content('/old')), 'precious');
  channel.lose();
  await exit;
  t.equal(String(files.content('/old')), 'precious');
});
