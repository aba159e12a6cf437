/** `scp -t` as a client sees it, against files in memory. */
import t from 'tap';
import { ScpdError } from '../../src/errors.ts';
import type { UploadOptions } from '../../src/guard/files.ts';
import type { VirtualPath } from '../../src/guard/virtual-path.ts';
import { MemoryFiles } from '../support/memory-files.ts';
import { ScpClient, sendAll, visible } from '../support/scp-client.ts';

const good = { rest: '', status: 0 };
const bad = { rest: '', status: 1 };

t.test('one file to a name, into a directory and into the root', async (t) => {
  for (const [target, stored] of [
    ['x', '/x'],
    ['sub', '/sub/a b'],
    ['sub/', '/sub/a b'],
    ['.', '/a b'],
    ['/', '/a b'],
    ['../../sub/./', '/sub/a b'],
  ] as const) {
    const files = new MemoryFiles();
    files.putDirectory('/sub');
    const client = new ScpClient(`scp -t ${target}`, files);
    t.equal(await client.read(1), '\0', 'the server speaks first');
    t.equal(await client.sendFile('a b', 'hello', '0600'), 'ok');
    t.equal(String(files.content(stored)), 'hello', target);
    t.equal(files.attributesOf(stored)?.mode, 0o600);
    t.same(await client.finish(), good);
    t.equal(files.openCount, 0);
  }
});

t.test('the last answer comes when the file stands, the status when all is durable', async (t) => {
  const files = new MemoryFiles();
  const client = new ScpClient('scp -t .', files);
  await client.read(1);
  t.equal(await client.ask('C0644 3 a\n'), 'ok');
  client.channel.feed('abc');
  t.equal(files.content('/a'), undefined);
  t.equal(await client.ask('\0'), 'ok');
  t.equal(String(files.content('/a')), 'abc');
  t.notOk(files.journal.includes('settle'));
  t.same(await client.finish(), good);
  t.same(files.journal, [
    'upload /a replace create',
    'commit /a verified',
    'settle',
    'close CONNECTION_LOST',
  ]);
});

t.test('an existing file keeps its mode, with -p it gets the sent one and the times', async (t) => {
  const files = new MemoryFiles();
  files.put('/a', 'a longer file', 0o640);
  t.same(await sendAll('scp -t a', files, 'C0755 1 a\nx\0'), { rest: '\0\0\0', status: 0 });
  t.equal(String(files.content('/a')), 'x');
  t.equal(files.attributesOf('/a')?.mode, 0o640);
  t.same(await sendAll('scp -p -t a', files, 'T5 0 6 0\nC6755 1 a\nx\0'), { rest: '\0\0\0\0', status: 0 });
  t.match(files.attributesOf('/a'), { mode: 0o755, modifiedSeconds: 5, accessedSeconds: 6 });
});

t.test('times are kept without -p, for the next file only', async (t) => {
  const files = new MemoryFiles();
  t.equal((await sendAll('scp -t .', files, 'T5 0 6 0\nC0644 0 a\n\0C0644 0 b\n\0')).status, 0);
  t.equal(files.attributesOf('/a')?.modifiedSeconds, 5);
  t.not(files.attributesOf('/b')?.modifiedSeconds, 5);
});

t.test('a client that ends its input instead of sending the last NUL (libssh2)', async (t) => {
  const files = new MemoryFiles();
  t.same(await sendAll('scp -pt x', files, 'C0644 3 x\nabc'), { rest: '\0\0\0', status: 0 });
  t.equal(String(files.content('/x')), 'abc');
});

t.test('a client with too much to say after the file (a Go client): the file stays', async (t) => {
  const files = new MemoryFiles();
  const { rest, status } = await sendAll('scp -t x', files, 'C0644 3 x\nabc\0\0\n\r');
  t.equal(String(files.content('/x')), 'abc');
  t.match(visible(rest), /^␀␀␀␂scp: protocol error: expected control record\n$/);
  t.equal(status, 1);
});

t.test('what is cut off is not stored, and the old file stays', async (t) => {
  for (const bytes of ['C0644 5 a\nnew', 'C0644 5 a\n', 'C0644 5 ']) {
    const files = new MemoryFiles();
    files.put('/a', 'old content');
    const { rest, status } = await sendAll('scp -t a', files, bytes);
    t.match(visible(rest), /␂scp: a: Data ended before the declared size\n$/);
    t.equal(status, 1);
    t.equal(String(files.content('/a')), 'old content');
    t.equal(files.journal.includes('abort /a INCOMPLETE'), bytes.includes('\n'));
    t.equal(files.openCount, 0);
  }
});

