/** Counts connections and says who may come in. No connection costs more than its socket before it was asked here. */
import { addressGroup } from './address.ts';
import type { ConnectionRefusal } from './events.ts';

export interface AdmissionLimits {
  readonly connections: number;
  /** Per IPv4 address or IPv6 /64 network. */
  readonly connectionsPerIp: number;
  readonly unauthenticatedConnections: number;
}

/** One connection's place. */
export interface Seat {
  /** The connection no longer counts as unauthenticated. */
  loggedIn(): void;
  /** The connection is gone. May be called more than once. */
  release(): void;
}

export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #perGroup = new Map<string, number>();
  #connections = 0;
  #unauthenticated = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** A seat, or the cap that was met. */
  admit(address: string): Seat | Exclude<ConnectionRefusal, 'closing'> {
    const group = addressGroup(address);
    const inGroup = this.#perGroup.get(group) ?? 0;
    if (this.#connections >= this.#limits.connections) return 'connections';
    if (inGroup >= this.#limits.connectionsPerIp) return 'connections-per-address';
    if (this.#unauthenticated >= this.#limits.unauthenticatedConnections)
      return 'unauthenticated-connections';
    this.#perGroup.set(group, inGroup + 1);
    this.#connections += 1;
    this.#unauthenticated += 1;
    return this.#seat(group);
  }

  #seat(group: string): Seat {
    let unauthenticated = true;
    let taken = true;
    const loggedIn = (): void => {
      if (unauthenticated) this.#unauthenticated -= 1;
      unauthenticated = false;
    };
    const release = (): void => {
      if (!taken) return;
      taken = false;
      loggedIn();
      this.#connections -= 1;
      const left = (this.#perGroup.get(group) ?? 1) - 1;
      if (left === 0) this.#perGroup.delete(group);
      else this.#perGroup.set(group, left);
    };
    return { loggedIn, release };
  }
}
