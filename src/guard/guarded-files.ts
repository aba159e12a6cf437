/**
 * THE door. Every operation of every protocol goes through `#attempt`: ask the rules about the path as asked, locate it,
 * ask again about where it really is, act, write the record. No client reaches the disk in another way.
 */
import { ScpdError, errorCatalogue, errorCode, type ErrorCode } from '../errors.ts';
import type { SessionJournal } from '../audit/session-journal.ts';
import { giveWay } from '../pace.ts';
import type { User } from '../users/user.ts';
import { Access, type Verb } from './access.ts';
import { attemptRecord, recordedAttributes } from './attempt-record.ts';
import { endsOf, givesPlace, present, unremarkable, type Attempt, type Notes } from './attempt.ts';
import type {
  AttributeChange,
  Attributes,
  Download,
  Files,
  HashOptions,
  Listing,
  Space,
  Upload,
  UploadOptions,
} from './files.ts';
import { hashOf, isWholeSha256 } from './hash.ts';
import { linkTextBeneath } from './link-text.ts';
import type { Ownership } from './ownership.ts';
import { attributesOfPartial, noResume, PartialUploads, type ResumeOptions } from './partial-uploads.ts';
import { move } from './placement.ts';
import { noQuota, type QuotaKeeper } from './quota.ts';
import type { Place, Store } from './store.ts';
import { GuardedDownload, type Transfer } from './transfers.ts';
import { Uploads } from './uploads.ts';
import type { VirtualPath } from './virtual-path.ts';
import { isStoredForClients } from './receipt-path.ts';
import { Versions } from './versions.ts';
import { onlyVisible } from './visible-listing.ts';

export interface GuardedFilesOptions {
  readonly user: User;
  readonly store: Store;
  readonly journal: SessionJournal;
  /** What is known of earlier sessions of the same server; without it, each session begins with nothing of its own. */
  readonly ownership?: Ownership;
  /** The other users of the same root. */
  readonly sharing?: readonly User[];
  /** What the user may store in all. Without it, as much as there is room for. */
  readonly quota?: QuotaKeeper;
  /** Gets the transfers that are under way. */
  readonly open?: Set<Transfer>;
  /** How interrupted uploads are kept. Without it, they are not. */
  readonly resume?: ResumeOptions;
}

export function createGuardedFiles(options: GuardedFilesOptions): Files {
  return new GuardedFiles(options);
}

class GuardedFiles implements Files {
  readonly #store: Store;
  readonly #journal: SessionJournal;
  readonly #access: Access;
  readonly #quota: QuotaKeeper;
  readonly #versions: Versions;
  readonly #partials: PartialUploads;
  readonly #uploads: Uploads;
  readonly #open: Set<Transfer>;
  #closed = false;

  constructor(options: GuardedFilesOptions) {
    const { user, store, journal, ownership, sharing, quota = noQuota, resume = noResume } = options;
    this.#open = options.open ?? new Set();
    this.#quota = quota;
    this.#store = store;
    this.#journal = journal;
    const access = new Access(user, ownership, sharing);
    const versions = new Versions({ rules: access, store, quota, journal });
    const partials = new PartialUploads(resume, { access, store });
    this.#access = access;
    this.#versions = versions;
    this.#partials = partials;
    const [settleSoon, ended] = [this.#settleSoon, this.#ended];
    this.#uploads = new Uploads({ access, store, journal, quota, versions, partials, settleSoon, ended });
  }

  mayEver(verb: Verb): boolean {
    return this.#access.mayEver(verb);
  }

  noteRefusal({ what, ...facts }: Parameters<Files['noteRefusal']>[0]): void {
    this.#journal.record({ operation: 'request', outcome: 'refused', path: what, ...facts });
  }

  async stat(
    path: VirtualPath,
    { follow, partial = false }: { readonly follow: boolean; readonly partial?: boolean },
  ): Promise<Attributes> {
    await giveWay(); // sessions look at as many paths as their clients name
    const hidden = partial ? await this.#partials.hiddenAt(path, 'stat') : undefined;
    if (hidden !== undefined) return attributesOfPartial(hidden);
    return await this.#attempt(
      { operation: 'stat', verb: 'stat', path, follow, recorded: false },
      async (place) =>
        (partial ? await this.#partials.attributesAt(place) : undefined) ?? present(place).attributes,
    );
  }

  async resolve(path: VirtualPath): Promise<VirtualPath> {
    return await this.#attempt(
      { operation: 'stat', verb: 'stat', anyOf: ['stat', 'mkdir'], path, follow: true, recorded: false },
      async (place) => place.path,
    );
  }

