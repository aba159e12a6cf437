/** Goal: the file on disk decides at each attempt; a file that is wrong lets nobody in and its operator is told. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { generateHostKey } from '../../src/ssh/host-keys.ts';
import { createUserDirectory } from '../../src/users/directory.ts';
import type { KeyFileProblem, UserDirectory } from '../../src/users/directory.ts';

const key = generateHostKey('ed25519', '').publicKey;
const other = generateHostKey('ed25519', '').publicKey;
const blob = Buffer.from(key.split(' ')[1] ?? '', 'base64');
const otherBlob = Buffer.from(other.split(' ')[1] ?? '', 'base64');

function directoryOf(file: string): { directory: UserDirectory; problems: KeyFileProblem[] } {
  const problems: KeyFileProblem[] = [];
  const user = { name: 'alice', root: '/nowhere', preset: 'full', fileBytesMax: 1 } as const;
  const directory = createUserDirectory([{ user, authorizedKeysFile: file }], (problem) =>
    problems.push(problem),
  );
  return { directory, problems };
}

t.test('finds the user of a key, and nobody else', async (t) => {
  const file = join(t.testdir(), 'keys');
  writeFileSync(file, key);
  const { directory, problems } = directoryOf(file);
  t.match(await directory.find('alice', blob), { name: 'alice', root: '/nowhere' });
  t.ok(Object.isFrozen(await directory.find('alice', blob)));
  for (const name of ['bob', '', '__proto__', 'constructor', 'alice\0', 'Alice']) {
    t.equal(await directory.find(name, blob), undefined, JSON.stringify(name));
  }
  t.equal(await directory.find('alice', otherBlob), undefined);
  t.equal(await directory.find('alice', Buffer.alloc(0)), undefined);
  t.equal(await directory.find('alice', blob.subarray(0, -1)), undefined);
  t.same(problems, []);
});

t.test('changes count at once, however they are made', async (t) => {
  const base = t.testdir();
  const file = join(base, 'keys');
  const old = new Date(Date.now() - 60_000);
  writeFileSync(file, key);
  utimesSync(file, old, old);
  const { directory } = directoryOf(file);
  t.ok(await directory.find('alice', blob));
  writeFileSync(file, other); // The same size, at once, in place.
  t.notOk(await directory.find('alice', blob), 'rewritten');
  t.ok(await directory.find('alice', otherBlob));
  // Many times within one tick of the file system's clock.
  for (let round = 0; round < 200; round += 1) {
    writeFileSync(file, round % 2 === 0 ? key : other);
    const found = await directory.find('alice', blob);
    if ((found !== undefined) !== (round % 2 === 0)) t.fail(`round ${round}`);
  }
  writeFileSync(`${file}.new`, key);
  renameSync(`${file}.new`, file);
  t.ok(await directory.find('alice', blob), 'replaced');
  rmSync(file);
  t.notOk(await directory.find('alice', blob), 'deleted');
  writeFileSync(file, key);
  t.ok(await directory.find('alice', blob), 'back again');
});

for (const [what, make, words] of [
  ['missing', (): void => undefined, /does not exist/],
  ['a directory', (file: string): void => mkdirSync(file), /not a regular file/],
  ['a FIFO', (file: string): void => void execFileSync('mkfifo', [file]), /not a regular file/],
  ['a link to nowhere', (file: string): void => symlinkSync('/no/such/file', file), /does not exist/],
  ['a loop', (file: string): void => symlinkSync(file, file), /ELOOP/],
  ['too large', (file: string): void => writeFileSync(file, `${key}${'#\n'.repeat(600_000)}`), /larger than/],
  [
    'writable by everybody',
    (file: string): void => {
      writeFileSync(file, key);
      chmodSync(file, 0o666);
    },
    /written by everybody/,
  ],
] as const) {
  await t.test(`a key file that is ${what} lets nobody in and is reported once`, async (t) => {
    const file = join(t.testdir(), 'keys');
    make(file);
    const { directory, problems } = directoryOf(file);
    t.equal(await directory.find('alice', blob), undefined);
    t.equal(await directory.find('alice', blob), undefined);
    t.equal(await directory.find('nobody', blob), undefined);
    t.match(problems, [{ userName: 'alice', file, line: null, words }]);
    t.equal(problems.length, 1);
    rmSync(file, { recursive: true, force: true });
    writeFileSync(file, key, { mode: 0o600 });
    t.ok(await directory.find('alice', blob), 'when it is right again, so is the login');
  });
}

t.test('lines that are refused are reported with their number, and again when they change', async (t) => {
  const file = join(t.testdir(), 'keys');
  writeFileSync(file, `from="x" ${other}${key}`);
  const { directory, problems } = directoryOf(file);
  t.ok(await directory.find('alice', blob));
  t.notOk(await directory.find('alice', otherBlob), 'a limited key does not become an unlimited one');
  t.match(problems, [{ file, line: 1, words: /"from"/ }]);
  writeFileSync(file, `# new\nfrom="x" ${other}`);
  t.notOk(await directory.find('alice', blob));
  t.match(problems[1], { file, line: 2, words: /"from"/ });
  t.equal(problems.length, 2);
});

t.test('a directory without users', async (t) => {
  const directory = createUserDirectory([], () => t.fail('nothing to report'));
  t.equal(await directory.find('alice', blob), undefined);
});
