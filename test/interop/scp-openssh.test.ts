/** Goal: what scripts written for OpenSSH's own scp rely on in its old protocol, and what runs beside it over exec. */
import t, { type Test } from 'tap';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missing, run } from '../support/clients.ts';
import { sha256Of, writeRandom } from '../support/content.ts';
import { remote, startServer } from '../support/server.ts';

function makePlace(t: Test): string {
  const place = mkdtempSync(join(tmpdir(), 'scpd-scp-'));
  t.teardown(() => rmSync(place, { recursive: true, force: true }));
  return place;
}

const skip = missing('scp');

t.test('wildcards, braces and homes', { skip }, async (t) => {
  const server = await startServer(t);
  for (const name of [
    'a.log',
    'b.log',
    '.c.log',
    'd.txt',
    'two words.log',
    'logs/x1',
    'logs/x2',
    'logs/old/y1',
  ]) {
    mkdirSync(join(server.stored(name), '..'), { recursive: true });
    writeFileSync(server.stored(name), name);
  }
  for (const [pattern, expected] of [
    ['*.log', ['a.log', 'b.log', 'two words.log']],
    ['[!a].log', ['b.log']],
    ['.*.log', ['.c.log']],
    ['{a,b}.log', ['a.log', 'b.log']],
    ['logs/x?', ['x1', 'x2']],
    ['*/x[12]', ['x1', 'x2']],
    ['~/d.*', ['d.txt']],
    ['~demo/d.txt', ['d.txt']],
    ['/logs/x*', ['x1', 'x2']],
    ['two\\ words.*', ['two words.log']],
  ] as const) {
    const place = makePlace(t);
    const down = await server.scp('scp', [remote(pattern), place]);
    t.equal(down.status, 0, `${pattern} ${down.stderr}`);
    t.strictSame(readdirSync(place).sort(), [...expected], pattern);
  }
  const place = makePlace(t);
  const tree = await server.scp('scp', ['-r', remote('lo*'), place]);
  t.equal(tree.status, 0, tree.stderr);
  t.strictSame(readdirSync(join(place, 'logs')).sort(), ['old', 'x1', 'x2']);
  const none = await server.scp('scp', [remote('*.none'), place]);
  t.match(none, { status: 1, stderr: 'scp: *.none: No such file or directory\n' });
  const some = await server.scp('scp', [remote('*'), place]);
  t.match(some, { status: 1, stderr: /^scp: logs: not a regular file\n$/ });
  t.ok(existsSync(join(place, 'd.txt')), 'the rest came');
  const stranger = await server.scp('scp', [remote('~root/x'), place]);
  t.match(stranger, { status: 1, stderr: /No such file or directory/ });
});

t.test('names that OpenSSH sends as they are', { skip }, async (t) => {
  const server = await startServer(t);
  const place = makePlace(t);
  writeFileSync(join(place, 'file'), 'x');
  const spaces = await server.scp('scp', [join(place, 'file'), remote('two words')]);
  t.match(spaces, { status: 1, stderr: /ambiguous target/ });
  const joining = await startServer(t, { settings: { scp: { unquotedSpaces: 'join' } } });
  const joined = await joining.scp('scp', [join(place, 'file'), remote('two  words')]);
  t.equal(joined.status, 0, joined.stderr);
  t.ok(existsSync(joining.stored('two  words')));
  // A newline in a name is sent in the notation of vis(3), both ways.
  writeFileSync(server.stored('new\nline'), 'x');
  const down = await server.scp('scp', [remote('new*'), place]);
  t.equal(down.status, 0, down.stderr);
  t.ok(existsSync(join(place, 'new\\^Jline')));
});

t.test('-3, -C, -l, -c, and -R, which needs a shell', { skip }, async (t) => {
  const server = await startServer(t);
  const place = makePlace(t);
  writeRandom(join(place, 'file'), 200_000);
  for (const [name, flags] of [
    ['C', ['-C']],
    ['l', ['-l', '80000']],
    ['c', ['-c', 'aes256-ctr']],
    ['v', ['-v']],
  ] as const) {
    const up = await server.scp('scp', [...flags, join(place, 'file'), remote(name)]);
    t.equal(up.status, 0, up.stderr);
    t.equal(await sha256Of(server.stored(name)), await sha256Of(join(place, 'file')), name);
  }
  const through = await server.scp('scp', ['-3', remote('C'), remote('through')]);
  t.equal(through.status, 0, through.stderr);
  t.equal(await sha256Of(server.stored('through')), await sha256Of(join(place, 'file')));
  // What scp -R runs on the first host; it has no way to tell ssh our port.
  const direct = await server.ssh(['scp C demo@127.0.0.1:direct']);
  t.equal(direct.status, 1);
  t.match(direct.stderr, /run scp -3 instead of scp -R/);
  t.match(await server.newest('exec'), { outcome: 'refused', error: 'COMMAND_REFUSED' });
});

