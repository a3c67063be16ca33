import { arm64 } from '@vmarea/arm64';
import { protection } from '@vmarea/core';
import { CORTEX_A76, GOLDEN_COVE, ORYON, TlbModel, walkSource, ZEN_2 } from '@vmarea/mmu';
import { machine } from '@vmarea/testkit';
import { X8664_INVALIDATIONS, x8664 } from '@vmarea/x86-64';
import { describe, expect, test } from 'vitest';
import { describe2, plain, RIGHTS, touch } from './support/small.js';

const G = 1n << 30n;
const M2 = 2n << 20n;
const INVLPG = X8664_INVALIDATIONS.find(
  ({ name }) => name === 'INVLPG',
) as (typeof X8664_INVALIDATIONS)[number];

/** A table of x86-64 with a leaf of 1 GiB at 1 GiB, one of 2 MiB at 4 GiB and a page at 5 GiB. */
function threeSizes() {
  const { table } = machine(x8664());
  table.mapRange(G, G, G, RIGHTS);
  table.mapRange(4n * G, 4n * G, M2, RIGHTS);
  table.map(5n * G, [77], RIGHTS);
  return walkSource(table);
}

/** Hits and misses of a TLB, by name. */
const counted = (model: TlbModel, name: string) => {
  const { hits, misses } = model.stats.tlbs.find((unit) => unit.name === name) ?? { hits: -1, misses: -1 };
  return [hits, misses];
};

describe('a leaf that is too large for an array', () => {
  test('is held in pieces, each made when it is first used', () => {
    const model = new TlbModel(describe2([plain(4, 'full', { sizes: [12, 21] })], null), threeSizes());
    expect([0n, 1n, M2 - 1n, M2, 3n * M2].map((offset) => touch(model, G + offset))).toEqual([3, 1, 1, 3, 3]);
    expect(model.stats.tlbs[0]?.bySize).toEqual([{ leafShift: 30, hits: 2, misses: 3 }]);
  });

  test('of 1 GiB is 512 entries of 2 MiB in the L2 of Zen 2, and one in its L1', () => {
    const model = new TlbModel(ZEN_2, threeSizes());
    expect(touch(model, G)).toBe(3);
    // L1 has the whole leaf: nothing else asks L2.
    for (let i = 1n; i < 512n; i++) expect(touch(model, G + i * M2)).toBe(1);
    expect(counted(model, 'L2D')).toEqual([0, 1]);
  });

  test('comes back whole where a hit in a piece gives the leaf, and as a piece where it does not', () => {
    const l2 = plain(64, 'full', { sizes: [12, 21] });
    const others = [5n * G, 4n * G];
    const served = (refillsLeaf: boolean) => {
      const model = new TlbModel(describe2([plain(2)], [{ ...l2, refillsLeaf }]), threeSizes());
      for (const va of [G, ...others]) touch(model, va);
      // The leaf has left L1. Its piece in L2 serves; then another 2 MiB of the leaf.
      return [touch(model, G), touch(model, G + M2)];
    };
    expect(served(true)).toEqual([2, 1]);
    expect(served(false)).toEqual([2, 3]);
  });

  test('goes whole when one of its addresses is invalidated', () => {
    const model = new TlbModel(describe2([plain(64, 'full', { sizes: [12] })], null), threeSizes());
    const pieces = [0n, 4096n, 5n * 4096n, M2 - 4096n].map((offset) => 4n * G + offset);
    for (const va of pieces) touch(model, va);
    touch(model, 5n * G);
    model.invalidate(INVLPG, { va: 4n * G + 0x1234n });
    expect(model.stats.entriesDropped).toBe(4);
    expect(pieces.map((va) => touch(model, va))).toEqual([3, 3, 3, 3]);
    expect(touch(model, 5n * G)).toBe(1);
  });

  test('of 1 GiB is held as 512 MiB by the L1 of Cortex-A76', () => {
    const { table } = machine(arm64({ granule: 4, vaBits: 48, half: 'ttbr0' }));
    table.mapRange(G, G, G, RIGHTS);
    const model = new TlbModel(CORTEX_A76, walkSource(table));
    expect([0n, G / 2n - 1n, G / 2n, G - 1n].map((offset) => touch(model, G + offset))).toEqual([3, 1, 2, 1]);
  });
});

test('an array takes the leaf that it holds the largest part of: Golden Cove has one for each size', () => {
  const model = new TlbModel(GOLDEN_COVE, threeSizes());
  for (const va of [G, 4n * G, 5n * G]) {
    expect(touch(model, va)).toBe(3);
    expect(touch(model, va)).toBe(1);
    // The instruction TLB has no array of 1 GiB, and takes 2 MiB of it.
    expect(touch(model, va, 'execute')).toBe(2);
    expect(touch(model, va, 'write')).toBe(2);
  }
  expect(touch(model, G + M2, 'execute')).toBe(2);
  expect(touch(model, G + M2, 'write')).toBe(1);
});

test('a leaf smaller than all sizes of a TLB is not held', () => {
  const model = new TlbModel(describe2([plain(8, 'full', { sizes: [21] })], [plain(8)]), threeSizes());
  expect([5n * G, 5n * G, 4n * G, 4n * G].map((va) => touch(model, va))).toEqual([3, 2, 3, 1]);
});

describe('pages of 16 KiB in a TLB of 4 KiB entries', () => {
  const { table } = machine(arm64({ granule: 16, vaBits: 47, half: 'ttbr0' }));
  table.map(G, [77], protection({ write: true }));

  test('are four entries, and each 4 KiB misses once', () => {
    const model = new TlbModel(ORYON, walkSource(table));
    const quarters = [0n, 0x1000n, 0x2000n, 0x3000n].map((offset) => G + offset);
    expect(quarters.map((va) => touch(model, va))).toEqual([3, 2, 2, 2]);
    expect(quarters.map((va) => touch(model, va))).toEqual([1, 1, 1, 1]);
  });
});
