/** Goal: every operation asks the rules, in every spelling, and leaves exactly the record that it should. */
import t, { type Test } from 'tap';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SessionJournal } from '../../src/audit/session-journal.ts';
import type { ErrorCode } from '../../src/errors.ts';
import type { Files, HashOptions, UploadOptions } from '../../src/guard/files.ts';
import { createGuardedFiles } from '../../src/guard/guarded-files.ts';
import { virtualPath } from '../../src/guard/virtual-path.ts';
import { openDiskStore } from '../../src/storage/disk-store.ts';
import type { Preset } from '../../src/users/user.ts';
import { CheckedJournal, testSession } from '../support/checked-journal.ts';
import { othersGetTurns } from '../support/longest-wait.ts';
import { codeOf } from '../support/throws.ts';

interface Box {
  readonly root: string;
  readonly files: Files;
  readonly journal: CheckedJournal;
}

function openBox(t: Test, preset: Preset, fileBytesMax = 1000): Box {
  const root = t.testdir({ file: 'content', directory: { inner: 'x' }, empty: {} });
  symlinkSync('file', join(root, 'link'));
  symlinkSync('nowhere', join(root, 'dangling'));
  symlinkSync('directory', join(root, 'directory-link'));
  symlinkSync('.scpd', join(root, 'reserved-link'));
  const journal = new CheckedJournal();
  const files = createGuardedFiles({
    user: { name: 'alice', root, preset, fileBytesMax },
    store: openDiskStore(root, 'none'),
    journal: new SessionJournal(journal, testSession),
  });
  t.teardown(() => files.close('INTERNAL'));
  return { root, files, journal };
}

const create: UploadOptions = { existing: 'replace', missing: 'create', newFileMode: 0o644 };

async function put(
  files: Files,
  path: string,
  content = 'new',
  options: Partial<UploadOptions> = {},
): Promise<void> {
  const upload = await files.upload(virtualPath(path), { ...create, ...options });
  await upload.write(Buffer.from(content), 0);
  await upload.commit('verified');
}

async function get(files: Files, path: string): Promise<string> {
  const download = await files.download(virtualPath(path));
  const content = (await download.read(0, 100)).toString();
  await download.finish('closed');
  return content;
}

async function list(files: Files, path: string): Promise<string[]> {
  const listing = await files.list(virtualPath(path));
  const names = (await listing.read(100)).map((entry) => entry.name);
  await listing.close();
  return names.sort();
}

