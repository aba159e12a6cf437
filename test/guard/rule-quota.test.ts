/**
 * Goal: whatever the users of a root do, what is below a directory with a quota stays within it, and the count is what a
 * count of the disk would give. Method: the ways in and out one by one; then by chance, against a count of the disk.
 */
import t from 'tap';
import { lstatSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Files, UploadOptions } from '../../src/guard/files.ts';
import type { DirectoryQuota } from '../../src/guard/ledger.ts';
import { virtualPath, type VirtualPath } from '../../src/guard/virtual-path.ts';
import { startCatalog, wrongIn } from '../support/catalog.ts';
import { Chance } from '../support/chance.ts';
import { create, rename } from '../support/guarded-box.ts';
import { codeOf } from '../support/throws.ts';
import { VersionVault } from '../support/version-vault.ts';

const quotaOf = (path: string, bytesMax?: number, filesMax?: number): DirectoryQuota => ({
  path: virtualPath(path),
  ...(bytesMax === undefined ? {} : { bytesMax }),
  ...(filesMax === undefined ? {} : { filesMax }),
});

interface Vault {
  readonly vault: VersionVault;
  readonly alice: Files;
  readonly bob: Files;
  /** Bytes and files below a directory; nothing may be claimed. */
  readonly below: (path: string) => Promise<readonly [number, number]>;
}

async function open(t: Parameters<typeof VersionVault.open>[0], ...quotas: DirectoryQuota[]): Promise<Vault> {
  const vault = await VersionVault.open(t, ['alice', 'bob'], { directoryQuotas: quotas });
  const ledger = await vault.catalog.ledger({ root: vault.place.root, user: 'alice', quota: {} });
  const below: Vault['below'] = async (path) => {
    const [shared] = (await ledger.sharedAt(virtualPath(path))).slice(-1);
    t.match(shared, { reservedBytes: 0, reservedFiles: 0 }, `nothing is claimed in ${path}`);
    return [shared?.bytes ?? -1, shared?.files ?? -1];
  };
  return { vault, alice: await vault.session(), bob: await vault.session({ name: 'bob' }), below };
}

const makeDirectory = (files: Files, path: string): Promise<void> =>
  files.makeDirectory(virtualPath(path), 0o755);

async function put(
  files: Files,
  path: string,
  content: string,
  options: Partial<UploadOptions> = {},
): Promise<void> {
  const upload = await files.upload(virtualPath(path), { ...create, ...options });
  try {
    await upload.write(Buffer.from(content), 0);
  } catch (error) {
    await upload.abort('QUOTA_EXCEEDED');
    throw error;
  }
  await upload.commit('closed');
}

const text = (bytes: number): string => 'x'.repeat(bytes);

/** What is below a directory on the disk, in each of its spellings, with old versions. */
function onDisk(root: string, directory: string): readonly [number, number] {
  let [bytes, files] = [0, 0];
  for (const entry of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
    const stats = lstatSync(join(root, entry));
    const isVersion = entry.startsWith('.scpd/versions/');
    if (entry.startsWith('.scpd') && !(isVersion && stats.isFile())) continue;
    const path = `/${isVersion ? entry.slice('.scpd/versions/'.length) : entry}`.normalize('NFC');
    if (!path.startsWith(directory === '/' ? '/' : `${directory}/`)) continue;
    files += 1;
    if (stats.isFile()) bytes += stats.size;
  }
  return [bytes, files];
}

t.test('two users fill it together, and not one byte more', async (t) => {
  const { alice, bob, below } = await open(t, quotaOf('/in', 100));
  await makeDirectory(alice, 'in');
  const codes = await Promise.all(
    Array.from({ length: 8 }, (_, index) =>
      codeOf(() => put(index % 2 === 0 ? alice : bob, `in/${index}`, text(30), { declaredBytes: 30 })),
    ),
  );
  t.equal(codes.filter((code) => code === 'no error').length, 3);
  t.equal(codes.filter((code) => code === 'QUOTA_EXCEEDED').length, 5);
  t.same(await below('/in'), [90, 3]);
  t.equal(await codeOf(() => put(bob, 'elsewhere', text(500))), 'no error');
});

