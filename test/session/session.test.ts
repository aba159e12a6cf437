/** Which session serves which request, and that every one of them ends well or ends in words. */
import t from 'tap';
import { ScpdError } from '../../src/errors.ts';
import { MemoryFiles } from '../support/memory-files.ts';
import { ScpClient, sendAll, visible } from '../support/scp-client.ts';

t.test('a shell: one friendly line, and a status that says that nothing was run', async (t) => {
  const welcome = 'Hi alice: this account only transfers files (scp, sftp); there is no shell here.';
  for (const [what, hadTerminal, sent] of [
    ['at a terminal', true, undefined],
    ['a terminal that sends', true, 'echo hello\n'],
    ['nothing', false, ''],
    ['a script', false, 'rm -f -r "/"\necho done\n'],
    ['an unfinished line', false, 'echo'],
    ['a line without end', false, 'x'.repeat(100_000)],
  ] as const) {
    const files = new MemoryFiles();
    const client = new ScpClient({ kind: 'shell', hadTerminal }, files);
    if (sent !== undefined) client.channel.feed(sent);
    if (sent !== undefined) client.channel.end();
    t.same(await client.finished(), { rest: '', status: 1 }, what);
    t.same(client.channel.errorLines, [welcome]);
    t.same(client.refusals, [{ operation: 'shell', text: '' }]);
    t.same(files.journal, []);
  }
});

t.test('a shell in which nobody says anything', async (t) => {
  const client = new ScpClient({ kind: 'shell', hadTerminal: false }, new MemoryFiles());
  t.equal((await client.finished()).status, 1, 'ends by itself');
  t.match(client.channel.errorLines, [/^Hi alice/]);
});

t.test('commands that are not ours: one clear line, nothing on stdout, a record', async (t) => {
  for (const [command, line] of [
    ['id', /^command not allowed: id is not available/],
    ['', /^command not allowed/],
    ['scp -l 9 -t x', /^command not allowed: scp: unknown option -l/],
    ['\x1b[2J', /^command not allowed: \\x1b\[2J is not/],
  ] as const) {
    const client = new ScpClient(command, new MemoryFiles());
    t.same(await client.finished(), { rest: '', status: 1 }, command);
    t.equal(client.channel.errorLines.length, 1);
    t.match(client.channel.errorLines[0], line);
    t.same(client.refusals, [{ operation: 'exec', text: command }]);
  }
});

t.test('an scp command that cannot be served is told in its own protocol', async (t) => {
  const client = new ScpClient('scp -t sub/my file', new MemoryFiles());
  const { rest, status } = await client.finished();
  t.match(visible(rest), /^␁scp: ambiguous target .*\n$/);
  t.equal(status, 1);
  t.same(client.channel.errorLines, []);
  t.same(client.refusals, [{ operation: 'exec', text: 'scp -t sub/my file' }]);
});

t.test('sftp, as a subsystem and as the programs that clients ask for', async (t) => {
  const init = Buffer.from('00000005010000000003'.slice(0, 18), 'hex');
  for (const request of [
    { kind: 'subsystem', name: 'sftp' } as const,
    { kind: 'exec', command: Buffer.from('/usr/lib/openssh/sftp-server') } as const,
  ]) {
    const client = new ScpClient(request, new MemoryFiles());
    client.channel.feed(init);
    const { rest, status } = await client.finish();
    t.equal(rest.charCodeAt(4), 2, 'VERSION');
    t.equal(status, 0);
  }
});

t.test('another subsystem', async (t) => {
  for (const name of ['netconf', 'SFTP', 'sftp ', '']) {
    const client = new ScpClient({ kind: 'subsystem', name }, new MemoryFiles());
    t.same(await client.finished(), { rest: '', status: 1 });
    t.same(client.refusals, [{ operation: 'subsystem', text: name }]);
    t.equal(client.channel.errorLines.length, 1);
  }
});

t.test('silence on success', async (t) => {
  const files = new MemoryFiles();
  const client = new ScpClient('scp -v -t .', files);
  t.same(await client.finish(), { rest: '\0', status: 0 });
  t.same(client.channel.errorLines, []);
  t.same(client.logged, []);
  t.equal(files.journal.at(-1), 'close CONNECTION_LOST');
});

t.test('a root that cannot be opened: neutral words, and the operator learns more', async (t) => {
  const openFiles = () => Promise.reject(new ScpdError('STORAGE_FAILED', '/srv/alice: ENOENT'));
  const scp = new ScpClient('scp -t .', new MemoryFiles(), { openFiles });
  t.same(await scp.finished(), { rest: '\x02scp: Server storage error\n', status: 1 });
  t.same(scp.logged, ['error a session failed STORAGE_FAILED']);
  const sftp = new ScpClient({ kind: 'subsystem', name: 'sftp' }, new MemoryFiles(), { openFiles });
  t.same(await sftp.finished(), { rest: '', status: 1 });
  t.same(sftp.channel.errorLines, ['sftp: Server storage error']);
});

t.test('a fault of ours: neutral words, the files closed, the error in the log', async (t) => {
  const files = new MemoryFiles();
  files.faults.set('write', new TypeError("can't read /srv/secret"));
  const client = new ScpClient('scp -t .', files);
  client.channel.feed('C0644 1 a\nx\0');
  const { rest, status } = await client.finish();
  t.equal(rest, '\0\0\x02scp: Internal server error\n');
  t.equal(status, 1);
  t.same(client.logged, ['error a session failed INTERNAL']);
  t.equal(files.journal.at(-1), 'close INTERNAL');
  t.ok(files.journal.includes('abort /a INTERNAL'));
  t.equal(files.openCount, 0);
});

t.test('a client that breaks the protocol is a warning in the log', async (t) => {
  const files = new MemoryFiles();
  const client = new ScpClient('scp -t .', files);
  client.channel.feed('C0644 3 a\nabcd');
  const { rest, status } = await client.finish();
  t.equal(rest, '\0\0\x02scp: protocol error: expected an answer\n');
  t.equal(status, 1);
  t.same(client.logged, ['warn the client broke the protocol PROTOCOL_BROKEN']);
  t.ok(files.journal.includes('abort /a PROTOCOL_BROKEN'));
});

t.test('a name that leads elsewhere is a warning in the log, too', async (t) => {
  const client = new ScpClient('scp -t .', new MemoryFiles());
  client.channel.feed('C0644 3 ../a\n');
  t.equal((await client.finish()).status, 1);
  t.same(client.logged, ['warn the client broke the protocol PROTOCOL_BROKEN']);
});

t.test('a journal that cannot be written makes a refusal no less of one', async (t) => {
  const recordRefusal = (): never => {
    throw new ScpdError('AUDIT_FAILED');
  };
  const client = new ScpClient('id', new MemoryFiles(), { recordRefusal });
  t.equal((await client.finished()).status, 1);
  t.equal(client.channel.errorLines.length, 1);
  t.same(client.logged, ['error a session failed AUDIT_FAILED']);
});

t.test('a client that is gone before it is refused', async (t) => {
  const client = new ScpClient('id', new MemoryFiles());
  client.channel.lose();
  t.equal((await client.finished()).status, 1);
  t.same(client.logged, []);
});

t.test('sessions do not know of each other', async (t) => {
  const [one, other] = [new MemoryFiles(), new MemoryFiles()];
  await Promise.all([
    sendAll('scp -t a', one, 'C0644 1 a\n1\0'),
    sendAll('scp -t a', other, 'C0644 1 a\n2\0'),
  ]);
  t.equal(String(one.content('/a')), '1');
  t.equal(String(other.content('/a')), '2');
});