/** Every operation once: what each preset answers. */
const operations: readonly [
  name: string,
  act: (files: Files) => Promise<unknown>,
  answers: Readonly<Record<Exclude<Preset, 'append-only' | 'backup'>, ErrorCode | 'no error'>>,
][] = [
  [
    'stat a file',
    (f) => f.stat(virtualPath('file'), { follow: true }),
    answers('no error', 'no error', 'NOT_FOUND'),
  ],
  [
    'stat nothing',
    (f) => f.stat(virtualPath('none'), { follow: true }),
    answers('NOT_FOUND', 'NOT_FOUND', 'NOT_FOUND'),
  ],
  [
    'stat the root',
    (f) => f.stat(virtualPath('.'), { follow: true }),
    answers('no error', 'no error', 'no error'),
  ],
  ['list the root', (f) => list(f, '/'), answers('no error', 'no error', 'PERMISSION_DENIED')],
  ['list a directory', (f) => list(f, 'directory'), answers('no error', 'no error', 'PERMISSION_DENIED')],
  ['read', (f) => get(f, 'file'), answers('no error', 'no error', 'PERMISSION_DENIED')],
  ['read nothing', (f) => get(f, 'none'), answers('NOT_FOUND', 'NOT_FOUND', 'PERMISSION_DENIED')],
  [
    'read a directory',
    (f) => get(f, 'directory'),
    answers('IS_A_DIRECTORY', 'IS_A_DIRECTORY', 'PERMISSION_DENIED'),
  ],
  ['create', (f) => put(f, 'new'), answers('no error', 'PERMISSION_DENIED', 'no error')],
  [
    'create in a directory',
    (f) => put(f, 'directory/new'),
    answers('no error', 'PERMISSION_DENIED', 'no error'),
  ],
  ['create in nothing', (f) => put(f, 'none/new'), answers('NOT_FOUND', 'PERMISSION_DENIED', 'NOT_FOUND')],
  [
    'create below a file',
    (f) => put(f, 'file/new'),
    answers('NOT_A_DIRECTORY', 'PERMISSION_DENIED', 'NOT_FOUND'),
  ],
  ['overwrite', (f) => put(f, 'file'), answers('no error', 'PERMISSION_DENIED', 'PERMISSION_DENIED')],
  [
    'overwrite by a link',
    (f) => put(f, 'link'),
    answers('no error', 'PERMISSION_DENIED', 'PERMISSION_DENIED'),
  ],
  [
    'create by a link',
    (f) => put(f, 'dangling'),
    answers('NOT_FOUND', 'PERMISSION_DENIED', 'PERMISSION_DENIED'),
  ],
  [
    'upload onto a directory',
    (f) => put(f, 'directory'),
    answers('IS_A_DIRECTORY', 'PERMISSION_DENIED', 'PERMISSION_DENIED'),
  ],
  [
    'upload onto the root',
    (f) => put(f, '/'),
    answers('PERMISSION_DENIED', 'PERMISSION_DENIED', 'PERMISSION_DENIED'),
  ],
  ['remove', (f) => f.remove(virtualPath('file')), answers('no error', 'PERMISSION_DENIED', 'NOT_FOUND')],
  [
    'remove nothing',
    (f) => f.remove(virtualPath('none')),
    answers('NOT_FOUND', 'PERMISSION_DENIED', 'NOT_FOUND'),
  ],
  [
    'remove a directory as a file',
    (f) => f.remove(virtualPath('empty')),
    answers('IS_A_DIRECTORY', 'PERMISSION_DENIED', 'NOT_FOUND'),
  ],
  [
    'mkdir',
    (f) => f.makeDirectory(virtualPath('made'), 0o755),
    answers('no error', 'PERMISSION_DENIED', 'no error'),
  ],
  [
    'mkdir what is there',
    (f) => f.makeDirectory(virtualPath('empty'), 0o755),
    answers('ALREADY_EXISTS', 'PERMISSION_DENIED', 'PERMISSION_DENIED'),
  ],
  [
    'rmdir',
    (f) => f.removeDirectory(virtualPath('empty')),
    answers('no error', 'PERMISSION_DENIED', 'NOT_FOUND'),
  ],
  [
    'rmdir what is full',
    (f) => f.removeDirectory(virtualPath('directory')),
    answers('DIRECTORY_NOT_EMPTY', 'PERMISSION_DENIED', 'NOT_FOUND'),
  ],
  [
    'rmdir the root',
    (f) => f.removeDirectory(virtualPath('a/..')),
    answers('PERMISSION_DENIED', 'PERMISSION_DENIED', 'NOT_FOUND'),
  ],
  [
    'rename',
    (f) => f.rename(virtualPath('file'), virtualPath('moved'), { replace: false }),
    answers('no error', 'PERMISSION_DENIED', 'NOT_FOUND'),
  ],
  [
    'rename onto a file',
    (f) => f.rename(virtualPath('file'), virtualPath('directory/inner'), { replace: false }),
    answers('ALREADY_EXISTS', 'PERMISSION_DENIED', 'NOT_FOUND'),
  ],
  [
    'rename and replace',
    (f) => f.rename(virtualPath('file'), virtualPath('directory/inner'), { replace: true }),
    answers('no error', 'PERMISSION_DENIED', 'NOT_FOUND'),
  ],
  [
    'rename into itself',
    (f) => f.rename(virtualPath('directory'), virtualPath('directory/x'), { replace: true }),
    answers('INVALID_RENAME', 'PERMISSION_DENIED', 'NOT_FOUND'),
  ],
  [
    'rename a directory onto another',
    (f) => f.rename(virtualPath('directory'), virtualPath('empty'), { replace: false }),
    answers('ALREADY_EXISTS', 'PERMISSION_DENIED', 'NOT_FOUND'),
  ],
  [
    'rename the root',
    (f) => f.rename(virtualPath('/'), virtualPath('x'), { replace: true }),
    answers('PERMISSION_DENIED', 'PERMISSION_DENIED', 'NOT_FOUND'),
  ],
  [
    'rename onto the root',
    (f) => f.rename(virtualPath('directory'), virtualPath('/'), { replace: true }),
    answers('PERMISSION_DENIED', 'PERMISSION_DENIED', 'NOT_FOUND'),
  ],
  [
    'attributes',
    (f) => f.setAttributes(virtualPath('file'), { mode: 0o600 }, { follow: true }),
    answers('no error', 'PERMISSION_DENIED', 'NOT_FOUND'),
  ],
  [
    'the mode of the root',
    (f) => f.setAttributes(virtualPath('/'), { mode: 0 }, { follow: true }),
    answers('PERMISSION_DENIED', 'PERMISSION_DENIED', 'NOT_FOUND'),
  ],
  [
    'truncate',
    (f) => f.setAttributes(virtualPath('file'), { sizeBytes: 3 }, { follow: true }),
    answers('no error', 'PERMISSION_DENIED', 'PERMISSION_DENIED'),
  ],
  [
    'stat the reserved area',
    (f) => f.stat(virtualPath('.scpd'), { follow: true }),
    answers('PERMISSION_DENIED', 'PERMISSION_DENIED', 'NOT_FOUND'),
  ],
  [
    'list it',
    (f) => list(f, './/.scpd/staging/..'),
    answers('PERMISSION_DENIED', 'PERMISSION_DENIED', 'PERMISSION_DENIED'),
  ],
  [
    'reach it by a link',
    (f) => list(f, 'reserved-link'),
    answers('PERMISSION_DENIED', 'PERMISSION_DENIED', 'PERMISSION_DENIED'),
  ],
  [
    'upload into it',
    (f) => put(f, '.scpd/x'),
    answers('PERMISSION_DENIED', 'PERMISSION_DENIED', 'PERMISSION_DENIED'),
  ],
  [
    'rename into it',
    (f) => f.rename(virtualPath('file'), virtualPath('.scpd/x'), { replace: true }),
    answers('PERMISSION_DENIED', 'PERMISSION_DENIED', 'NOT_FOUND'),
  ],
  [
    'make it',
    (f) => f.makeDirectory(virtualPath('.scpd'), 0o755),
    answers('PERMISSION_DENIED', 'PERMISSION_DENIED', 'PERMISSION_DENIED'),
  ],
];

