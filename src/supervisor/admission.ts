/**
 * Counts connections and says who may come in. No connection costs more than its socket before it was asked here. There
 * is one for the whole server, so that the caps hold however many processes serve.
 */
import type { ConnectionRefusal, Seat } from '../ssh/events.ts';
import { addressGroup } from './address-group.ts';

export interface AdmissionLimits {
  readonly connections: number;
  /** Per IPv4 address or IPv6 /64 network. */
  readonly connectionsPerIp: number;
  /** That are logged in. */
  readonly connectionsPerUser: number;
  readonly unauthenticatedConnections: number;
}

/** A seat, and whom it counts for. */
export interface CountedSeat extends Seat {
  /** Of addresses. */
  readonly group: string;
  readonly user: string | undefined;
}

export class Admission {
  #limits: AdmissionLimits;
  readonly #perGroup = new Counts();
  readonly #perUser = new Counts();
  #connections = 0;
  #unauthenticated = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** From now on these count; nobody who is in is sent away. */
  set limits(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  get counts(): { readonly connections: number; readonly unauthenticated: number } {
    return { connections: this.#connections, unauthenticated: this.#unauthenticated };
  }

  /** Logged-in connections of each user that has any. */
  get users(): ReadonlyMap<string, number> {
    return this.#perUser.all;
  }

  /** A seat, or the cap that was met. */
  admit(address: string): CountedSeat | Exclude<ConnectionRefusal, 'closing'> {
    const group = addressGroup(address);
    if (this.#connections >= this.#limits.connections) return 'connections';
    if (this.#perGroup.of(group) >= this.#limits.connectionsPerIp) return 'connections-per-address';
    if (this.#unauthenticated >= this.#limits.unauthenticatedConnections)
      return 'unauthenticated-connections';
    return this.#seat(group);
  }

  /** For a connection that is there already, whatever the caps say. */
  adopt({ group, user }: { readonly group: string; readonly user?: string }): CountedSeat {
    return this.#seat(group, user);
  }

  #seat(group: string, loggedIn?: string): CountedSeat {
    this.#perGroup.add(group, 1);
    this.#connections += 1;
    if (loggedIn === undefined) this.#unauthenticated += 1;
    else this.#perUser.add(loggedIn, 1);
    let user = loggedIn;
    let taken = true;
    const logIn = (userName: string): boolean => {
      if (!taken || user !== undefined) return taken && user === userName;
      if (this.#perUser.of(userName) >= this.#limits.connectionsPerUser) return false;
      user = userName;
      this.#unauthenticated -= 1;
      this.#perUser.add(userName, 1);
      return true;
    };
    const release = (): void => {
      if (!taken) return;
      taken = false;
      if (user === undefined) this.#unauthenticated -= 1;
      else this.#perUser.add(user, -1);
      this.#connections -= 1;
      this.#perGroup.add(group, -1);
    };
    return {
      group,
      get user() {
        return user;
      },
      logIn,
      release,
    };
  }
}

/** How many of each. What has none takes no room. */
class Counts {
  readonly #counts = new Map<string, number>();

  get all(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  add(name: string, change: 1 | -1): void {
    const count = this.of(name) + change;
    if (count === 0) this.#counts.delete(name);
    else this.#counts.set(name, count);
  }
}
