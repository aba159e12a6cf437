/** Goal: the other SFTP programs do all that people use them for: PuTTY's, curl, rclone, lftp, sshfs. */
import t from 'tap';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { noteClient } from '../support/client-table.ts';
import { missing, run, type Finished } from '../support/clients.ts';
import { sha256Of, writeRandom } from '../support/content.ts';
import { curl, host, lftp, pscp, psftp, rclone, setDesk, sshProgram } from '../support/sftp-clients.ts';

const worksIn = (client: string) => (action: string) =>
  noteClient({ client, protocol: 'SFTP', preset: 'full', action, works: true });

/** The names below a directory, in order. */
const tree = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort();

function makeTree(root: string): void {
  mkdirSync(join(root, 'a', 'b', 'empty'), { recursive: true });
  for (let index = 0; index < 25; index += 1) writeFileSync(join(root, 'a', `file ${index}`), `${index}`);
  writeRandom(join(root, 'a', 'b', 'large'), 2_000_000);
}

t.test('psftp and pscp', { skip: missing('psftp') }, async (t) => {
  const desk = await setDesk(t);
  const { server, place } = desk;
  const works = worksIn('PuTTY psftp, pscp -sftp');
  const succeeded = ({ status, stdout, stderr }: Finished): void => {
    t.equal(status, 0, `${stdout}${stderr}`);
  };
  writeRandom(join(place, 'file'), 500_000);
  makeTree(join(place, 'tree'));
  succeeded(
    await psftp(desk, 'put file\nmkdir d\ncd d\nput file two\npwd\nls\nchmod 600 two\nmv two three\n'),
  );
  t.equal(await sha256Of(server.stored('file')), await sha256Of(join(place, 'file')));
  t.equal(statSync(server.stored('d/three')).mode & 0o777, 0o600);
  works('put, get, mkdir, cd, ls, chmod, mv, del, rmdir');

  truncateSync(server.stored('file'), 123_457);
  succeeded(await psftp(desk, 'reput file\n'));
  t.equal(await sha256Of(server.stored('file')), await sha256Of(join(place, 'file')), 'reput');
  writeFileSync(join(place, 'down'), readFileSync(join(place, 'file')).subarray(0, 222_222));
  succeeded(await psftp(desk, 'reget file down\n'));
  t.equal(await sha256Of(join(place, 'down')), await sha256Of(join(place, 'file')), 'reget');
  works('reput, reget');

  succeeded(await psftp(desk, 'put -r tree\nget -r tree tree-back\ndel d/three\nrmdir d\n'));
  t.strictSame(tree(server.stored('tree')), tree(join(place, 'tree')));
  t.strictSame(tree(join(place, 'tree-back')), tree(join(place, 'tree')));
  t.notOk(existsSync(server.stored('d')));
  // To a directory that is not there it would send every file under the directory's own name, whatever the server.
  mkdirSync(server.stored('box'));
  succeeded(await pscp(desk, ['-r', '-p', 'tree', `${desk.user}@${host}:box`]));
  t.strictSame(tree(server.stored('box/tree')), tree(join(place, 'tree')));
  const listed = await pscp(desk, ['-ls', `${desk.user}@${host}:box/tree/a`]);
  t.match(listed.stdout, /-rw-.* file 24/);
  works('trees, pscp -r -p, pscp -ls');
  t.strictSame(server.staged(), []);
});