function answers(
  full: ErrorCode | 'no error',
  readOnly: ErrorCode | 'no error',
  dropBox: ErrorCode | 'no error',
) {
  return { full, 'read-only': readOnly, 'drop-box': dropBox };
}

for (const preset of ['full', 'read-only', 'drop-box'] as const) {
  t.test(`what ${preset} allows`, async (t) => {
    for (const [name, act, expected] of operations) {
      await t.test(name, async (t) => {
        const { files, journal } = openBox(t, preset);
        t.equal(await codeOf(() => act(files)), expected[preset]);
        const denied = journal.records.filter((record) => record.outcome === 'refused');
        if (expected[preset] === 'PERMISSION_DENIED')
          t.ok(denied.length > 0 || journal.records.length > 0, 'recorded');
      });
    }
  });
}

t.test('a drop-box sender handles its own files as clients must, and sees nothing else', async (t) => {
  const { root, files, journal } = openBox(t, 'drop-box');
  await put(files, 'mine.filepart', 'abc');
  t.match(await files.stat(virtualPath('mine.filepart'), { follow: true }), { sizeBytes: 3 });
  await files.setAttributes(virtualPath('mine.filepart'), { modifiedSeconds: 1e9 }, { follow: true });
  await files.rename(virtualPath('mine.filepart'), virtualPath('mine'), { replace: true });
  t.equal(await codeOf(() => files.stat(virtualPath('mine.filepart'), { follow: true })), 'NOT_FOUND');
  t.match(await files.stat(virtualPath('mine'), { follow: true }), { modifiedSeconds: 1e9 });
  t.equal(
    await codeOf(() => files.rename(virtualPath('mine'), virtualPath('file'), { replace: true })),
    'NOT_FOUND',
    'but not onto what is not its own',
  );
  t.equal(await codeOf(() => get(files, 'mine')), 'PERMISSION_DENIED');
  await files.makeDirectory(virtualPath('tree'), 0o755);
  await put(files, 'tree/leaf');
  await files.rename(virtualPath('tree'), virtualPath('wood'), { replace: false });
  t.match(await files.stat(virtualPath('wood/leaf'), { follow: true }), { kind: 'file' });
  await put(files, 'mine', 'again');
  await files.remove(virtualPath('mine'));
  t.notOk(existsSync(join(root, 'mine')));
  t.equal(readFileSync(join(root, 'file'), 'utf8'), 'content');
  t.match(journal.records.at(1), {
    operation: 'upload',
    phase: 'end',
    outcome: 'done',
    path: '/mine.filepart',
    verdict: 'verified',
  });
});

