/** Goal: `scpd verify` finds what is not as it was received, and makes the catalog again from disk and journal. */
import t from 'tap';
import { readFileSync, realpathSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openCatalog } from '../../src/catalog/catalog.ts';
import { progressLine } from '../../src/cli/progress.ts';
import { contentOf, processes } from '../support/catalog.ts';
import { runCli } from '../support/cli.ts';
import { missing } from '../support/clients.ts';
import { remote, startServer, type TestServer } from '../support/server.ts';

const skip = missing('scp');

interface Known {
  readonly [path: string]: object;
}

const configOf = ({ place }: TestServer): string => join(place, 'config', 'scpd.json');
const catalogOf = ({ place }: TestServer): string => join(place, 'var', 'catalog.db');

async function known(server: TestServer): Promise<Known> {
  const catalog = await openCatalog({ file: catalogOf(server), damaged: 'refuse', processes });
  const root = { hostPath: realpathSync(join(server.place, 'var', 'demo')), users: ['demo'] };
  const content = (await contentOf(catalog, root)) as Known;
  await catalog.close();
  return content;
}

t.test('nothing to find, every kind of finding, and the catalog made again', { skip }, async (t) => {
  const server = await startServer(t);
  const place = t.testdir({
    one: 'first content',
    two: 'second',
    tree: { three: 'third', 'odd "name"': '4' },
  });
  const verify = async (...words: string[]): ReturnType<typeof runCli> =>
    await runCli(['verify', ...words, '--config', configOf(server)], place);
  t.equal((await server.scp('scp', [join(place, 'one'), join(place, 'two'), remote('.')])).status, 0);
  t.equal((await server.scp('sftp', ['-rp', join(place, 'tree'), remote('.')])).status, 0);

  // What "scpd init" has put there was never received.
  t.match(await verify(), { exitCode: 1, stdout: /^unknown +demo:\/hello\.txt$/m });
  rmSync(server.stored('hello.txt'));
  t.match((await verify('--usage')).stdout, /0 added, 0 corrected, 1 taken out/);
  const fine = await verify();
  t.match(fine, { exitCode: 0, stderr: '' }, 'while the server runs');
  t.match(fine.stdout, /^4 files, 25 bytes read: all as received$/m);
  const before = await known(server);
  t.match(before['/one'], { verdict: 'verified', user: 'demo', sizeBytes: 13 });
  t.match(before['/tree/three'], { verdict: 'closed' });

  await server.end('SIGTERM');
  const { mtime, atime } = statSync(server.stored('one'));
  writeFileSync(server.stored('one'), 'First content');
  utimesSync(server.stored('one'), atime, mtime);
  renameSync(server.stored('two'), server.stored('moved'));
  const found = await verify();
  t.equal(found.exitCode, 1);
  t.match(found.stdout, /^changed +demo:\/one$/m, 'also with the old size and date');
  t.match(found.stdout, /^missing +demo:\/two$/m);
  t.match(found.stdout, /^unknown +demo:\/moved$/m);
  t.match(found.stdout, /1 missing, 1 changed, 1 unknown/);
  t.equal((await verify('demo', '/tree')).exitCode, 0, 'only a part');
  const json = (await verify('--json')).stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as object);
  t.match(json[0], { kind: 'changed', path: '/one', users: ['demo'] });
  t.match(json.at(-1), { ok: false, changed: 1, missing: 1, unknown: 1, files: 5 });

  renameSync(server.stored('moved'), server.stored('two'));
  writeFileSync(server.stored('one'), 'first content');
  utimesSync(server.stored('one'), atime, mtime);
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${catalogOf(server)}${suffix}`, { force: true });
  const none = await verify();
  t.equal(none.exitCode, 2);
  t.match(none.stderr, /there is no catalog at .*"scpd verify --rebuild" makes one/);
  const rebuilt = await verify('--rebuild');
  t.equal(rebuilt.exitCode, 0, rebuilt.stderr);
  t.match(rebuilt.stdout, /^4 files, 4 of them in the journal$/m);
  t.same(await known(server), before, 'what was there is there again');
  t.equal((await verify()).exitCode, 0);
});

t.test('sums are counted again', { skip }, async (t) => {
  const server = await startServer(t);
  const place = t.testdir({ one: 'first content' });
  t.equal((await server.scp('scp', [join(place, 'one'), remote('.')])).status, 0);
  const verify = async (): ReturnType<typeof runCli> =>
    await runCli(['verify', '--usage', '--config', configOf(server)], place);
  t.match(await verify(), { exitCode: 0, stdout: '2 entries: all as counted\n' });
  writeFileSync(server.stored('beside'), 'from the host');
  const corrected = await verify();
  t.equal(corrected.exitCode, 1);
  t.match(corrected.stdout, /1 added, 0 corrected, 0 taken out/);
  t.match(await verify(), { exitCode: 0, stdout: '3 entries: all as counted\n' });
});

t.test('wrong usage', async (t) => {
  const place = t.testdir({});
  t.equal((await runCli(['init'], place)).exitCode, 0);
  const cases: readonly [readonly string[], RegExp][] = [
    [['dem'], /no user "dem"; did you mean "demo"\?/],
    [['--usage', '--rebuild'], /exclude each other/],
    [['demo', '/x', '--usage'], /--usage is about all/],
    [['demo', '/x', 'y'], /unexpected argument "y"/],
    [['--json=yes'], /takes no value/],
  ];
  for (const [words, message] of cases) {
    const { exitCode, stderr } = await runCli(['verify', ...words], place);
    t.equal(exitCode, 2, words.join(' '));
    t.match(stderr, message);
  }
});

t.test('the bar', async (t) => {
  const bar = progressLine({ files: 7, bytes: 512 }, { files: 9, bytes: 2048 });
  t.equal(bar, `[${'#'.repeat(7)}${'-'.repeat(23)}]  25%  512 bytes of 2.0 KiB, 7 files`);
  t.match(progressLine({ files: 1, bytes: 5 }, { files: 0, bytes: 0 }), /0%/);
  t.notMatch(readFileSync(new URL('../../src/cli/progress.ts', import.meta.url), 'utf8'), /stdout/);
});
