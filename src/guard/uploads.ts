/** How an upload begins at a place that was found for it, and what its end means for the rest of the session. */
import type { SessionJournal } from '../audit/session-journal.ts';
import type { Access } from './access.ts';
import type { UploadOptions } from './files.ts';
import type { PartialUpload } from './ledger.ts';
import type { PartialUploads } from './partial-uploads.ts';
import { planUpload } from './placement.ts';
import type { QuotaKeeper } from './quota.ts';
import type { Place, Published, StageOptions, Store } from './store.ts';
import { GuardedUpload, type Transfer } from './transfers.ts';
import type { Versions } from './versions.ts';
import { childPath, parentPath, type VirtualPath } from './virtual-path.ts';

export interface UploadsFacts {
  readonly access: Access;
  readonly store: Store;
  readonly journal: SessionJournal;
  readonly quota: QuotaKeeper;
  readonly versions: Versions;
  readonly partials: PartialUploads;
  /** Begins what `Files.settle` waits for. */
  readonly settleSoon: () => void;
  /** Told when an upload is over. */
  readonly ended: (transfer: Transfer) => void;
}

interface Planned {
  readonly plan: StageOptions;
  readonly onlyAppends: boolean;
  /** Whether it makes a file and replaces none. */
  readonly isNew: boolean;
  /** What is kept of an earlier one. */
  readonly partial: PartialUpload | undefined;
}

export class Uploads {
  readonly #facts: UploadsFacts;

  constructor(facts: UploadsFacts) {
    this.#facts = facts;
  }

  /** @param path as the client wrote it. Throws what the client is to hear. */
  async begin(path: VirtualPath, place: Place, options: UploadOptions): Promise<GuardedUpload> {
    const { access, store, journal, quota, versions, partials, settleSoon, ended } = this.#facts;
    const { declaredBytes, resumable = false } = options;
    const { plan, onlyAppends, isNew, partial } = await this.#plan(path, place, options);
    const taken = isNew ? await partials.begin(partial, place.path, options) : undefined;
    const retained = access.retainMs(place.path) !== undefined;
    const { staged, claim } = await quota.staging(place, plan, { store, declaredBytes, retained, taken });
    return new GuardedUpload(staged, {
      path,
      journal,
      bytesExpected: declaredBytes ?? null,
      denial: () => access.denial(['overwrite'], place.path),
      tooLarge: (sizeBytes) => access.tooLarge(sizeBytes, path, place.path),
      fileBytesMax: access.fileBytesMax(path, place.path),
      append: options.append === true,
      claim,
      resumable: isNew && resumable && partials.isOn,
      resumed: taken?.upload,
      keptBytes: onlyAppends ? staged.sizeBytes : 0,
      isReadable: (!plan.keepContent && taken === undefined) || this.#mayRead(path, place.path),
      published: (made) => this.#published(path, place.path, made),
      dropPartial: () => partials.drop(place.path),
      pruneVersions: async () => void (await versions.prune(place.path)),
      settleSoon,
      answer: (error) => access.answer(error, 'create', [path]),
      ended,
    });
  }

  async #plan(path: VirtualPath, place: Place, options: UploadOptions): Promise<Planned> {
    const { access, journal, partials } = this.#facts;
    const partial = await partials.at(place.path);
    // Its size was shown, so it may be opened like a file that is there.
    const missing = partial !== undefined && options.resumable === true ? 'create' : options.missing;
    const { onlyAppends, ...plan } = planUpload(access, place, { ...options, missing, path });
    access.checkSize(options.declaredBytes ?? partial?.sizeBytes ?? 0, path, place.path);
    journal.ensureWritable();
    const isNew = place.attributes === undefined || plan.apart === true;
    return { plan, onlyAppends, isNew, partial };
  }

  #mayRead(...paths: readonly VirtualPath[]): boolean {
    return paths.every((path) => this.#facts.access.allows('read', path));
  }

  /** Answers where the file is if that is not where it was sent. */
  #published(
    path: VirtualPath,
    place: VirtualPath,
    { name, identity }: Pick<Published, 'name' | 'identity'>,
  ): VirtualPath | undefined {
    const { access } = this.#facts;
    const stored = place === '/' ? place : childPath(parentPath(place), name);
    const isElsewhere = stored !== place || access.actual(path) === stored;
    access.made({ path: isElsewhere ? path : stored, stored, identity });
    return isElsewhere && stored !== path ? stored : undefined;
  }
}
