/** What one upload may come to hold: its claim, as the quota's keeper hands it out (`quota.ts`). */
import { quotaStepBytes } from '../limits.ts';
import type { Claim, Content, Look } from './ledger.ts';
import type { StagedFile } from './store.ts';

export interface UploadClaimFacts {
  readonly claim: Claim;
  readonly grow: (sizeBytes: number) => Promise<number>;
  readonly checkFloor: () => Promise<void>;
  readonly end: (note: (claim: Claim) => Promise<void>) => Promise<void>;
  /** Whether there is room for what waits. Never rejects. */
  readonly maySuspend: () => Promise<boolean>;
  readonly dropPartial: (id: string) => Promise<void>;
}

/** What an upload may come to hold. The first of `stored`, `suspend` and `release` ends it; what follows does nothing. */
export class UploadClaim {
  readonly #facts: UploadClaimFacts;
  #isOver = false;
  #grantedBytes: number;
  /** Written since the floor was looked at. */
  #unseenBytes = 0;

  constructor(grantedBytes: number, facts: UploadClaimFacts) {
    this.#grantedBytes = grantedBytes;
    this.#facts = facts;
  }

  /**
   * To be called before the file has this size, and before bytes are written. Throws QUOTA_EXCEEDED or NO_SPACE. The floor
   * is looked at again as bytes are written, because other uploads fill the same file system, and a size is no space.
   */
  async cover(sizeBytes: number, writtenBytes = 0): Promise<void> {
    this.#unseenBytes += writtenBytes;
    if (this.#unseenBytes >= quotaStepBytes) {
      await this.#facts.checkFloor();
      this.#unseenBytes = 0;
    }
    if (sizeBytes > this.#grantedBytes) this.#grantedBytes = await this.#facts.grow(sizeBytes);
  }

  /** Of the upload; undefined if nobody will remember it. */
  get id(): string | undefined {
    return this.#facts.claim.id;
  }

  /** Notes under which name the bytes grow, in order. False if that can't be noted. Never throws. */
  async noteStaged(name: string): Promise<boolean> {
    let isNoted = false;
    await this.#facts.end(async (claim) => {
      await claim.noteStaged(name);
      isNoted = true;
    });
    return isNoted;
  }

  /** Takes that note back. Throws if that is not possible. */
  async forgetStaged(): Promise<void> {
    await this.#facts.claim.noteStaged(undefined);
  }

  /** Ends the upload for now: so much of it is kept. False if that is not possible; it is removed then. Never throws. */
  async suspend(staged: StagedFile, bytes: number): Promise<boolean> {
    const { claim, maySuspend, end, dropPartial } = this.#facts;
    const { id } = claim;
    if (id === undefined || !(await maySuspend())) {
      await staged.discard();
      return false;
    }
    if (!(await staged.suspend(id, bytes))) return false;
    let gaveWay: readonly string[] | undefined;
    await end(async () => {
      gaveWay = await claim.suspend(bytes);
    });
    this.#isOver = gaveWay !== undefined;
    await end(async () => {
      for (const other of gaveWay ?? [id]) await dropPartial(other);
    });
    return this.#isOver;
  }

  /** Notes the file that stands under its name now. Never throws. */
  async stored(published: Content, look: Look): Promise<void> {
    await this.#end((claim) => claim.made(look, published));
  }

  /** Gives everything back. Never throws. */
  async release(): Promise<void> {
    await this.#end((claim) => claim.release());
  }

  async #end(note: (claim: Claim) => Promise<void>): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    await this.#facts.end(note);
  }
}
