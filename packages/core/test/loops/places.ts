import type { SeededRandom } from '@vmarea/conformance';
import { ENTRIES } from './worlds.js';

/** A run of entries: index of the first, and how many. */
export interface Run {
  readonly first: number;
  readonly count: number;
}

/** Lengths around those at which something changes: vectors, blocks, short runs, tables. */
const LENGTHS = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 511, 512, 513, 600];

/** A run somewhere in a bank, often at its start or end. */
export function runIn(random: SeededRandom): Run {
  const count = random.oneIn(40)
    ? random.of([2048, 4096, 8191, 8192])
    : random.oneIn(2)
      ? random.of(LENGTHS)
      : 1 + random.below(600);
  return { first: placeOf(random, count), count };
}

/** Where a run of a length may lie. */
export function placeOf(random: SeededRandom, count: number): number {
  const last = ENTRIES - count;
  return random.of([0, last, Math.min(last, 1), Math.max(0, last - 1), random.below(last + 1)]);
}
