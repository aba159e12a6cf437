/**
 * What a supervisor and the one that takes over from it say to each other. They may be of different versions of scpd: see
 * `handOverProtocol`. Each says one thing after the other in the order of this file.
 */
import type { Locked } from '../config/locked.ts';
import type { InheritedListener } from './front.ts';
import type { FromWorker, ToWorker } from './messages.ts';
import type { RelayState } from './ownership-relay.ts';
import type { WorkerState } from './worker-process.ts';

/**
 * Both must have the same number. It is to be raised with every change of what is said here, or in `messages.ts` with
 * what that refers to, that the other side would not understand; then a server has to be stopped and started.
 */
export const handOverProtocol = 1;

/** Says to `scpd serve` that it takes over from its parent: the parent's process number. */
export const takeOverVariable = 'SCPD_TAKES_OVER_FROM';

/** What there is to take over. */
export interface Offer {
  readonly kind: 'offer';
  readonly protocol: number;
  readonly version: string;
  /** What both must have the same. */
  readonly locked: Locked;
  readonly listeners: readonly InheritedListener[];
  /** How many supervisors before the new one may still have workers. */
  readonly depth: number;
}

/** All that the old one knew, and that nothing else tells. */
export interface HandedState {
  readonly workers: readonly WorkerState[];
  /** Peers are workers, by their process numbers. */
  readonly ownership: RelayState;
  /** Who does what the journal has begun and not ended: transfer or session → process. */
  readonly open: readonly (readonly [string, string])[];
}

export type ToSuccessor =
  | Offer
  | { readonly kind: 'state'; readonly state: HandedState }
  | { readonly kind: 'from'; readonly worker: number; readonly message: FromWorker }
  | { readonly kind: 'gone'; readonly worker: number; readonly how: string }
  /** Comes with a socket that was accepted meanwhile. */
  | { readonly kind: 'accepted' };

export type FromSuccessor =
  /** It can't, or not like this; it ends. */
  | { readonly kind: 'unable'; readonly problems: readonly string[] }
  /** Nothing can fail any more but what only one can have. */
  | { readonly kind: 'ready' }
  /** It has all, and serves. */
  | { readonly kind: 'done' }
  | { readonly kind: 'to'; readonly worker: number; readonly message: ToWorker }
  | { readonly kind: 'kill'; readonly worker: number };
