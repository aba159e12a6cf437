/**
 * How much a user may still store: the one place in which the guard asks. A quota is what the ledger keeps; the floor is
 * what must stay free on the file system, for everyone.
 *
 * A user with a quota is refused while the ledger can't be used: otherwise the quota would not hold. Everybody else is
 * served, because what the ledger knows can be made again from the disk; the failure is reported.
 */
import { ScpdError, errorCode } from '../errors.ts';
import { quotaStepBytes } from '../limits.ts';
import type { Space } from './files.ts';
import type { Taken } from './partial-uploads.ts';
import {
  isCurrent,
  type Admit,
  type Claim,
  type ClaimRequest,
  type KnownEntry,
  type Ledger,
  type Moved,
  type Quota,
  type Shared,
  type Usage,
} from './ledger.ts';
import type { KeptVersion, Place, StagedFile, StageOptions, Store, StoredAttributes } from './store.ts';
import { UploadClaim, type UploadClaimFacts } from './upload-claim.ts';
import { rootPath, type VirtualPath } from './virtual-path.ts';

export interface QuotaKeeperOptions {
  readonly ledger: Ledger;
  readonly quota: Quota;
  /** Whether there are quotas of directories in the same root. */
  readonly sharesQuotas?: boolean;
  /** What uploads must leave free on their file system. */
  readonly freeBytesMin: number;
  /** Told of each failure of the ledger. */
  readonly onFailure: (error: unknown) => void;
}

export interface StagingFacts {
  readonly store: Store;
  readonly declaredBytes?: number | undefined;
  /** Whether the file can't be removed for a time. */
  readonly retained: boolean;
  /** What it goes on with. */
  readonly taken?: Taken | undefined;
}

const unused: Usage = { bytes: 0, files: 0, reservedBytes: 0, reservedFiles: 0 };

/** A ledger that keeps nothing: nobody has a quota then. */
export const noLedger: Ledger = {
  claim: async () => noClaim,
  usage: async () => unused,
  sharedAt: async () => [],
  entryAt: async () => undefined,
  unclaimed: () => noClaim,
  partialAt: async () => undefined,
  takePartial: async () => undefined,
};

/** Keeps nothing. */
const noClaim: Claim = {
  id: undefined,
  resize: async () => true,
  noteStaged: async () => undefined,
  suspend: async () => undefined,
  made: async () => undefined,
  removed: async () => undefined,
  changed: async () => undefined,
  move: (act) => act(async () => undefined),
  release: async () => undefined,
};

/** Keeps one user, in one session, within the quota. */
export class QuotaKeeper {
  readonly #options: QuotaKeeperOptions;

  constructor(options: QuotaKeeperOptions) {
    this.#options = options;
  }

