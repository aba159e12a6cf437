/** What seeded tests of parsers need of chance: bytes in pieces, and a choice. */
import { randomNumbers } from './random-numbers.ts';

export class Chance {
  /** An integer from 0 to below `below`. */
  readonly below: (below: number) => number;

  constructor(seed: number) {
    this.below = randomNumbers(seed);
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }

  /** The bytes in pieces of 1 to `most` bytes. */
  split(bytes: Buffer, most: number): readonly Buffer[] {
    const pieces: Buffer[] = [];
    for (let offset = 0; offset < bytes.length;) {
      const length = 1 + this.below(most);
      pieces.push(bytes.subarray(offset, offset + length));
      offset += length;
    }
    return pieces;
  }
}
