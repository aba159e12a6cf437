/** Goal: restic's whole life on this server: init, backup, restore, check, forget and prune; and what stricter rights leave of it. */
import t, { type Test } from 'tap';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { noteClient } from '../support/client-table.ts';
import { missing, run, type Finished } from '../support/clients.ts';
import { sha256Of, writeRandom } from '../support/content.ts';
import { host, setDesk, sshProgram, type Desk } from '../support/sftp-clients.ts';

const skip = missing('restic');

async function restic(desk: Desk, parameters: readonly string[]): Promise<Finished> {
  const command = `sftp.command=${sshProgram(desk)} ${desk.user}@${host} -s sftp`;
  return await run('restic', ['-o', command, '-r', `sftp:${desk.user}@${host}:/repo`, ...parameters], {
    cwd: desk.place,
    environment: { HOME: desk.place, RESTIC_PASSWORD: 'test', XDG_CACHE_HOME: join(desk.place, 'cache') },
  });
}

function makeSource(place: string): string {
  const source = join(place, 'source');
  mkdirSync(join(source, 'a', 'b'), { recursive: true });
  for (let index = 0; index < 60; index += 1) writeFileSync(join(source, 'a', `file ${index}`), `${index}`);
  writeRandom(join(source, 'a', 'b', 'large'), 20_000_000);
  return source;
}

async function works(t: Test, desk: Desk, parameters: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await restic(desk, parameters);
  t.equal(status, 0, `restic ${parameters.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

const note = (preset: string, action: string, why?: string): void =>
  noteClient({
    client: 'restic',
    protocol: 'SFTP',
    preset,
    action,
    works: why === undefined,
    ...(why === undefined ? {} : { why }),
  });

t.test('restic: everything', { skip }, async (t) => {
  const desk = await setDesk(t);
  const { server, place } = desk;
  const source = makeSource(place);
  await works(t, desk, ['init']);
  await works(t, desk, ['backup', source]);
  writeFileSync(join(source, 'a', 'file 3'), 'changed');
  await works(t, desk, ['backup', source]);
  t.match(await works(t, desk, ['snapshots']), /2 snapshots/);
  await works(t, desk, ['check', '--read-data']);
  await works(t, desk, ['restore', 'latest', '--target', join(place, 'restored')]);
  const restored = join(place, 'restored', source);
  t.strictSame(
    readdirSync(restored, { recursive: true }).sort(),
    readdirSync(source, { recursive: true }).sort(),
  );
  t.equal(await sha256Of(join(restored, 'a/b/large')), await sha256Of(join(source, 'a/b/large')));
  t.equal(readFileSync(join(restored, 'a/file 3'), 'utf8'), 'changed');
  await works(t, desk, ['forget', '--keep-last', '1', '--prune']);
  t.match(await works(t, desk, ['snapshots']), /1 snapshots/);
  await works(t, desk, ['check', '--read-data']);
  note('full', 'init, backup, restore, check, forget --prune');
  t.strictSame(server.staged(), []);
});

t.test('restic: with versions', { skip }, async (t) => {
  const desk = { ...(await setDesk(t, { users: { keeper: { preset: 'backup' } } })), user: 'keeper' };
  const { server, place } = desk;
  const source = makeSource(place);
  await works(t, desk, ['init']);
  await works(t, desk, ['backup', source]);
  writeFileSync(join(source, 'a', 'file 3'), 'changed');
  await works(t, desk, ['backup', source]);
  await works(t, desk, ['forget', '--keep-last', '1', '--prune']);
  await works(t, desk, ['check', '--read-data']);
  await works(t, desk, ['restore', 'latest', '--target', join(place, 'restored')]);
  t.equal(readFileSync(join(place, 'restored', source, 'a/file 3'), 'utf8'), 'changed');
  const [snapshot = ''] = readdirSync(server.stored('.scpd/versions/repo/snapshots', 'keeper'));
  t.match(await server.sftp(`ls /.versions/repo/snapshots/${snapshot}\n`, 'keeper'), {
    status: 0,
    stdout: /\d{8}T\d{6}\.\d{3}Z/,
  });
  note('backup', 'init, backup, restore, check, forget --prune; what is pruned stays as a version');
  t.strictSame(server.staged('keeper'), []);
});

t.test('restic: with the rights of a client that may be taken over', { skip }, async (t) => {
  // restic removes its own locks, and waits long for what is refused: they need a rule of their own.
  const rules = [
    { path: '/repo/locks/**', preset: 'full' },
    { path: '/**', preset: 'append-only' },
  ];
  const desk = await setDesk(t, {
    users: { keeper: { preset: 'full' }, saver: { rules, preset: undefined, root: '../var/keeper' } },
  });
  const { server, place } = desk;
  const source = makeSource(place);
  await works(t, { ...desk, user: 'keeper' }, ['init']);
  const saver = { ...desk, user: 'saver' };
  await works(t, saver, ['backup', source]);
  const snapshots = server.stored('repo/snapshots', 'keeper');
  const [snapshot = ''] = readdirSync(snapshots);
  await works(t, saver, ['restore', 'latest', '--target', join(place, 'restored')]);
  t.equal(
    await sha256Of(join(place, 'restored', source, 'a/b/large')),
    await sha256Of(join(source, 'a/b/large')),
  );
  t.strictSame(readdirSync(server.stored('repo/locks', 'keeper')), []);
  const removed = await server.sftp(`rm /repo/snapshots/${snapshot}\n`, 'saver');
  t.match(removed, { status: 1, stderr: /Permission denied/ });
  const replaced = await server.sftp(`put "${join(source, 'a', 'file 3')}" /repo/config\n`, 'saver');
  t.match(replaced, { status: 1, stderr: /Permission denied/ });
  t.strictSame(readdirSync(snapshots), [snapshot], 'nothing was removed');
  note('append-only', 'backup, restore, with a rule for /repo/locks/**');
  note('append-only', 'forget, prune', 'nothing may be removed');
});
