/**
 * The life of a server: who serves (a generation for each configuration), by which sockets they come in, and what happens at
 * a reload and at the end. `src/README.md` has the drawing.
 *
 * There is always exactly one current generation. A reload makes a new one first; only when it is ready do connections go
 * to it, and the old one ends with the last of its own. What fails on the way leaves everything as it was.
 */
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import type { Config, ListenAddress } from '../config/config.ts';
import type { ConnectionRefusal, Seat } from '../ssh/events.ts';
import { Front } from './front.ts';
import type { Generation, GenerationStatus } from './serving.ts';

export interface SupervisorOptions {
  readonly config: Config;
  readonly log: Logger;
  /** Makes ready what a configuration needs before anybody is served under it, and starts who serves. */
  readonly begin: (config: Config) => Promise<Generation>;
  readonly refused: (socket: Socket, reason: ConnectionRefusal) => void;
}

/** What became of a reload. */
export type Reloaded =
  | { readonly kind: 'done'; readonly changes: readonly string[] }
  | { readonly kind: 'refused'; readonly problems: readonly string[] };

/** A configuration that was checked, and what is different in it; or why it can't be used. */
export type Candidate =
  | { readonly kind: 'sound'; readonly config: Config; readonly changes: readonly string[] }
  | { readonly kind: 'unsound'; readonly problems: readonly string[] };

/** Starts everything, or rejects and leaves nothing. */
export async function startSupervisor(options: SupervisorOptions): Promise<Supervisor> {
  const generation = await options.begin(options.config);
  const supervisor = new Supervisor(options, generation);
  try {
    await supervisor.front.listen(options.config.listen);
    return supervisor;
  } catch (error) {
    await generation.close({ drainSeconds: 0 });
    throw error;
  }
}

export class Supervisor {
  readonly front: Front;
  readonly #options: SupervisorOptions;
  #config: Config;
  #current: Generation;
  /** Those before it that still have connections, with their ends. */
  readonly #retired = new Map<Generation, Promise<void>>();
  #reloading: Promise<unknown> = Promise.resolve();
  #isStopping = false;

  constructor(options: SupervisorOptions, generation: Generation) {
    this.#options = options;
    this.#config = options.config;
    this.#current = generation;
    this.front = new Front({
      limits: options.config.limits,
      take: (socket, seat) => this.#take(socket, seat),
      refused: options.refused,
      log: options.log,
    });
  }

  get config(): Config {
    return this.#config;
  }

  get addresses(): readonly ListenAddress[] {
    return this.front.addresses;
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  async status(): Promise<GenerationStatus> {
    const all = await Promise.all(this.#all.map((generation) => generation.status()));
    return {
      workers: all.flatMap(({ workers }) => workers),
      connections: all.flatMap(({ connections }) => connections),
      transfers: all.flatMap(({ transfers }) => transfers),
    };
  }

  endConnection(id: string): void {
    for (const generation of this.#all) generation.endConnection(id);
  }

  /** One reload after the other; the next one finds what the last one made. */
  async reload(check: (current: Config) => Promise<Candidate>): Promise<Reloaded> {
    const reloaded = this.#reloading.then(() => this.#reload(check));
    this.#reloading = reloaded.catch(() => undefined);
    return await reloaded;
  }

  /** Takes no more connections, lets transfers finish for the drain time, and resolves when nobody serves any more. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.front.close();
    await this.#reloading;
    const { drainSeconds } = this.#config.limits;
    await Promise.all(this.#all.map((generation) => generation.close({ drainSeconds })));
    await Promise.all(this.#retired.values());
  }

  get #all(): Generation[] {
    return [this.#current, ...this.#retired.keys()];
  }

  #take(socket: Socket, seat: Seat): void {
    this.#current.take(socket, seat);
  }

  async #reload(check: (current: Config) => Promise<Candidate>): Promise<Reloaded> {
    if (this.#isStopping) return { kind: 'refused', problems: ['the server is stopping'] };
    const candidate = await check(this.#config);
    if (candidate.kind === 'unsound') return { kind: 'refused', problems: candidate.problems };
    const { config, changes } = candidate;
    let next: Generation | undefined;
    try {
      next = await this.#options.begin(config);
      await this.front.listen(config.listen);
    } catch (error) {
      await next?.close({ drainSeconds: 0 });
      return { kind: 'refused', problems: [error instanceof Error ? error.message : String(error)] };
    }
    const old = this.#current;
    this.#current = next;
    this.#config = config;
    this.front.admission.limits = config.limits;
    for (const generation of [old, ...this.#retired.keys()]) generation.recheck(config);
    this.#retired.set(
      old,
      old.retire(config.limits).finally(() => this.#retired.delete(old)),
    );
    return { kind: 'done', changes };
  }
}