t.test('a lost connection aborts the upload', async (t) => {
  const files = new MemoryFiles();
  files.put('/a', 'old content');
  const client = new ScpClient('scp -t a', files);
  await client.read(1);
  await client.ask('C0644 5 a\n');
  client.channel.feed('ne');
  client.channel.lose();
  t.same(await client.finished(), bad);
  t.ok(files.journal.includes('abort /a CONNECTION_LOST'));
  t.equal(String(files.content('/a')), 'old content');
  t.same(client.logged, []);
});

t.test('an error of the client instead of the last NUL', async (t) => {
  const files = new MemoryFiles();
  const client = new ScpClient('scp -t .', files);
  await client.read(1);
  await client.ask('C0644 3 a\n');
  client.channel.feed('ab\0');
  t.match(
    visible(await client.ask('\x01scp: a: Input/output error\n')),
    /␁scp: .\/a: The client reported an error\n/,
  );
  t.equal(await client.sendFile('b', 'x'), 'ok', 'the next file');
  t.same(await client.finish(), bad);
  t.equal(files.content('/a'), undefined);
  t.ok(files.journal.includes('abort /a CLIENT_FAILED'));
});

t.test('a client that gives up', async (t) => {
  const files = new MemoryFiles();
  const client = new ScpClient('scp -t .', files);
  await client.read(1);
  await client.ask('C0644 3 a\n');
  client.channel.feed('abc\x02scp: killed\n');
  t.same(await client.finished(), bad);
  t.ok(files.journal.includes('abort /a CLIENT_FAILED'));
});

t.test('what the client could not read costs the exit status only', async (t) => {
  const files = new MemoryFiles();
  const bytes = '\x01scp: sub: not a regular file\nC0644 1 a\nx\0';
  t.same(await sendAll('scp -t .', files, bytes), { rest: '\0\0\0', status: 1 });
  t.equal(String(files.content('/a')), 'x');
});

t.test('a missing parent is told at once, and the rest goes on', async (t) => {
  const files = new MemoryFiles();
  files.putDirectory('/d');
  const missing = new ScpClient('scp -t nodir/x/y', files);
  await missing.read(1);
  missing.channel.feed('C0644 3 f\n');
  t.equal(await missing.readLine(), '\x01scp: nodir/x/y: No such file or directory\n');
  t.same(await missing.finish(), bad);

  files.putDirectory('/t');
  files.putDirectory('/t/dir');
  const client = new ScpClient('scp -t t', files);
  await client.read(1);
  client.channel.feed('C0644 999999999 dir\n');
  t.equal(await client.readLine(), '\x01scp: t/dir: Is a directory\n', 'no byte of it was asked for');
  t.equal(await client.sendFile('b', 'x'), 'ok');
  t.same(await client.finish(), bad);
  t.equal(String(files.content('/t/b')), 'x');
});

t.test('a refused file of a client that does not wait is dropped and told at its end', async (t) => {
  const big = 'C'.repeat(100_000);
  for (const content of ['C0644 0 evil\n', big]) {
    const files = new MemoryFiles();
    files.putDirectory('/dir');
    const bytes = `C0644 ${content.length} dir\n${content}\0C0644 1 b\nx\0`;
    t.same(await sendAll('scp -t .', files, bytes), {
      rest: '\0\0\x01scp: ./dir: Is a directory\n\0\0',
      status: 1,
    });
    t.equal(String(files.content('/b')), 'x');
    t.equal(files.content('/evil'), undefined);
  }
});

t.test(
  'a client that does not wait is known by bytes that came before the answer, in whatever pieces',
  async (t) => {
    const files = new MemoryFiles();
    files.putDirectory('/dir');
    const size = 100_000;
    const client = new ScpClient('scp -t .', files);
    client.channel.feed(`C0644 ${size} dir\n`);
    client.channel.feed('D'.repeat(size));
    client.channel.feed('\0');
    t.same(await client.finish(), { rest: '\0\0\x01scp: ./dir: Is a directory\n', status: 1 });
  },
);

t.test('the bytes of a skipped file are never read as records', async (t) => {
  const files = new MemoryFiles();
  files.putDirectory('/dir');
  const client = new ScpClient('scp -t .', files);
  await client.read(1);
  client.channel.feed('C0644 1000000 dir\n');
  t.match(await client.readLine(), /Is a directory/);
  client.channel.feed('C0644 4 evil\nevil\0');
  const { rest, status } = await client.finish();
  t.match(visible(rest), /^␂scp: protocol error: /);
  t.equal(status, 1);
  t.equal(files.content('/evil'), undefined);
});

t.test('a failed write is told once, after all bytes', async (t) => {
  const files = new MemoryFiles();
  files.faults.set('write', new ScpdError('NO_SPACE'));
  const client = new ScpClient('scp -t .', files);
  await client.read(1);
  t.equal(await client.ask('C0644 6 a\n'), 'ok');
  client.channel.feed('abc');
  client.channel.feed('def');
  t.equal(await client.ask('\0'), '\x01scp: ./a: No space left on the server\n');
  t.equal(await client.sendFile('b', 'x'), 'ok');
  t.same(await client.finish(), bad);
  t.equal(files.content('/a'), undefined);
  t.ok(files.journal.includes('abort /a NO_SPACE'));
});