t.test('records say what happened', async (t) => {
  const { root, files, journal } = openBox(t, 'full');
  await put(files, 'new', 'abc');
  t.match(journal.records.at(-1), {
    operation: 'upload',
    outcome: 'done',
    path: '/new',
    bytes: 3,
    verdict: 'verified',
    sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    user: 'alice',
  });
  await get(files, 'new');
  t.match(journal.records.at(-1), { operation: 'download', outcome: 'done', bytes: 3, verdict: 'closed' });
  const upload = await files.upload(virtualPath('cut'), create);
  await upload.write(Buffer.from('half'), 0);
  await upload.abort('CONNECTION_LOST');
  await upload.abort('CONNECTION_LOST');
  t.match(journal.records.at(-1), {
    outcome: 'failed',
    bytes: 4,
    verdict: 'aborted',
    error: 'CONNECTION_LOST',
  });
  t.equal(journal.records.length, 6, 'a beginning and an end for each');
  await files.rename(virtualPath('new'), virtualPath('newer'), { replace: false });
  t.match(journal.records.at(-1), { operation: 'rename', path: '/new', target: '/newer' });
  await codeOf(() => files.stat(virtualPath('none'), { follow: true }));
  t.equal(journal.records.length, 7, 'looking for what is not there is no event');
  t.notOk(existsSync(join(root, 'cut')));
});

t.test('what is too large is refused, before a byte comes where the size is declared', async (t) => {
  const { root, files, journal } = openBox(t, 'full', 10);
  t.equal(
    await codeOf(() => files.upload(virtualPath('big'), { ...create, declaredBytes: 11 })),
    'FILE_TOO_LARGE',
  );
  t.match(journal.records.at(-1), { operation: 'upload', outcome: 'refused', error: 'FILE_TOO_LARGE' });
  const upload = await files.upload(virtualPath('file'), create);
  await upload.write(Buffer.from('0123456789'), 0);
  t.equal(await codeOf(() => upload.write(Buffer.from('x'), 10)), 'FILE_TOO_LARGE');
  t.equal(
    await codeOf(() => upload.commit('closed')),
    'FILE_TOO_LARGE',
    'a client that overlooked it gets no file',
  );
  t.equal(readFileSync(join(root, 'file'), 'utf8'), 'content');
  const grown = await files.upload(virtualPath('file'), { ...create, existing: 'modify' });
  t.equal(await codeOf(() => grown.setAttributes({ sizeBytes: 11 })), 'FILE_TOO_LARGE');
  await grown.abort('CLIENT_FAILED');
});

