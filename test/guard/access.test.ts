/** Goal: what rules say is what happens to files on disk, and senders to a drop-box can work as their clients must. */
import t from 'tap';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Store } from '../../src/guard/store.ts';
import { virtualPath } from '../../src/guard/virtual-path.ts';
import { openDiskStore } from '../../src/storage/disk-store.ts';
import { create, get, GuardedBox, list, put, rename, stat } from '../support/guarded-box.ts';
import { codeOf } from '../support/throws.ts';

const attributes = { follow: true } as const;

t.test('append: content that is there stays, more may follow', async (t) => {
  const box = new GuardedBox(t, t.testdir({ 'x.log': '12345', other: '1' }));
  const files = box.session({ rules: [{ path: '/*.log', allow: ['append', 'stat'] }] });
  const read = (): string => readFileSync(join(box.root, 'x.log'), 'utf8');
  await put(files, 'x.log', '67', { existing: 'modify', append: true });
  t.equal(read(), '1234567');
  const resumed = await files.upload(virtualPath('x.log'), { ...create, existing: 'modify' });
  await resumed.write(Buffer.from('89'), 7);
  await resumed.setAttributes({ sizeBytes: 9, modifiedSeconds: 1e9 });
  await resumed.commit('closed');
  t.equal(read(), '123456789', 'a resume is an append');
  t.equal(await codeOf(() => put(files, 'x.log', 'X', { existing: 'modify' })), 'PERMISSION_DENIED');
  t.equal(await codeOf(() => put(files, 'x.log', 'X')), 'PERMISSION_DENIED', 'as a whole');
  t.equal(
    await codeOf(() => put(files, 'x.log', 'X', { append: true })),
    'PERMISSION_DENIED',
    'TRUNC and APPEND',
  );
  const cut = (sizeBytes: number): Promise<unknown> =>
    codeOf(() => files.setAttributes(virtualPath('x.log'), { sizeBytes }, attributes));
  t.equal(await cut(8), 'PERMISSION_DENIED');
  t.equal(await cut(9), 'no error');
  const overlooked = await files.upload(virtualPath('x.log'), { ...create, existing: 'modify' });
  t.equal(await codeOf(() => overlooked.write(Buffer.from('X'), 8)), 'PERMISSION_DENIED');
  t.equal(await codeOf(() => overlooked.commit('closed')), 'PERMISSION_DENIED');
  t.equal(await codeOf(() => put(files, 'new.log')), 'PERMISSION_DENIED', 'not for a new file');
  t.equal(read(), '123456789');
});

t.test('a handle for writing is no way to read', async (t) => {
  const box = new GuardedBox(t, t.testdir({ old: 'secret' }));
  const opened = { ...create, existing: 'modify' } as const;
  for (const verb of ['append', 'overwrite'] as const) {
    const upload = await box
      .session({ rules: [{ path: '/**', allow: [verb] }] })
      .upload(virtualPath('old'), opened);
    t.equal(await codeOf(() => upload.read(0, 10)), 'PERMISSION_DENIED', verb);
    await upload.commit('closed');
  }
  const reader = box.session({ rules: [{ path: '/**', allow: ['overwrite', 'read'] }] });
  const upload = await reader.upload(virtualPath('old'), opened);
  t.equal((await upload.read(0, 10)).toString(), 'secret');
  t.equal(readFileSync(join(box.root, 'old'), 'utf8'), 'secret');
});

t.test('overwrite without create, and create without overwrite', async (t) => {
  const box = new GuardedBox(t, t.testdir({ old: 'x' }));
  const overwriter = box.session({ rules: [{ path: '/**', allow: ['overwrite'] }] });
  await put(overwriter, 'old', 'y');
  t.equal(await codeOf(() => put(overwriter, 'new')), 'PERMISSION_DENIED');
  const creator = box.session({ rules: [{ path: '/**', allow: ['create'] }] });
  await put(creator, 'new');
  t.equal(await codeOf(() => put(creator, 'old')), 'PERMISSION_DENIED');
  t.equal(readFileSync(join(box.root, 'old'), 'utf8'), 'y');
});