t.test('an upload in steps stops at it, and gives back what it had', async (t) => {
  const { alice, below } = await open(t, quotaOf('/', 100));
  const upload = await alice.upload(virtualPath('a'), create);
  await upload.write(Buffer.alloc(60), 0);
  t.equal(await codeOf(() => put(alice, 'b', text(50))), 'QUOTA_EXCEEDED');
  t.equal(await codeOf(() => upload.write(Buffer.alloc(60), 60)), 'QUOTA_EXCEEDED');
  await upload.abort('QUOTA_EXCEEDED');
  t.same(await below('/'), [0, 0]);
  t.equal(await codeOf(() => put(alice, 'b', text(100))), 'no error');
});

t.test('an overwrite needs what it adds, whoever has the old file; a removal gives it back', async (t) => {
  const { alice, bob, below } = await open(t, quotaOf('/in', 100, 3));
  await makeDirectory(alice, 'in');
  await put(alice, 'in/a', text(90));
  t.equal(await codeOf(() => put(bob, 'in/a', text(100), { declaredBytes: 100 })), 'no error');
  t.equal(await codeOf(() => put(bob, 'in/b', 'x')), 'QUOTA_EXCEEDED');
  await put(alice, 'in/a', text(10));
  t.same(await below('/in'), [10, 1]);
  await alice.makeHardLink(virtualPath('in/a'), virtualPath('in/link'));
  t.same(await below('/in'), [20, 2], 'a second name counts like a copy');
  await alice.makeLink(virtualPath('in/symbolic'), 'a');
  t.equal(await codeOf(() => makeDirectory(bob, 'in/d')), 'QUOTA_EXCEEDED', 'three files');
  await bob.remove(virtualPath('in/link'));
  await bob.remove(virtualPath('in/symbolic'));
  t.same(await below('/in'), [10, 1]);
});

t.test('files and whole directories are moved in, out and across', async (t) => {
  const { vault, alice, below } = await open(t, quotaOf('/a', 100), quotaOf('/b', 50));
  for (const name of ['a', 'b', 'c', 'c/d']) await makeDirectory(alice, name);
  await put(alice, 'c/d/1', text(40));
  await put(alice, 'c/d/2', text(20));
  t.equal(await codeOf(() => rename(alice, 'c/d', 'b/d')), 'QUOTA_EXCEEDED');
  t.same(await below('/b'), [0, 0]);
  await rename(alice, 'c/d', 'a/d');
  t.same(await below('/a'), [60, 3]);
  await rename(alice, 'a/d/1', 'b/1');
  t.same(
    [await below('/a'), await below('/b')],
    [
      [20, 2],
      [40, 1],
    ],
  );
  t.equal(await codeOf(() => rename(alice, 'a/d/2', 'b/2')), 'QUOTA_EXCEEDED');
  t.equal(
    await codeOf(() => rename(alice, 'a/d/2', 'b/1', true)),
    'no error',
    'in the place of what is there',
  );
  t.same(
    [await below('/a'), await below('/b')],
    [
      [0, 1],
      [20, 1],
    ],
  );
  await rename(alice, 'a/d', 'd');
  t.same(await below('/a'), [0, 0]);
  await put(alice, 'c/big', text(60));
  await alice.removeDirectory(virtualPath('a'));
  await rename(alice, 'b', 'e');
  t.same(await below('/b'), [0, 0], 'the directory itself is moved away');
  t.equal(await codeOf(() => rename(alice, 'c', 'b')), 'QUOTA_EXCEEDED', 'another one takes its name');
  await rename(alice, 'c', 'a');
  t.same(await below('/a'), [60, 1]);
  t.same(await wrongIn(vault.catalog, vault.place.root), {});
});

t.test('an upload counts where its directory is when that is renamed under it', async (t) => {
  const { alice, below } = await open(t, quotaOf('/a', 100), quotaOf('/b', 50));
  await makeDirectory(alice, 'a');
  await makeDirectory(alice, 'a/d');
  const upload = await alice.upload(virtualPath('a/d/file'), { ...create, declaredBytes: 60 });
  await makeDirectory(alice, 'b');
  t.equal(await codeOf(() => rename(alice, 'a/d', 'b/d')), 'QUOTA_EXCEEDED', 'its claim would not fit');
  await rename(alice, 'a/d', 'd');
  t.equal(await codeOf(() => put(alice, 'a/other', text(100))), 'no error');
  await upload.write(Buffer.alloc(60), 0);
  await upload.commit('verified');
  t.same(
    [await below('/a'), await below('/b')],
    [
      [100, 1],
      [0, 0],
    ],
  );
});

