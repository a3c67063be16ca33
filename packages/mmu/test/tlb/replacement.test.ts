import { TlbModel, type WalkSource, walkSource } from '@vmarea/mmu';
import { x8664 } from '@vmarea/x86-64';
import { describe, expect, test } from 'vitest';
import { describe2, plain, tableWith, touch } from './support/small.js';

const PAGE = 4096n;
const A = 0x40_0000n;
const addresses = Array.from({ length: 64 }, (_, i) => A + BigInt(i) * PAGE);
const source: WalkSource = walkSource(tableWith(x8664(), addresses));

/** Touches pages by number, and says which missed. */
function missesOf(model: TlbModel, pages: readonly number[]): number[] {
  return pages.filter((page) => touch(model, addresses[page] as bigint) !== 1);
}

describe('LRU', () => {
  test('takes the page that was not used for the longest time, also after a hit', () => {
    const model = new TlbModel(describe2([plain(3)], null), source);
    expect(missesOf(model, [0, 1, 2, 0, 3])).toEqual([0, 1, 2, 3]);
    expect(missesOf(model, [0, 2, 3])).toEqual([]);
    expect(missesOf(model, [1, 0])).toEqual([1, 0]);
  });

  test('is kept for each set: the lowest bits of the page choose it', () => {
    const model = new TlbModel(describe2([plain(4, 2)], null), source);
    // Even pages are in set 0, odd ones in set 1.
    expect(missesOf(model, [0, 2, 1, 4])).toEqual([0, 2, 1, 4]);
    expect(missesOf(model, [1, 2, 4, 0])).toEqual([0]);
  });
});

describe('tree-PLRU over four ways', () => {
  const make = (ways: number, entries = ways) =>
    new TlbModel(describe2([plain(entries, ways, { replacement: 'tree-plru' })], null), source);

  /*
   * Ways 0 and 1 are under the lower node, 2 and 3 under the upper one. After 0, 1, 2, 3: the root points to the lower half, both
   * nodes to their first way. By hand:
   *   4 takes way 0 (root to the upper half, lower node to way 1): 4 1 2 3
   *   5 takes way 2 (root to the lower half, upper node to way 3): 4 1 5 3
   *   hit of 1, way 1 (root to the upper half, lower node to way 0)
   *   6 takes way 3 (root to the lower half, upper node to way 2): 4 1 5 6
   *   7 takes way 0 (root to the upper half, lower node to way 1): 7 1 5 6
   * LRU would have dropped 1 for 5.
   */
  test('takes the ways that a hand-computed sequence says', () => {
    const model = make(4);
    expect(missesOf(model, [0, 1, 2, 3, 4, 5, 1, 6, 7])).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(missesOf(model, [7, 1, 5, 6])).toEqual([]);
    expect(missesOf(model, [4])).toEqual([4]);
  });

  test('is not LRU: the hit of a neighbour protects the oldest page', () => {
    const model = make(4);
    missesOf(model, [0, 1, 2, 3, 1]);
    // Way 0 is the oldest, but way 1 under the same node was used last.
    expect(missesOf(model, [4, 0])).toEqual([4]);
  });

  test('is kept for each set', () => {
    const model = make(2, 4);
    expect(missesOf(model, [0, 2, 4, 1, 3, 2, 4])).toEqual([0, 2, 4, 1, 3]);
  });
});

describe('random replacement', () => {
  const make = (seed?: number) =>
    new TlbModel(
      describe2([plain(8, 4, { replacement: 'random' })], [plain(16, 'full', { replacement: 'random' })]),
      source,
      seed === undefined ? {} : { seed },
    );
  const program = Array.from({ length: 2000 }, (_, i) => (i * i + (i >> 3)) % 40);
  const run = (seed?: number) => {
    const model = make(seed);
    return [
      program.map((page) => touch(model, addresses[page] as bigint)).join(''),
      model.stats.walks,
    ] as const;
  };

  test('gives equal results for equal seeds, and others for another seed', () => {
    expect(run(7)).toEqual(run(7));
    expect(run(7)).not.toEqual(run(8));
    expect(run()).toEqual(run(1));
  });

  test('reaches every way', () => {
    const description = describe2([plain(4, 4, { replacement: 'random' })], null);
    const victim = (seed: number) =>
      [0, 1, 2, 3].filter((page) => {
        const model = new TlbModel(description, source, { seed });
        return missesOf(model, [0, 1, 2, 3, 4, page]).length === 6;
      });
    const victims = Array.from({ length: 40 }, (_, seed) => victim(seed));
    expect(victims.every((each) => each.length === 1)).toBe(true);
    expect([...new Set(victims.flat())].sort()).toEqual([0, 1, 2, 3]);
  });
});
