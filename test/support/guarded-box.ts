/** A root on disk and sessions of users over it, for tests of what the rules let happen. */
import type { Test } from 'tap';
import { SessionJournal } from '../../src/audit/session-journal.ts';
import type { Files, UploadOptions } from '../../src/guard/files.ts';
import { createGuardedFiles } from '../../src/guard/guarded-files.ts';
import { Ownership } from '../../src/guard/ownership.ts';
import { virtualPath } from '../../src/guard/virtual-path.ts';
import { openDiskStore } from '../../src/storage/disk-store.ts';
import type { Rule } from '../../src/users/rule.ts';
import type { User } from '../../src/users/user.ts';
import { CheckedJournal, testSession } from './checked-journal.ts';

export type ShortRule = Partial<Rule> & { readonly path: string };
export type ShortUser = Partial<Omit<User, 'rules'>> & { readonly rules?: readonly ShortRule[] };

export class GuardedBox {
  readonly root: string;
  readonly journal = new CheckedJournal();
  /** Set to let time pass. */
  nowMs = 1e6;
  readonly #ownership = new Ownership(() => this.nowMs);
  readonly #test: Test;

  constructor(t: Test, root: string) {
    this.#test = t;
    this.root = root;
  }

  /**
   * A new session of a user. Its window is ten minutes unless `user` says otherwise.
   * @param store where it is not to be the disk alone
   */
  session({ rules, ...user }: ShortUser = {}, store = openDiskStore(this.root, 'none')): Files {
    const full = { allow: [], deny: [], place: '', key: '' };
    const files = createGuardedFiles({
      user: {
        name: 'alice',
        root: this.root,
        fileBytesMax: 1000,
        ownershipMs: 600_000,
        ...user,
        ...(rules === undefined ? {} : { rules: rules.map((rule) => ({ ...full, ...rule })) }),
      },
      store,
      journal: new SessionJournal(this.journal, testSession),
      ownership: this.#ownership,
    });
    this.#test.teardown(() => files.close('INTERNAL'));
    return files;
  }
}

export const create: UploadOptions = { existing: 'replace', missing: 'create', newFileMode: 0o644 };

/** Uploads a file whole. */
export async function put(
  files: Files,
  path: string,
  content = 'new',
  options: Partial<UploadOptions> = {},
): Promise<void> {
  const upload = await files.upload(virtualPath(path), { ...create, ...options });
  await upload.write(Buffer.from(content), 0);
  await upload.commit('closed');
}

export async function get(files: Files, path: string): Promise<string> {
  const download = await files.download(virtualPath(path));
  const content = (await download.read(0, 100)).toString();
  await download.finish('closed');
  return content;
}

export async function list(files: Files, path: string): Promise<string[]> {
  const listing = await files.list(virtualPath(path));
  const names: string[] = [];
  for (;;) {
    const entries = await listing.read(2);
    if (entries.length === 0) break;
    names.push(...entries.map((entry) => entry.name));
  }
  await listing.close();
  return names.sort();
}

export async function stat(files: Files, path: string): Promise<number> {
  return (await files.stat(virtualPath(path), { follow: true })).sizeBytes;
}

export async function rename(files: Files, from: string, to: string, replace = false): Promise<void> {
  await files.rename(virtualPath(from), virtualPath(to), { replace });
}
