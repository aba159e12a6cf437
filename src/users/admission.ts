/** From where and when a user may log in. Whoever is outside is to the client nobody at all. */
import { networkTest } from './networks.ts';
import { isWithin } from './time-window.ts';
import type { User } from './user.ts';

/** The conditions of one user. Each list must be met; of a list, one entry is enough. */
export class Admission {
  readonly #networks: readonly ((address: string) => boolean)[];
  readonly #hours: NonNullable<User['hours']>;

  constructor({ networks = [], hours = [] }: Pick<User, 'networks' | 'hours'>) {
    this.#networks = networks.map(networkTest);
    this.#hours = hours;
  }

  /** @param address of the client; one that is not known is in no network */
  allowsAddress(address: string): boolean {
    return this.#networks.every((isListed) => isListed(address));
  }

  allowsTime(now: Date): boolean {
    return this.#hours.every((windows) => windows.some((window) => isWithin(window, now)));
  }
}