t.test('names and sizes hold for uploads, targets of renames and links', async (t) => {
  const box = new GuardedBox(t, t.testdir({ area: { big: 'x'.repeat(20) }, in: {} }));
  const files = box.session({
    rules: [
      {
        path: '/in/**',
        preset: 'full',
        names: { allow: ['*.gpg', '*.filepart'], deny: ['.*'] },
        fileBytesMax: 10,
      },
      { path: '/**', preset: 'full' },
    ],
  });
  await put(files, 'in/a.gpg');
  await put(files, 'in/a.gpg.filepart', 'later');
  await rename(files, 'in/a.gpg.filepart', 'in/b.gpg');
  await files.makeDirectory(virtualPath('in/directory'), 0o755);
  const refused: readonly (readonly [what: string, act: () => Promise<unknown>, code: string])[] = [
    ['upload', () => put(files, 'in/a.txt'), 'PERMISSION_DENIED'],
    ['hidden', () => put(files, 'in/.a.gpg'), 'PERMISSION_DENIED'],
    ['rename', () => rename(files, 'in/a.gpg', 'in/a.txt'), 'PERMISSION_DENIED'],
    ['from elsewhere', () => rename(files, 'area/big', 'in/a.txt'), 'PERMISSION_DENIED'],
    ['hidden directory', () => files.makeDirectory(virtualPath('in/.d'), 0o755), 'PERMISSION_DENIED'],
    ['a directory is moved in', () => rename(files, 'area', 'in/area'), 'PERMISSION_DENIED'],
    [
      'hard link',
      () => files.makeHardLink(virtualPath('in/a.gpg'), virtualPath('in/l')),
      'PERMISSION_DENIED',
    ],
    ['large', () => put(files, 'in/c.gpg', 'x'.repeat(11)), 'FILE_TOO_LARGE'],
    [
      'declared',
      () => files.upload(virtualPath('in/c.gpg'), { ...create, declaredBytes: 11 }),
      'FILE_TOO_LARGE',
    ],
    ['large by rename', () => rename(files, 'area/big', 'in/c.gpg'), 'FILE_TOO_LARGE'],
    [
      'large by link',
      () => files.makeHardLink(virtualPath('area/big'), virtualPath('in/c.gpg')),
      'FILE_TOO_LARGE',
    ],
  ];
  for (const [what, act, code] of refused) t.equal(await codeOf(act), code, what);
  t.strictSame(readdirSync(join(box.root, 'in')).sort(), ['a.gpg', 'b.gpg', 'directory']);
});

t.test('a denied subtree can not be moved out by its parent, nor reached by a link', async (t) => {
  const box = new GuardedBox(t, t.testdir({ a: { secret: { key: 'x' } }, b: {} }));
  symlinkSync('a/secret', join(box.root, 'way'));
  const files = box.session({
    rules: [
      { path: '/a/secret/**', allow: [] },
      { path: '/**', preset: 'full' },
    ],
  });
  for (const replace of [false, true]) {
    t.equal(await codeOf(() => rename(files, 'a', 'c', replace)), 'PERMISSION_DENIED');
    t.equal(await codeOf(() => rename(files, 'a', 'b/c', replace)), 'PERMISSION_DENIED');
    t.equal(await codeOf(() => rename(files, 'b', 'a/secret', replace)), 'PERMISSION_DENIED', 'onto it');
  }
  t.equal(await codeOf(() => get(files, 'way/key')), 'PERMISSION_DENIED');
  t.equal(await codeOf(() => put(files, 'way/new')), 'PERMISSION_DENIED');
  t.equal(
    await codeOf(() => files.makeHardLink(virtualPath('a/secret/key'), virtualPath('k'))),
    'PERMISSION_DENIED',
  );
  await files.makeLink(virtualPath('later'), 'a/secret/key');
  t.equal(await codeOf(() => get(files, 'later')), 'PERMISSION_DENIED', 'a link gives no right');
  await rename(files, 'b', 'c');
  t.ok(existsSync(join(box.root, 'a', 'secret', 'key')));
});

t.test('the second name of a file protects what the first one does', async (t) => {
  const box = new GuardedBox(t, t.testdir({ kept: { file: 'old' }, free: {} }));
  const keep = (allow: readonly ('read' | 'stat' | 'attributes')[]) => ({
    rules: [
      { path: '/kept/**', allow },
      { path: '/**', preset: 'full' as const },
    ],
  });
  const reader = box.session(keep(['read', 'stat']));
  const link = [virtualPath('kept/file'), virtualPath('free/second')] as const;
  t.equal(
    await codeOf(() => reader.makeHardLink(...link)),
    'PERMISSION_DENIED',
    'mode and times would be shared',
  );
  const files = box.session(keep(['read', 'stat', 'attributes']));
  await files.makeHardLink(...link);
  await put(files, 'free/second', 'X', { existing: 'modify' });
  t.equal(readFileSync(join(box.root, 'kept/file'), 'utf8'), 'old', 'an overwrite by the other name');
  await files.remove(virtualPath('free/second'));
  t.ok(existsSync(join(box.root, 'kept/file')));
});

