/**
 * Which directories still have to be fsynced before a success may be reported. A rename is durable only when the
 * directory is; many changes in one directory need one fsync, so they are gathered until someone asks.
 */
import { fstatSync, openSync } from 'node:fs';
import { at, openFlags, release } from './descriptor.ts';
import { onHost, onHostSync } from './errno.ts';
import { host } from './host-calls.ts';

/** `full`: what was acknowledged survives a power cut. `none`: it survives a crash of the daemon only. */
export type Durability = 'full' | 'none';

/** Changed directories held open until they are synced; above this the oldest is synced at once. */
const changedDirectoriesMax = 64;

export class ChangedDirectories {
  readonly #durability: Durability;
  /** Device and inode → descriptor opened for fsync, oldest first. */
  readonly #changed = new Map<string, number>();
  /** Every fsync under way; once one failed, every `settle` of this session does: what it lost is not known. */
  #syncing: Promise<void> = Promise.resolve();

  constructor(durability: Durability) {
    this.#durability = durability;
  }

  /**
   * Runs a change of entries in directories and remembers to sync them. They are opened for that before the change, so
   * that nothing can fail between a change and the note of it: what throws here has changed nothing.
   */
  async during<T>(directories: readonly number[], change: () => Promise<T>): Promise<T> {
    const opened: (readonly [key: string, descriptor: number])[] = [];
    try {
      for (const directory of directories) this.#open(directory, opened);
      const result = await onHost(change);
      this.#remember(opened.splice(0));
      return result;
    } finally {
      for (const [, descriptor] of opened) release(descriptor);
    }
  }

  /** Resolves when all directories added so far are on disk; rejects if one could not be brought there. */
  async settle(): Promise<void> {
    for (const [key, descriptor] of this.#changed) this.#sync(key, descriptor);
    const syncing = this.#syncing;
    await syncing;
  }

  /** Lets go of what nobody asked to be synced. */
  release(): void {
    for (const descriptor of this.#changed.values()) void host.close(descriptor);
    this.#changed.clear();
  }

  #open(directory: number, opened: (readonly [string, number])[]): void {
    if (this.#durability === 'none') return;
    const { dev, ino } = onHostSync(() => fstatSync(directory));
    opened.push([`${dev}:${ino}`, onHostSync(() => openSync(at(directory, '.'), openFlags.syncDirectory))]);
  }

  #remember(opened: readonly (readonly [key: string, descriptor: number])[]): void {
    for (const [key, descriptor] of opened) {
      if (this.#changed.has(key)) release(descriptor);
      else this.#changed.set(key, descriptor);
    }
    const [oldest] = this.#changed;
    if (this.#changed.size > changedDirectoriesMax && oldest !== undefined) this.#sync(...oldest);
  }

  #sync(key: string, descriptor: number): void {
    this.#changed.delete(key);
    const synced = onHost(() => syncAndClose(descriptor));
    const before = this.#syncing;
    this.#syncing = Promise.all([before, synced]).then(() => undefined);
    this.#syncing.catch(() => undefined); // reported by settle
  }
}

async function syncAndClose(descriptor: number): Promise<void> {
  try {
    await host.fsync(descriptor);
  } finally {
    await host.close(descriptor);
  }
}
