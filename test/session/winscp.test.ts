/**
 * Goal: WinSCP's SCP mode works. Its commands are those of ScpFileSystem.cpp: each line is a command, ` ; `, and an echo
 * that marks the end with the status; scp is preceded by an echo that marks the beginning.
 */
import t, { type Test } from 'tap';
import { MemoryFiles } from '../support/memory-files.ts';
import { ScpClient } from '../support/scp-client.ts';

const endMark = 'WinSCP: this is end-of-file';
const beginMark = 'WinSCP: this is begin-of-file';

class WinScp {
  readonly client: ScpClient;

  constructor(files: MemoryFiles) {
    this.client = new ScpClient({ kind: 'shell', hadTerminal: false }, files, { errorsAnyTime: true });
  }

  /** Runs a command as WinSCP does; what it printed and its status. */
  async run(command: string, variable = '$?'): Promise<string> {
    this.client.channel.feed(`${command === '' ? '' : `${command} ; `}echo "${endMark}:${variable}"\n`);
    return await this.output();
  }

  /** Up to the mark of the end. */
  async output(): Promise<string> {
    let text = '';
    while (!/end-of-file:\d*\n$/.test(text)) text += await this.client.read(1);
    return Buffer.from(text, 'latin1').toString().replace(`${endMark}:`, '=');
  }

  /** Starts a transfer and skips the mark of its beginning. */
  async begin(command: string): Promise<void> {
    this.client.channel.feed(`echo "${beginMark}" ; ${command} ; echo "${endMark}:$?"\n`);
    await this.client.read(beginMark.length + 1);
  }

  get errors(): readonly string[] {
    return this.client.channel.errorLines;
  }
}

function tree(): MemoryFiles {
  const files = new MemoryFiles();
  files.put('/docs/a.txt', 'aaa');
  files.put('/docs/b $ `"\\.txt', 'bb');
  files.putDirectory('/docs/sub');
  return files;
}

async function started(t: Test, files: MemoryFiles): Promise<WinScp> {
  const winscp = new WinScp(files);
  t.equal(await winscp.run('', '0'), '=0\n', 'the startup message is skipped');
  return winscp;
}

t.test('what it asks at the beginning', async (t) => {
  const winscp = await started(t, tree());
  t.equal(await winscp.run('echo "$status"', '0'), '\n=0\n', 'not a shell of that family');
  t.equal(await winscp.run('echo "$?"', '0'), '0\n=0\n');
  t.equal(await winscp.run('printenv LANG'), 'C.UTF-8\n=0\n');
  for (const name of ['ls', 'echo', 'scp', 'cd']) t.match(await winscp.run(`unalias "${name}"`), /^=\d+\n$/);
  for (const name of ['LANG', 'LC_ALL', 'HUMAN_BLOCKS']) t.equal(await winscp.run(`unset "${name}"`), '=0\n');
  t.equal(await winscp.run('cd'), '=0\n');
  t.equal(await winscp.run('pwd'), '/\n=0\n');
  t.equal(await winscp.run('groups'), 'alice\n=0\n');
  t.equal(await winscp.run('uname -a'), '=127\n');
  t.match(winscp.errors, [/uname is not available/]);
  t.same(winscp.client.refusals, [{ operation: 'shell', text: 'uname -a ' }]);
  t.match(await winscp.client.finish(), { rest: '', status: 0 });
});

