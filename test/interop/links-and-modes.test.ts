/**
 * Goal: what the configuration says of links and modes is what users meet, in both protocols. One table of attempts on links
 * where none is followed, and one of modes as they end up on the disk.
 */
import t from 'tap';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { missing, type Finished } from '../support/clients.ts';
import { remote, startServer, type TestServer } from '../support/server.ts';

const skip = missing('scp');

/** An attempt of a client, and whether it is to succeed. */
type Attempt = readonly [name: string, run: (server: TestServer) => Promise<Finished>, succeeds: boolean];

const up = 'scp:up';
const attempts = (local: string): readonly Attempt[] => {
  const file = join(local, 'file');
  const both = (
    name: string,
    parameters: readonly [from: string, to: string, ...options: string[]],
    succeeds = false,
  ): Attempt[] =>
    (['scp', 'sftp'] as const).map((protocol) => {
      const [from, to, ...options] = parameters;
      const place = (text: string): string =>
        text.startsWith(up) ? remote(text.slice(up.length), 'strict') : text;
      return [
        `${protocol}: ${name}`,
        (server) => server.scp(protocol, [...options, place(from), place(to)]),
        succeeds,
      ];
    });
  const sftp = (batch: string, succeeds = false): Attempt => [
    `sftp> ${batch}`,
    (server) => server.sftp(`${batch}\n`, 'strict'),
    succeeds,
  ];
  const ssh = (command: string, succeeds = false): Attempt => [
    `ssh ${command}`,
    (server) => server.ssh([command], 'strict'),
    succeeds,
  ];
  return [
    ...both('fetch by a link at the end', [`${up}/to-file`, join(local, 'fetched')]),
    ...both('fetch by a link in the middle', [`${up}/to-dir/inner`, join(local, 'fetched')]),
    ...both('send onto a link to a file', [file, `${up}/to-file`]),
    ...both('send into a link to a directory', [file, `${up}/to-dir/new`]),
    ...both('send onto a link to nothing', [file, `${up}/dangling`]),
    ...both('fetch what has no link in it', [`${up}/dir/inner`, join(local, 'fetched')], true),
    ...both('send where no link is', [file, `${up}/dir/new`], true),
    sftp('cd to-dir'),
    sftp('chmod 600 to-file'),
    sftp('mkdir to-dir/new'),
    sftp('rename dir/inner to-dir/moved'),
    sftp('rm to-dir/inner'),
    sftp('rmdir to-dir/empty'),
    sftp('ln dir/inner to-dir/hard'),
    sftp('symlink dir new-link'),
    sftp('df to-dir/'),
    ssh('md5sum to-file'),
    ssh('md5sum to-dir/inner'),
    ssh('ls to-dir/'),
    ssh('mkdir to-dir/new'),
    sftp('ls -l', true),
    sftp('rename dangling renamed', true),
    sftp('rm to-self', true),
    ssh('ls', true),
  ];
};

t.test('symlinks: refuse', { skip }, async (t) => {
  const server = await startServer(t, { users: { strict: { symlinks: 'refuse' } } });
  const local = t.testdir({ file: 'sent' });
  const root = server.stored('', 'strict');
  mkdirSync(join(root, 'dir', 'empty'), { recursive: true });
  writeFileSync(join(root, 'file'), 'kept');
  writeFileSync(join(root, 'dir', 'inner'), 'kept');
  for (const [name, target] of Object.entries({
    'to-file': 'file',
    'to-dir': 'dir',
    dangling: 'nothing',
    'to-self': 'to-self',
  }))
    symlinkSync(target, join(root, name));
  for (const [name, run, succeeds] of attempts(local)) {
    const { status, stderr } = await run(server);
    t.equal(status === 0, succeeds, `${name}: ${stderr}`);
    if (name.startsWith('scp: ') && !succeeds) t.match(stderr, /Symbolic links are not allowed here/, name);
    if (name.startsWith('ssh ') && !succeeds) t.match(stderr, /Symbolic links are not allowed here/, name);
  }
  t.strictSame(readdirSync(join(root, 'dir')).sort(), ['empty', 'inner', 'new'], 'nothing came by a link');
  t.equal(readFileSync(join(root, 'file'), 'utf8'), 'kept');
  t.ok(lstatSync(join(root, 'to-file')).isSymbolicLink());
  t.notOk(existsSync(join(root, 'nothing')));
  t.match((await server.sftp('ls -l\n', 'strict')).stdout, /^l.* to-dir/m, 'listings show them as links');
  t.match(
    server.records().filter(({ error }) => error === 'LINK_REFUSED').length > 10,
    true,
    'and the journal knows',
  );

  t.equal((await server.sftp('symlink file by-demo\n')).status, 0, 'elsewhere links are made as before');
  const tree = join(local, 'tree');
  const copied = await server.scp('scp', ['-r', remote('/', 'strict'), tree]);
  t.not(copied.status, 0, 'the links of a tree are told');
  t.equal(readFileSync(join(tree, 'dir', 'inner'), 'utf8'), 'kept', 'and the rest of it comes');
  t.notOk(existsSync(join(tree, 'to-file')));
});

const modeOf = (path: string): string => (statSync(path).mode & 0o7777).toString(8);

t.test('umask: new ones, and those of -p and chmod', { skip }, async (t) => {
  const before = process.umask(0o022);
  t.teardown(() => process.umask(before));
  const server = await startServer(t, {
    users: { closed: {}, shared: { umask: '0002' } },
    settings: { umask: '0027' },
  });
  const local = t.testdir({ tree: { open: 'x', tool: 'x', shut: {} } });
  const tree = join(local, 'tree');
  const file = join(tree, 'open');
  chmodSync(join(tree, 'open'), 0o666);
  chmodSync(join(tree, 'tool'), 0o6777);
  chmodSync(join(tree, 'shut'), 0o500);
  chmodSync(tree, 0o777);
  const expected = {
    closed: { '.': '750', open: '640', tool: '750', shut: '700' },
    shared: { '.': '775', open: '664', tool: '775', shut: '700' },
  };
  for (const user of ['closed', 'shared'] as const) {
    for (const [how, protocol, options] of [
      ['scp -O -p', 'scp', ['-p', '-r']],
      ['scp -p', 'sftp', ['-p', '-r']],
      ['scp -O', 'scp', ['-r']],
      ['scp', 'sftp', ['-r']],
    ] as const) {
      const sent = await server.scp(protocol, [...options, tree, remote('copy', user)]);
      t.equal(sent.status, 0, sent.stderr);
      for (const [name, mode] of Object.entries(expected[user]))
        t.equal(modeOf(join(server.stored('copy', user), name)), mode, `${user}, ${how}: ${name}`);
      rmSync(server.stored('copy', user), { recursive: true });
    }
    const [most, least] = user === 'closed' ? ['750', '700'] : ['775', '700'];
    const changed = await server.sftp(
      `mkdir d\nchmod 7777 d\nmkdir e\nchmod 000 e\nput ${file} f\nchmod 7777 f\n`,
      user,
    );
    t.equal(changed.status, 0, changed.stderr);
    t.same(
      ['d', 'e', 'f'].map((name) => modeOf(server.stored(name, user))),
      [most, least, most],
      `${user}: mkdir and chmod`,
    );
    t.equal((await server.ssh(['mkdir', 'made'], user)).status, 0);
    t.equal(modeOf(server.stored('made', user)), most, `${user}: mkdir over ssh`);
    t.equal((await server.sftp(`put ${file} e/inside\n`, user)).status, 0, 'nobody is locked out');
  }
});