t.test('listings show only what may be looked at', async (t) => {
  const box = new GuardedBox(t, t.testdir({ a: '', b: '', secret: {}, in: { theirs: '' }, 'x.key': '' }));
  symlinkSync('.', join(box.root, 'way'));
  const files = box.session({
    rules: [
      { path: '/secret/**', allow: [] },
      { path: '/in/**', preset: 'drop-box', allow: ['list'] },
      { path: '/*.key', allow: ['read'] },
      { path: '/**', preset: 'full' },
    ],
  });
  t.strictSame(await list(files, '/'), ['a', 'b', 'in', 'way']);
  t.strictSame(await list(files, 'way'), ['a', 'b', 'in', 'way'], 'also by another way');
  await put(files, 'in/mine');
  t.strictSame(await list(files, 'in'), ['mine'], 'in a drop-box that may be listed, one’s own');
});

t.test('own uploads stay own for a while in later sessions, and no longer', async (t) => {
  const box = new GuardedBox(t, t.testdir({ theirs: 'x' }));
  const user = { preset: 'drop-box' } as const;
  const first = box.session(user);
  await put(first, 'mine', 'abc');
  await put(first, 'late');
  await first.close('CONNECTION_LOST');
  const second = box.session(user);
  t.equal(await stat(second, 'mine'), 3);
  await rename(second, 'mine', 'final');
  await put(second, 'final', 'abcd');
  t.equal(await stat(second, 'final'), 4);
  t.equal(
    await codeOf(() => stat(box.session({ ...user, name: 'bob' }), 'final')),
    'NOT_FOUND',
    'another user',
  );
  box.nowMs += 600_000;
  t.equal(await codeOf(() => stat(box.session(user), 'late')), 'NOT_FOUND', 'when the time is over');
  t.equal(await stat(second, 'final'), 4, 'in its own session it never is');
  const instant = { ...user, name: 'carol', ownershipMs: 0 };
  await put(box.session(instant), 'hers');
  t.equal(await codeOf(() => stat(box.session(instant), 'hers')), 'NOT_FOUND', 'no time at all');
});

/** What clients do after an upload, as observed; each as [what, act]. */
t.test('what real clients do works in a drop-box', async (t) => {
  const box = new GuardedBox(t, t.testdir({ in: { taken: 'theirs' } }));
  const files = box.session({ rules: [{ path: '/in/**', preset: 'drop-box' }] });
  await t.test('WinSCP: .filepart, times, rename', async (t) => {
    t.equal(await codeOf(() => stat(files, 'in/w')), 'NOT_FOUND', 'is it there?');
    await put(files, 'in/w.filepart', 'w', { existing: 'modify' });
    await files.setAttributes(virtualPath('in/w.filepart'), { modifiedSeconds: 1e9 }, attributes);
    await rename(files, 'in/w.filepart', 'in/w');
    t.equal(await stat(files, 'in/w'), 1);
  });
  await t.test('rclone: .partial, look, rename, look, on several connections', async (t) => {
    const other = box.session({ rules: [{ path: '/in/**', preset: 'drop-box' }] });
    t.equal(await stat(files, 'in').then(() => 'there'), 'there', 'the directory of the rule');
    await put(files, 'in/r.1a2b.partial', 'rr');
    t.equal(await stat(other, 'in/r.1a2b.partial'), 2);
    await other.setAttributes(
      virtualPath('in/r.1a2b.partial'),
      { modifiedSeconds: 1e9, accessedSeconds: 1e9 },
      attributes,
    );
    await rename(other, 'in/r.1a2b.partial', 'in/r', true);
    t.equal(await stat(files, 'in/r'), 2);
  });
  await t.test('restic: EXCL, temporary name, chmod, posix-rename; and removal of a lock', async () => {
    await put(files, 'in/s-restic-temp-1', 's', { existing: 'refuse' });
    await files.setAttributes(virtualPath('in/s-restic-temp-1'), { mode: 0o400 }, attributes);
    await rename(files, 'in/s-restic-temp-1', 'in/s', true);
    await files.remove(virtualPath('in/s'));
  });
  await t.test('a name that is taken is refused in the same words, whatever has it', async (t) => {
    await put(files, 'in/mine');
    t.equal(await codeOf(() => put(files, 'in/taken')), 'PERMISSION_DENIED');
    t.equal(await codeOf(() => rename(files, 'in/mine', 'in/taken')), 'PERMISSION_DENIED');
    t.equal(readFileSync(join(box.root, 'in/taken'), 'utf8'), 'theirs');
  });
});

