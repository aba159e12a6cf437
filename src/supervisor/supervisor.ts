/**
 * The life of a server: who serves (a generation for each configuration), by which sockets they come in, and what happens at
 * a reload and at the end. `src/README.md` has the drawing.
 *
 * There is always exactly one current generation. A reload makes a new one first; only when it is ready do connections go
 * to it, and the old one ends with the last of its own. What fails on the way leaves everything as it was.
 */
import { closeSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import type { Config, ListenAddress } from '../config/config.ts';
import type { ConnectionRefusal } from '../ssh/events.ts';
import { Front, type InheritedListener } from './front.ts';
import type { CountedSeat } from './admission.ts';
import type { HandedOver } from './hand-over.ts';
import type { Generation, GenerationStatus, MovableWorkers } from './serving.ts';

export interface SupervisorOptions {
  readonly config: Config;
  readonly log: Logger;
  /** Makes ready what a configuration needs before anybody is served under it, and starts who serves. */
  readonly begin: (config: Config) => Promise<Generation>;
  readonly refused: (socket: Socket, reason: ConnectionRefusal) => void;
  /** The listening sockets of the supervisor that it takes over from. Nobody is let in before `takeOver`. */
  readonly inherited?: readonly InheritedListener[];
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
  const { config, inherited } = options;
  const generation = await options.begin(config);
  const supervisor = new Supervisor(options, generation);
  try {
    if (inherited === undefined) await supervisor.front.listen(config.listen);
    else {
      // Only where nobody listens yet: what can fail is to fail early.
      supervisor.front.hold();
      const isInherited = ({ host, port }: ListenAddress): boolean =>
        inherited.some(({ asked }) => asked.host === host && asked.port === port);
      await supervisor.front.listen(config.listen.filter((address) => !isInherited(address)));
    }
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

  /** Goes on with the generation of another supervisor as with one before a reload, and listens on all addresses. */
  async takeOver(generation: Generation): Promise<void> {
    generation.recheck(this.#config);
    this.#retire(generation);
    const { inherited = [] } = this.#options;
    await this.front.listen(this.#config.listen, inherited);
    // What nobody listens on any more must not let clients wait in vain.
    for (const { asked, descriptor } of inherited) {
      if (!this.front.isListening(asked)) closeSync(descriptor);
    }
  }

  /** Everybody who has been held since the start may come in. */
  open(): void {
    for (const socket of this.front.giveHeld()) this.front.admit(socket);
  }

  /** Once every reload is over. If it is done, this supervisor has nothing any more. */
  async handOver(hand: (pools: readonly MovableWorkers[]) => Promise<HandedOver>): Promise<HandedOver> {
    const handed = this.#reloading.then(async (): Promise<HandedOver> => {
      if (this.#isStopping) return { kind: 'refused', problems: ['the server is stopping'] };
      const pools = this.#all.flatMap(({ movable }) => movable ?? []);
      if (pools.length < this.#all.length)
        return {
          kind: 'refused',
          problems: ['with "workers": 0 connections live in the process itself, and can not outlive it'],
        };
      const outcome = await hand(pools);
      if (outcome.kind === 'done') this.#isStopping = true;
      return outcome;
    });
    this.#reloading = handed.catch(() => undefined);
    return await handed;
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

  #take(socket: Socket, seat: CountedSeat): void {
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
    this.#retire(old);
    return { kind: 'done', changes };
  }

  #retire(generation: Generation): void {
    this.#retired.set(
      generation,
      generation.retire(this.#config.limits).finally(() => this.#retired.delete(generation)),
    );
  }
}