t.test('append writes at the end, whatever the offset', async (t) => {
  const { root, files } = openBox(t, 'full');
  const upload = await files.upload(virtualPath('file'), { ...create, existing: 'modify', append: true });
  await upload.write(Buffer.from('+1'), 0);
  await upload.write(Buffer.from('+2'), 0);
  await upload.commit('closed');
  t.equal(readFileSync(join(root, 'file'), 'utf8'), 'content+1+2');
});

t.test('no transfer begins while the journal fails, and no success is settled', async (t) => {
  const { root, files, journal } = openBox(t, 'full');
  const upload = await files.upload(virtualPath('under-way'), create);
  journal.failing = true;
  t.equal(await codeOf(() => files.upload(virtualPath('new'), create)), 'AUDIT_FAILED');
  t.equal(await codeOf(() => files.download(virtualPath('file'))), 'AUDIT_FAILED');
  t.equal(await codeOf(() => upload.commit('closed')), 'AUDIT_FAILED');
  t.equal(await codeOf(() => files.makeDirectory(virtualPath('made'), 0o755)), 'AUDIT_FAILED');
  t.equal(await codeOf(() => files.remove(virtualPath('file'))), 'AUDIT_FAILED');
  t.equal(await codeOf(() => files.settle()), 'AUDIT_FAILED');
  t.notOk(existsSync(join(root, 'under-way')), 'nothing is changed that can not be written down');
  t.notOk(existsSync(join(root, 'made')));
  t.ok(existsSync(join(root, 'file')));
});

t.test('closing ends what is open', async (t) => {
  const { root, files, journal } = openBox(t, 'full');
  const upload = await files.upload(virtualPath('file'), create);
  const writing = upload.write(Buffer.alloc(500), 0);
  await files.download(virtualPath('directory/inner'));
  await files.close('CONNECTION_LOST');
  await writing;
  const ended = journal.records.filter(({ phase }) => phase === 'end');
  t.strictSame(journal.open, []);
  t.match(ended.map(({ operation, verdict }) => [operation, verdict]).sort(), [
    ['download', 'aborted'],
    ['upload', 'aborted'],
  ]);
  t.equal(readFileSync(join(root, 'file'), 'utf8'), 'content');
  t.strictSame(readdirSync(join(root, '.scpd', 'staging')), []);
});

t.test('links beneath the root', async (t) => {
  const { root, files } = openBox(t, 'full');
  t.equal(await get(files, 'link'), 'content');
  t.strictSame(await list(files, 'directory-link'), ['inner']);
  await put(files, 'link', 'through');
  t.equal(readFileSync(join(root, 'file'), 'utf8'), 'through', 'the file is replaced, the link stays');
  t.match(await files.stat(virtualPath('link'), { follow: false }), { kind: 'link' });
  await files.remove(virtualPath('link'));
  t.ok(existsSync(join(root, 'file')), 'removing a link leaves its target');
  t.notOk((await list(files, '/')).includes('.scpd'), 'the reserved area is in no listing');
});

t.test('links are made, and never lead out', async (t) => {
  const { root, files } = openBox(t, 'full');
  const table: readonly [path: string, target: string, stored: string][] = [
    ['near', 'file', 'file'],
    ['directory/up', '../file', '../file'],
    ['directory/absolute', '/file', '../file'],
    ['to-root', '/', '.'],
    ['to-nothing', 'not/yet', 'not/yet'],
  ];
  for (const [path, target, stored] of table) {
    await files.makeLink(virtualPath(path), target);
    t.equal(readlinkSync(join(root, path)), stored, path);
    t.equal(await files.readLink(virtualPath(path)), stored);
  }
  t.equal(await get(files, 'directory/absolute'), 'content');
  for (const target of ['..', '../outside', 'a/../../x']) {
    t.equal(await codeOf(() => files.makeLink(virtualPath('out'), target)), 'PERMISSION_DENIED', target);
  }
  t.equal(await codeOf(() => files.makeLink(virtualPath('out'), '')), 'INVALID_NAME');
  t.equal(await codeOf(() => files.makeLink(virtualPath('file'), 'x')), 'ALREADY_EXISTS');
  t.equal(await codeOf(() => files.readLink(virtualPath('file'))), 'NOT_A_LINK');
  await files.setAttributes(virtualPath('near'), { modifiedSeconds: 1e9 }, { follow: false });
  t.equal(lstatSync(join(root, 'near')).mtimeMs, 1e12, 'a link is dated itself');
  t.not(statSync(join(root, 'file')).mtimeMs, 1e12);
});

