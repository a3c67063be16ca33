import type { Replacement } from './description.js';

/**
 * Decides which slot of a set a new entry takes. Slots of set `s` are `s * ways` to `s * ways + ways - 1`. All
 * slots of the set are in use when it is asked.
 */
export interface Victims {
  /** The slot was used, or got a new entry. */
  use(slot: number): void;
  /** The slot whose entry goes. */
  victim(set: number): number;
}

/**
 * Makes the rule of an array.
 *
 * @param sets - number of sets.
 * @param ways - slots in a set.
 * @param seed - of `random`: each array of a model has its own.
 */
export function victimsOf(rule: Replacement, sets: number, ways: number, seed: number): Victims {
  if (rule === 'random') return new RandomVictims(ways, seed);
  if (rule === 'tree-plru') return new TreeVictims(sets, ways);
  return sets === 1 ? new OldestInList(ways) : new OldestByStamp(sets, ways);
}

/** LRU of small sets: the slot with the oldest stamp. */
class OldestByStamp implements Victims {
  readonly #ways: number;
  readonly #stamps: Float64Array;
  #now = 0;

  constructor(sets: number, ways: number) {
    this.#ways = ways;
    this.#stamps = new Float64Array(sets * ways);
  }

  use(slot: number): void {
    this.#stamps[slot] = ++this.#now;
  }

  victim(set: number): number {
    const stamps = this.#stamps;
    const first = set * this.#ways;
    let oldest = first;
    for (let slot = first + 1; slot < first + this.#ways; slot++) {
      if ((stamps[slot] as number) < (stamps[oldest] as number)) oldest = slot;
    }
    return oldest;
  }
}

/** LRU of one large set: a ring of slots, from the newest to the oldest. No use or choice looks at more than three. */
class OldestInList implements Victims {
  readonly #older: Int32Array;
  readonly #newer: Int32Array;
  #newest = 0;

  constructor(ways: number) {
    this.#older = Int32Array.from({ length: ways }, (_, slot) => (slot + 1) % ways);
    this.#newer = Int32Array.from({ length: ways }, (_, slot) => (slot + ways - 1) % ways);
  }

  use(slot: number): void {
    const newest = this.#newest;
    if (slot === newest) return;
    const older = this.#older;
    const newer = this.#newer;
    const oldest = newer[newest] as number;
    this.#newest = slot;
    // The oldest of a ring stands before the newest: the ring alone turns.
    if (slot === oldest) return;
    const before = newer[slot] as number;
    const after = older[slot] as number;
    older[before] = after;
    newer[after] = before;
    older[slot] = newest;
    newer[newest] = slot;
    newer[slot] = oldest;
    older[oldest] = slot;
  }

  victim(): number {
    return this.#newer[this.#newest] as number;
  }
}

/**
 * Tree-PLRU: a binary tree over the ways of each set. A node says in which half the next victim is: 0 the lower. Each use makes
 * the nodes on its way point to the other half.
 */
class TreeVictims implements Victims {
  readonly #ways: number;
  /** Nodes of a set: 1 is the root, `2n` and `2n + 1` are below `n`. Leaf `ways + w` is way `w`. */
  readonly #nodes: Uint8Array;

  constructor(sets: number, ways: number) {
    this.#ways = ways;
    this.#nodes = new Uint8Array(sets * ways);
  }

  use(slot: number): void {
    const way = slot & (this.#ways - 1);
    const first = slot - way;
    for (let below = this.#ways + way; below > 1; below >>= 1) {
      this.#nodes[first + (below >> 1)] = (below & 1) ^ 1;
    }
  }

  victim(set: number): number {
    const first = set * this.#ways;
    let node = 1;
    while (node < this.#ways) node = 2 * node + (this.#nodes[first + node] as number);
    return first + node - this.#ways;
  }
}

/** Any way, with equal chances, by a generator of its own (mulberry32): the same on every machine. */
class RandomVictims implements Victims {
  readonly #ways: number;
  #state: number;

  constructor(ways: number, seed: number) {
    this.#ways = ways;
    this.#state = seed | 0;
  }

  use(): void {}

  victim(set: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    const chance = ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
    return set * this.#ways + Math.floor(chance * this.#ways);
  }
}
