import type { TlbDescription, TlbUnit } from '@vmarea/mmu';
import { describe, expect, test } from 'vitest';
import type { Access } from '../support/accesses.js';
import { simulated } from '../support/accesses.js';

/** A fully associative LRU unit for all sizes of leaves. */
function unit(name: string, level: 1 | 2, kinds: TlbUnit['kinds'], entries: number): TlbUnit {
  return { name, level, kinds, arrays: [{ sizes: 'all', entries, ways: 'full', replacement: 'lru' }] };
}

function description(tlbs: readonly TlbUnit[], more: Partial<TlbDescription> = {}): TlbDescription {
  return {
    ...{ name: 'by-hand', title: 'By hand', source: 'this test', tlbs, walkCaches: [], walkers: 1 },
    ...{ dropsOnFault: false, cycles: { l2Hit: null, walk: null } },
    ...more,
  };
}

const load = (address: bigint, bytes = 8): Access => ['L', address, bytes];
const misses = (row: ReturnType<typeof simulated>): Record<string, number> =>
  Object.fromEntries(row.tlbs.map((tlb) => [tlb.name, tlb.misses]));
const reads = (row: ReturnType<typeof simulated>): Record<string, number> =>
  Object.fromEntries(row.tableReads.levels.map((level) => [level.name, level.reads]));

describe('traces whose costs were worked out by hand', () => {
  test('pages A B A C A B with two entries in L1 and four in L2', () => {
    const [a, b, c] = [0x1000n, 0x2000n, 0x3000n];
    const tlbs = [
      unit('L1I', 1, ['execute'], 2),
      unit('L1D', 1, ['read', 'write'], 2),
      unit('L2', 2, ['read', 'write', 'execute'], 4),
    ];
    const cycles = { l2Hit: { low: 7, high: 9 }, walk: { low: 30, high: 30 } };
    // A, B: walks. A hits. C: walk, L1 drops B. A hits. B: in L2 alone.
    const row = simulated(
      [a, b, a, c, a, b].map((one) => load(one)),
      { preset: description(tlbs, { cycles }) },
    );
    expect(row.accesses).toEqual({ total: 6, fetches: 0, loads: 6, stores: 0, unmapped: 0 });
    expect(misses(row)).toEqual({ L1I: 0, L1D: 4, L2: 3 });
    expect(row.tlbs.map(({ hits }) => hits)).toEqual([0, 2, 1]);
    expect(row.tlbs[1]?.missesPerThousand).toBeCloseTo(666.667, 3);
    expect(row.walks).toBe(3);
    expect(reads(row)).toEqual({ PGD: 3, PUD: 3, PMD: 3, PTE: 3 });
    expect(row.cycles).toEqual({ l2Hits: { low: 7, high: 9 }, walks: { low: 90, high: 90 } });
    // One table of each level, and three pages.
    expect(row.tables).toEqual({ frames: 4, bytes: 16384 });
    expect(row.mapped).toEqual({ bytes: 12288, leaves: [{ bytes: 4096, entryBytes: 4096, count: 3 }] });
    expect(row.reach).toEqual({ l1: 2 * 4096, l2: 4 * 4096 });
  });

  test('a walk cache with one entry for PTE tables', () => {
    const tlbs = [unit('L1I', 1, ['execute'], 1), unit('L1D', 1, ['read', 'write'], 1)];
    const walkCaches = [
      { name: 'PDE', heights: [1], entries: 1, ways: 'full' as const, replacement: 'lru' as const },
    ];
    // The second page begins its walk at the PTE table. The third has another table, which takes the entry.
    const row = simulated(
      [0x1000n, 0x2000n, 0x200000n, 0x1000n].map((one) => load(one)),
      {
        preset: description(tlbs, { walkCaches }),
      },
    );
    expect(row.walks).toBe(4);
    expect(reads(row)).toEqual({ PGD: 3, PUD: 3, PMD: 3, PTE: 4 });
    expect(row.walkCacheHits).toBe(1);
    expect(row.tables.frames).toBe(5);
  });

  test('stores with a first level of their own, and an access that crosses a page', () => {
    const tlbs = [
      unit('L1I', 1, ['execute'], 1),
      unit('loads', 1, ['read'], 1),
      unit('stores', 1, ['write'], 1),
      unit('L2', 2, ['read', 'write', 'execute'], 8),
    ];
    const accesses: Access[] = [
      load(0x1000n), // walk
      ['S', 0x1008n, 8], // in L2
      load(0x1010n), // hit
      ['S', 0x1018n, 8], // hit
      load(0x1ffcn, 8), // hit, and a walk for the next page
      ['F', 0x1000n, 4], // in L2
      ['S', 0x1ff9n, 8], // hit, and the next page is in L2
    ];
    const row = simulated(accesses, { preset: description(tlbs) });
    expect(row.accesses).toEqual({ total: 9, fetches: 1, loads: 4, stores: 4, unmapped: 0 });
    expect(misses(row)).toEqual({ L1I: 1, loads: 2, stores: 2, L2: 2 });
    expect(row.tlbs[3]?.hits).toBe(3);
    expect(row.walks).toBe(2);
  });

  test.each([
    // 256 of 512 pages are half: one leaf of 2 MiB. Its walk ends at the PMD.
    [
      256,
      {
        walks: 2,
        reads: { PGD: 2, PUD: 2, PMD: 2, PTE: 1 },
        leaves: [
          [4096, 1],
          [2 ** 21, 1],
        ],
      },
    ],
    // 255 are less.
    [255, { walks: 256, reads: { PGD: 256, PUD: 256, PMD: 256, PTE: 256 }, leaves: [[4096, 256]] }],
  ] as const)('a region of 2 MiB of which %i pages are touched, and a page apart', (pages, expected) => {
    const tlbs = [unit('L1I', 1, ['execute'], 4), unit('L1D', 1, ['read', 'write'], 4)];
    const accesses = Array.from({ length: pages }, (_, i) => load(0x200000n + BigInt(i) * 4096n));
    const row = simulated([...accesses, load(0x600000n)], { leaves: 'huge', preset: description(tlbs) });
    expect(row.walks).toBe(expected.walks);
    expect(reads(row)).toEqual(expected.reads);
    expect(row.mapped.leaves.map(({ bytes, count }) => [bytes, count])).toEqual(expected.leaves);
    expect(row.touchedPages).toBe(pages + 1);
  });

  test.each([
    ['riscv64-sv39-napot', true, 1],
    ['riscv64-sv39-napot', false, 16],
    ['arm64-4k-48-cont', true, 1],
    ['arm64-4k-48-cont', false, 16],
  ])('a run of 64 KiB on %s, whole in an entry: %s', (format, assumeRuns, walks) => {
    const tlbs = [unit('L1I', 1, ['execute'], 32), unit('L1D', 1, ['read', 'write'], 32)];
    const accesses = Array.from({ length: 32 }, (_, i) => load(0x10000n + BigInt(i % 16) * 4096n));
    const row = simulated(accesses, { format, leaves: 'runs', assumeRuns, preset: description(tlbs) });
    expect(row.mapped.leaves).toEqual([{ bytes: 65536, entryBytes: 4096, count: 1 }]);
    expect(row.walks).toBe(walks);
    expect(row.reach.l1).toBe(32 * (assumeRuns ? 65536 : 4096));
  });
});
