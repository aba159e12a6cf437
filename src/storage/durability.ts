/**
 * What still has to be fsynced before a success may be reported: directories whose entries changed, and what got another
 * mode or other times. A rename is durable only when the directory is; many changes in one directory need one fsync, so
 * they are gathered until someone asks.
 */
import { chmodSync, fstatSync, openSync } from 'node:fs';
import { at, itself, openFlags, release } from './descriptor.ts';
import { hasErrno, onHost, onHostSync } from './errno.ts';
import { host } from './host-calls.ts';

/** `full`: what was acknowledged survives a power cut. `none`: it survives a crash of the daemon only. */
export type Durability = 'full' | 'none';

/** What is held open until it is synced; a change that would exceed it first waits for the oldest. */
const unsyncedMax = 64;

type Opened = readonly [key: string, descriptor: number];

export class Unsynced {
  readonly #durability: Durability;
  /** Device and inode → descriptor opened for fsync, oldest first. */
  readonly #waiting = new Map<string, number>();
  /**
   * Every fsync under way; once one failed, every `settle` of this session does. What it lost is not known, the kernel tells of
   * it once, and who waits for it may come to ask only later: a client that goes on must connect anew.
   */
  #syncing: Promise<void> = Promise.resolve();

  constructor(durability: Durability) {
    this.#durability = durability;
  }

  /**
   * Runs a change of entries in directories and remembers to sync them. They are opened for that before the change, so
   * that nothing can fail between a change and the note of it: what throws here has changed nothing.
   */
  async during<T>(directories: readonly number[], change: () => Promise<T>): Promise<T> {
    const opened: Opened[] = [];
    try {
      for (const directory of directories) {
        await this.#makeRoom();
        this.#open(() => openSync(at(directory, '.'), openFlags.syncDirectory), opened);
      }
      const result = await onHost(change);
      this.#remember(opened.splice(0));
      return result;
    } finally {
      for (const [, descriptor] of opened) release(descriptor);
    }
  }

  /** The same for a change of mode or times. @param descriptor of the file or directory itself, opened with O_PATH */
  async duringChangeOf(descriptor: number, change: () => Promise<void>): Promise<void> {
    const opened: Opened[] = [];
    try {
      await this.#makeRoom();
      this.#open(() => openToSync(descriptor), opened);
      await onHost(change);
      this.#remember(opened.splice(0));
    } finally {
      for (const [, synced] of opened) release(synced);
    }
  }

  /** Resolves when all that was added so far is on disk; rejects if one could not be brought there. */
  async settle(): Promise<void> {
    for (const [key, descriptor] of this.#waiting) this.#sync(key, descriptor);
    const syncing = this.#syncing;
    await syncing;
  }

  /** Lets go of what nobody asked to be synced. */
  release(): void {
    for (const descriptor of this.#waiting.values()) void host.close(descriptor);
    this.#waiting.clear();
  }

  #open(open: () => number, opened: Opened[]): void {
    if (this.#durability === 'none') return;
    const descriptor = onHostSync(open);
    const { dev, ino } = fstatSync(descriptor);
    opened.push([`${dev}:${ino}`, descriptor]);
  }

  #remember(opened: readonly Opened[]): void {
    for (const [key, descriptor] of opened) {
      if (this.#waiting.has(key)) release(descriptor);
      else this.#waiting.set(key, descriptor);
    }
  }

  /** Waits for nobody's success, only for a descriptor: what fails here is told by `settle`. */
  async #makeRoom(): Promise<void> {
    const [oldest] = this.#waiting;
    if (this.#waiting.size < unsyncedMax || oldest === undefined) return;
    this.#sync(...oldest);
    await this.#syncing.catch(() => undefined);
  }

  #sync(key: string, descriptor: number): void {
    this.#waiting.delete(key);
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
    release(descriptor); // a trip through the thread pool would take longer
  }
}

/**
 * Opens what is behind an O_PATH descriptor so that it can be fsynced. Where the mode keeps its owner out, as it may keep the
 * daemon, the owner gets the right to read for that moment. Throws host errors.
 */
function openToSync(descriptor: number): number {
  for (const flags of [openFlags.syncAnything, openFlags.syncWritable]) {
    try {
      return openSync(itself(descriptor), flags);
    } catch (error) {
      if (!hasErrno(error, 'EACCES', 'EISDIR')) throw error;
    }
  }
  const { mode } = fstatSync(descriptor);
  chmodSync(itself(descriptor), (mode & 0o7777) | 0o400);
  try {
    return openSync(itself(descriptor), openFlags.syncAnything);
  } finally {
    chmodSync(itself(descriptor), mode & 0o7777);
  }
}