t.test('where names give way, nothing tells that one is taken', async (t) => {
  const box = new GuardedBox(
    t,
    t.testdir({ 'report.pdf': 'theirs', 'b.tar.gz': 'theirs', '.x': 'theirs', d: {} }),
  );
  const user = { preset: 'drop-box', onConflict: 'rename' } as const;
  const files = box.session(user);
  const stored = (path: string): string => readFileSync(join(box.root, path), 'utf8');
  await put(files, 'report.pdf', 'mine');
  t.strictSame([stored('report.pdf'), stored('report.1.pdf')], ['theirs', 'mine']);
  t.match(box.journal.records.at(-1), { outcome: 'done', path: '/report.pdf', stored: '/report.1.pdf' });
  t.equal(await stat(files, 'report.pdf'), 4, 'the sender finds what it sent by the name that it knows');
  t.equal(await stat(box.session(user), 'report.pdf'), 4, 'also over another connection');
  await put(files, 'report.pdf', 'again', { existing: 'modify' });
  t.equal(stored('report.1.pdf'), 'again', 'and replaces its own');
  await files.setAttributes(virtualPath('report.pdf'), { modifiedSeconds: 1e9 }, attributes);
  t.equal(statSync(join(box.root, 'report.1.pdf')).mtimeMs, 1e12);
  await put(box.session({ ...user, name: 'bob' }), 'report.pdf', 'bob', { existing: 'refuse' });
  t.equal(stored('report.2.pdf'), 'bob');
  await put(files, 'b.tar.gz');
  t.ok(existsSync(join(box.root, 'b.1.tar.gz')));
  await put(files, '.x');
  t.ok(existsSync(join(box.root, '.x.1')));
  await put(files, 'part', 'moved');
  await rename(files, 'part', 'report.pdf', true);
  t.equal(stored('report.1.pdf'), 'moved', 'a rename onto the own one replaces it');
  const later = box.session({ ...user, name: 'carol' });
  await put(later, 'report.pdf.filepart', 'carol');
  await rename(later, 'report.pdf.filepart', 'report.pdf');
  t.equal(stored('report.3.pdf'), 'carol', 'a rename onto a taken name gives way, too');
  t.match(box.journal.records.at(-1), {
    operation: 'rename',
    target: '/report.pdf',
    stored: '/report.3.pdf',
  });
  t.equal(await stat(later, 'report.pdf'), 5);
  await later.remove(virtualPath('report.pdf'));
  t.notOk(existsSync(join(box.root, 'report.3.pdf')));
  t.equal(stored('report.pdf'), 'theirs');
  t.equal(await codeOf(() => put(files, 'd')), 'PERMISSION_DENIED', 'a directory is no file of that name');
});

t.test('a name that is taken while the upload runs gives way as well', async (t) => {
  const box = new GuardedBox(t, t.testdir({}));
  const files = box.session({ preset: 'drop-box', onConflict: 'rename' });
  const upload = await files.upload(virtualPath('x'), create);
  writeFileSync(join(box.root, 'x'), 'theirs');
  writeFileSync(join(box.root, 'x.1'), 'theirs');
  await upload.write(Buffer.from('mine'), 0);
  await upload.commit('closed');
  t.equal(readFileSync(join(box.root, 'x.2'), 'utf8'), 'mine');
  t.match(box.journal.records.at(-1), { path: '/x', stored: '/x.2' });
  const refusing = box.session({ preset: 'drop-box' });
  const late = await refusing.upload(virtualPath('y'), create);
  writeFileSync(join(box.root, 'y'), 'theirs');
  t.equal(await codeOf(() => late.commit('closed')), 'PERMISSION_DENIED');
  t.equal(readFileSync(join(box.root, 'y'), 'utf8'), 'theirs');
  t.strictSame(readdirSync(join(box.root, '.scpd', 'staging')), []);
});

