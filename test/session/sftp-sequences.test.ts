/** What real clients were seen to send when they upload, download and list, and what must be there afterwards. */
import t from 'tap';
import { sftpStatus } from '../../src/errors.ts';
import { startSession } from '../support/sftp-session.ts';
import { noFlags } from '../support/sftp-wire.ts';

const ok = { kind: 'status', status: sftpStatus.OK, words: 'Success' } as const;
const eof = { kind: 'status', status: sftpStatus.EOF, words: 'End of file' } as const;
const notFound = {
  kind: 'status',
  status: sftpStatus.NO_SUCH_FILE,
  words: 'No such file or directory',
} as const;
const create = { ...noFlags, write: true, create: true };

t.test('scp of OpenSSH 9.2 with -p replaces a longer file without TRUNC', async (t) => {
  const { channel, files, peer, exit } = await startSession();
  files.put('/target', 'the old content, which is longer', 0o600);
  t.strictSame(await peer.ask({ kind: 'limits' }), { kind: 'limits' });
  t.equal((await peer.ask({ kind: 'stat', path: 'target' })).kind, 'attributes');
  const handle = await peer.askHandle({
    kind: 'open',
    path: 'target',
    flags: create,
    attributes: { permissions: 0o644 },
  });
  t.strictSame(await peer.ask({ kind: 'write', handle, offset: 0, data: Buffer.from('new\n') }), ok);
  t.strictSame(await peer.ask({ kind: 'fsetstat', handle, attributes: { sizeBytes: 4 } }), ok);
  const times = { accessedSeconds: 1, modifiedSeconds: 2 };
  t.strictSame(
    await peer.ask({ kind: 'fsetstat', handle, attributes: { permissions: 0o100640, times } }),
    ok,
  );
  t.equal(files.content('/target')?.toString(), 'the old content, which is longer', 'nothing before CLOSE');
  t.strictSame(await peer.ask({ kind: 'close', handle }), ok);
  t.equal(files.content('/target')?.toString(), 'new\n');
  t.match(files.attributesOf('/target'), { mode: 0o640, modifiedSeconds: 2, accessedSeconds: 1 });
  t.strictSame(files.journal, [
    'upload /target modify create',
    'set open /target {"sizeBytes":4}',
    'set open /target {"mode":416,"accessedSeconds":1,"modifiedSeconds":2}',
    'commit /target closed',
    'settle',
  ]);
  channel.end();
  t.equal(await exit, 0);
});

t.test('scp -r asks for the real path of a directory that it makes afterwards', async (t) => {
  const { files, peer } = await startSession();
  t.strictSame(await peer.ask({ kind: 'realpath', path: './dst/dir' }), {
    kind: 'names',
    entries: [{ name: '/dst/dir', longName: '/dst/dir', attributes: {} }],
  });
  t.strictSame(await peer.ask({ kind: 'stat', path: 'dst' }), notFound);
  t.strictSame(await peer.ask({ kind: 'mkdir', path: 'dst', attributes: { permissions: 0o40755 } }), ok);
  t.strictSame(await peer.ask({ kind: 'mkdir', path: 'dst/dir', attributes: { permissions: 0o700 } }), ok);
  t.match(await peer.ask({ kind: 'mkdir', path: 'dst/dir', attributes: {} }), { words: 'File exists' });
  const times = { accessedSeconds: 5, modifiedSeconds: 6 };
  t.strictSame(
    await peer.ask({ kind: 'setstat', path: 'dst/dir', attributes: { permissions: 0o755, times } }),
    ok,
  );
  t.match(files.attributesOf('/dst/dir'), { kind: 'directory', mode: 0o755, modifiedSeconds: 6 });
});

t.test('sftp put and get', async (t) => {
  const { channel, files, peer, exit } = await startSession();
  t.match(await peer.ask({ kind: 'realpath', path: '.' }), { entries: [{ name: '/' }] });
  const put = await peer.askHandle({
    kind: 'open',
    path: '/a',
    flags: { ...create, truncate: true },
    attributes: { permissions: 0o640 },
  });
  peer.send(
    { kind: 'write', handle: put, offset: 0, data: Buffer.alloc(32768, 1) },
    { kind: 'write', handle: put, offset: 32768, data: Buffer.alloc(100, 2) },
  );
  t.strictSame((await peer.receive()).reply, ok);
  t.strictSame((await peer.receive()).reply, ok);
  t.strictSame(await peer.ask({ kind: 'close', handle: put }), ok);
  t.match(files.attributesOf('/a'), { mode: 0o640, sizeBytes: 32868 });

  const attributes = {
    sizeBytes: 32868,
    owner: { uid: 1000, gid: 1000 },
    permissions: 0o100640,
    times: { accessedSeconds: 1_700_000_000, modifiedSeconds: 1_700_000_000 },
  };
  t.strictSame(await peer.ask({ kind: 'stat', path: '/a' }), { kind: 'attributes', attributes });
  const get = await peer.askHandle({
    kind: 'open',
    path: '/a',
    flags: { ...noFlags, read: true },
    attributes: {},
  });
  t.strictSame(await peer.ask({ kind: 'fstat', handle: get }), { kind: 'attributes', attributes });
  t.strictSame(await peer.ask({ kind: 'read', handle: get, offset: 0, lengthBytes: 32768 }), {
    kind: 'data',
    data: Buffer.alloc(32768, 1),
  });
  t.strictSame(await peer.ask({ kind: 'read', handle: get, offset: 32768, lengthBytes: 32768 }), {
    kind: 'data',
    data: Buffer.alloc(100, 2),
  });
  t.strictSame(await peer.ask({ kind: 'read', handle: get, offset: 32868, lengthBytes: 32768 }), eof);
  t.strictSame(await peer.ask({ kind: 'close', handle: get }), ok);
  t.equal(files.journal.at(-1), 'finish /a closed');
  channel.end();
  t.equal(await exit, 0);
});

