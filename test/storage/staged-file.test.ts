/** Goal: what stands under the final name is exactly what the client meant, or what stood there before. */
import t, { type Test } from 'tap';
import { createHash } from 'node:crypto';
import {
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Place, StagedFile, Store } from '../../src/guard/store.ts';
import { virtualPath } from '../../src/guard/virtual-path.ts';
import { openDiskStore } from '../../src/storage/disk-store.ts';
import { stagedName, sweepStagingArea } from '../../src/storage/staging-area.ts';
import { codeOf } from '../support/throws.ts';

function openRoot(t: Test, content: Record<string, string> = {}): { root: string; store: Store } {
  const root = t.testdir(content);
  const store = openDiskStore(root, 'full');
  t.teardown(() => store.close());
  return { root, store };
}

async function at<T>(store: Store, path: string, act: (place: Place) => Promise<T>): Promise<T> {
  const place = await store.locate(virtualPath(path), { follow: true });
  return await act(place).finally(() => place.close());
}

async function stage(
  store: Store,
  path: string,
  options: { keepContent?: boolean; exclusive?: boolean } = {},
) {
  return await at(store, path, (place) =>
    place.stage({ keepContent: false, exclusive: false, newFileMode: 0o644, ...options }),
  );
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

t.test('a new file appears only when it is published', async (t) => {
  const { root, store } = openRoot(t);
  const staged = await stage(store, '/file');
  await staged.write(Buffer.from('hello '), 0);
  await staged.write(Buffer.from('world'), 6);
  t.strictSame(readdirSync(root), ['.scpd'], 'nothing under the final name yet');
  t.match(await staged.publish(), { name: 'file', bytes: 11, sha256: sha256('hello world') });
  t.equal(readFileSync(join(root, 'file'), 'utf8'), 'hello world');
  t.strictSame(readdirSync(join(root, '.scpd', 'staging')), [], 'nothing is left in the staging area');
  t.equal(statSync(join(root, '.scpd')).mode & 0o777, 0o700);
});

t.test("who clears our area away while a session lasts is in nobody's way", async (t) => {
  const { root, store } = openRoot(t);
  await (await stage(store, '/before')).publish();
  rmSync(join(root, '.scpd'), { recursive: true });
  const staged = await stage(store, '/after');
  await staged.write(Buffer.from('whole'), 0);
  t.match(await staged.publish(), { name: 'after', bytes: 5 });
  t.equal(readFileSync(join(root, 'after'), 'utf8'), 'whole');
  t.strictSame(readdirSync(join(root, '.scpd', 'staging')), []);
});

/** What this process has open in a directory. */
function openBelow(directory: string): string[] {
  const open = readdirSync('/proc/self/fd').map((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`);
    } catch {
      return ''; // closed meanwhile, such as the one by which it was listed
    }
  });
  return open.filter((path) => path.startsWith(directory));
}

t.test('a session that is over stages nothing, and leaves no descriptor open', async (t) => {
  const root = t.testdir({});
  const store = openDiskStore(root, 'full');
  const place = await store.locate(virtualPath('/late'), { follow: true });
  await (await stage(store, '/before')).publish();
  await store.settle();
  t.not(openBelow(root).length, 0);
  store.close();
  const options = { keepContent: false, exclusive: false, newFileMode: 0o644 };
  t.equal(await codeOf(() => place.stage(options)), 'CONNECTION_LOST');
  place.close();
  t.strictSame(openBelow(root), []);
});

/** Steps on a file that holds "0123456789" and what must come out; '' stands for no old content kept. */
const overwrites: readonly [
  name: string,
  keep: boolean,
  act: (file: StagedFile) => Promise<void>,
  result: string,
][] = [
  ['replace by shorter', false, async (f) => await f.write(Buffer.from('abc'), 0), 'abc'],
  ['replace by nothing', false, async () => undefined, ''],
  [
    'no TRUNC and no size: the old tail stays',
    true,
    async (f) => await f.write(Buffer.from('abc'), 0),
    'abc3456789',
  ],
  [
    'no TRUNC, then the size (OpenSSH scp)',
    true,
    async (f) => {
      await f.write(Buffer.from('abc'), 0);
      await f.setAttributes({ sizeBytes: 3 });
    },
    'abc',
  ],
  ['nothing written at all', true, async () => undefined, '0123456789'],
  ['resume at the end', true, async (f) => await f.write(Buffer.from('ab'), 10), '0123456789ab'],
  ['resume in the middle', true, async (f) => await f.write(Buffer.from('ab'), 4), '0123ab6789'],
  ['a hole behind the end', true, async (f) => await f.write(Buffer.from('ab'), 12), '0123456789\0\0ab'],
  [
    'out of order',
    true,
    async (f) => {
      await f.write(Buffer.from('cd'), 2);
      await f.write(Buffer.from('ab'), 0);
      await f.setAttributes({ sizeBytes: 4 });
    },
    'abcd',
  ],
  [
    'cut and grown again: zeros, not the old bytes',
    true,
    async (f) => {
      await f.setAttributes({ sizeBytes: 2 });
      await f.setAttributes({ sizeBytes: 5 });
    },
    '01\0\0\0',
  ],
  ['grown', true, async (f) => await f.setAttributes({ sizeBytes: 12 }), '0123456789\0\0'],
  [
    'cut below what came',
    true,
    async (f) => {
      await f.write(Buffer.from('abcdef'), 0);
      await f.setAttributes({ sizeBytes: 4 });
      await f.write(Buffer.from('X'), 4);
      await f.setAttributes({ sizeBytes: 5 });
    },
    'abcdX',
  ],
  [
    'an empty write far away changes nothing',
    true,
    async (f) => await f.write(Buffer.alloc(0), 99),
    '0123456789',
  ],
  [
    'read back before it is closed',
    true,
    async (f) => {
      await f.write(Buffer.from('ab'), 0);
      t.equal((await f.read(0, 100)).toString(), 'ab23456789');
      t.equal((await f.read(8, 100)).toString(), '89');
      t.equal((await f.read(10, 100)).toString(), '');
    },
    'ab23456789',
  ],
];

for (const [name, keepContent, act, result] of overwrites) {
  t.test(`overwrite: ${name}`, async (t) => {
    const { root, store } = openRoot(t, { file: '0123456789' });
    const staged = await stage(store, '/file', { keepContent });
    await act(staged);
    t.equal(staged.sizeBytes, Buffer.byteLength(result));
    t.equal(readFileSync(join(root, 'file'), 'utf8'), '0123456789', 'the old file is whole until the end');
    t.match(await staged.publish(), { bytes: Buffer.byteLength(result), sha256: sha256(result) });
    t.equal(readFileSync(join(root, 'file'), 'utf8'), result);
  });
}

t.test('discarded: the old file stays', async (t) => {
  const { root, store } = openRoot(t, { file: 'old' });
  const staged = await stage(store, '/file');
  await staged.write(Buffer.from('new'), 0);
  await staged.discard();
  t.equal(readFileSync(join(root, 'file'), 'utf8'), 'old');
  t.strictSame(readdirSync(join(root, '.scpd', 'staging')), []);
});

t.test('exclusive: whoever came first keeps the name', async (t) => {
  const { root, store } = openRoot(t);
  const [first, second] = [
    await stage(store, '/f', { exclusive: true }),
    await stage(store, '/f', { exclusive: true }),
  ];
  await first.write(Buffer.from('first'), 0);
  await first.publish();
  t.equal(await codeOf(() => second.publish()), 'ALREADY_EXISTS');
  t.equal(readFileSync(join(root, 'f'), 'utf8'), 'first');
  t.strictSame(readdirSync(join(root, '.scpd', 'staging')), []);
});

t.test('mode and times', async (t) => {
  const { root, store } = openRoot(t, { old: 'x' });
  const { chmodSync } = await import('node:fs');
  chmodSync(join(root, 'old'), 0o604);
  const kept = await stage(store, '/old');
  await kept.publish();
  t.equal(statSync(join(root, 'old')).mode & 0o7777, 0o604, 'an overwritten file keeps its mode');
  const dated = await stage(store, '/dated');
  await dated.setAttributes({ mode: 0o4755, modifiedSeconds: 1_000_000_000, accessedSeconds: 2_208_988_800 });
  await dated.write(Buffer.from('x'), 0);
  await dated.publish();
  const stats = statSync(join(root, 'dated'));
  t.equal(stats.mode & 0o7777, 0o755, 'without setuid');
  t.equal(stats.mtimeMs, 1_000_000_000_000);
  t.equal(stats.atimeMs, 2_208_988_800_000, 'beyond 2038');
});

t.test('a hard link to the old file keeps the old content', async (t) => {
  const { root, store } = openRoot(t, { file: 'old' });
  linkSync(join(root, 'file'), join(root, 'other-name'));
  const staged = await stage(store, '/file');
  await staged.write(Buffer.from('new'), 0);
  await staged.publish();
  t.equal(readFileSync(join(root, 'other-name'), 'utf8'), 'old');
});

t.test('a directory that appears under the final name is not replaced', async (t) => {
  const { root, store } = openRoot(t);
  const staged = await stage(store, '/file');
  mkdirSync(join(root, 'file'));
  t.equal(await codeOf(() => staged.publish()), 'IS_A_DIRECTORY');
  t.strictSame(readdirSync(join(root, '.scpd', 'staging')), []);
});

t.test('a staging area that is a link is not used', async (t) => {
  const place = t.testdir({ root: {}, outside: { elsewhere: {} } });
  const [root, outside] = [join(place, 'root'), join(place, 'outside')];
  const store = openDiskStore(root, 'full');
  t.teardown(() => store.close());
  symlinkSync(outside, join(root, '.scpd'));
  t.equal(await codeOf(() => stage(store, '/file')), 'STORAGE_FAILED');
  t.strictSame(readdirSync(outside), ['elsewhere']);
});

t.test('descriptors do not leak', async (t) => {
  const openBefore = readdirSync('/proc/self/fd').length;
  const store = openDiskStore(t.testdir({ file: 'old' }), 'full');
  for (let round = 0; round < 20; round += 1) {
    const kept = await stage(store, '/file', { keepContent: true });
    await kept.write(Buffer.from('x'), 0);
    await (round % 2 === 0 ? kept.publish() : kept.discard());
    await codeOf(() => stage(store, '/missing/file'));
    await codeOf(() => stage(store, '/', { keepContent: true }));
  }
  await store.settle();
  store.close();
  t.equal(readdirSync('/proc/self/fd').length, openBefore);
});

t.test('the sweep takes orphans only', async (t) => {
  const root = t.testdir({ '.scpd': { staging: { '1-1-orphan': 'x', 'no-process': 'x', junk: 'x' } } });
  const ours = stagedName('01938f00-0000-7000-8000-000000000001');
  writeFileSync(join(root, '.scpd', 'staging', ours), 'x');
  t.equal(await sweepStagingArea(root), 3);
  t.strictSame(readdirSync(join(root, '.scpd', 'staging')), [ours]);
  t.equal(await sweepStagingArea(t.testdir({ empty: {} })), 0, 'a root that never had uploads');
});