  /**
   * Makes something that is no upload. Throws QUOTA_EXCEEDED, and what `act` throws, as do the other changes.
   * @param facts.known of a file that gets a second name: that counts like a copy
   */
  async making(
    place: Place,
    { bytes, known }: { readonly bytes: number; readonly known?: KnownEntry | undefined },
    act: () => Promise<void>,
  ): Promise<void> {
    const content = known?.sha256 ? { ...known, sha256: known.sha256 } : undefined;
    await this.#change(place, { bytes, creates: true, apart: true }, act, (claim) =>
      claim.made((path) => place.lookAt(path), content),
    );
  }

  /** @param act answers what is a version now */
  async removing<T extends KeptVersion | undefined | void>(place: Place, act: () => Promise<T>): Promise<T> {
    return await this.#change(place, { bytes: 0, creates: false }, act, (claim, kept) =>
      claim.removed((path) => place.lookAt(path), kept ?? undefined),
    );
  }

  /** Changes mode or times. */
  async changing(
    { place, attributes }: { readonly place: Place; readonly attributes: StoredAttributes },
    act: () => Promise<void>,
  ): Promise<void> {
    await this.#change(place, { bytes: 0, creates: false }, act, (claim) =>
      claim.changed((path) => place.lookAt(path), attributes),
    );
  }

  /** @param act answers where it was moved to, and what is a version now; `Claim.move` says how it must be */
  async moving<T extends Moved>(place: Place, target: Place, act: (admit: Admit) => Promise<T>): Promise<T> {
    const isInPlace = (): boolean => place.isInPlace() && target.isInPlace();
    const ends = { path: place.path, target: target.path };
    const claim = await this.#claim({ ...ends, bytes: 0, creates: false, isInPlace });
    const actInPlace = async (admit: Admit): Promise<T> => {
      if (!isInPlace()) throw new ScpdError('NOT_FOUND', 'a directory was renamed or removed meanwhile');
      return await act(admit);
    };
    const look = (path: VirtualPath): StoredAttributes | undefined => place.lookAt(path);
    const moved = await this.#ask(() => claim.move(actInPlace, look), undefined);
    return moved ?? (await this.#options.ledger.unclaimed().move(actInPlace, look));
  }

  /**
   * Stages an upload, with a claim on what it will need: what the client has declared, else step by step; or with that of the
   * interrupted one that it goes on with. Throws QUOTA_EXCEEDED, or NO_SPACE where the file system has no room for it above
   * the floor.
   */
  async staging(
    place: Place,
    plan: StageOptions,
    { store, declaredBytes = 0, retained, taken }: StagingFacts,
  ): Promise<{ readonly staged: StagedFile; readonly claim: UploadClaim }> {
    await this.#checkSpace(store, declaredBytes);
    // What stays as a version and counts makes no room.
    const keepsOld = plan.keepsVersion === true && this.#options.quota.countsVersions !== false;
    const request = {
      path: place.path,
      bytes: declaredBytes,
      creates: true,
      apart: plan.exclusive || keepsOld,
      retained,
      isInPlace: () => place.isInPlace(),
    };
    const claim = taken?.claim ?? (await this.#claim(request));
    try {
      const staged = await place.stage({ ...plan, partial: taken?.upload });
      const checkFloor = async (neededBytes = 0): Promise<void> => {
        if (this.#options.freeBytesMin > 0) await this.#checkSpace(store, neededBytes);
      };
      const grow = async (sizeBytes: number): Promise<number> => {
        await checkFloor(Math.max(quotaStepBytes, sizeBytes - staged.sizeBytes));
        return await this.#grow(claim, sizeBytes);
      };
      const end: UploadClaimFacts['end'] = (note) => this.#end(() => note(claim));
      const maySuspend = async (): Promise<boolean> => {
        if (taken !== undefined) return true; // it was there before
        return await checkFloor().then(
          () => true,
          () => false,
        );
      };
      const dropPartial = (id: string): Promise<void> => store.dropPartial(id);
      const facts = { claim, grow, checkFloor, end, maySuspend, dropPartial };
      return { staged, claim: new UploadClaim(taken?.upload.sizeBytes ?? declaredBytes, facts) };
    } catch (error) {
      // What is not there any more can't be gone on with.
      const isLost = taken === undefined || errorCode(error) === 'NOT_FOUND';
      await this.#end(() => (isLost ? claim.release() : claim.suspend(taken.upload.sizeBytes)));
      throw error;
    }
  }

  /** What of a file system is there for this user at a path: the tightest of all quotas. */
  async space(found: Space, path: VirtualPath): Promise<Space> {
    const { quota, freeBytesMin, ledger } = this.#options;
    const isLimited = quota.bytesMax !== undefined || quota.filesMax !== undefined;
    const own = isLimited ? [{ ...quota, ...(await this.#ask(() => ledger.usage(), unused)) }] : [];
    const limits = [...own, ...(await this.#ask(() => ledger.sharedAt(path), []))];
    const start = { ...found, availableBytes: Math.max(0, found.availableBytes - freeBytesMin) };
    return limits.reduce(within, start);
  }

  /** What is known of a path, whether or not it is still what is there. Throws STORAGE_FAILED: nobody may guess. */
  async entryAt(path: VirtualPath): Promise<KnownEntry | undefined> {
    try {
      return await this.#options.ledger.entryAt(path);
    } catch (error) {
      this.#options.onFailure(error);
      throw new ScpdError('STORAGE_FAILED', 'the catalog', { cause: error });
    }
  }

  /** What is known of a stored file, if it is still what is there. */
  async known(path: VirtualPath, found: StoredAttributes): Promise<KnownEntry | undefined> {
    try {
      const entry = await this.#options.ledger.entryAt(path);
      return entry !== undefined && isCurrent(entry, found) ? entry : undefined;
    } catch (error) {
      this.#options.onFailure(error);
      return undefined;
    }
  }

  /** A change between a claim and the note of what became of it. */
  async #change<T>(
    place: Place,
    request: Omit<ClaimRequest, 'path'>,
    act: () => Promise<T>,
    note: (claim: Claim, done: T) => Promise<void>,
  ): Promise<T> {
    const claim = await this.#claim({ path: place.path, ...request, isInPlace: () => place.isInPlace() });
    let done: T;
    try {
      done = await act();
    } catch (error) {
      await this.#end(() => claim.release());
      throw error;
    }
    await this.#end(() => note(claim, done));
    return done;
  }

  async #claim(request: ClaimRequest): Promise<Claim> {
    const { ledger } = this.#options;
    const claim = await this.#ask(() => ledger.claim(request), ledger.unclaimed());
    if (claim === undefined) throw new ScpdError('QUOTA_EXCEEDED', request.path);
    return claim;
  }

  /** Claims ahead if there is room, else just what is needed. Answers the size that is granted. */
  async #grow(claim: Claim, sizeBytes: number): Promise<number> {
    const aheadBytes = Math.ceil(sizeBytes / quotaStepBytes) * quotaStepBytes;
    // What a claim holds matters to nobody where bytes are not limited.
    const { quota, sharesQuotas = false } = this.#options;
    if (quota.bytesMax === undefined && !sharesQuotas) return aheadBytes;
    if (await this.#ask(() => claim.resize(aheadBytes), true)) return aheadBytes;
    if (await this.#ask(() => claim.resize(sizeBytes), true)) return sizeBytes;
    throw new ScpdError('QUOTA_EXCEEDED');
  }

  /** Uploads grow on the file system of the root, wherever they are to go. */
  async #checkSpace(store: Store, neededBytes: number): Promise<void> {
    const { freeBytesMin } = this.#options;
    if (freeBytesMin === 0 && neededBytes < quotaStepBytes) return; // the disk itself will say
    const root = await store.locate(rootPath, { follow: false });
    try {
      const { availableBytes } = await root.space();
      if (availableBytes - neededBytes < freeBytesMin) throw new ScpdError('NO_SPACE', 'below freeSpaceMin');
    } finally {
      root.close();
    }
  }

  /** Asks the ledger; if it fails, a user without a quota goes on as if it had answered `otherwise`. */
  async #ask<T, Otherwise = T>(ask: () => Promise<T>, otherwise: Otherwise): Promise<T | Otherwise> {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof ScpdError) throw error; // an answer, not a failure
      this.#options.onFailure(error);
      const { quota, sharesQuotas = false } = this.#options;
      if (quota.bytesMax === undefined && quota.filesMax === undefined && !sharesQuotas) return otherwise;
      throw new ScpdError('STORAGE_FAILED', 'the catalog, without which quotas can not be kept', {
        cause: error,
      });
    }
  }

  /** Notes what became of a claim. It is done on the disk: a failure can't undo it, and the ledger will look again. */
  async #end(note: () => Promise<unknown>): Promise<void> {
    try {
      await note();
    } catch (error) {
      this.#options.onFailure(error);
    }
  }
}

/** For whoever has no ledger: nothing is counted and nothing refused. */
export const noQuota = new QuotaKeeper({
  ledger: noLedger,
  quota: {},
  freeBytesMin: 0,
  onFailure: () => undefined,
});

/** What of a space a quota leaves. */
function within(space: Space, { bytesMax, filesMax, ...used }: Shared): Space {
  const leftBytes = left(bytesMax, used.bytes + used.reservedBytes);
  const leftFiles = left(filesMax, used.files + used.reservedFiles);
  return {
    blockBytes: space.blockBytes,
    totalBytes: Math.min(space.totalBytes, bytesMax ?? Infinity),
    freeBytes: Math.min(space.freeBytes, leftBytes),
    availableBytes: Math.min(space.availableBytes, leftBytes),
    totalFiles: Math.min(space.totalFiles, filesMax ?? Infinity),
    freeFiles: Math.min(space.freeFiles, leftFiles),
  };
}

function left(max: number | undefined, used: number): number {
  return max === undefined ? Infinity : Math.max(0, max - used);
}