t.test('curl sftp://', { skip: missing('curl') }, async (t) => {
  const desk = await setDesk(t);
  const { server, place } = desk;
  const works = worksIn('curl sftp://');
  const curled = async (...parameters: readonly string[]): Promise<string> => {
    const { status, stdout, stderr } = await curl(desk, parameters);
    t.equal(status, 0, `${parameters.join(' ')}: ${stderr}`);
    return stdout;
  };
  writeRandom(join(place, 'file'), 700_000);
  await curled('-T', 'file', 'URL/file');
  await curled('-T', 'file', '--ftp-create-dirs', 'URL/new/deep/file');
  t.equal(await sha256Of(server.stored('new/deep/file')), await sha256Of(join(place, 'file')));
  works('upload, --ftp-create-dirs');

  writeFileSync(server.stored('digits'), '0123456789');
  t.equal(await curled('-r', '2-5', 'URL/digits'), '2345');
  t.equal(await curled('-r', '-3', 'URL/digits'), '789');
  t.equal(await curled('-r', '7-', 'URL/digits'), '789');
  works('ranges');

  writeFileSync(join(place, 'down'), readFileSync(join(place, 'file')).subarray(0, 100_001));
  await curled('-C', '-', '-o', 'down', 'URL/file');
  t.equal(await sha256Of(join(place, 'down')), await sha256Of(join(place, 'file')), 'a download goes on');
  truncateSync(server.stored('file'), 333_333);
  await curled('-C', '-', '-T', 'file', 'URL/file');
  t.equal(await sha256Of(server.stored('file')), await sha256Of(join(place, 'file')), 'an upload goes on');
  writeFileSync(join(place, 'more'), 'more');
  await curled('--append', '-T', 'more', 'URL/digits');
  t.equal(readFileSync(server.stored('digits'), 'utf8'), '0123456789more');
  works('-C - both ways, --append');

  const quotes = ['mkdir /q', 'rename /digits /q/d', 'chmod 600 /q/d', 'symlink d /q/l', 'pwd'];
  await curled(...quotes.flatMap((words) => ['-Q', words]), '-l', 'URL/q/');
  t.equal(statSync(server.stored('q/d')).mode & 0o777, 0o600);
  t.equal(readlinkSync(server.stored('q/l')), 'd');
  t.match(await curled('URL/q/'), /l -> d/);
  t.match(await curled('-Q', 'statvfs /q', '-o', 'none', 'URL/q/d'), '');
  await curled('-Q', '-rm /q/l', '-Q', '-rm /q/d', '-Q', '-rmdir /q', '-o', 'none', 'URL/file');
  t.notOk(existsSync(server.stored('q')));
  works('quote commands: mkdir, rename, chmod, symlink, pwd, rm, rmdir');
  t.not((await curl(desk, ['-Q', 'rm /none', 'URL/file'])).status, 0);
  t.strictSame(server.staged(), []);
});

t.test('rclone', { skip: missing('rclone') }, async (t) => {
  const desk = await setDesk(t);
  const { server, place } = desk;
  const works = worksIn('rclone');
  const done = async (...parameters: readonly string[]): Promise<string> => {
    const { status, stdout, stderr } = await rclone(desk, parameters);
    t.equal(status, 0, `${parameters.join(' ')}: ${stderr}`);
    return stdout;
  };
  makeTree(join(place, 'tree'));
  await done('copy', 'tree', 'box:copy', '--create-empty-src-dirs', '--transfers', '8');
  t.strictSame(tree(server.stored('copy')), tree(join(place, 'tree')));
  await done('check', 'tree', 'box:copy', '--download');
  writeFileSync(join(place, 'tree/a/file 3'), 'changed');
  renameSync(join(place, 'tree/a/file 4'), join(place, 'tree/a/file 4b'));
  await done('sync', 'tree', 'box:copy');
  await done('check', 'tree', 'box:copy', '--download');
  t.notOk(existsSync(server.stored('copy/a/file 4')));
  // Without a word about the shell rclone finds out for itself, and compares by the hashes that the server has.
  const hashed = await rclone(desk, ['check', 'tree', 'box:copy', '-vv'], {});
  t.equal(hashed.status, 0, hashed.stderr);
  t.match(hashed.stderr, /Using (md5|sha1) for hash comparisons/);
  t.notMatch(hashed.stderr, /hashes could not be checked/);
  const sums = await rclone(desk, ['hashsum', 'sha1', 'box:copy/a/file 7'], {});
  t.match(sums.stdout, /^902ba3cda1883801594b6e1b452790cc53948fda /, 'of "7"');
  works('check and hashsum by hashes');
  await done('sync', 'box:copy', 'back');
  t.equal(await sha256Of(join(place, 'back/a/b/large')), await sha256Of(join(place, 'tree/a/b/large')));
  works('copy, sync both ways, check --download');

  t.match(await done('about', 'box:'), /Total:.*\n(Used:.*\n)?Free:/);
  t.equal(JSON.parse(await done('about', 'box:', '--json')).total > 0, true);
  works('about');
  await done('mkdir', 'box:m/n');
  await done('moveto', 'box:copy/a/file 5', 'box:m/five');
  t.equal(await done('cat', 'box:m/five'), '5');
  t.match(await done('lsl', 'box:m'), /five/);
  await done('touch', 'box:m/five', '--timestamp', '2005-03-18T01:58:31');
  t.equal(statSync(server.stored('m/five')).mtime.toISOString(), '2005-03-18T01:58:31.000Z');
  await done('deletefile', 'box:m/five');
  await done('purge', 'box:m');
  t.notOk(existsSync(server.stored('m')));
  works('mkdir, moveto, cat, lsl, touch, deletefile, purge');
  t.strictSame(server.staged(), []);
});