t.test('a file that cannot be committed or dated is told once', async (t) => {
  for (const fault of ['commit', 'setAttributes'] as const) {
    const files = new MemoryFiles();
    files.faults.set(fault, new ScpdError('STORAGE_FAILED', 'errno and all'));
    const client = new ScpClient('scp -p -t .', files);
    await client.read(1);
    t.equal(await client.sendFile('a', 'x'), '\x01scp: ./a: Server storage error\n');
    t.equal(await client.sendFile('b', 'x'), 'ok');
    t.same(await client.finish(), bad);
    t.equal(files.content('/a'), undefined);
    t.equal(files.openCount, 0);
    t.match(client.logged, ['error a session failed STORAGE_FAILED']);
  }
});

t.test('what cannot be made durable is no success', async (t) => {
  const files = new MemoryFiles();
  files.faults.set('settle', new ScpdError('AUDIT_FAILED'));
  const { rest, status } = await sendAll('scp -t .', files, 'C0644 1 a\nx\0');
  t.match(visible(rest), /␂scp: Server cannot write its journal\n$/);
  t.equal(status, 1);
});

t.test('a size that no file may have is refused without a byte', async (t) => {
  const files = new MemoryFiles();
  const client = new ScpClient('scp -t .', files);
  await client.read(1);
  client.channel.feed('C0644 9223372036854775807 a\n');
  t.equal(await client.readLine(), '\x01scp: ./a: File is larger than this account may store\n');
  t.same(await client.finish(), bad);
  t.same(files.journal.slice(0, 1), ['settle']);
});

t.test('the declared size goes to the guard, the mode without its special bits', async (t) => {
  const seen: UploadOptions[] = [];
  class WatchedFiles extends MemoryFiles {
    override async upload(path: VirtualPath, options: UploadOptions) {
      seen.push(options);
      return await super.upload(path, options);
    }
  }
  await sendAll('scp -t .', new WatchedFiles(), 'C6755 3 a\nabc\0');
  t.same(seen, [{ existing: 'replace', missing: 'create', newFileMode: 0o755, declaredBytes: 3 }]);
});

t.test('-d wants a directory, and a slash at the end says that it is one', async (t) => {
  const files = new MemoryFiles();
  files.put('/file', 'x');
  for (const command of ['scp -d -t file', 'scp -t file/', 'scp -t file/.']) {
    const { rest, status } = await new ScpClient(command, files).finish();
    t.match(visible(rest), /^␁scp: file(\/\.?)?: Not a directory\n$/, command);
    t.equal(status, 1);
  }
  for (const command of ['scp -d -t none', 'scp -t none/']) {
    const { rest, status } = await sendAll(command, files, 'C0644 1 a\nx\0');
    t.equal(rest, '\0\0\x01scp: none/a: No such file or directory\n', command);
    t.equal(status, 1);
    t.equal(files.attributesOf('/none'), undefined);
  }
});

t.test('a target that may not be looked at is believed to be what the client says', async (t) => {
  const stat = () => Promise.reject(new ScpdError('NOT_FOUND'));
  const files = Object.assign(new MemoryFiles(), { stat });
  files.putDirectory('/in');
  t.same(await sendAll('scp -t in/', files, 'C0644 1 a\nx\0'), { rest: '\0\0\0', status: 0 });
  t.same(await sendAll('scp -d -t in', files, 'C0644 1 b\nx\0'), { rest: '\0\0\0', status: 0 });
  t.equal((await sendAll('scp -r -t in/', files, 'D0755 0 d\nC0644 1 c\nx\0E\n')).status, 0);
  t.ok(files.content('/in/a') && files.content('/in/b') && files.content('/in/d/c'));
});

t.test('a target that cannot be named', async (t) => {
  const { rest, status } = await new ScpClient(`scp -t ${'n'.repeat(300)}`, new MemoryFiles()).finish();
  t.match(visible(rest), /^␁scp: n+.*: File name too long\n$/);
  t.equal(status, 1);
});

const tree = 'T5 0 6 0\nD0555 0 top\nC0644 1 a\nx\0T7 0 8 0\nD0700 0 sub\nC0600 1 b\ny\0E\nE\n';