  async list(path: VirtualPath): Promise<Listing> {
    return await this.#attempt(
      { operation: 'list', verb: 'list', path, follow: true, recorded: false },
      async (place) => {
        const directories = isStoredForClients(place.path) ? [path] : [path, place.path];
        return onlyVisible(await present(place).place.list(), this.#access, directories);
      },
    );
  }

  async download(path: VirtualPath): Promise<Download> {
    return await this.#attempt(
      { operation: 'download', verb: 'read', path, follow: true, recorded: false },
      async (place) => {
        this.#journal.ensureWritable();
        const { sizeBytes: bytesExpected } = present(place).attributes;
        const facts = { path, journal: this.#journal, bytesExpected, ended: this.#ended };
        return this.#track(new GuardedDownload(await place.open(), facts));
      },
    );
  }

  async upload(path: VirtualPath, options: UploadOptions): Promise<Upload> {
    // Whoever may not even touch what is there learns nothing of what is not there.
    const touching = ['overwrite', 'append'] as const;
    const mayCreate =
      options.missing === 'create' ||
      (options.resumable === true && (await this.#partials.hiddenAt(path, ...touching)) !== undefined);
    return await this.#attempt(
      {
        operation: 'upload',
        verb: 'create',
        anyOf: mayCreate ? ['create', ...touching] : touching,
        path,
        // Where a link leads, or whether it does, is no business of a blind user's: it has the name, and that is all.
        follow: !this.#access.isBlind(path),
        recorded: false,
      },
      async (place) => this.#track(await this.#uploads.begin(path, place, options)),
    );
  }

  async makeDirectory(path: VirtualPath, mode: number): Promise<void> {
    await this.#attempt(
      { operation: 'mkdir', verb: 'mkdir', path, follow: false, recorded: true },
      async (place) => {
        if (place.attributes !== undefined) throw new ScpdError('ALREADY_EXISTS');
        await this.#quota.making(place, { bytes: 0 }, () => place.makeDirectory(mode));
        this.#access.made({ path: place.path, stored: place.path, identity: place.look()?.identity });
      },
    );
  }