t.test('it looks around', async (t) => {
  const winscp = await started(t, tree());
  t.equal(await winscp.run('cd "/docs"'), '=0\n');
  t.equal(await winscp.run('pwd'), '/docs\n=0\n');
  const time = '2023-11-14 22:13:20.000000000 +0000';
  t.equal(
    await winscp.run('ls -la --full-time'),
    [
      'total 2',
      `drwxr-xr-x 1 alice alice 0 ${time} .`,
      `drwxr-xr-x 1 alice alice 0 ${time} ..`,
      `-rw-r--r-- 1 alice alice 3 ${time} a.txt`,
      `-rw-r--r-- 1 alice alice 2 ${time} b $ \`"\\.txt`,
      `drwxr-xr-x 1 alice alice 0 ${time} sub`,
      '=0\n',
    ].join('\n'),
  );
  t.match(await winscp.run('ls -la  "/docs"'), /^total 2\n/);
  t.match(await winscp.run('ls -la -d --full-time "b \\$ \\`\\"\\\\.txt"'), /^-rw.* b \$ `"\\\.txt\n=0\n$/);
  t.equal(await winscp.run('cd "nowhere"'), '=1\n');
  t.equal(await winscp.run('ls -la --full-time "nowhere"'), '=2\n');
  t.same(winscp.errors, [
    'cd: nowhere: No such file or directory',
    "ls: cannot access 'nowhere': No such file or directory",
  ]);
  t.equal(await winscp.run('pwd'), '/docs\n=0\n', 'still there');
});

t.test('it changes things', async (t) => {
  const files = tree();
  const winscp = await started(t, files);
  const ok = async (command: string): Promise<void> => {
    t.equal(await winscp.run(command), '=0\n', command);
  };
  await ok('cd "/docs"');
  await ok('mkdir "new"');
  await ok('mv -f "a.txt" "new/"');
  t.ok(files.content('/docs/new/a.txt'));
  await ok('mv -f "new/a.txt" "c.txt"');
  await ok('cp -p -r -f -T "c.txt" "new/copy"');
  t.equal(String(files.content('/docs/new/copy')), 'aaa');
  await ok('cp -p -r -f -T "new" "/tree"');
  t.equal(String(files.content('/tree/copy')), 'aaa');
  await ok('chmod  0600 "c.txt"');
  t.equal(files.attributesOf('/docs/c.txt')?.mode, 0o600);
  await ok('chmod -R u+x,g-r "/tree"');
  t.equal(files.attributesOf('/tree/copy')?.mode, 0o704);
  await ok('ln -s "/docs/c.txt" "soft"');
  await ok('ln  "c.txt" "hard"');
  await ok('rm -f -r "new"');
  await ok('rm -f -r "never was"');
  t.notOk(files.attributesOf('/docs/new'));
  await ok('rm -f -r "/tree"');
  t.notOk(files.attributesOf('/tree'));
  t.equal(await winscp.run('chown  "root" "c.txt"'), '=1\n');
  t.equal(await winscp.run('chgrp  "root" "c.txt"'), '=1\n');
  t.equal(await winscp.run('cp -p -r -f -T "/docs" "/docs/sub/deeper"'), '=1\n');
  t.match(winscp.errors, [/Operation not permitted/, /Operation not permitted/, /into itself/]);
  t.equal(files.openCount, 0);
});

t.test('it uploads', async (t) => {
  const files = tree();
  const winscp = await started(t, files);
  const { client } = winscp;
  for (const round of [1, 2]) {
    await winscp.begin(`scp -r -p -d -t "/docs"`);
    t.equal(await client.read(1), '\0', 'scp is there');
    t.equal(await client.ask('T1111111111 0 1111111111 0\n'), 'ok');
    t.equal(await client.sendFile(`up${round}`, 'content'), 'ok');
    t.equal(await client.ask('D0755 0 dir\n'), 'ok');
    t.equal(await client.sendFile('inner', ''), 'ok');
    t.equal(await client.ask('E\n'), 'ok');
    t.equal(await client.ask('E\n'), 'ok', 'the end of the batch');
    t.equal(await winscp.output(), '=0\n');
    t.equal(String(files.content(`/docs/up${round}`)), 'content');
    t.equal(await winscp.run('pwd'), '/\n=0\n', 'and the shell goes on');
  }
  t.equal(files.attributesOf('/docs/up1')?.modifiedSeconds, 1_111_111_111);
  await winscp.run('cd "/docs"');
  await winscp.begin('scp -r  -d -t "sub"');
  t.equal(await client.read(1), '\0');
  t.equal(await client.sendFile('relative', 'x'), 'ok');
  t.equal(await client.ask('E\n'), 'ok');
  t.equal(await winscp.output(), '=0\n');
  t.ok(files.content('/docs/sub/relative'), 'from the current directory');
});

t.test('it downloads', async (t) => {
  const files = tree();
  const winscp = await started(t, files);
  const { client } = winscp;
  await winscp.begin('scp -r -p -d -f "/docs/a.txt"');
  client.channel.feed('\0');
  t.equal(await client.readLine(), 'T1700000000 0 1700000000 0\n');
  client.channel.feed('\0');
  t.equal(await client.readLine(), 'C0644 3 a.txt\n');
  client.channel.feed('\0');
  t.equal(await client.read(4), 'aaa\0');
  client.channel.feed('\0');
  t.equal(await winscp.output(), '=0\n');
  await winscp.begin('scp -r  -d -f "/docs/none"');
  client.channel.feed('\0');
  t.equal(await client.readLine(), '\x01scp: /docs/none: No such file or directory\n');
  t.equal(await winscp.output(), '=1\n');
});

t.test('a target that is none: an error, and the shell goes on', async (t) => {
  const winscp = await started(t, tree());
  await winscp.begin('scp -r  -d -t "/docs/a.txt"');
  t.equal(await winscp.client.readLine(), '\x01scp: /docs/a.txt: Not a directory\n');
  t.equal(await winscp.output(), '=1\n');
  t.equal(await winscp.run('pwd'), '/\n=0\n');
});

t.test('nothing is executed, whatever a line says', async (t) => {
  const files = tree();
  const winscp = await started(t, files);
  for (const line of [
    'echo `id`',
    'echo $(id)',
    'ls | cat',
    'echo x > /docs/a.txt',
    'cat /etc/passwd',
    'sh -c id',
    '/usr/lib/sftp-server',
    'echo "unclosed',
  ]) {
    winscp.client.channel.feed(`${line}\n`);
    t.equal(await winscp.run('', '$?'), '=127\n', line);
  }
  t.equal(String(files.content('/docs/a.txt')), 'aaa');
  winscp.client.channel.feed('echo one; exit; echo two\n');
  t.equal((await winscp.client.finished()).rest, 'one\n');
});

t.test('a journal that cannot be written', async (t) => {
  const files = tree();
  const winscp = await started(t, files);
  files.faults.set('settle', new Error('no'));
  t.equal(await winscp.run('mkdir "new"'), '=1\n', 'is not reported as done');
});

t.test('a client that goes away in the middle', async (t) => {
  const files = tree();
  const winscp = await started(t, files);
  await winscp.begin('scp -r -d -t "/docs"');
  t.equal(await winscp.client.read(1), '\0');
  t.equal(await winscp.client.ask('C0644 100 half\n'), 'ok');
  winscp.client.channel.feed('abc');
  winscp.client.channel.lose();
  t.equal((await winscp.client.finished()).status, 1);
  t.equal(files.content('/docs/half'), undefined);
  t.equal(files.openCount, 0);
});
