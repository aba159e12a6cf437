/**
 * What is kept of a user's interrupted uploads, as one session of that user may use it. It belongs to the user and the path:
 * its size is shown where nothing stands, an upload to that path goes on with it or ends it, and nobody ever reads it.
 */
import { ScpdError } from '../errors.ts';
import type { Access, Verb } from './access.ts';
import type { Attributes, UploadOptions } from './files.ts';
import type { Claim, Ledger, PartialUpload } from './ledger.ts';
import type { Place, Store } from './store.ts';
import type { VirtualPath } from './virtual-path.ts';

export interface ResumeOptions {
  readonly ledger: Pick<Ledger, 'partialAt' | 'takePartial'>;
  /** How long after it was interrupted an upload can be gone on with; 0: nothing is kept. */
  readonly resumeMs: number;
  /** Told of each failure of the ledger or the disk. None of them is a reason to refuse anything. */
  readonly onFailure: (error: unknown) => void;
}

/** An interrupted upload that this session goes on with: nobody else can. */
export interface Taken {
  readonly upload: PartialUpload;
  readonly claim: Claim;
}

/** For whoever has no ledger: nothing is kept. */
export const noResume: ResumeOptions = {
  ledger: { partialAt: async () => undefined, takePartial: async () => undefined },
  resumeMs: 0,
  onFailure: () => undefined,
};

export class PartialUploads {
  readonly #options: ResumeOptions;
  readonly #access: Access;
  readonly #store: Store;

  constructor(options: ResumeOptions, { access, store }: { readonly access: Access; readonly store: Store }) {
    this.#options = options;
    this.#access = access;
    this.#store = store;
  }

  /** Whether anything is ever kept. */
  get isOn(): boolean {
    return this.#options.resumeMs > 0;
  }

  /** What is kept of this user's upload to a path. */
  async at(path: VirtualPath): Promise<PartialUpload | undefined> {
    const { ledger, resumeMs } = this.#options;
    if (!this.isOn) return undefined;
    const found = await this.#ask(() => ledger.partialAt(path));
    return found !== undefined && found.suspendedMs + resumeMs > Date.now() ? found : undefined;
  }

  /**
   * What is kept of an upload to a path on which none of these verbs is allowed, because what is there is none of this user's
   * business. One's own, and only that, may be looked at and gone on with all the same.
   */
  async hiddenAt(path: VirtualPath, ...verbs: readonly Verb[]): Promise<PartialUpload | undefined> {
    if (verbs.some((verb) => this.#access.allows(verb, path))) return undefined;
    if (!verbs.some((verb) => this.#access.allowsOnOwn(verb, path))) return undefined;
    return await this.at(path);
  }

  /** How it looks at a place where nothing stands. */
  async attributesAt(place: Place): Promise<Attributes | undefined> {
    if (place.attributes !== undefined || place.throughLink) return undefined;
    const found = await this.at(place.path);
    return found === undefined ? undefined : attributesOfPartial(found);
  }

  /**
   * What an upload goes on with. Where it begins anew, what is kept is given up. Throws NOT_FOUND if it was to go on with what
   * somebody else has taken meanwhile.
   * @param partial what was found at its path
   */
  async begin(
    partial: PartialUpload | undefined,
    path: VirtualPath,
    options: UploadOptions,
  ): Promise<Taken | undefined> {
    if (partial === undefined) return undefined;
    if (options.resumable !== true || options.existing !== 'modify') {
      await this.drop(path);
      return undefined;
    }
    const retained = this.#access.retainMs(path) !== undefined;
    const claim = await this.#ask(() => this.#options.ledger.takePartial(partial.id, { retained }));
    if (claim === undefined) throw new ScpdError('NOT_FOUND', `the upload ${partial.id}`);
    return { upload: partial, claim };
  }

  /** Gives up what is kept of an upload to a path. */
  async drop(path: VirtualPath): Promise<void> {
    if (!this.isOn) return;
    const { ledger } = this.#options;
    await this.#ask(async () => {
      const partial = await ledger.partialAt(path);
      const claim =
        partial === undefined ? undefined : await ledger.takePartial(partial.id, { retained: false });
      if (partial === undefined || claim === undefined) return;
      await this.#store.dropPartial(partial.id);
      await claim.release();
    });
  }

  async #ask<T>(ask: () => Promise<T>): Promise<T | undefined> {
    try {
      return await ask();
    } catch (error) {
      this.#options.onFailure(error);
      return undefined;
    }
  }
}

/** As a file of its size, which is all that a client needs to go on with it. */
export function attributesOfPartial({ sizeBytes, suspendedMs }: PartialUpload): Attributes {
  const seconds = Math.floor(suspendedMs / 1000);
  return {
    kind: 'file',
    sizeBytes,
    mode: 0o600,
    modifiedSeconds: seconds,
    accessedSeconds: seconds,
    linkCount: 1,
  };
}
