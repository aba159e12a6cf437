/** Goal: every command of OpenSSH's sftp does what it does against OpenSSH's own server, extensions included. */
import t from 'tap';
import {
  appendFileSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { noteClient } from '../support/client-table.ts';
import { missing } from '../support/clients.ts';
import { sha256Of, writeRandom } from '../support/content.ts';
import { setDesk } from '../support/sftp-clients.ts';

const skip = missing('sftp');
const client = 'OpenSSH sftp';
const works = (action: string, preset = 'full'): void =>
  noteClient({ client, protocol: 'SFTP', preset, action, works: true });

t.test('sftp: every command', { skip }, async (t) => {
  const { server, place } = await setDesk(t);
  const local = (name: string): string => join(place, name);
  const batch = async (lines: string): Promise<string> => {
    const { status, stdout, stderr } = await server.sftp(lines);
    t.equal(status, 0, `${lines} ${stdout}${stderr}`);
    return stdout;
  };
  writeRandom(local('one'), 700_000);
  writeFileSync(local('two'), 'two');

  await t.test('put -f, put -p and get', async (t) => {
    utimesSync(local('one'), 1_111_111_111, 1_111_111_111);
    await batch(`put -f ${local('one')} one\nput -p ${local('one')} dated\nget one ${local('back')}\n`);
    t.equal(await sha256Of(server.stored('one')), await sha256Of(local('one')));
    t.equal(await sha256Of(local('back')), await sha256Of(local('one')));
    t.equal(statSync(server.stored('dated')).mtimeMs, 1_111_111_111_000);
    works('put -f, put -p, get');
  });

  await t.test('cp', async (t) => {
    await batch('cp one copied\n');
    t.equal(await sha256Of(server.stored('copied')), await sha256Of(local('one')));
    t.not((await server.sftp('cp none copied\n')).status, 0);
    t.equal(await sha256Of(server.stored('copied')), await sha256Of(local('one')), 'and nothing was lost');
    works('cp');
  });

  await t.test('df', async (t) => {
    const shown = await batch('df\ndf -i\ndf -h one\n');
    t.match(shown, /Size\s+Used\s+Avail[\s\S]*Inodes\s+Used\s+Avail[\s\S]*%/);
    works('df');
  });

  await t.test('ln, ln -s, symlink', async (t) => {
    await batch('mkdir links\nln one links/hard\nln -s ../one links/soft\nsymlink one absolute\n');
    t.equal(statSync(server.stored('links/hard')).ino, statSync(server.stored('one')).ino);
    t.equal(readlinkSync(server.stored('links/soft')), '../one');
    await batch(`get links/soft ${local('through')}\n`);
    t.equal(await sha256Of(local('through')), await sha256Of(local('one')));
    t.match(await batch('ls -l links\n'), /soft/);
    const out = await server.sftp('ln -s ../../etc/passwd links/out\n');
    t.not(out.status, 0, 'not out of the root');
    works('ln, ln -s');
  });

  await t.test('chmod, chmod -h, chown, chgrp', async (t) => {
    await batch('chmod 600 one\nchmod -h 640 copied\n');
    t.equal(statSync(server.stored('one')).mode & 0o7777, 0o600);
    t.equal(statSync(server.stored('copied')).mode & 0o7777, 0o640);
    await batch('chown 0 one\nchgrp 0 one\n');
    const link = await server.sftp('chmod -h 600 links/soft\n');
    t.not(link.status, 0, 'Linux has no modes of links');
    t.match(link.stderr, /Operation (not supported|unsupported)/i);
    works('chmod, chmod -h');
  });

  await t.test('put -a and reput go on where an upload ended', async (t) => {
    const whole = readFileSync(local('one'));
    for (const command of ['put -a', 'reput']) {
      writeFileSync(server.stored('part'), whole.subarray(0, 300_001));
      await batch(`${command} ${local('one')} part\n`);
      t.equal(await sha256Of(server.stored('part')), await sha256Of(local('one')), command);
      t.equal(
        server.records().findLast((record) => record.operation === 'upload')?.sha256,
        await sha256Of(local('one')),
      );
    }
    works('put -a, reput');
  });

  await t.test('get -a and reget go on where a download ended', async (t) => {
    const whole = readFileSync(local('one'));
    for (const command of ['get -a', 'reget']) {
      writeFileSync(local('part'), whole.subarray(0, 300_001));
      await batch(`${command} part ${local('part')}\n`);
      t.equal(await sha256Of(local('part')), await sha256Of(local('one')), command);
    }
    works('get -a, reget');
  });

  await t.test('ls in its forms, cd, pwd, globs', async (t) => {
    await batch(`mkdir d\nput ${local('two')} d/a1\nput ${local('two')} d/a2\nput ${local('two')} d/b\n`);
    const long = await batch('ls -la d\n');
    t.match(long, /-rw-\S+ +\S+ demo +scpd +3 .* d\/a1/, 'owners have names');
    t.strictSame((await batch('ls -1 d/a*\n')).split('\n').slice(1, 3), ['d/a1', 'd/a2']);
    t.match(await batch('cd d\npwd\nls -1t\n'), /Remote working directory: \/d\n/);
    mkdirSync(local('globbed'));
    await batch(`get d/a* ${local('globbed')}\n`);
    t.equal(readFileSync(local('globbed/a2'), 'utf8'), 'two');
    works('ls, cd, globs');
  });

  await t.test('rename, rm, rmdir', async (t) => {
    await batch('rename d/b d/a1\nrm d/a*\nrmdir d\nrm links/*\nrmdir links\n');
    t.notOk(lstatSync(server.stored('d'), { throwIfNoEntry: false }));
    t.not(
      (await server.sftp('rename -l one two\nrename -l copied two\n')).status,
      0,
      'the plain one does not replace',
    );
    works('rename (replaces), rename -l (does not), rm, rmdir');
  });

  await t.test('whole trees', async (t) => {
    mkdirSync(local('tree/a/b'), { recursive: true });
    for (let index = 0; index < 120; index += 1) writeFileSync(local(`tree/a/f${index}`), `${index}`);
    await batch(`put -R ${local('tree')} .\nget -R tree ${local('tree-back')}\n`);
    t.equal(readFileSync(local('tree-back/a/f119'), 'utf8'), '119');
    works('put -R, get -R');
  });
  t.strictSame(server.staged(), []);
});

t.test('sftp: what grows meanwhile', { skip }, async (t) => {
  const { server, place } = await setDesk(t);
  writeFileSync(join(place, 'log'), 'first\n');
  await server.sftp(`put ${join(place, 'log')} log\n`);
  appendFileSync(join(place, 'log'), 'second\n');
  t.equal((await server.sftp(`put -a ${join(place, 'log')} log\n`)).status, 0);
  t.equal(readFileSync(server.stored('log'), 'utf8'), 'first\nsecond\n');
});
