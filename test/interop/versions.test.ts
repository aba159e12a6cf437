/** Goal: with the preset `backup`, stock clients replace and delete as they like, and get every old file back. */
import t, { type Test } from 'tap';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCli } from '../support/cli.ts';
import { noteClient } from '../support/client-table.ts';
import { missing } from '../support/clients.ts';
import { remote, startServer, type TestServer } from '../support/server.ts';
import { rclone, setDesk } from '../support/sftp-clients.ts';

interface Desk {
  readonly server: TestServer;
  readonly place: string;
}

async function open(t: Test, facts: object = { preset: 'backup' }): Promise<Desk> {
  const place = mkdtempSync(join(tmpdir(), 'scpd-versions-'));
  t.teardown(() => rmSync(place, { recursive: true, force: true }));
  const server = await startServer(t, { users: { saver: { preset: undefined, ...facts } } });
  return { server, place };
}

for (const protocol of ['scp', 'sftp'] as const) {
  t.test(`scp by ${protocol}: replaced files come back`, async (t) => {
    const { server, place } = await open(t);
    const file = join(place, 'a.txt');
    for (const content of ['first', 'second', 'third']) {
      writeFileSync(file, content);
      t.equal((await server.scp(protocol, [file, remote('a.txt', 'saver')])).status, 0);
    }
    const listed = await server.sftp('ls -1 /.versions/a.txt\n', 'saver');
    const names = listed.stdout.split('\n').filter((line) => line.startsWith('/.versions/'));
    t.equal(names.length, 2, listed.stderr);
    const back = join(place, 'back');
    mkdirSync(back);
    for (const [index, name] of names.entries()) {
      const fetched = await server.scp(protocol, [remote(name, 'saver'), join(back, `${index}`)]);
      t.equal(fetched.status, 0, fetched.stderr);
    }
    t.strictSame(
      readdirSync(back)
        .sort()
        .map((name) => readFileSync(join(back, name), 'utf8')),
      ['first', 'second'],
    );
    const all = await server.scp(protocol, ['-r', remote('.', 'saver'), join(place, 'all')]);
    t.equal(all.status, 0, all.stderr);
    t.strictSame(readdirSync(join(place, 'all')), ['a.txt'], 'a copy of all brings no versions along');
    const tree = await server.scp(protocol, ['-r', remote('.versions', 'saver'), join(place, 'tree')]);
    t.equal(tree.status, 0, tree.stderr);
    t.equal(readdirSync(join(place, 'tree', 'a.txt')).length, 2, 'unless they are asked for');
    const onto = await server.scp(protocol, [file, remote('.versions/a.txt/x', 'saver')]);
    t.not(onto.status, 0);
    t.match(onto.stderr, /Permission denied/);
    const verified = await runCli(['verify', 'saver'], server.place);
    t.equal(verified.exitCode, 0, verified.stdout + verified.stderr);
    t.match(verified.stdout, /^3 files/);
    const [name = ''] = names;
    const part = await runCli(['verify', 'saver', name], server.place);
    t.match(part.stdout, /^1 files, 5 bytes read: all as received/);
  });
}

t.test('sftp: rm, rename over and a directory that is emptied', async (t) => {
  const { server, place } = await open(t);
  writeFileSync(join(place, 'a'), 'content of a');
  writeFileSync(join(place, 'b'), 'content of b');
  const batch = [
    'mkdir d',
    `put ${join(place, 'a')} d/a`,
    `put ${join(place, 'b')} d/b`,
    'rename d/b d/a',
    'rm d/a',
    'rmdir d',
    'ls -1 .versions/d/a',
  ];
  const done = await server.sftp(`${batch.join('\n')}\n`, 'saver');
  t.equal(done.status, 0, done.stderr);
  const names = done.stdout.split('\n').filter((line) => line.startsWith('.versions/d/a/'));
  t.equal(names.length, 2);
  const got = await server.sftp(
    names.map((name, index) => `get ${name} ${place}/got${index}\n`).join(''),
    'saver',
  );
  t.equal(got.status, 0, got.stderr);
  t.strictSame(
    [0, 1].map((index) => readFileSync(join(place, `got${index}`), 'utf8')),
    ['content of a', 'content of b'],
  );
  for (const line of [
    `rm ${names[0]}`,
    `rename ${names[0]} /x`,
    `chmod 777 ${names[0]}`,
    'rmdir .versions/d/a',
  ]) {
    const refused = await server.sftp(`${line}\n`, 'saver');
    t.match(refused, { status: 1, stderr: /ermission denied/ }, line);
  }
});

t.test('sftp: what is retained can not be removed, and says so', async (t) => {
  const { server, place } = await open(t, { preset: 'full', retain: '30d' });
  writeFileSync(join(place, 'a'), 'first');
  t.equal((await server.sftp(`put ${join(place, 'a')} a\n`, 'saver')).status, 0);
  const refused = await server.sftp('rm a\n', 'saver');
  t.match(refused, { status: 1, stderr: /[Pp]ermission denied|retained/ });
  const retained = { reason: 'retained', place: /scpd\.json:\d+:\d+$/ };
  t.match(await server.newest('remove'), { outcome: 'refused', error: 'RETAINED', rule: retained });
  t.equal((await server.sftp(`put ${join(place, 'a')} a\n`, 'saver')).status, 0, 'it can be replaced');
  t.equal(readdirSync(server.stored('.scpd/versions/a', 'saver')).length, 1);
});

t.test('rclone sync with deletions', { skip: missing('rclone') }, async (t) => {
  const desk = { ...(await setDesk(t, { users: { saver: { preset: 'backup' } } })), user: 'saver' };
  const source = join(desk.place, 'source');
  mkdirSync(join(source, 'd'), { recursive: true });
  writeFileSync(join(source, 'a'), 'first');
  writeFileSync(join(source, 'd/b'), 'b');
  t.equal((await rclone(desk, ['sync', source, 'box:tree'])).status, 0);
  writeFileSync(join(source, 'a'), 'second');
  rmSync(join(source, 'd'), { recursive: true });
  const synced = await rclone(desk, ['sync', source, 'box:tree']);
  t.equal(synced.status, 0, synced.stderr);
  t.strictSame(readdirSync(desk.server.stored('tree', 'saver')), ['a']);
  const { stdout } = await rclone(desk, ['lsf', '-R', 'box:.versions/tree']);
  for (const version of [/^a\/\d{8}T/mu, /^d\/b\/\d{8}T/mu]) t.match(stdout, version);
  t.strictSame((await rclone(desk, ['lsf', 'box:'])).stdout, 'tree/\n', 'a sync never meets the versions');
  noteClient({
    client: 'rclone',
    protocol: 'SFTP',
    preset: 'backup',
    action: 'sync with deletions',
    works: true,
  });
});
