/** Goal: what is kept of an interrupted upload is its sender's alone, is never taken for more than it is, and goes when its time is over. */
import t, { type Test } from 'tap';
import { existsSync, readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { SessionJournal } from '../../src/audit/session-journal.ts';
import type { SqliteCatalog } from '../../src/catalog/catalog.ts';
import { sweepPartialUploads } from '../../src/compose-resume.ts';
import type { Files, Upload, UploadOptions } from '../../src/guard/files.ts';
import { createGuardedFiles } from '../../src/guard/guarded-files.ts';
import type { Quota } from '../../src/guard/ledger.ts';
import { QuotaKeeper } from '../../src/guard/quota.ts';
import { partialBytesOf } from '../../src/guard/resumption.ts';
import { virtualPath } from '../../src/guard/virtual-path.ts';
import { openDiskStore } from '../../src/storage/disk-store.ts';
import type { User } from '../../src/users/user.ts';
import { makeCatalogPlace, startCatalog, type CatalogPlace } from '../support/catalog.ts';
import { CheckedJournal, testSession } from '../support/checked-journal.ts';
import { codeOf } from '../support/throws.ts';

const mib = 1024 * 1024;
const content = randomBytes(3 * mib);
/** What is left of two mebibytes. */
const left = partialBytesOf(2 * mib);
const log = { info: () => undefined, error: () => undefined } as never;

class Box {
  readonly place: CatalogPlace;
  readonly catalog: SqliteCatalog;
  readonly journal = new CheckedJournal();
  readonly #test: Test;

  constructor(t: Test, place: CatalogPlace, catalog: SqliteCatalog) {
    this.#test = t;
    this.place = place;
    this.catalog = catalog;
  }

  static async open(t: Test): Promise<Box> {
    const place = makeCatalogPlace(t, ['alice', 'bob']);
    const catalog = await startCatalog(place);
    t.teardown(() => catalog.close());
    return new Box(t, place, catalog);
  }

  async session(user: Partial<User> = {}, resumeMs = 60_000, quota: Quota = {}): Promise<Files> {
    const { root } = this.place;
    const name = user.name ?? 'alice';
    const ledger = await this.catalog.ledger({ root, user: name, quota });
    const onFailure = (error: unknown): void => void this.#test.error(error);
    const files = createGuardedFiles({
      user: { name, root: root.hostPath, preset: 'full', fileBytesMax: 2 ** 40, ...user },
      store: openDiskStore(root.hostPath, 'none'),
      journal: new SessionJournal(this.journal, { ...testSession, user: name }),
      quota: new QuotaKeeper({ ledger, quota, freeBytesMin: 0, onFailure }),
      resume: { ledger, resumeMs, onFailure },
    });
    this.#test.teardown(() => files.close('INTERNAL'));
    return files;
  }

  get partials(): string[] {
    const path = join(this.place.root.hostPath, '.scpd/partial');
    return existsSync(path) ? readdirSync(path) : [];
  }

  stored(name: string): Buffer {
    return readFileSync(join(this.place.root.hostPath, name));
  }

  async used(user = 'alice'): Promise<readonly number[]> {
    const { bytes, reservedBytes, files, reservedFiles } = await this.catalog.usage(user);
    return [bytes + reservedBytes, files + reservedFiles];
  }
}

const truncating: UploadOptions = {
  existing: 'replace',
  missing: 'create',
  newFileMode: 0o644,
  resumable: true,
};
/** As a client that goes on: no TRUNC, no CREAT. */
const going: UploadOptions = { existing: 'modify', missing: 'refuse', newFileMode: 0o644, resumable: true };

async function begin(files: Files, path = 'a', options = truncating): Promise<Upload> {
  return await files.upload(virtualPath(path), options);
}

async function interrupt(files: Files, path = 'a', options = truncating, bytes = 2 * mib): Promise<void> {
  const upload = await begin(files, path, options);
  await upload.write(content.subarray(0, bytes), 0);
  await upload.abort('CONNECTION_LOST');
}

const sizeOf = async (files: Files, path = 'a'): Promise<number | string> => {
  try {
    return (await files.stat(virtualPath(path), { follow: true, partial: true })).sizeBytes;
  } catch (error) {
    return (error as { code: string }).code;
  }
};

t.test('how much is kept: never all, and never little', async (t) => {
  t.strictSame([0, 1, mib, mib + 1, 2 * mib, 2 * mib + 1].map(partialBytesOf), [
    0,
    0,
    0,
    mib,
    2 * mib - 256 * 1024,
    2 * mib,
  ]);
});

t.test('it is seen by its size, in no listing, and nobody reads it', async (t) => {
  const box = await Box.open(t);
  await interrupt(await box.session());
  const files = await box.session();
  t.equal(await sizeOf(files), left);
  t.equal(await codeOf(() => files.stat(virtualPath('a'), { follow: true })), 'NOT_FOUND', 'not over SCP');
  t.equal(await codeOf(() => files.download(virtualPath('a'))), 'NOT_FOUND');
  t.equal(
    await codeOf(() => files.rename(virtualPath('a'), virtualPath('b'), { replace: true })),
    'NOT_FOUND',
  );
  t.equal(await codeOf(() => files.hash(virtualPath('a'), { algorithm: 'sha256' })), 'NOT_FOUND');
  const listing = await files.list(virtualPath('/'));
  t.strictSame(await listing.read(10), []);
  await listing.close();
  t.strictSame(await box.used(), [left, 1], 'it counts');
  const bob = await box.session({ name: 'bob' });
  t.equal(await sizeOf(bob), 'NOT_FOUND', 'not for another user');
  t.equal(await codeOf(() => begin(bob, 'a', going)), 'NOT_FOUND');
  t.equal(await codeOf(() => bob.remove(virtualPath('a'))), 'NOT_FOUND');
  t.equal(box.partials.length, 1);
});

t.test('gone on with: only the rest comes, and the whole is hashed', async (t) => {
  const box = await Box.open(t);
  await interrupt(await box.session());
  const again = await box.session();
  const second = await begin(again, 'a', going);
  t.equal((await second.attributes()).sizeBytes, left, 'FSTAT tells where to go on');
  const twice = async (): Promise<unknown> => await begin(await box.session(), 'a', going);
  t.equal(await codeOf(twice), 'NOT_FOUND', 'one at a time');
  await second.write(content.subarray(left, left + mib), left);
  await second.abort('CONNECTION_LOST');
  t.equal(await sizeOf(again), partialBytesOf(left + mib), 'once more');
  await (await begin(again, 'a', { ...going, append: true })).abort('CONNECTION_LOST');
  t.equal(await sizeOf(again), partialBytesOf(left + mib), 'looked at, and put back');
  const files = await box.session();
  const start = Number(await sizeOf(files));
  const upload = await begin(files, 'a', { ...going, append: true });
  for (let offset = start; offset < content.length; offset += 100_000)
    await upload.write(content.subarray(offset, offset + 100_000), offset);
  await upload.commit('closed');
  t.ok(box.stored('a').equals(content));
  t.strictSame(box.partials, []);
  t.strictSame(await box.used(), [content.length, 1]);
  const sha256 = createHash('sha256').update(content).digest('hex');
  t.match(box.journal.records.at(-1), {
    outcome: 'done',
    bytes: content.length,
    sha256,
    resumedBytes: start,
  });
});

t.test('what the first write means', async (t) => {
  const cases: readonly [string, number, Buffer, string, Buffer | undefined][] = [
    ['at 0: anew', 0, Buffer.from('new'), 'no error', Buffer.from('new')],
    ['in it', left - 10, content.subarray(left - 10), 'no error', content],
    ['beyond it', left + 1, content.subarray(left + 1), 'NOT_CONTINUED', undefined],
  ];
  for (const [words, offset, bytes, code, stored] of cases) {
    const box = await Box.open(t);
    await interrupt(await box.session());
    const files = await box.session();
    // As OpenSSH's scp opens: CREAT, no TRUNC.
    const upload = await begin(files, 'a', { ...going, missing: 'create' });
    t.equal(await codeOf(() => upload.write(bytes, offset)), code, words);
    if (stored === undefined) {
      await upload.abort(code as 'NOT_CONTINUED');
      t.equal(await sizeOf(files), left, 'it is as it was');
    } else {
      await upload.commit('closed');
      t.ok(box.stored('a').equals(stored), words);
      t.strictSame(box.partials, []);
    }
  }
});

t.test('to add nothing, or to append to what is not there any more, is an error', async (t) => {
  const box = await Box.open(t);
  await interrupt(await box.session());
  const files = await box.session();
  const nothing = await begin(files, 'a', { ...going, missing: 'create' });
  t.equal(await codeOf(() => nothing.commit('closed')), 'NOT_CONTINUED');
  t.equal(await sizeOf(files), left);
  t.throws(() => box.stored('a'));
  await files.remove(virtualPath('a'));
  const late = await begin(files, 'a', { ...going, missing: 'create', append: true });
  t.equal(await codeOf(() => late.write(content.subarray(left), left)), 'NOT_CONTINUED');
  t.not(await codeOf(() => late.commit('closed')), 'no error');
  t.throws(() => box.stored('a'));
});

t.test('what is not kept', async (t) => {
  const box = await Box.open(t);
  const files = await box.session();
  await interrupt(files, 'a', { ...truncating, resumable: false });
  await interrupt(files, 'b', truncating, mib);
  const unordered = await begin(files, 'c');
  await unordered.write(content.subarray(mib, 3 * mib), mib);
  await unordered.write(content.subarray(0, mib), 0);
  await unordered.abort('CONNECTION_LOST');
  const rewritten = await begin(files, 'd');
  await rewritten.write(content, 0);
  await rewritten.write(Buffer.from('header'), 0);
  await rewritten.abort('CONNECTION_LOST');
  const failed = await begin(files, 'e');
  await failed.write(content, 0);
  await failed.abort('CLIENT_FAILED');
  writeFileSync(join(box.place.root.hostPath, 'f'), 'stands there');
  await interrupt(files, 'f');
  await interrupt(await box.session({}, 0), 'g');
  t.strictSame(box.partials, []);
  t.strictSame(await box.used(), [0, 0]);
});

t.test('what ends it', async (t) => {
  const ends: Readonly<Record<string, (files: Files) => Promise<unknown>>> = {
    TRUNC: async (files) => await (await begin(files)).abort('CLIENT_FAILED'),
    EXCL: async (files) =>
      await (await begin(files, 'a', { ...truncating, existing: 'refuse' })).abort('CLIENT_FAILED'),
    'an upload that can not go on': async (files) =>
      await (
        await begin(files, 'a', { ...going, missing: 'create', resumable: false })
      ).abort('CLIENT_FAILED'),
    REMOVE: async (files) => await files.remove(virtualPath('a')),
    MKDIR: async (files) => await files.makeDirectory(virtualPath('a'), 0o755),
    'RENAME onto it': async (files) => {
      await files.makeDirectory(virtualPath('x'), 0o755);
      await files.rename(virtualPath('x'), virtualPath('a'), { replace: true });
    },
    'a file that came another way': async (files) => {
      const other = await begin(files, 'a', { ...truncating, resumable: false });
      await other.write(Buffer.from('whole'), 0);
      const later = await begin(files);
      await later.write(content, 0);
      await later.abort('CONNECTION_LOST');
      await other.commit('verified');
    },
  };
  for (const [words, end] of Object.entries(ends)) {
    const box = await Box.open(t);
    const files = await box.session();
    await interrupt(files);
    t.equal(box.partials.length, 1);
    await end(files);
    t.strictSame(box.partials, [], words);
    t.strictSame(await box.catalog.partials.of(box.place.root), [], words);
  }
});

t.test('in a drop-box: one’s own, and only that', async (t) => {
  const box = await Box.open(t);
  const dropBox = { preset: 'drop-box', ownershipMs: 0 } as const;
  await interrupt(await box.session(dropBox));
  const files = await box.session(dropBox);
  t.equal(await sizeOf(files), left);
  const refusals = box.journal.records.filter(({ outcome }) => outcome === 'refused');
  t.strictSame(refusals, [], 'and no refusal is recorded');
  const upload = await begin(files, 'a', { ...going, append: true });
  await upload.write(content.subarray(left), left);
  t.equal(await codeOf(() => upload.read(0, 10)), 'PERMISSION_DENIED', 'what came before is not shown');
  await upload.abort('CONNECTION_LOST');
  const bob = await box.session({ name: 'bob', ...dropBox });
  t.equal(await sizeOf(bob), await sizeOf(bob, 'nothing'), 'to others it looks like nothing');
  t.equal(await codeOf(() => begin(bob, 'a', going)), await codeOf(() => begin(bob, 'nothing', going)));
  await (await box.session(dropBox)).remove(virtualPath('a'));
  t.strictSame(box.partials, []);
});

t.test('a taken name is no other than a free one to a blind user', async (t) => {
  const box = await Box.open(t);
  const blind = { preset: 'drop-box', onConflict: 'rename', ownershipMs: 0 } as const;
  writeFileSync(join(box.place.root.hostPath, 'taken'), 'another’s');
  for (const name of ['taken', 'free']) {
    await interrupt(await box.session(blind), name);
    const files = await box.session(blind);
    t.equal(await sizeOf(files, name), left, name);
    const upload = await begin(files, name, going);
    await upload.write(content.subarray(left), left);
    await upload.commit('closed');
  }
  t.equal(box.stored('taken').toString(), 'another’s');
  t.ok(box.stored('taken.1').equals(content));
  t.ok(box.stored('free').equals(content));
});

t.test('the quota', async (t) => {
  const box = await Box.open(t);
  const quota = { bytesMax: 3 * mib };
  await interrupt(await box.session({}, 60_000, quota));
  const files = await box.session({}, 60_000, quota);
  const other = await begin(files, 'b');
  t.equal(await codeOf(() => other.write(content.subarray(0, 2 * mib), 0)), 'QUOTA_EXCEEDED', 'it counts');
  await other.abort('QUOTA_EXCEEDED');
  const upload = await begin(files, 'a', going);
  await upload.write(content.subarray(left), left);
  await upload.commit('closed');
  t.strictSame(await box.used(), [3 * mib, 1], 'and the room that it has is enough to go on');
});

t.test('it moves with its directory', async (t) => {
  const box = await Box.open(t);
  const files = await box.session();
  await files.makeDirectory(virtualPath('d'), 0o755);
  await interrupt(files, 'd/a');
  await files.rename(virtualPath('d'), virtualPath('e'), { replace: false });
  t.equal(await sizeOf(files, 'e/a'), left);
  t.equal(await sizeOf(files, 'd/a'), 'NOT_FOUND');
});

t.test('its time, and what belongs to nobody', async (t) => {
  const box = await Box.open(t);
  await interrupt(await box.session());
  const [id = ''] = box.partials;
  const late = await box.session({}, 1);
  t.equal(await sizeOf(late), 'NOT_FOUND', 'too late, although it is there');
  writeFileSync(join(box.place.root.hostPath, '.scpd/partial/nobody'), 'x');
  const stored = { catalog: box.catalog, roots: new Map([['alice', box.place.root]]) };
  await sweepPartialUploads({ resumeMs: 60_000 }, stored, log)();
  t.strictSame(box.partials, [id]);
  await sweepPartialUploads({ resumeMs: 1 }, stored, log)();
  t.strictSame(box.partials, []);
  t.strictSame(await box.used(), [0, 0]);
});

t.test('a file that is shorter than it should be is not gone on with', async (t) => {
  const box = await Box.open(t);
  await interrupt(await box.session());
  truncateSync(join(box.place.root.hostPath, '.scpd/partial', box.partials[0] ?? ''), 10);
  const files = await box.session();
  t.equal(await codeOf(() => begin(files, 'a', going)), 'NOT_FOUND');
  t.strictSame(await box.used(), [0, 0]);
});

t.test('of many, the oldest gives way', async (t) => {
  const box = await Box.open(t);
  const files = await box.session();
  for (let number = 0; number < 66; number += 1) await interrupt(files, `f${number}`, truncating, mib + 1);
  t.equal(box.partials.length, 64);
  t.equal(await sizeOf(files, 'f0'), 'NOT_FOUND');
  t.equal(await sizeOf(files, 'f65'), mib);
});
