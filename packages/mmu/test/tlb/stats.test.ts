import { arm64 } from '@vmarea/arm64';
import { APPLE_M1_P, GOLDEN_COVE, NEOVERSE_V2, TLB_PRESETS, TlbModel, walkSource, ZEN_5 } from '@vmarea/mmu';
import { machine } from '@vmarea/testkit';
import { x8664 } from '@vmarea/x86-64';
import { describe, expect, test } from 'vitest';
import { describe2, plain, RIGHTS, tableWith, touch } from './support/small.js';

const A = 0x10_0000_0000n;
const PAGE = 4096n;

describe('one walk is counted once', () => {
  // gem5 #484, #610, #1832: the fill looked up again, and the miss was counted twice.
  test.each(TLB_PRESETS)('in the TLBs of $title', (preset) => {
    const model = new TlbModel(preset, walkSource(tableWith(x8664(), [A])));
    expect([touch(model, A), touch(model, A)]).toEqual([3, 1]);
    const { tlbs, walks, levels, accesses } = model.stats;
    expect({ accesses, walks, reads: levels.map(({ reads }) => reads) }).toEqual({
      ...{ accesses: 2, walks: 1 },
      reads: [1, 1, 1, 1],
    });
    const used = tlbs.filter(({ hits, misses }) => hits + misses > 0);
    expect(used.map(({ level, hits, misses }) => [level, hits, misses])).toEqual(
      [...used].sort((a, b) => a.level - b.level).map(({ level }) => [level, level === 1 ? 1 : 0, 1]),
    );
    expect(used.map(({ level }) => level).sort()).toEqual([1, 2]);
  });

  test('and a fault is one walk too, with misses that have no size', () => {
    const model = new TlbModel(ZEN_5, walkSource(tableWith(x8664(), [A])));
    expect(touch(model, A + PAGE)).toBe(0);
    expect(model.stats).toMatchObject({ walks: 1, faults: 1, walksBySize: [], tableReads: 4 });
    expect(model.stats.tlbs.find(({ name }) => name === 'L1D')).toMatchObject({ misses: 1, bySize: [] });
  });

  test('and an address outside the range is a fault that reads nothing', () => {
    const model = new TlbModel(ZEN_5, walkSource(tableWith(x8664(), [A])));
    expect(touch(model, 0x8000_0000_0000_0000n)).toBe(0);
    expect(model.stats).toMatchObject({ walks: 1, faults: 1, tableReads: 0 });
  });
});

describe('the statistics', () => {
  test('count each leaf size by itself', () => {
    const { table } = machine(x8664());
    table.map(A, [1], RIGHTS);
    table.mapRange(A + (2n << 20n), 2n << 20n, 2n << 20n, RIGHTS);
    const model = new TlbModel(describe2([plain(1)], [plain(8)]), walkSource(table));
    for (const va of [A, A + (2n << 20n), A, A + (2n << 20n), A + (3n << 20n)]) touch(model, va);
    expect(model.stats.tlbs.map(({ bySize }) => bySize)).toEqual([
      [
        { leafShift: 12, hits: 0, misses: 2 },
        { leafShift: 21, hits: 1, misses: 2 },
      ],
      [
        { leafShift: 12, hits: 1, misses: 1 },
        { leafShift: 21, hits: 1, misses: 1 },
      ],
    ]);
    expect(model.stats.walksBySize).toEqual([
      { leafShift: 12, walks: 1 },
      { leafShift: 21, walks: 1 },
    ]);
  });

  test('count each kind of access in the TLB that serves it', () => {
    const model = new TlbModel(GOLDEN_COVE, walkSource(tableWith(x8664(), [A])));
    for (const kind of ['read', 'write', 'write', 'execute', 'execute', 'execute'] as const)
      touch(model, A, kind);
    expect(model.stats.accessesByKind).toEqual({ read: 1, write: 2, execute: 3 });
    expect(model.stats.tlbs.map(({ name, hits, misses }) => [name, hits, misses])).toEqual([
      ['L1I', 2, 1],
      ['L1D loads', 0, 1],
      ['L1D stores', 1, 1],
      ['L2', 2, 1],
    ]);
  });

  test('are a copy, and start anew after resetStats while translations stay', () => {
    const model = new TlbModel(ZEN_5, walkSource(tableWith(x8664(), [A])));
    touch(model, A);
    const before = model.stats;
    model.resetStats();
    expect(before.walks).toBe(1);
    expect(model.stats).toMatchObject({ accesses: 0, walks: 0, tableReads: 0, invalidations: 0 });
    expect([touch(model, A), model.stats.walks]).toEqual([1, 0]);
  });

  test('give cycles where the source has a price, as far as it knows it', () => {
    const format = arm64({ granule: 16, vaBits: 47, half: 'ttbr0' });
    const pages = Array.from({ length: 6 }, (_, i) => A + BigInt(i) * 32n * 16384n);
    const model = new TlbModel(APPLE_M1_P, walkSource(tableWith(format, pages)));
    for (let round = 0; round < 2; round++) for (const va of pages) touch(model, va);
    // Six pages of one set of five ways: six walks, then six hits in L2.
    expect(model.stats.walks).toBe(6);
    expect(model.stats.cycles).toEqual({ l2Hits: { low: 36, high: 36 }, walks: { low: 192, high: 201 } });
    expect(new TlbModel(ZEN_5, walkSource(tableWith(format, pages))).stats.cycles).toEqual({
      ...{ l2Hits: null, walks: null },
    });
    expect(NEOVERSE_V2.cycles).toEqual({ l2Hit: { low: 5, high: 6 }, walk: null });
  });

  test('have no price for a fault', () => {
    const format = arm64({ granule: 16, vaBits: 47, half: 'ttbr0' });
    const model = new TlbModel(APPLE_M1_P, walkSource(tableWith(format, [A])));
    touch(model, A + (1n << 30n));
    expect(model.stats.cycles.walks).toEqual({ low: 0, high: 0 });
  });
});

test('a model says in a line what it is', () => {
  const model = new TlbModel(ZEN_5, walkSource(tableWith(x8664(), [A])));
  touch(model, A);
  expect(String(model)).toBe('TlbModel of AMD Zen 5: 1 accesses, 1 walks, 4 table reads');
});
