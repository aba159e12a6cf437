/**
 * Clients that send and fetch without a pause, in both protocols, and what each of them was told and got. Every file has a
 * name of its own, so that what stands under it afterwards says whether this transfer was kept.
 */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { sha256Of, writeRandom } from '../content.ts';
import { remote, type TestServer } from '../server.ts';

export interface Transfer {
  readonly protocol: 'scp' | 'sftp';
  readonly direction: 'up' | 'down';
  readonly path: string;
  readonly beganMs: number;
  readonly endedMs: number;
  readonly status: number | null;
  readonly stderr: string;
  /** Whether what it was to make is there, byte for byte; undefined if nothing is. */
  readonly isExact: boolean | undefined;
}

export interface LoadOptions {
  /** Clients at the same time. */
  readonly clients: number;
  readonly fileBytes: number;
  /** What one client may use, so that a transfer lasts. */
  readonly kilobitsPerSecond: number;
  readonly user?: string;
}

export class Load {
  readonly #server: TestServer;
  readonly #place: string;
  readonly #options: LoadOptions;
  readonly #file: string;
  readonly #transfers: Transfer[] = [];
  #sha256 = '';
  #running: Promise<void>[] = [];
  #isStopping = false;
  #next = 0;

  /** @param place a directory for the clients' files */
  constructor(server: TestServer, place: string, options: LoadOptions) {
    this.#server = server;
    this.#place = place;
    this.#options = options;
    this.#file = join(place, 'source');
  }

  get transfers(): readonly Transfer[] {
    return this.#transfers;
  }

  async start(): Promise<void> {
    writeRandom(this.#file, this.#options.fileBytes);
    this.#sha256 = await sha256Of(this.#file);
    const { user } = this.#options;
    const sent = await this.#server.scp('scp', [this.#file, remote('source', user)]);
    if (sent.status !== 0) throw new Error(sent.stderr);
    this.#running = Array.from({ length: this.#options.clients }, (_, index) => this.#go(index));
  }

  /** Resolves when the last transfer has ended. */
  async stop(): Promise<readonly Transfer[]> {
    this.#isStopping = true;
    await Promise.all(this.#running);
    return this.#transfers;
  }

  /** Each client goes through all four kinds, beginning with another one. */
  async #go(first: number): Promise<void> {
    for (let turn = first; !this.#isStopping; turn += 1) {
      await this.#transfer(turn % 2 === 0 ? 'scp' : 'sftp', turn % 4 < 2 ? 'up' : 'down');
    }
  }

  async #transfer(protocol: Transfer['protocol'], direction: Transfer['direction']): Promise<void> {
    const { kilobitsPerSecond, user } = this.#options;
    const path = `file-${(this.#next += 1)}`;
    const here = join(this.#place, path);
    const beganMs = performance.now();
    const words = direction === 'up' ? [this.#file, remote(path, user)] : [remote('source', user), here];
    const limit = ['-l', String(kilobitsPerSecond)];
    const { status, stderr } = await this.#server.scp(protocol, [...limit, ...words]);
    const endedMs = performance.now();
    const made = direction === 'up' ? this.#server.stored(path, user) : here;
    const isExact = existsSync(made) ? (await sha256Of(made)) === this.#sha256 : undefined;
    rmSync(here, { force: true });
    const transfer = { protocol, direction, path, beganMs, endedMs, status, stderr, isExact };
    this.#transfers.push(transfer);
    if (wasRefused(transfer)) await pause(200);
  }
}

/** What a client says whom nobody answered, or who was sent away before the login. */
export function wasRefused({ stderr }: Transfer): boolean {
  return /Connection refused|kex_exchange_identification|banner exchange/.test(stderr);
}

/** A success of which not every byte is there, or an upload that left half a file under its name. */
export function isWrong({ status, direction, isExact }: Transfer): boolean {
  if (status === 0) return isExact !== true;
  return direction === 'up' && isExact === false; // what a client leaves at its own end is not ours
}