t.test('a file can not be renamed away from under an upload that counts on its bytes', async (t) => {
  const { alice, bob, below } = await open(t, quotaOf('/in', 100));
  await makeDirectory(alice, 'in');
  await put(alice, 'in/a', text(80));
  const upload = await bob.upload(virtualPath('in/a'), { ...create, declaredBytes: 80 });
  t.equal(await codeOf(() => rename(alice, 'in/a', 'in/b')), 'QUOTA_EXCEEDED');
  await upload.abort('INTERNAL');
  t.equal(await codeOf(() => rename(alice, 'in/a', 'in/b')), 'no error');
  t.same(await below('/in'), [80, 1]);
});

t.test('old versions count where their file was', async (t) => {
  const { vault, below } = await open(t, quotaOf('/in', 100));
  const files = await vault.session({ versions: { versionsMax: 10, ageMsMax: 1e9 } });
  await makeDirectory(files, 'in');
  await put(files, 'in/a', text(40));
  await put(files, 'in/a', text(40));
  t.same(await below('/in'), [80, 2]);
  t.equal(await codeOf(() => put(files, 'in/a', text(40))), 'QUOTA_EXCEEDED');
  await files.remove(virtualPath('in/a'));
  t.same(await below('/in'), [80, 2]);
  t.same(await vault.catalog.recount(), []);
  const free = await vault.session({
    versions: { versionsMax: 10, ageMsMax: 1e9 },
    quota: { countsVersions: false },
  });
  await put(free, 'in/b', text(20));
  await put(free, 'in/b', text(20));
  t.same(await below('/in'), [100, 3], 'or not, as for their user');
  t.same(await vault.catalog.recount(), []);
});

t.test('df of a path in it shows the tightest quota', async (t) => {
  const { vault } = await open(t, quotaOf('/in', 1000, 50), quotaOf('/in/deep', 200));
  const files = await vault.session({ quota: { bytesMax: 600 } });
  for (const name of ['in', 'in/deep', 'out']) await makeDirectory(files, name);
  await put(files, 'in/a', text(100));
  t.match(await files.space(virtualPath('out')), { totalBytes: 600, availableBytes: 500 });
  t.match(await files.space(virtualPath('in')), {
    totalBytes: 600,
    availableBytes: 500,
    totalFiles: 50,
    freeFiles: 48,
  });
  t.match(await files.space(virtualPath('in/deep')), {
    totalBytes: 200,
    availableBytes: 200,
    totalFiles: 50,
  });
});

t.test('a quota that is new counts what is there; one that is gone is forgotten', async (t) => {
  const { vault, alice } = await open(t, quotaOf('/old', 10));
  await makeDirectory(alice, 'in');
  await put(alice, 'in/a', text(40));
  const root = { ...vault.place.root, directoryQuotas: [quotaOf('/in', 50)] };
  const catalog = await startCatalog({ ...vault.place, root });
  t.teardown(() => catalog.close());
  const ledger = await catalog.ledger({ root, user: 'bob', quota: {} });
  const unused = { reservedBytes: 0, reservedFiles: 0 };
  t.same(await ledger.sharedAt(virtualPath('in')), [{ bytesMax: 50, bytes: 40, files: 1, ...unused }]);
  t.same(await ledger.sharedAt(virtualPath('old')), []);
  t.equal(await ledger.claim({ path: virtualPath('in/b'), bytes: 11, creates: true }), undefined);
  const claim = await ledger.claim({ path: virtualPath('in/b'), bytes: 10, creates: true });
  t.ok(claim);
  await claim?.release();
});

t.test('each spelling of a name is the same directory, as it is for rules', async (t) => {
  const { vault, alice, below } = await open(t, quotaOf('/é/K', 100));
  const spellings = ['\u00e9/K', 'e\u0301/K', '\u00e9/\u212a', 'e\u0301/\u212a'];
  for (const name of ['\u00e9', 'e\u0301', ...spellings]) await makeDirectory(alice, name);
  for (const name of spellings) await put(alice, `${name}/file`, text(10));
  t.same(await below('/é/K'), [40, 4]);
  await rename(alice, 'e\u0301', 'elsewhere');
  t.same(await below('/é/K'), [20, 2]);
  await rename(alice, 'elsewhere', 'e\u0301');
  t.same(await below('/é/K'), [40, 4]);
  t.equal(await codeOf(() => put(alice, 'e\u0301/\u212a/more', text(61))), 'QUOTA_EXCEEDED');
  t.same(await wrongIn(vault.catalog, vault.place.root), {});
});

