/** Goal: whatever clients send at once, by whatever protocol and user, a directory holds as much as its quota and no more. */
import t from 'tap';
import { lstatSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCli } from '../support/cli.ts';
import { missing } from '../support/clients.ts';
import { remote, startServer } from '../support/server.ts';

const mib = 1024 * 1024;

t.test('scp, scp -O and sftp fill a directory together', { skip: missing('scp') }, async (t) => {
  const place = mkdtempSync(join(tmpdir(), 'scpd-rule-quota-'));
  t.teardown(() => rmSync(place, { recursive: true, force: true }));
  const rules = [
    { path: '/in/**', preset: 'full', quota: { bytes: '10MiB', files: 100 } },
    { path: '/**', preset: 'full' },
  ];
  const user = { preset: undefined, root: '../var/demo', rules };
  const server = await startServer(t, { users: { one: user, two: user }, settings: { workers: 2 } });
  t.equal((await server.sftp('mkdir in\nmkdir out\n', 'one')).status, 0);
  const file = join(place, 'file');
  writeFileSync(file, Buffer.alloc(3 * mib, 'x'));
  const sends = [0, 1, 2, 3, 4, 5].map(async (index) => {
    const sender = index % 2 === 0 ? 'one' : 'two';
    if (index < 4) return await server.scp(index < 2 ? 'scp' : 'sftp', [file, remote(`in/${index}`, sender)]);
    return await server.sftp(`put ${file} in/${index}\n`, sender);
  });
  const ended = await Promise.all(sends);
  const done = ended.filter(({ status }) => status === 0).length;
  const told = ended.map(({ status, stderr }) => `${status} ${stderr}`).join('\n');
  const root = server.stored('.');
  const stored = (): number =>
    readdirSync(join(root, 'in')).reduce((sum, name) => sum + lstatSync(join(root, 'in', name)).size, 0);
  // Those of SFTP, which don't say how large they will be, may be in each other's way.
  t.ok(done >= 1 && done <= 3, told);
  t.equal(stored(), done * 3 * mib, told);
  for (let index = done; index < 3; index += 1)
    t.equal((await server.scp('sftp', [file, remote(`in/more${index}`, 'one')])).status, 0);
  for (const protocol of ['scp', 'sftp'] as const) {
    const { status, stderr } = await server.scp(protocol, [file, remote('in/over', 'two')]);
    t.not(status, 0);
    t.match(stderr, protocol === 'scp' ? /quota/i : /Failure/);
  }
  t.equal(stored(), 9 * mib);

  const df = await server.sftp('df in\ndf out\n', 'two');
  t.match(df.stdout, /10240 +9216 +1024/, df.stdout + df.stderr);
  t.notMatch(df.stdout.split('\n').at(-2), /10240/);
  t.equal((await server.scp('scp', [file, remote('out/big', 'two')])).status, 0);
  const moved = await server.sftp('rename out/big in/big\n', 'two');
  t.not(moved.status, 0);
  const [name = ''] = readdirSync(join(root, 'in'));
  t.equal((await server.sftp(`rename out in/deep\n`, 'one')).status, 1, 'nor a whole directory');
  t.equal((await server.sftp(`rm in/${name}\nrename out in/deep\n`, 'one')).status, 0, 'when there is room');
  const verified = await runCli(['verify', '--usage'], server.place);
  t.equal(verified.exitCode, 0, verified.stdout + verified.stderr);

  await server.end('SIGKILL');
  await server.start();
  t.not((await server.scp('scp', [file, remote('in/more', 'one')])).status, 0, 'also after a crash');
  t.equal(stored(), 6 * mib + lstatSync(join(root, 'in', 'deep')).size);
});