t.test('a tree: into an existing directory, or as the missing target itself', async (t) => {
  for (const [target, top] of [
    ['.', '/top'],
    ['there', '/there/top'],
    ['copy', '/copy'],
    ['copy/', '/copy'],
  ] as const) {
    const files = new MemoryFiles();
    files.putDirectory('/there');
    t.equal((await sendAll(`scp -r -t ${target}`, files, tree)).status, 0, target);
    t.equal(String(files.content(`${top}/a`)), 'x');
    t.equal(String(files.content(`${top}/sub/b`)), 'y');
    t.match(files.attributesOf(top), { mode: 0o555, modifiedSeconds: 5 });
    t.match(files.attributesOf(`${top}/sub`), { mode: 0o700, modifiedSeconds: 7 });
    t.ok(files.journal.includes(`mkdir ${top} 755`), 'writable for us while it is filled');
    const dated = files.journal.filter((line) => line.startsWith('set /'));
    t.match(dated[0], `set ${top}/sub `, 'the inner directory before the outer');
  }
});

t.test('an existing directory keeps its mode unless -p', async (t) => {
  const files = new MemoryFiles();
  files.putDirectory('/top');
  t.equal((await sendAll('scp -r -t .', files, 'D0700 0 top\nE\n')).status, 0);
  t.equal(files.attributesOf('/top')?.mode, 0o755);
  t.equal((await sendAll('scp -r -p -t .', files, 'D2700 0 top\nE\n')).status, 0);
  t.equal(files.attributesOf('/top')?.mode, 0o700);
});

t.test('a directory that cannot be dated is told by the answer to its end', async (t) => {
  const files = new MemoryFiles();
  files.faults.set('setAttributes', new ScpdError('PERMISSION_DENIED'));
  t.same(await sendAll('scp -r -t .', files, 'T1 0 1 0\nD0755 0 d\nE\n'), {
    rest: '\0\0\0\x01scp: ./d: Permission denied\n',
    status: 1,
  });
});

t.test('a refused directory: a patient client goes on, one that does not wait is stopped', async (t) => {
  const files = new MemoryFiles();
  files.put('/d', 'a file');
  const client = new ScpClient('scp -r -t .', files);
  await client.read(1);
  client.channel.feed('D0755 0 d\n');
  t.equal(await client.readLine(), '\x01scp: ./d: Not a directory\n');
  t.equal(await client.sendFile('e', 'x'), 'ok');
  t.same(await client.finish(), bad);

  const hasty = await sendAll('scp -r -t .', files, 'D0755 0 d\nC0644 1 f\nx\0E\n');
  t.same(hasty, { rest: '\0\x02scp: ./d: Not a directory\n', status: 1 });
  t.equal(files.content('/f'), undefined);
});

t.test('a tree that is cut off is no success, and its directories get their modes', async (t) => {
  const files = new MemoryFiles();
  const { status } = await sendAll('scp -r -t .', files, 'D0500 0 d\nC0644 1 a\nx\0');
  t.equal(status, 1);
  t.equal(files.attributesOf('/d')?.mode, 0o500);
  t.equal(String(files.content('/d/a')), 'x', 'a whole file stays');
});

t.test('E outside of all directories ends the session', async (t) => {
  const client = new ScpClient('scp -r -t .', new MemoryFiles());
  t.equal(await client.read(1), '\0');
  t.equal(await client.ask('E\n'), 'ok');
  t.same(await client.finished(), good);
});

t.test('names that mislead are refused, one by one', async (t) => {
  const files = new MemoryFiles();
  const client = new ScpClient('scp -t .', files);
  await client.read(1);
  for (const name of ['a\x1b[2J', 'a\tb', 'a\x7f', 'a\r', 'n'.repeat(256)]) {
    t.match(visible(await client.sendFile(name, 'x')), /␁scp: .*(Invalid file name|File name too long)\n$/);
  }
  t.equal(await client.sendFile('\xff\xfe', 'x'), 'ok');
  t.equal(String(files.content('/\udcff\udcfe')), 'x');
  t.same(await client.finish(), bad);
});

t.test('a thousand empty files without reading an answer', async (t) => {
  const files = new MemoryFiles();
  const records = Array.from({ length: 1000 }, (_, index) => `C0644 0 f${index}\n\0`).join('');
  const { rest, status } = await sendAll('scp -t .', files, records);
  t.equal(rest, '\0'.repeat(2001));
  t.equal(status, 0);
});

t.test('a client that never reads its answers stops being served, not the server', async (t) => {
  const files = new MemoryFiles();
  const client = new ScpClient('scp -t .', files, { unreadBytesMax: 3 });
  client.channel.feed(Buffer.from('C0644 0 a\n\0C0644 0 b\n\0'));
  client.channel.feed(Buffer.from('C0644 0 c\n\0'));
  client.channel.feed(Buffer.from('C0644 0 d\n\0'));
  await client.channel.take(3);
  t.equal(files.content('/d'), undefined);
  t.ok(client.channel.fedBytes > 0, 'what it sends is left with it');
  client.channel.lose();
  t.same((await client.finished()).status, 1);
});
