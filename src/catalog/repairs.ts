/**
 * What was changed and could not be noted, because the catalog could not be used at that moment: it is looked at again by
 * a timer until it is noted, so that no count stays wrong until the next start. Should this process end before, the
 * claims that it leaves say where to look.
 */
import { catalogRepairMsMax, catalogRepairMsMin, catalogRepairsMax } from '../limits.ts';
import type { CatalogRoot } from './catalog.ts';

/** How it is done. Each rejects if it can't be done now. */
export interface RepairActs {
  /** Notes what a claim is about as it is, and ends the claim. */
  readonly claim: (id: string, root: CatalogRoot) => Promise<void>;
  readonly root: (root: CatalogRoot) => Promise<void>;
  /** Told of each failure. */
  readonly report: (error: unknown) => void;
}

export class Repairs {
  readonly #acts: RepairActs;
  readonly #claims = new Map<string, CatalogRoot>();
  readonly #roots = new Set<CatalogRoot>();
  #delayMs = catalogRepairMsMin;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(acts: RepairActs) {
    this.#acts = acts;
  }

  /** A claim that is to be ended by looking. @param failure why, if something failed */
  claim(id: string, root: CatalogRoot, failure?: unknown): void {
    if (this.#claims.size < catalogRepairsMax) this.#claims.set(id, root);
    else this.#roots.add(root);
    if (failure !== undefined) this.#acts.report(failure);
    this.#schedule(failure === undefined ? 0 : this.#delayMs);
  }

  /** A root in which something was changed without a claim. */
  root(root: CatalogRoot): void {
    this.#roots.add(root);
    this.#schedule(this.#delayMs);
  }

  /** Tries once more, and no more after that. Does not fail. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#running;
    if (this.#isNeeded) await this.#run();
    clearTimeout(this.#timer);
  }

  get #isNeeded(): boolean {
    return this.#claims.size + this.#roots.size > 0;
  }

  #schedule(delayMs: number): void {
    if (this.#running !== undefined) return; // it looks again itself when it is done
    if (delayMs > 0 && this.#timer !== undefined) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#running = this.#run().finally(() => {
        this.#running = undefined;
        if (this.#isNeeded) this.#schedule(this.#delayMs);
      });
    }, delayMs);
    this.#timer.unref();
  }

  async #run(): Promise<void> {
    try {
      for (const root of this.#roots) {
        this.#roots.delete(root);
        await this.#orAgain(
          () => this.#acts.root(root),
          () => this.#roots.add(root),
        );
      }
      for (const [id, root] of this.#claims) {
        this.#claims.delete(id);
        await this.#orAgain(
          () => this.#acts.claim(id, root),
          () => this.#claims.set(id, root),
        );
      }
      this.#delayMs = catalogRepairMsMin;
    } catch (error) {
      this.#acts.report(error);
      this.#delayMs = Math.min(2 * this.#delayMs, catalogRepairMsMax);
    }
  }

  async #orAgain(act: () => Promise<void>, again: () => void): Promise<void> {
    try {
      await act();
    } catch (error) {
      again();
      throw error;
    }
  }
}