t.test('a name that is taken between the look and the rename is not replaced', async (t) => {
  for (const [onConflict, code, names] of [
    ['refuse', 'PERMISSION_DENIED', ['mine', 'x']],
    ['rename', 'no error', ['x', 'x.1']],
  ] as const) {
    const box = new GuardedBox(t, mkdtempSync(join(tmpdir(), 'scpd-late-')));
    t.teardown(() => rmSync(box.root, { recursive: true }));
    const store = openDiskStore(box.root, 'none');
    const late: Store = {
      locate: async (path, options) => {
        const place = await store.locate(path, options);
        if (path === '/x') writeFileSync(join(box.root, 'x'), 'theirs');
        return place;
      },
      dropPartial: (id) => store.dropPartial(id),
      settle: () => store.settle(),
      close: () => store.close(),
    };
    const files = box.session({ preset: 'drop-box', onConflict }, late);
    await put(files, 'mine', 'mine');
    t.equal(await codeOf(() => rename(files, 'mine', 'x', true)), code);
    t.equal(readFileSync(join(box.root, 'x'), 'utf8'), 'theirs', onConflict);
    t.strictSame(
      readdirSync(box.root)
        .filter((name) => name !== '.scpd')
        .sort(),
      names,
    );
  }
});

t.test('many of one name, and names of full length', async (t) => {
  const box = new GuardedBox(t, t.testdir({}));
  const long = `${'ü'.repeat(124)}.tar.gz`;
  writeFileSync(join(box.root, long), '');
  writeFileSync(join(box.root, 'a.b'), '');
  for (let count = 1; count <= 100; count += 1) writeFileSync(join(box.root, `a.${count}.b`), '');
  const files = box.session({ preset: 'drop-box', onConflict: 'rename' });
  await put(files, 'a.b');
  t.ok(readdirSync(box.root).some((name) => /^a\.[0-9a-f]{16}\.b$/.test(name)));
  await put(files, long);
  t.ok(existsSync(join(box.root, `${'ü'.repeat(123)}.1.tar.gz`)), 'the end stays, the start gives way');
});

t.test(
  'append-only: what is committed stays, and clients that send under another name still work',
  async (t) => {
    const box = new GuardedBox(t, t.testdir({ old: 'old' }));
    mkdirSync(join(box.root, 'directory'));
    const files = box.session({ rules: [{ path: '/**', preset: 'append-only' }] });
    await put(files, 'x.partial', 'x');
    await files.setAttributes(virtualPath('x.partial'), { modifiedSeconds: 1e9 }, attributes);
    await rename(files, 'x.partial', 'x', true);
    t.equal(await get(files, 'x'), 'x');
    const refused: readonly (readonly [what: string, act: () => Promise<unknown>])[] = [
      ['overwrite', () => put(files, 'old')],
      ['overwrite of the own', () => put(files, 'x')],
      ['resume', () => put(files, 'old', 'X', { existing: 'modify' })],
      ['append', () => put(files, 'old', 'X', { existing: 'modify', append: true })],
      ['truncate', () => files.setAttributes(virtualPath('x'), { sizeBytes: 0 }, attributes)],
      ['remove', () => files.remove(virtualPath('x'))],
      ['rename', () => rename(files, 'old', 'new')],
      ['rename onto', () => rename(files, 'x', 'old', true)],
      ['dates of the old', () => files.setAttributes(virtualPath('old'), { modifiedSeconds: 1 }, attributes)],
      ['rmdir', () => files.removeDirectory(virtualPath('directory'))],
      ['move a directory', () => rename(files, 'directory', 'away')],
    ];
    for (const [what, act] of refused) t.equal(await codeOf(act), 'PERMISSION_DENIED', what);
    await files.makeDirectory(virtualPath('own'), 0o755);
    await put(files, 'own/x');
    t.equal(
      await codeOf(() => rename(files, 'own', 'away')),
      'PERMISSION_DENIED',
      'nor an own one: others may be in it',
    );
    box.nowMs += 600_000;
    t.equal(
      await codeOf(() => rename(box.session({ rules: [{ path: '/**', preset: 'append-only' }] }), 'x', 'y')),
      'PERMISSION_DENIED',
    );
    t.equal(readFileSync(join(box.root, 'old'), 'utf8'), 'old');
  },
);