t.test('verify --usage finds what came from outside', async (t) => {
  const { vault, below } = await open(t, quotaOf('/in', 100));
  mkdirSync(join(vault.root, 'in'));
  writeFileSync(join(vault.root, 'in', 'a'), text(7));
  t.same(await wrongIn(vault.catalog, vault.place.root), { added: 2 });
  t.same(await below('/in'), [7, 1]);
});

t.test('by chance: after each of thousands of acts the sums are those of the disk', async (t) => {
  const limits = { '/a': 900, '/a/b': 400, '/c': 500 } as const;
  const { vault, alice, bob, below } = await open(
    t,
    ...Object.entries(limits).map(([path, bytes]) => quotaOf(path, bytes, 9)),
  );
  const keeping = await vault.session({ name: 'bob', versions: { versionsMax: 2, ageMsMax: 1e9 } });
  const chance = new Chance(20261125);
  const directories = ['a', 'a/b', 'a/b/d', 'c', 'c/d', 'd', 'd/b', 'e'];
  const files = directories.flatMap((name) => [`${name}/x`, `${name}/y`]);
  const pick = (from = chance.pick([directories, files, files])): VirtualPath =>
    virtualPath(chance.pick(from));
  const anyone = (): Files => chance.pick([alice, alice, bob, bob, keeping]);
  const upload = async (isAborted: boolean): Promise<void> => {
    const bytes = chance.below(250);
    const started = await anyone().upload(pick(chance.below(20) === 0 ? directories : files), {
      ...create,
      ...(chance.below(2) === 0 ? { declaredBytes: bytes } : {}),
    });
    try {
      await started.write(Buffer.alloc(bytes), 0);
    } catch (error) {
      await started.abort('QUOTA_EXCEEDED');
      throw error;
    }
    await (isAborted ? started.abort('INTERNAL') : started.commit('closed'));
  };
  const acts: readonly (() => Promise<unknown>)[] = [
    () => upload(false),
    () => upload(false),
    () => upload(chance.below(4) === 0),
    () => anyone().remove(pick()),
    () => anyone().rename(pick(), pick(), { replace: chance.below(2) === 0 }),
    () => anyone().rename(pick(), pick(), { replace: true }),
    () => anyone().makeDirectory(pick(directories), 0o755),
    () => anyone().makeDirectory(pick(directories), 0o755),
    () => anyone().removeDirectory(pick()),
    () => anyone().makeHardLink(pick(), pick()),
    () => anyone().makeLink(pick(), 'target'),
    () => anyone().setAttributes(pick(), { sizeBytes: chance.below(250) }, { follow: false }),
  ];
  const seen = new Map<string, number>();
  let wrong = 0;
  const rounds = 1000;
  for (let round = 0; round < rounds && wrong === 0; round += 1) {
    const together = 1 + (round % 4);
    const codes = await Promise.all(Array.from({ length: together }, () => codeOf(chance.pick(acts))));
    for (const code of codes) seen.set(code, (seen.get(code) ?? 0) + 1);
    for (const [path, bytesMax] of Object.entries(limits)) {
      const [known, counted] = [await sums(vault, path), onDisk(vault.root, path)];
      if (
        known[0] === counted[0] &&
        known[1] === counted[1] &&
        known[2] === 0 &&
        known[0] <= bytesMax &&
        known[1] <= 9
      )
        continue;
      wrong += 1;
      t.fail(
        `round ${round}, ${path}: ${known.join(' ')} and on the disk ${counted.join(' ')} (${codes.join(' ')})`,
      );
    }
  }
  for (const path of Object.keys(limits)) t.same(await below(path), onDisk(vault.root, path), path);
  t.ok((seen.get('no error') ?? 0) > rounds / 4, `enough was done: ${[...seen].join(' ')}`);
  t.ok((seen.get('QUOTA_EXCEEDED') ?? 0) > 20, 'and enough refused');
  t.same(await wrongIn(vault.catalog, vault.place.root), {});
});

/** Bytes, files, and what is claimed of either, of the directory itself. */
async function sums(
  { catalog, place }: VersionVault,
  path: string,
): Promise<readonly [number, number, number]> {
  const ledger = await catalog.ledger({ root: place.root, user: 'alice', quota: {} });
  const all = await ledger.sharedAt(virtualPath(path));
  const deepest = all.at(-1);
  if (deepest === undefined) throw new Error('no quota');
  return [deepest.bytes, deepest.files, deepest.reservedBytes + deepest.reservedFiles];
}
