/**
 * What makes an upload one that can be gone on with after an interruption: its bytes come in order, from the first one on,
 * so that so many bytes in the file are so many bytes of the client's. The first that come in another order end that.
 *
 * An upload that goes on with an interrupted one says by its first write what it means: where it goes on, or, at the first byte,
 * that it begins anew (OpenSSH's scp opens a file no differently for that). Until then nothing has changed.
 */
import { ScpdError } from '../errors.ts';
import { partialBlockBytes, partialBytesMin } from '../limits.ts';
import type { PartialUpload } from './ledger.ts';
import type { UploadClaim } from './upload-claim.ts';
import type { StagedFile } from './store.ts';

export interface ResumptionFacts {
  readonly staged: StagedFile;
  readonly claim: UploadClaim;
  /** Whether it is a new file, from a client that would go on with it. */
  readonly isWanted: boolean;
  /** The interrupted upload that it goes on with. */
  readonly resumed: PartialUpload | undefined;
}

/**
 * How much is kept of what came. Never all of it, so that it is always shorter than the file: no client may take it for the
 * whole, and sizes are all that clients compare.
 */
export function partialBytesOf(receivedBytes: number): number {
  const kept = Math.floor((receivedBytes - 1) / partialBlockBytes) * partialBlockBytes;
  return kept < partialBytesMin ? 0 : kept;
}

export class Resumption {
  readonly #facts: ResumptionFacts;
  #resumed: PartialUpload | undefined;
  #isUntouched: boolean;
  #isInOrder: boolean;
  /** Whether the ledger knows that the bytes come in order. */
  #isNoted: boolean;
  #isAsked: boolean;

  constructor(facts: ResumptionFacts) {
    this.#facts = facts;
    this.#resumed = facts.resumed;
    this.#isUntouched = facts.resumed !== undefined;
    this.#isNoted = facts.resumed !== undefined;
    this.#isAsked = this.#isNoted;
    this.#isInOrder = facts.isWanted;
  }

  /** What it goes on with; undefined if it began anew. */
  get resumed(): PartialUpload | undefined {
    return this.#resumed;
  }

  /** Whether it was to go on with another upload, and nothing has come yet. */
  get isUntouched(): boolean {
    return this.#isUntouched;
  }

  /**
   * To be called before bytes are written. Throws NOT_CONTINUED if they don't belong to what is kept.
   * @param start where they will stand @param offset where the client says that they do
   */
  async beforeWrite(start: number, offset: number): Promise<void> {
    const { staged } = this.#facts;
    if (this.#isUntouched) {
      // With APPEND the offset says nothing, but those who go on send the right one: it must be the end that they saw.
      const isElsewhere = start > staged.sizeBytes || (offset !== start && offset > 0);
      if (isElsewhere) throw new ScpdError('NOT_CONTINUED', `${staged.sizeBytes} bytes are kept`);
      this.#isUntouched = false;
      if (start === 0) await this.#beginAnew();
    } else if (this.#isAppendedToNothing(start, offset)) {
      throw new ScpdError('NOT_CONTINUED', 'what was to be gone on with is not there any more');
    }
    if (start !== staged.sizeBytes) await this.#leaveOrder();
  }

  async beforeResize(sizeBytes: number): Promise<void> {
    if (this.#isUntouched && sizeBytes === 0) await this.#beginAnew();
    this.#isUntouched = false;
    if (sizeBytes !== this.#facts.staged.sizeBytes) await this.#leaveOrder();
  }

  /** To be called when bytes were written. */
  async wrote(): Promise<void> {
    const { staged, claim } = this.#facts;
    if (this.#isAsked || !this.#isInOrder || partialBytesOf(staged.sizeBytes) === 0) return;
    // Asked once: where it can't be noted, a crash loses what came.
    this.#isNoted = await claim.noteStaged(staged.name);
    this.#isAsked = true;
  }

  /**
   * Ends the upload without a file under its name: keeps what came, if it may be kept, or removes it. Never throws.
   * @returns how much is kept
   */
  async end({ mayKeep }: { readonly mayKeep: boolean }): Promise<number> {
    const { staged, claim, resumed } = this.#facts;
    const keptBytes = this.#isUntouched ? (resumed?.sizeBytes ?? 0) : mayKeep ? this.#keepable : 0;
    if (keptBytes > 0 && (await claim.suspend(staged, keptBytes))) return keptBytes;
    if (keptBytes === 0) await staged.discard();
    await claim.release();
    return 0;
  }

  /** Before the first byte: with APPEND the rest of a file that was shown a moment ago would become the whole of it. */
  #isAppendedToNothing(start: number, offset: number): boolean {
    return this.#facts.isWanted && this.#facts.staged.sizeBytes === 0 && start === 0 && offset > 0;
  }

  get #keepable(): number {
    return this.#isInOrder ? partialBytesOf(this.#facts.staged.sizeBytes) : 0;
  }

  async #beginAnew(): Promise<void> {
    this.#resumed = undefined;
    await this.#facts.staged.setAttributes({ sizeBytes: 0 });
  }

  /** Noted before it happens: otherwise a crash could leave a file that is taken for one whose bytes came in order. */
  async #leaveOrder(): Promise<void> {
    if (this.#isNoted) await this.#facts.claim.forgetStaged();
    this.#isNoted = false;
    this.#isInOrder = false;
  }
}