  async removeDirectory(path: VirtualPath): Promise<void> {
    await this.#attempt(
      { operation: 'rmdir', verb: 'rmdir', path, follow: false, recorded: true },
      async (place) => {
        await this.#quota.removing(present(place).place, () => place.removeDirectory());
        this.#access.removed({ path, stored: place.path });
      },
    );
  }

  async remove(path: VirtualPath): Promise<void> {
    const isOwn = (await this.#partials.hiddenAt(path, 'delete')) !== undefined;
    await this.#attempt(
      { operation: 'remove', verb: 'delete', path, isOwn, follow: false, recorded: true },
      async (place) => {
        // What a client has been shown it can also get rid of; all that goes away here loses what waits for it.
        if (isOwn || (await this.#partials.attributesAt(place)) !== undefined) return;
        const { attributes } = present(place);
        if (attributes.kind === 'directory') throw new ScpdError('IS_A_DIRECTORY');
        await this.#versions.requireRemovable(place.path, attributes);
        const kept = await this.#quota.removing(place, () =>
          place.remove(this.#versions.keeping(place.path)),
        );
        this.#access.removed({ path, stored: place.path });
        if (kept !== undefined) await this.#versions.prune(place.path);
      },
    );
  }

  async rename(
    from: VirtualPath,
    to: VirtualPath,
    { replace }: { readonly replace: boolean },
  ): Promise<void> {
    await this.#attempt(
      { operation: 'rename', verb: 'rename', path: from, target: to, follow: false, recorded: true },
      async (place, notes) => {
        const isDirectory = present(place).attributes.kind === 'directory';
        await this.#withTarget(to, ['create', 'mkdir', 'overwrite'], async (target) => {
          const request = { access: this.#access, store: this.#store, from, to, replace };
          await this.#versions.requireMovable(place.path, target.path, present(place).attributes);
          const { path: stored, kept } = await this.#quota.moving(place, target, (admit) =>
            move(place, target, { ...request, admit }),
          );
          const isElsewhere = stored !== target.path || this.#access.actual(to) !== to;
          if (isElsewhere) notes.stored = stored;
          const moved = { path: isElsewhere ? to : stored, stored };
          this.#access.moved({ path: from, stored: place.path }, moved, { isDirectory });
          if (kept !== undefined) await this.#versions.prune(target.path);
        });
      },
    );
  }

  async setAttributes(
    path: VirtualPath,
    change: AttributeChange,
    { follow }: { readonly follow: boolean },
  ): Promise<void> {
    const { sizeBytes, ...others } = change;
    if (sizeBytes !== undefined) await this.#truncate(path, sizeBytes);
    if (Object.keys(others).length === 0) return;
    await this.#attempt(
      {
        operation: 'attributes',
        verb: 'attributes',
        path,
        follow,
        recorded: true,
        asked: recordedAttributes(others),
      },
      async (place) => {
        // Its own mode is what the daemon itself enters the root by.
        if (place.path === '/' && others.mode !== undefined)
          throw new ScpdError('PERMISSION_DENIED', 'mode of the root', { rule: { reason: 'root' } });
        await this.#quota.changing(present(place), () => place.setAttributes(others));
      },
    );
  }

  async readLink(path: VirtualPath): Promise<string> {
    return await this.#attempt(
      { operation: 'stat', verb: 'stat', path, follow: false, recorded: false },
      async (place) => {
        if (present(place).attributes.kind !== 'link') throw new ScpdError('NOT_A_LINK');
        return await place.readLink();
      },
    );
  }

  async makeLink(path: VirtualPath, target: string): Promise<void> {
    await this.#attempt(
      { operation: 'link', verb: 'symlink', path, target, follow: false, recorded: true },
      async (place) => {
        if (place.attributes !== undefined) throw new ScpdError('ALREADY_EXISTS');
        const text = linkTextBeneath(place.path, target);
        await this.#quota.making(place, { bytes: 0 }, () => place.makeLink(text));
        this.#access.made({ path: place.path, stored: place.path, identity: place.look()?.identity });
      },
    );
  }

  async makeHardLink(from: VirtualPath, to: VirtualPath): Promise<void> {
    await this.#attempt(
      { operation: 'hardlink', verb: 'read', path: from, target: to, follow: false, recorded: true },
      async (place) => {
        const { attributes } = present(place);
        if (attributes.kind !== 'file') throw new ScpdError('NOT_A_REGULAR_FILE');
        // Content is only ever replaced by rename, which leaves the other name's alone. Mode and times are shared.
        this.#access.check('attributes', from);
        this.#access.check('attributes', place.path);
        await this.#withTarget(to, ['create'], async (target) => {
          if (target.attributes !== undefined) throw new ScpdError('ALREADY_EXISTS');
          this.#access.checkSize(attributes.sizeBytes, to, target.path);
          const known = await this.#quota.known(place.path, attributes);
          await this.#quota.making(target, { bytes: attributes.sizeBytes, known }, () =>
            place.linkTo(target),
          );
          this.#access.linked(place.path, target.path);
        });
      },
    );
  }

  async space(path: VirtualPath): Promise<Space> {
    return await this.#attempt(
      { operation: 'stat', verb: 'stat', path, follow: true, recorded: false },
      async (place) => await this.#quota.space(await present(place).place.space(), place.path),
    );
  }

  async hash(path: VirtualPath, options: HashOptions): Promise<Buffer> {
    return await this.#attempt(
      { operation: 'hash', verb: 'hash', path, follow: true, recorded: true },
      async (place) => {
        const known = await this.#quota.known(place.path, present(place).attributes);
        if (known?.sha256 && isWholeSha256(options)) return Buffer.from(known.sha256, 'hex');
        const file = await place.open();
        try {
          return await hashOf(file, options);
        } finally {
          await file.close();
        }
      },
    );
  }

  async settle(): Promise<void> {
    await Promise.all([this.#store.settle(), this.#journal.settled()]);
  }

  /** What fails now is told to whoever waits. */
  readonly #settleSoon = (): void => void this.settle().catch(() => undefined);

  async close(reason: ErrorCode): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all([...this.#open].map((transfer) => transfer.abort(reason)));
    this.#journal.closed(reason === 'CONNECTION_LOST' ? undefined : reason);
    this.#access.close();
    this.#store.close();
  }

  async #attempt<T>(attempt: Attempt, act: (place: Place, notes: Notes) => Promise<T>): Promise<T> {
    const { verb, path, anyOf = [verb], isOwn = false } = attempt;
    const notes: Notes = {};
    const startedMs = performance.now();
    let place: Place | undefined;
    try {
      if (!isOwn) this.#access.check(anyOf, path);
      const actual = this.#access.actual(path);
      if (actual !== path && !isStoredForClients(actual)) notes.stored = actual;
      place = await this.#store.locate(actual, { follow: attempt.follow });
      this.#access.checkPlace(anyOf, path, place);
      if (attempt.recorded) this.#journal.ensureWritable();
      const result = await act(place, notes);
      if (attempt.recorded) this.#journal.record(attemptRecord(attempt, { startedMs, notes }));
      else this.#journal.looked(attempt.operation);
      if (givesPlace.has(attempt.operation)) await this.#partials.drop(place.path);
      return result;
    } catch (error) {
      const code = errorCode(error);
      if (errorCatalogue[code].outcome === 'refused' || !unremarkable.has(attempt.operation)) {
        this.#journal.record(attemptRecord(attempt, { startedMs, notes, error }));
      } else this.#journal.looked(attempt.operation);
      throw this.#access.answer(error, verb, endsOf(attempt));
    } finally {
      place?.close();
    }
  }

  /** The other end of an attempt that has two: something may be created there, as asked and where links led. */
  async #withTarget(
    to: VirtualPath,
    verbs: readonly Verb[],
    act: (target: Place) => Promise<void>,
  ): Promise<void> {
    this.#access.check(verbs, to);
    const target = await this.#store.locate(this.#access.actual(to), { follow: false });
    try {
      this.#access.check(verbs, target.path);
      await act(target);
      await this.#partials.drop(target.path);
    } finally {
      target.close();
    }
  }

  /** A new size for a stored file is an upload that keeps what is below it: the old file stays whole until it is done. */
  async #truncate(path: VirtualPath, sizeBytes: number): Promise<void> {
    const upload = await this.upload(path, { existing: 'modify', missing: 'refuse', newFileMode: 0 });
    try {
      await upload.setAttributes({ sizeBytes });
    } catch (error) {
      await upload.abort(errorCode(error));
      throw error;
    }
    await upload.commit('closed');
  }

  #track<T extends Transfer>(transfer: T): T {
    this.#open.add(transfer);
    return transfer;
  }

  readonly #ended = (transfer: Transfer): boolean => this.#open.delete(transfer);
}
