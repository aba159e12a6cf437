/**
 * Which directories still have to be fsynced before a success may be reported. A rename is durable only when the
 * directory is; many changes in one directory need one fsync, so they are gathered until someone asks.
 */
import { fstatSync, openSync } from 'node:fs';
import { at, openFlags } from './descriptor.ts';
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
  /** Every fsync under way or failed; a failure is reported to the next `settle`. */
  #syncing: Promise<void> = Promise.resolve();

  constructor(durability: Durability) {
    this.#durability = durability;
  }

  /** Notes that an entry of the directory behind `descriptor` changed; the caller keeps the descriptor. */
  add(descriptor: number): void {
    if (this.#durability === 'none') return;
    const { dev, ino } = onHostSync(() => fstatSync(descriptor));
    const key = `${dev}:${ino}`;
    if (this.#changed.has(key)) return;
    this.#changed.set(
      key,
      onHostSync(() => openSync(at(descriptor, '.'), openFlags.syncDirectory)),
    );
    const [oldest] = this.#changed;
    if (this.#changed.size > changedDirectoriesMax && oldest !== undefined) this.#sync(...oldest);
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
