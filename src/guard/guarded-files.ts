/**
 * THE door. Every operation of every protocol goes through `#attempt`: ask the rules about the path as asked, locate it,
 * ask again about where it really is, act, write the record. Nobody else reaches the disk.
 */
import { ScpdError, errorCatalogue, errorCode, type ErrorCode } from '../errors.ts';
import type { Operation } from '../audit/record.ts';
import type { SessionJournal } from '../audit/session-journal.ts';
import type { User } from '../users/user.ts';
import { Access, type Verb } from './access.ts';
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
import { hashOf } from './hash.ts';
import { linkTextBeneath } from './link-text.ts';
import type { Place, Store } from './store.ts';
import { GuardedDownload, GuardedUpload, type Transfer } from './transfers.ts';
import type { VirtualPath } from './virtual-path.ts';

interface Attempt {
  readonly operation: Operation;
  readonly verb: Verb;
  readonly path: VirtualPath;
  /** The other end, or the text of a link. */
  readonly target?: string;
  /** Whether a link at the end of the path is followed. */
  readonly follow: boolean;
  /** Whether success is a change that deserves a record; transfers write their own when they end. */
  readonly recorded: boolean;
}

export interface GuardedFilesOptions {
  readonly user: User;
  readonly store: Store;
  readonly journal: SessionJournal;
}

/** Looking for what is not there is no event; being kept from looking is. */
const unremarkable: ReadonlySet<Operation> = new Set(['stat', 'list']);

export function createGuardedFiles(options: GuardedFilesOptions): Files {
  return new GuardedFiles(options);
}

class GuardedFiles implements Files {
  readonly #user: User;
  readonly #store: Store;
  readonly #journal: SessionJournal;
  readonly #access: Access;
  readonly #open = new Set<Transfer>();
  #closed = false;

  constructor({ user, store, journal }: GuardedFilesOptions) {
    this.#user = user;
    this.#store = store;
    this.#journal = journal;
    this.#access = new Access(user.preset);
  }

