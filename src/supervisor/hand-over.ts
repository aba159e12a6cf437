/**
 * A supervisor gives all that it has to another one: the listening sockets, the journal, the counts, the ownership window, its
 * workers. `src/README.md` has the drawing. Until the other one says that it has everything, this one can go on, and does
 * if anything fails. After that it relays what its workers say, and ends with the last of them.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { handOverQuietMsMax, handOverTakeMsMax, successorStartMsMax, workerEndMsMax } from '../limits.ts';
import type { Front } from './front.ts';
import type { HandedState, Offer } from './hand-over-messages.ts';
import type { OwnershipRelay } from './ownership-relay.ts';
import type { MovableWorkers } from './serving.ts';
import { Successor, SuccessorProblem } from './successor.ts';
import type { WorkerLink } from './worker-link.ts';

export interface HandOverOptions {
  readonly offer: Omit<Offer, 'kind' | 'listeners'>;
  readonly front: Front;
  readonly pools: readonly MovableWorkers[];
  /** Somebody wants an end of it all. */
  readonly isStopping: () => boolean;
  readonly ownership: OwnershipRelay;
  /** Lets go of what only one process can have: the journal, the control socket, the health port. */
  readonly release: () => Promise<void>;
  /** Takes it again. */
  readonly retake: () => Promise<void>;
  /** What was open in the journal when it was let go of. */
  readonly open: () => HandedState['open'];
  readonly log: Logger;
}

export type HandedOver =
  /** @param ended resolves when the last worker of this process is gone */
  | { readonly kind: 'done'; readonly pid: number; readonly ended: Promise<void> }
  | { readonly kind: 'refused'; readonly problems: readonly string[] };

/** Never rejects. */
export async function handOver(options: HandOverOptions): Promise<HandedOver> {
  const { front, pools, log } = options;
  const successor = new Successor({ ...options.offer, listeners: front.descriptors });
  let isReleased = false;
  try {
    await successor.says('ready', successorStartMsMax);
    front.hold();
    for (const pool of pools) pool.pause();
    await quiet(options);
    if (options.isStopping()) throw new Error('the server is stopping');
    isReleased = true;
    await options.release();
    successor.send({ kind: 'state', state: stateOf(options) });
    await successor.says('done', handOverTakeMsMax);
  } catch (error) {
    await successor.kill();
    if (isReleased)
      await options
        .retake()
        .catch((failure: unknown) => log.fatal({ err: failure }, 'nothing can be served'));
    for (const pool of pools) pool.resume();
    for (const socket of front.giveHeld()) front.admit(socket);
    const words = error instanceof Error ? error.message : String(error);
    return { kind: 'refused', problems: error instanceof SuccessorProblem ? error.problems : [words] };
  }
  front.close();
  const relayed = relay(pools, successor);
  const given = Promise.all(front.giveHeld().map((socket) => successor.give(socket)));
  const ended = Promise.all([relayed, given]).then(() => successor.leave());
  return { kind: 'done', pid: successor.pid, ended };
}

/** Resolves when nobody waits for anything. Nothing new comes meanwhile, so that takes as long as the slowest answer. */
async function quiet({ pools, ownership }: HandOverOptions): Promise<void> {
  const isQuiet = (): boolean => ownership.isQuiet && pools.every((pool) => pool.isQuiet);
  for (let waitedMs = 0; !isQuiet(); waitedMs += 5) {
    if (waitedMs > handOverQuietMsMax)
      throw new Error('a worker gives no answer, or the audit journal can not be written; try again later');
    await delay(5);
  }
}

function stateOf({ pools, ownership, open }: HandOverOptions): HandedState {
  const processes = pools.flatMap((pool) => pool.processes);
  const numbers = new Map(processes.map(({ peer, pid }) => [peer, pid]));
  return {
    workers: processes.map(({ state }) => state),
    ownership: ownership.state((peer) => numbers.get(peer)),
    open: open(),
  };
}

/** Resolves when all workers are gone. Without the other supervisor they end, as always without one. */
async function relay(pools: readonly MovableWorkers[], successor: Successor): Promise<void> {
  const processes = pools.flatMap((pool) => pool.processes);
  for (const pool of pools) pool.abandon();
  const links = new Map<number, WorkerLink>();
  const gone = processes.map(
    (worker) =>
      new Promise<void>((resolve) => {
        const { pid } = worker;
        const link = worker.relayTo({
          onMessage: (message) => successor.send({ kind: 'from', worker: pid, message }),
          onGone: (how) => {
            successor.send({ kind: 'gone', worker: pid, how });
            resolve();
          },
        });
        links.set(pid, link);
      }),
  );
  successor.listen(
    (message) => {
      if (message.kind === 'to') links.get(message.worker)?.send(message.message);
      if (message.kind === 'kill') links.get(message.worker)?.kill();
    },
    () => {
      for (const link of links.values()) link.disconnect();
      setTimeout(() => {
        for (const link of links.values()) link.kill();
      }, workerEndMsMax).unref();
    },
  );
  await Promise.all(gone);
}
