/** The companion commands answer as GNU's do, as far as clients ask, through `Files` and nothing else. */
import t from 'tap';
import { commandInputBytesMax } from '../../src/limits.ts';
import { MemoryFiles } from '../support/memory-files.ts';
import { ScpClient } from '../support/scp-client.ts';

interface Answer {
  readonly out: string;
  readonly errors: readonly string[];
  readonly status: number | undefined;
}

async function answer(command: string, files: MemoryFiles = new MemoryFiles(), input = ''): Promise<Answer> {
  const client = new ScpClient(command, files, { errorsAnyTime: true });
  if (input !== '') client.channel.feed(input);
  const { rest, status } = await client.finish();
  return { out: Buffer.from(rest, 'latin1').toString(), errors: client.channel.errorLines, status };
}

const empty = {
  md5sum: 'd41d8cd98f00b204e9800998ecf8427e',
  sha1sum: 'da39a3ee5e6b4b0d3255bfef95601890afd80709',
  sha256sum: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
};

t.test('hashes of standard input, as rclone probes them', async (t) => {
  for (const [name, digest] of Object.entries(empty)) {
    t.same(await answer(name), { out: `${digest}  -\n`, errors: [], status: 0 });
    t.same(await answer(`${name} -`), { out: `${digest}  -\n`, errors: [], status: 0 });
  }
  t.match(await answer('sha512sum'), { out: /^cf83e1357eefb8bd[0-9a-f]{112}  -\n$/, status: 0 });
  t.same(await answer('md5sum -b', new MemoryFiles(), 'abc'), {
    out: '900150983cd24fb0d6963f7d28e17f72 *-\n',
    errors: [],
    status: 0,
  });
});

t.test('no end of standard input', async (t) => {
  const client = new ScpClient('md5sum', new MemoryFiles());
  const piece = Buffer.alloc(1024 * 1024);
  for (let bytes = 0; bytes <= commandInputBytesMax; bytes += piece.length) client.channel.feed(piece);
  t.same(await client.finished(), { rest: '', status: 1 });
  t.match(client.channel.errorLines, [/^md5sum: -: /]);
});

t.test('hashes of files', async (t) => {
  const files = new MemoryFiles();
  files.put('/a', '');
  files.put('/sub/b c', '');
  files.put('/back\\slash', '');
  files.put('/new\nline', '');
  const digest = empty.md5sum;
  t.same(await answer('md5sum a /sub/b\\ c', files), {
    out: `${digest}  a\n${digest}  /sub/b c\n`,
    errors: [],
    status: 0,
  });
  t.equal((await answer("md5sum 'back\\slash'", files)).out, `\\${digest}  back\\\\slash\n`);
  t.equal((await answer("md5sum 'new\nline'", files)).out, `\\${digest}  new\\nline\n`);
  t.same(await answer('md5sum none a sub', files), {
    out: `${digest}  a\n`,
    errors: ['md5sum: none: No such file or directory', 'md5sum: sub: Is a directory'],
    status: 1,
  });
  t.equal((await answer('md5sum *', files)).out.split('\n').length, 4);
  t.same(await answer('md5sum -c sums', files), {
    out: '',
    errors: ['md5sum: option -c is not available'],
    status: 1,
  });
});

t.test('df, as rclone and others read it', async (t) => {
  t.same(
    (await answer('df -k')).out.split('\n').map((line) => line.trim().split(/\s+/)),
    [
      ['Filesystem', '1K-blocks', 'Used', 'Available', 'Use%', 'Mounted', 'on'],
      ['scpd', '2097152', '1048576', '524288', '67%', '/'],
      [''],
    ],
  );
  t.match(await answer('df -Pk .'), {
    out: /^Filesystem +1024-blocks +Used +Available +Capacity /,
    status: 0,
  });
  t.same(await answer('df none'), { out: '', errors: ['df: none: No such file or directory'], status: 1 });
});

t.test('ls', async (t) => {
  const files = new MemoryFiles();
  files.put('/b', 'bb');
  files.put('/a', 'a'.repeat(1500), 0o640);
  files.put('/.hidden', '');
  files.put('/sub/x\x1by', '');
  const line = (mode: string, size: number, name: string): string =>
    `${mode} 1 alice alice ${String(size).padStart(4)} Nov 14  2023 ${name}\n`;
  t.equal((await answer('ls', files)).out, 'a\nb\nsub\n');
  t.equal((await answer('ls -1', files)).out, 'a\nb\nsub\n');
  t.equal((await answer('ls -A /', files)).out, '.hidden\na\nb\nsub\n');
  t.equal((await answer('ls -a', files)).out, '.\n..\n.hidden\na\nb\nsub\n');
  t.equal(
    (await answer('ls -l', files)).out,
    `total 3\n${line('-rw-r-----', 1500, 'a')}${line('-rw-r--r--', 2, 'b')}${line('drwxr-xr-x', 0, 'sub')}`,
  );
  t.equal((await answer("ls -la 'sub'", files)).out.split('\n')[3]?.slice(-3), 'x?y');
  t.equal((await answer('ls sub b', files)).out, 'b\n\nsub:\nx?y\n');
  t.equal((await answer('ls -d sub', files)).out, 'sub\n');
  t.match(
    (await answer('ls -la --full-time -d sub', files)).out,
    /2023-11-14 22:13:20\.000000000 \+0000 sub\n$/,
  );
  t.equal((await answer('ls ?', files)).out, 'a\nb\n');
  t.same(await answer('ls none a', files), {
    out: 'a\n',
    errors: ["ls: cannot access 'none': No such file or directory"],
    status: 2,
  });
  t.same(await answer('ls -R', files), { out: '', errors: ['ls: option -R is not available'], status: 2 });
  t.equal(files.openCount, 0);
});

t.test('pwd and echo', async (t) => {
  t.same(await answer('pwd'), { out: '/\n', errors: [], status: 0 });
  t.same(await answer('echo ${ShellId}%ComSpec%'), { out: '%ComSpec%\n', errors: [], status: 0 });
  t.same(await answer('echo'), { out: '\n', errors: [], status: 0 });
  t.same(await answer("echo 'a  b' c"), { out: 'a  b c\n', errors: [], status: 0 });
});

t.test('mkdir', async (t) => {
  const files = new MemoryFiles();
  files.put('/file', '');
  t.same(await answer('mkdir -p a/b/c', files), { out: '', errors: [], status: 0 });
  t.same(await answer('mkdir -p a/b/c', files), { out: '', errors: [], status: 0 });
  t.ok(files.attributesOf('/a/b/c'));
  t.match(await answer('mkdir a', files), { errors: [/File exists/], status: 1 });
  t.match(await answer('mkdir x/y', files), { errors: [/No such file/], status: 1 });
  t.match(await answer('mkdir -p file/y', files), { errors: [/Not a directory/], status: 1 });
  t.match(await answer('mkdir', files), { errors: ['mkdir: missing operand'], status: 1 });
  t.equal(files.journal.filter((line) => line === 'settle').length, 6, 'each waits until it is durable');
});

t.test('a client that is gone, and a journal that cannot be written', async (t) => {
  const gone = new ScpClient('md5sum', new MemoryFiles());
  gone.channel.lose();
  t.equal((await gone.finished()).status, 1);
  const files = new MemoryFiles();
  files.faults.set('settle', new Error('no'));
  t.match(await answer('mkdir a', files), { errors: ['mkdir: Internal server error'], status: 1 });
});