t.test('twenty at once, and many over one connection', { skip, timeout: 110_000 }, async (t) => {
  const server = await startServer(t);
  const place = makePlace(t);
  for (let index = 0; index < 20; index += 1) writeRandom(join(place, `file${index}`), 50_000 + index);
  const all = Array.from({ length: 20 }, (_, index) =>
    server.scp('scp', [join(place, `file${index}`), remote(`copy${index}`)]),
  );
  for (const [index, finished] of (await Promise.all(all)).entries()) {
    t.equal(finished.status, 0, finished.stderr);
    t.equal(await sha256Of(server.stored(`copy${index}`)), await sha256Of(join(place, `file${index}`)));
  }
  const control = ['-o', `ControlPath=${join(place, 'control')}`];
  const master = await run('ssh', [
    '-MNf',
    '-p',
    String(server.port),
    ...control,
    ...server.sshOptions,
    'demo@127.0.0.1',
  ]);
  t.equal(master.status, 0, master.stderr);
  const multiplexed = Array.from({ length: 8 }, (_, index) =>
    server.scp('scp', [...control, remote(`copy${index}`), join(place, `back${index}`)]),
  );
  for (const [index, finished] of (await Promise.all(multiplexed)).entries()) {
    t.equal(finished.status, 0, finished.stderr);
    t.equal(await sha256Of(join(place, `back${index}`)), await sha256Of(join(place, `file${index}`)));
  }
  await run('ssh', [...control, '-O', 'exit', 'demo@127.0.0.1']);
});

t.test('companion commands', { skip }, async (t) => {
  const server = await startServer(t, { users: { acme: { preset: 'drop-box' } } });
  writeFileSync(server.stored('a'), 'abc');
  symlinkSync('a', server.stored('link'));
  mkdirSync(server.stored('sub'));
  t.match(await server.ssh(['md5sum']), { status: 0, stdout: 'd41d8cd98f00b204e9800998ecf8427e  -\n' });
  t.match(await server.ssh(['md5sum', 'a']), { status: 0, stdout: '900150983cd24fb0d6963f7d28e17f72  a\n' });
  const reference = await run('sha256sum', ['a', 'link'], { cwd: server.stored('.') });
  t.equal((await server.ssh(['sha256sum a link'])).stdout, reference.stdout);
  const mixed = await server.ssh(['sha1sum none a sub']);
  t.match(mixed, { status: 1, stdout: /^a9993e36[0-9a-f]{32} {2}a\n$/ });
  t.equal(mixed.stderr, 'sha1sum: none: No such file or directory\nsha1sum: sub: Is a directory\n');
  t.match(await server.ssh(['ls -la']), {
    status: 0,
    stdout: /^total \d+\ndrwx.* \.\ndrwx.* \.\.\n.* a\n.* hello.txt\n.* link -> a\n.* sub\n$/,
  });
  t.match(await server.ssh(['ls -1']), { status: 0, stdout: 'a\nhello.txt\nlink\nsub\n' });
  t.match(await server.ssh(['df -Pk .']), {
    status: 0,
    stdout: /^Filesystem.*\nscpd +\d+ +\d+ +\d+ +\d+% \/\n$/,
  });
  t.match(await server.ssh(["mkdir -p 'x/y z'"]), { status: 0, stdout: '', stderr: '' });
  t.ok(existsSync(server.stored('x/y z')));
  t.match(await server.newest('mkdir'), { operation: 'mkdir', path: '/x/y z', outcome: 'done' });
  t.match(await server.ssh(['rm -rf x']), { status: 1, stderr: /^command not allowed: rm is not available/ });
  t.match(await server.ssh(['ls'], 'acme'), {
    status: 2,
    stdout: '',
    stderr: /Permission denied|No such file/,
  });
  t.match(await server.ssh(['md5sum', 'a'], 'acme'), { status: 1, stdout: '' });
});