t.test('psftp: type bits in the mode, writes of 4 KiB sent without waiting', async (t) => {
  const { channel, files, peer } = await startSession();
  const handle = await peer.askHandle({
    kind: 'open',
    path: 'p.bin',
    flags: { ...create, truncate: true },
    attributes: { permissions: 0o100644 },
  });
  const content = Buffer.from(Array.from({ length: 64 * 1024 }, (_, index) => index % 251));
  const last = peer.send(
    ...Array.from({ length: 16 }, (_, index) => {
      const offset = index * 4096;
      return { kind: 'write', handle, offset, data: content.subarray(offset, offset + 4096) } as const;
    }),
  );
  for (let id = last - 15; id <= last; id += 1) t.strictSame(await peer.receive(), { id, reply: ok });
  t.strictSame(await peer.ask({ kind: 'close', handle }), ok);
  t.ok(files.content('/p.bin')?.equals(content));
  t.equal(files.attributesOf('/p.bin')?.mode, 0o644);
  t.equal(channel.writeLengths.length, 4, 'VERSION, HANDLE, sixteen statuses in one write, STATUS');
});

t.test('restic: an exclusive temporary name, then posix-rename', async (t) => {
  const { files, peer } = await startSession();
  files.put('/data/x', 'old');
  const temporary = { kind: 'open', path: 'data/x-restic-temp-1', attributes: {} } as const;
  const flags = { ...create, exclusive: true };
  const handle = await peer.askHandle({ ...temporary, flags });
  t.strictSame(await peer.ask({ kind: 'fsetstat', handle, attributes: { permissions: 0o600 } }), ok);
  t.strictSame(await peer.ask({ kind: 'write', handle, offset: 0, data: Buffer.from('pack') }), ok);
  t.strictSame(await peer.ask({ kind: 'close', handle }), ok);
  t.match(await peer.ask({ ...temporary, flags }), { words: 'File exists' });
  t.match(await peer.ask({ kind: 'rename', from: temporary.path, to: 'data/x' }), { words: 'File exists' });
  t.strictSame(await peer.ask({ kind: 'posix-rename', from: temporary.path, to: 'data/x' }), ok);
  t.equal(files.content('/data/x')?.toString(), 'pack');
  t.equal(files.content('/data/x-restic-temp-1'), undefined);
  t.strictSame(await peer.ask({ kind: 'remove', path: 'data/x' }), ok);
  t.strictSame(await peer.ask({ kind: 'rmdir', path: 'data' }), ok);
  t.strictSame(await peer.ask({ kind: 'lstat', path: 'data' }), notFound);
  t.strictSame(files.journal.slice(-6), [
    'rename /data/x-restic-temp-1 /data/x',
    'settle',
    'remove /data/x',
    'settle',
    'rmdir /data',
    'settle',
  ]);
});

t.test('curl -C - appends at the end whatever the offset', async (t) => {
  const { files, peer } = await startSession();
  files.put('/log', 'one');
  const flags = { ...noFlags, write: true, append: true };
  const handle = await peer.askHandle({ kind: 'open', path: 'log', flags, attributes: {} });
  t.strictSame(await peer.ask({ kind: 'write', handle, offset: 0, data: Buffer.from('two') }), ok);
  t.strictSame(await peer.ask({ kind: 'close', handle }), ok);
  t.equal(files.content('/log')?.toString(), 'onetwo');
});

t.test('r+: an upload that is read back while it is open', async (t) => {
  const { files, peer } = await startSession();
  files.put('/f', 'abcdef');
  const flags = { ...noFlags, read: true, write: true };
  const handle = await peer.askHandle({ kind: 'open', path: 'f', flags, attributes: {} });
  t.strictSame(await peer.ask({ kind: 'write', handle, offset: 1, data: Buffer.from('XY') }), ok);
  t.strictSame(await peer.ask({ kind: 'read', handle, offset: 0, lengthBytes: 4 }), {
    kind: 'data',
    data: Buffer.from('aXYd'),
  });
  t.match(await peer.ask({ kind: 'fstat', handle }), { attributes: { sizeBytes: 6 } });
  t.strictSame(await peer.ask({ kind: 'fsync', handle }), ok);
  t.strictSame(await peer.ask({ kind: 'close', handle }), ok);
  t.equal(files.content('/f')?.toString(), 'aXYdef');
});

t.test('ls -l of a directory with odd names', async (t) => {
  const { files, peer } = await startSession();
  files.put('/d/a', '12345');
  files.put('/d/\udcff\udcfe', '');
  files.putDirectory('/d/sub');
  files.put('/d/sub/deeper', '');
  const handle = await peer.askHandle({ kind: 'opendir', path: 'd' });
  t.match(await peer.ask({ kind: 'readdir', handle }), {
    kind: 'names',
    entries: [
      {
        name: 'a',
        longName: /^-rw-r--r-- {4}1 1000 {5}1000 {12}5 Nov 14 .*2.* a$/,
        attributes: { sizeBytes: 5, permissions: 0o100644 },
      },
      { name: '\udcff\udcfe', attributes: { permissions: 0o100644 } },
      { name: 'sub', longName: /^drwxr-xr-x .* sub$/, attributes: { permissions: 0o40755 } },
    ],
  });
  t.strictSame(await peer.ask({ kind: 'readdir', handle }), eof);
  t.strictSame(await peer.ask({ kind: 'readdir', handle }), eof, 'and again');
  t.strictSame(await peer.ask({ kind: 'close', handle }), ok);
  t.equal(files.openCount, 0);
});