t.test('a second name for a file', async (t) => {
  const { root, files } = openBox(t, 'full');
  await files.makeHardLink(virtualPath('file'), virtualPath('directory/second'));
  t.equal(statSync(join(root, 'file')).nlink, 2);
  t.equal(await codeOf(() => files.makeHardLink(virtualPath('file'), virtualPath('link'))), 'ALREADY_EXISTS');
  t.equal(
    await codeOf(() => files.makeHardLink(virtualPath('directory'), virtualPath('x'))),
    'NOT_A_REGULAR_FILE',
  );
});

t.test('hashes and space', async (t) => {
  const { files } = openBox(t, 'read-only');
  const hex = async (options: HashOptions): Promise<string> =>
    (await files.hash(virtualPath('file'), options)).toString('hex');
  t.equal(await hex({ algorithm: 'md5' }), '9a0364b9e99bb480dd25e1f0284c8555');
  t.equal(
    await hex({ algorithm: 'sha1', offset: 3, lengthBytes: 100 }),
    '899343d863ff08ecfb0e8f420d43a1a9366b53b5',
  );
  const space = await files.space(virtualPath('/'));
  t.ok(space.totalBytes >= space.freeBytes && space.freeBytes >= space.availableBytes);
});

t.test('special files are refused without being waited for', async (t) => {
  const { root, files } = openBox(t, 'full');
  const { execFileSync } = await import('node:child_process');
  execFileSync('mkfifo', [join(root, 'fifo')]);
  t.equal(await codeOf(() => get(files, 'fifo')), 'NOT_A_REGULAR_FILE');
  t.equal(await codeOf(() => put(files, 'fifo')), 'NOT_A_REGULAR_FILE');
  t.equal(
    await codeOf(() => files.setAttributes(virtualPath('fifo'), { mode: 0o600 }, { follow: true })),
    'NOT_A_REGULAR_FILE',
  );
  t.match(await files.stat(virtualPath('fifo'), { follow: true }), { kind: 'other' });
});

t.test('directory modes and times', async (t) => {
  const { root, files } = openBox(t, 'full');
  await files.makeDirectory(virtualPath('made'), 0o7777);
  t.equal(statSync(join(root, 'made')).mode & 0o7000, 0);
  await files.setAttributes(virtualPath('made'), { mode: 0o4700, modifiedSeconds: 1e9 }, { follow: true });
  t.match(statSync(join(root, 'made')), { mode: 0o40700, mtimeMs: 1e12 });
});

t.test('a directory that may not be read takes nothing, and keeps what it has', async (t) => {
  if (process.getuid?.() === 0) process.seteuid?.(65534); // root may read everything
  t.teardown(() => process.seteuid?.(process.getuid?.() ?? 0));
  const root = mkdtempSync(join(tmpdir(), 'scpd-closed-'));
  mkdirSync(join(root, 'directory'));
  writeFileSync(join(root, 'directory', 'file'), 'content');
  const journal = new CheckedJournal();
  const files = createGuardedFiles({
    user: { name: 'alice', root, preset: 'full', fileBytesMax: 1000 },
    store: openDiskStore(root, 'full'),
    journal: new SessionJournal(journal, testSession),
  });
  t.teardown(() => files.close('INTERNAL'));
  chmodSync(join(root, 'directory'), 0o300);
  t.equal(await codeOf(() => put(files, 'directory/file', 'new')), 'HOST_DENIED');
  t.equal(await codeOf(() => put(files, 'directory/other', 'new')), 'HOST_DENIED');
  t.equal(await codeOf(() => files.remove(virtualPath('directory/file'))), 'HOST_DENIED');
  chmodSync(join(root, 'directory'), 0o555);
  t.equal(
    await codeOf(() => files.rename(virtualPath('directory/file'), virtualPath('moved'), { replace: false })),
    'HOST_DENIED',
  );
  chmodSync(join(root, 'directory'), 0o755);
  t.equal(readFileSync(join(root, 'directory', 'file'), 'utf8'), 'content');
  t.strictSame(readdirSync(join(root, 'directory')), ['file']);
  t.strictSame(readdirSync(root).sort(), ['.scpd', 'directory'], 'nothing has two names');
  rmSync(root, { recursive: true });
});