  async stat(path: VirtualPath, { follow }: { readonly follow: boolean }): Promise<Attributes> {
    return await this.#attempt(
      { operation: 'stat', verb: 'stat', path, follow, recorded: false },
      async (place) => present(place).attributes,
    );
  }

  async list(path: VirtualPath): Promise<Listing> {
    return await this.#attempt(
      { operation: 'list', verb: 'list', path, follow: true, recorded: false },
      (place) => present(place).place.list(),
    );
  }

  async download(path: VirtualPath): Promise<Download> {
    return await this.#attempt(
      { operation: 'download', verb: 'read', path, follow: true, recorded: false },
      async (place) => {
        this.#journal.ensureWritable();
        const file = await present(place).place.open();
        return this.#track(new GuardedDownload(file, { path, journal: this.#journal, ended: this.#ended }));
      },
    );
  }

  async upload(path: VirtualPath, options: UploadOptions): Promise<Upload> {
    return await this.#attempt(
      { operation: 'upload', verb: 'create', path, follow: true, recorded: false },
      (place) => this.#beginUpload(path, place, options),
    );
  }

  async makeDirectory(path: VirtualPath, mode: number): Promise<void> {
    await this.#attempt(
      { operation: 'mkdir', verb: 'mkdir', path, follow: false, recorded: true },
      async (place) => {
        if (place.attributes !== undefined) throw new ScpdError('ALREADY_EXISTS');
        await place.makeDirectory(mode);
        this.#access.own(place.path);
      },
    );
  }

  async removeDirectory(path: VirtualPath): Promise<void> {
    await this.#attempt(
      { operation: 'rmdir', verb: 'rmdir', path, follow: false, recorded: true },
      async (place) => {
        await present(place).place.removeDirectory();
        this.#access.disown(place.path);
      },
    );
  }

  async remove(path: VirtualPath): Promise<void> {
    await this.#attempt(
      { operation: 'remove', verb: 'delete', path, follow: false, recorded: true },
      async (place) => {
        if (present(place).attributes.kind === 'directory') throw new ScpdError('IS_A_DIRECTORY');
        await place.remove();
        this.#access.disown(place.path);
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
      async (place) => {
        const source = present(place);
        await this.#withTarget(to, async (target) => {
          if (target.attributes !== undefined) this.#checkReplace(target.path, replace);
          await source.place.moveTo(target, { replace });
          this.#access.moveOwn(place.path, target.path);
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
      { operation: 'attributes', verb: 'attributes', path, follow, recorded: true },
      async (place) => {
        // Its own mode is what the daemon itself enters the root by.
        if (place.path === '/' && others.mode !== undefined)
          throw new ScpdError('PERMISSION_DENIED', 'mode of the root');
        await present(place).place.setAttributes(others);
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
        await place.makeLink(linkTextBeneath(place.path, target));
        this.#access.own(place.path);
      },
    );
  }

  async makeHardLink(from: VirtualPath, to: VirtualPath): Promise<void> {
    await this.#attempt(
      { operation: 'hardlink', verb: 'read', path: from, target: to, follow: false, recorded: true },
      async (place) => {
        if (present(place).attributes.kind !== 'file') throw new ScpdError('NOT_A_REGULAR_FILE');
        await this.#withTarget(to, async (target) => {
          if (target.attributes !== undefined) throw new ScpdError('ALREADY_EXISTS');
          await place.linkTo(target);
          this.#access.own(target.path);
        });
      },
    );
  }

  async space(path: VirtualPath): Promise<Space> {
    return await this.#attempt(
      { operation: 'stat', verb: 'stat', path, follow: true, recorded: false },
      (place) => present(place).place.space(),
    );
  }

  async hash(path: VirtualPath, options: HashOptions): Promise<Buffer> {
    return await this.#attempt(
      { operation: 'hash', verb: 'hash', path, follow: true, recorded: false },
      async (place) => {
        const file = await present(place).place.open();
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

  async close(reason: ErrorCode): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all([...this.#open].map((transfer) => transfer.abort(reason)));
    this.#store.close();
  }

  async #attempt<T>(attempt: Attempt, act: (place: Place) => Promise<T>): Promise<T> {
    const { verb, path } = attempt;
    const startedMs = performance.now();
    let place: Place | undefined;
    try {
      this.#access.check(verb, path);
      place = await this.#store.locate(path, { follow: attempt.follow });
      if (place.path !== path) this.#access.check(verb, place.path);
      const result = await act(place);
      if (attempt.recorded) this.#record(attempt, startedMs);
      return result;
    } catch (error) {
      const code = errorCode(error);
      if (errorCatalogue[code].outcome === 'refused' || !unremarkable.has(attempt.operation)) {
        this.#record(attempt, startedMs, code);
      }
      throw this.#access.answer(error, verb);
    } finally {
      place?.close();
    }
  }

  /** The other end of an attempt that has two: something may be created there, as asked and where links led. */
  async #withTarget(to: VirtualPath, act: (target: Place) => Promise<void>): Promise<void> {
    this.#access.check('create', to);
    const target = await this.#store.locate(to, { follow: false });
    try {
      this.#access.check('create', target.path);
      await act(target);
    } finally {
      target.close();
    }
  }

  #record({ operation, path, target }: Attempt, startedMs: number, error?: ErrorCode): void {
    this.#journal.record({
      operation,
      outcome: error === undefined ? 'done' : errorCatalogue[error].outcome,
      path,
      ...(target === undefined ? {} : { target }),
      durationMs: Math.round(performance.now() - startedMs),
      ...(error === undefined ? {} : { error }),
    });
  }

  async #beginUpload(path: VirtualPath, place: Place, options: UploadOptions): Promise<Upload> {
    const { attributes } = place;
    if (attributes === undefined) this.#checkCreate(place, options);
    else this.#checkOverwrite(place, attributes, options);
    if ((options.declaredBytes ?? 0) > this.#user.fileBytesMax) throw new ScpdError('FILE_TOO_LARGE');
    this.#journal.ensureWritable();
    const staged = await place.stage({
      keepContent: attributes !== undefined && options.existing === 'modify',
      exclusive: options.existing === 'refuse' || !this.#access.allows('overwrite', place.path),
      newFileMode: options.newFileMode,
    });
    return this.#track(
      new GuardedUpload(staged, {
        path,
        journal: this.#journal,
        fileBytesMax: this.#user.fileBytesMax,
        append: options.append === true,
        published: () => this.#access.own(place.path),
        answer: (error) => this.#access.answer(error, 'create'),
        ended: this.#ended,
      }),
    );
  }

  #checkCreate(place: Place, options: UploadOptions): void {
    if (options.missing === 'refuse' || place.throughLink) throw new ScpdError('NOT_FOUND');
  }

  #checkOverwrite(place: Place, attributes: Attributes, options: UploadOptions): void {
    if (attributes.kind === 'directory') throw new ScpdError('IS_A_DIRECTORY');
    if (attributes.kind !== 'file') throw new ScpdError('NOT_A_REGULAR_FILE');
    if (options.existing === 'refuse') throw new ScpdError('ALREADY_EXISTS');
    this.#access.check('overwrite', place.path);
  }

  #checkReplace(path: VirtualPath, replace: boolean): void {
    if (!replace) throw new ScpdError('ALREADY_EXISTS');
    this.#access.check('overwrite', path);
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

  readonly #ended = (transfer: Transfer): void => {
    this.#open.delete(transfer);
  };
}

/** What is there, or NOT_FOUND. */
function present(place: Place): { readonly place: Place; readonly attributes: Attributes } {
  if (place.attributes === undefined) throw new ScpdError('NOT_FOUND');
  return { place, attributes: place.attributes };
}