t.test('lftp', { skip: missing('lftp') }, async (t) => {
  const desk = await setDesk(t);
  const { server, place } = desk;
  const works = worksIn('lftp');
  const done = async (commands: string): Promise<string> => {
    const { status, stdout, stderr } = await lftp(desk, commands);
    t.equal(status, 0, `${commands}: ${stdout}${stderr}`);
    return stdout;
  };
  makeTree(join(place, 'tree'));
  await done('mirror -R --parallel=4 tree up');
  t.strictSame(tree(server.stored('up')), tree(join(place, 'tree')));
  t.equal(await sha256Of(server.stored('up/a/b/large')), await sha256Of(join(place, 'tree/a/b/large')));
  await done('mirror --parallel=4 up down');
  t.strictSame(tree(join(place, 'down')), tree(join(place, 'tree')));
  writeFileSync(join(place, 'tree/a/file 3'), 'changed');
  await done('mirror -R --delete tree up');
  t.equal(readFileSync(server.stored('up/a/file 3'), 'utf8'), 'changed');
  works('mirror both ways');

  const large = join(place, 'tree/a/b/large');
  truncateSync(server.stored('up/a/b/large'), 999_999);
  await done(`put -c ${large} -o up/a/b/large`);
  t.equal(await sha256Of(server.stored('up/a/b/large')), await sha256Of(large), 'put -c');
  writeFileSync(join(place, 'part'), readFileSync(large).subarray(0, 555_555));
  await done('get -c up/a/b/large -o part');
  t.equal(await sha256Of(join(place, 'part')), await sha256Of(large), 'get -c');
  works('put -c, get -c');
  await done(
    'mkdir -p x/y; mv up/a/b/large x/y/l; chmod 600 x/y/l; ln -s y/l x/link; cls -l x; find x; rm -r x',
  );
  t.notOk(existsSync(server.stored('x')));
  works('mkdir -p, mv, chmod, ln -s, find, rm -r');
  t.strictSame(server.staged(), []);
});

/** sshfs needs the kernel's FUSE and the right to mount, which a container often lacks. */
async function cannotMount(): Promise<string | false> {
  const absent = missing('sshfs');
  if (absent !== false) return absent;
  const probe = await run('sh', [
    '-c',
    'test -w /dev/fuse && grep -q fuse /proc/filesystems && test "$(id -u)" = 0',
  ]);
  return probe.status === 0 ? false : 'nothing can be mounted here';
}

t.test('sshfs', { skip: await cannotMount() }, async (t) => {
  const desk = await setDesk(t);
  const { server, place } = desk;
  const works = worksIn('sshfs');
  const mount = join(place, 'mount');
  mkdirSync(mount);
  const options = ['-o', `ssh_command=${sshProgram(desk)},port=${server.port}`];
  const mounted = await run('sshfs', [`demo@${host}:/`, mount, ...options]);
  if (mounted.status !== 0) return t.comment(`not mounted: ${mounted.stderr}`);
  try {
    writeRandom(join(place, 'file'), 3_000_000);
    const shell = async (commands: string): Promise<Finished> =>
      await run('sh', ['-ec', commands], { cwd: mount });
    const first = await shell(
      `cp ${place}/file one; mkdir -p d/e; cp one d/e/two; mv d/e/two d/e/one; printf more >> one; ln -s d/e/one link; ` +
        'ln one hard; chmod 600 d/e/one; touch -d 2005-03-18T01:58:31Z d/e/one; df . > /dev/null; sync d/e/one; ls -lR > /dev/null',
    );
    t.equal(first.status, 0, first.stderr);
    t.equal(await sha256Of(server.stored('d/e/one')), await sha256Of(join(place, 'file')));
    t.equal(statSync(server.stored('one')).size, 3_000_004);
    t.match(statSync(server.stored('d/e/one')), { mode: 0o100600, mtimeMs: 1_111_111_111_000 });
    t.equal(readlinkSync(server.stored('link')), 'd/e/one');
    const second = await shell(
      'truncate -s 10 one; cmp -n 10 one d/e/one; mv hard one; rm -r d; rm one link',
    );
    t.equal(second.status, 0, second.stderr);
    t.strictSame(readdirSync(server.stored('.')), ['.scpd', 'hello.txt']);
    works('cp, mv, append, truncate, ln, ln -s, chmod, touch, df, sync, rm -r');
  } finally {
    await run('fusermount3', ['-u', mount]);
  }
});

t.test('links that lead nowhere are shown as such', { skip: missing('lftp') }, async (t) => {
  const { server } = await setDesk(t);
  symlinkSync('nowhere', server.stored('dangling'));
  t.match((await server.sftp('ls -l\n')).stdout, /l\S+ .* dangling/);
  t.not((await server.sftp('get dangling /dev/null\n')).status, 0);
  t.ok(lstatSync(server.stored('dangling')).isSymbolicLink());
});