t.test('a rename between two names of one file leaves one', async (t) => {
  const { root, files } = openBox(t, 'full');
  await files.makeHardLink(virtualPath('file'), virtualPath('second'));
  await files.rename(virtualPath('file'), virtualPath('second'), { replace: true });
  t.notOk(existsSync(join(root, 'file')));
  t.equal(readFileSync(join(root, 'second'), 'utf8'), 'content');
});

t.test('what was one’s own when an upload began may be another’s when it ends', async (t) => {
  const { root, files } = openBox(t, 'drop-box');
  await put(files, 'mine', 'first');
  const stale = await files.upload(virtualPath('mine'), create);
  await stale.write(Buffer.from('stale'), 0);
  await files.rename(virtualPath('mine'), virtualPath('moved'), { replace: true });
  writeFileSync(join(root, 'mine'), 'another’s');
  t.equal(await codeOf(() => stale.commit('closed')), 'PERMISSION_DENIED');
  t.equal(readFileSync(join(root, 'mine'), 'utf8'), 'another’s');
  t.equal(await codeOf(() => files.remove(virtualPath('mine'))), 'NOT_FOUND', 'and it is not its own');
});

t.test('an append does not undo another one', async (t) => {
  const root = t.testdir({ log: 'line1\n' });
  const rule = {
    place: '',
    key: '',
    path: '/**',
    allow: ['stat', 'read', 'create', 'append'],
    deny: [],
  } as const;
  const journal = new CheckedJournal();
  const files = createGuardedFiles({
    user: { name: 'alice', root, rules: [rule], fileBytesMax: 1000 },
    store: openDiskStore(root, 'none'),
    journal: new SessionJournal(journal, testSession),
  });
  t.teardown(() => files.close('INTERNAL'));
  const append = { existing: 'modify', missing: 'create', newFileMode: 0o644, append: true } as const;
  const [stale, other] = [
    await files.upload(virtualPath('log'), append),
    await files.upload(virtualPath('log'), append),
  ];
  await other.write(Buffer.from('line2\n'), 0);
  await other.commit('closed');
  await stale.write(Buffer.from('x'), 0);
  t.equal(await codeOf(() => stale.commit('closed')), 'ALREADY_EXISTS');
  t.equal(readFileSync(join(root, 'log'), 'utf8'), 'line1\nline2\n');
});

t.test('the disk is asked to sync with a commit only where the client waits for it next', async (t) => {
  const { files, journal } = openBox(t, 'full');
  let asked = 0;
  const settled = journal.settled.bind(journal);
  journal.settled = async () => {
    asked += 1;
    await settled();
  };
  await put(files, 'of-a-tree');
  t.equal(asked, 0, 'many are synced together later');
  const upload = await files.upload(virtualPath('awaited'), create);
  await upload.commit('closed', { settlesNext: true });
  t.equal(asked, 1);
});

t.test('who looks at many paths one after the other lets others have their turns', async (t) => {
  const { files } = openBox(t, 'full');
  await othersGetTurns(t, async () => {
    for (let count = 0; count < 3000; count += 1) await files.stat(virtualPath('file'), { follow: true });
  });
});