t.test('rclone finds its hashes, and compares by them', { skip: missing('rclone') }, async (t) => {
  const server = await startServer(t);
  const place = makePlace(t);
  for (const name of ['one', "two's and a blank", 'back\\slash']) writeFileSync(join(place, name), name);
  const environment = {
    RCLONE_CONFIG: join(tmpdir(), 'no-such-rclone.conf'),
    RCLONE_CONFIG_BOX_TYPE: 'sftp',
    RCLONE_CONFIG_BOX_HOST: '127.0.0.1',
    RCLONE_CONFIG_BOX_PORT: String(server.port),
    RCLONE_CONFIG_BOX_USER: 'demo',
    RCLONE_CONFIG_BOX_KEY_FILE: join(server.place, 'keys/demo/id_ed25519'),
    RCLONE_CONFIG_BOX_KNOWN_HOSTS_FILE: join(server.place, 'keys/demo/known_hosts'),
  };
  const rclone = (...parameters: string[]) => run('rclone', parameters, { environment });
  const up = await rclone('copy', '--checksum', place, 'box:copied', '-vv');
  t.equal(up.status, 0, up.stderr);
  const check = await rclone('check', place, 'box:copied', '-vv');
  t.equal(check.status, 0, check.stderr);
  t.match(check.stderr, /3 matching files/);
  t.notMatch(check.stderr, /hashes could not be checked/);
  writeFileSync(server.stored('copied/one'), 'eno');
  t.not((await rclone('check', place, 'box:copied')).status, 0, 'a byte changed');
  const sums = await rclone('sha1sum', 'box:copied');
  t.match(sums.stdout, /[0-9a-f]{40} {2}one\n/);
});

t.test('pscp lists', { skip: missing('pscp') }, async (t) => {
  const server = await startServer(t);
  writeFileSync(server.stored('a'), 'abc');
  const key = join(server.place, 'key.ppk');
  await run('puttygen', [join(server.place, 'keys/demo/id_ed25519'), '-O', 'private', '-o', key]);
  const { stdout } = await run('ssh-keygen', [
    '-l',
    '-f',
    join(server.place, 'keys/host/ssh_host_ed25519_key.pub'),
  ]);
  const options = ['-scp', '-batch', '-noagent', '-P', String(server.port), '-i', key];
  const listed = await run('pscp', [
    ...options,
    '-hostkey',
    stdout.split(' ')[1] ?? '',
    '-ls',
    'demo@127.0.0.1:.',
  ]);
  t.equal(listed.status, 0, listed.stderr);
  t.match(listed.stdout, / a\r?\n/);
});

t.test('names that lead elsewhere are in the journal', { skip }, async (t) => {
  const server = await startServer(t);
  const refused = await server.ssh(['scp -t .'], 'demo', { input: 'C0644 1 ../x\nx\0' });
  t.match(refused, { status: 1, stdout: /unexpected filename/ });
  t.match(await server.newest('upload'), {
    path: '../x',
    outcome: 'refused',
    error: 'INVALID_NAME',
  });
  t.notOk(readFileSync(join(server.place, 'var/audit/audit.jsonl'), 'utf8').includes('\u0000'));
});

t.test('WinSCP in SCP mode: a shell without a terminal, driven by echo', { skip }, async (t) => {
  const server = await startServer(t);
  const mark = (command: string): string => `${command} ; echo "WinSCP: this is end-of-file:$?"\n`;
  const lines = [
    'echo "WinSCP: this is end-of-file:0"\n',
    mark('printenv LANG'),
    mark('cd "/"'),
    mark('mkdir "box"'),
    'echo "WinSCP: this is begin-of-file" ; scp -r -p -d -t "/box" ; echo "WinSCP: this is end-of-file:$?"\n',
    'T1111111111 0 1111111111 0\nC0644 3 up\nabc\0E\n',
  ];
  const shell = await server.ssh(['-T'], 'demo', { input: lines.join('') });
  t.equal(readFileSync(server.stored('box/up'), 'utf8'), 'abc');
  t.match(
    shell.stdout,
    /^WinSCP: this is end-of-file:0\nC\.UTF-8\nWinSCP.*:0\nWinSCP.*:0\nWinSCP.*:0\nWinSCP: this is begin/,
  );
  t.match(shell.stdout, /\0WinSCP: this is end-of-file:0\n$/);
  t.equal(shell.stderr, '');
  t.equal(shell.status, 0);
  t.match(
    server.records().findLast(({ operation }) => operation === 'upload'),
    { path: '/box/up', outcome: 'done', verdict: 'verified' },
  );
});

t.test(
  'dropbear guesses the key exchange, and waits if its guess is dropped',
  { skip: missing('dbclient') },
  async (t) => {
    const server = await startServer(t);
    const place = makePlace(t);
    await run('dropbearconvert', [
      'openssh',
      'dropbear',
      join(server.place, 'keys/demo/id_ed25519'),
      join(place, 'key'),
    ]);
    const parameters = [
      '-y',
      '-y',
      '-T',
      '-i',
      join(place, 'key'),
      '-p',
      String(server.port),
      'demo@127.0.0.1',
      'pwd',
    ];
    const { status, stdout } = await run('dbclient', parameters, {
      environment: { HOME: place },
      timeoutMs: 15_000,
    });
    t.same({ status, stdout }, { status: 0, stdout: '/\n' });
  },
);
