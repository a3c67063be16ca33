import { ARM64_INVALIDATIONS, arm64 } from '@vmarea/arm64';
import { type PageTableFormat, protection } from '@vmarea/core';
import { CORTEX_A76, TlbModel, walkSource } from '@vmarea/mmu';
import { riscv64 } from '@vmarea/riscv64';
import { machine } from '@vmarea/testkit';
import { x8664 } from '@vmarea/x86-64';
import { describe, expect, test } from 'vitest';
import { describe2, plain, RIGHTS, touch } from './support/small.js';

const A = 0x4000_0000n;
const page = (i: number, shift = 12) => A + BigInt(i * 2 ** shift);
const VAE1 = ARM64_INVALIDATIONS.find(
  ({ name }) => name === 'TLBI VAE1',
) as (typeof ARM64_INVALIDATIONS)[number];

/** A table whose page `i` has frame `frames[i]`; -1: not mapped. */
function pages(frames: readonly number[], format: PageTableFormat = x8664() as unknown as PageTableFormat) {
  const { table } = machine(format);
  frames.forEach((frame, i) => {
    if (frame >= 0) table.map(page(i, format.pageShift), [frame], RIGHTS);
  });
  return table;
}

const grouping = (coalesce: 2 | 4 | 8 | 16, entries = 16) =>
  describe2([plain(entries, 'full', { coalesce })], null);

/** Which of the first pages are served without a walk. */
const held = (model: TlbModel, count: number) =>
  Array.from({ length: count }, (_, i) => touch(model, page(i))).map((level) => level === 1);

describe('an entry for a group of pages', () => {
  test.each([2, 4, 8, 16] as const)('covers %i neighbours whose frames follow each other', (size) => {
    const model = new TlbModel(
      grouping(size),
      walkSource(pages(Array.from({ length: 32 }, (_, i) => 160 + i))),
    );
    const misses = held(model, 32).filter((isHeld) => !isHeld).length;
    expect(misses).toBe(32 / size);
  });

  test('has only the pages that follow: a hole, a frame of elsewhere and other rights stay out', () => {
    const table = pages([100, 101, -1, 103, 777, 105, 106, 107]);
    table.protect(page(5), 4096, { write: false });
    const model = new TlbModel(grouping(8), walkSource(table));
    expect(touch(model, page(0))).toBe(3);
    // 0, 1, 3, 6 and 7 are in the first entry, 4 and 5 in one each; 2 is a fault.
    expect(held(model, 8)).toEqual([true, true, false, true, false, false, true, true]);
    expect(model.stats).toMatchObject({ walks: 4, faults: 1 });
  });

  test('need not begin at a frame that is a multiple of the group', () => {
    const model = new TlbModel(grouping(4), walkSource(pages([33, 34, 35, 36])));
    expect(held(model, 4)).toEqual([false, true, true, true]);
  });

  test('is one entry of its array: 16 pages fit in 4 entries of 4', () => {
    const source = walkSource(pages(Array.from({ length: 20 }, (_, i) => 96 + i)));
    const model = new TlbModel(grouping(4, 4), source);
    held(model, 16);
    expect(held(model, 16).every(Boolean)).toBe(true);
    touch(model, page(16));
    expect(held(model, 4)).toEqual([false, true, true, true]);
  });

  test('takes a page that was mapped later, in the place of a second entry', () => {
    const table = pages([100, 101, -1, 103]);
    const model = new TlbModel(grouping(4, 1), walkSource(table));
    touch(model, page(0));
    table.map(page(2), [102], RIGHTS);
    expect(touch(model, page(2))).toBe(3);
    // With one entry in all, a second one would have pushed the first one out.
    expect(held(model, 4)).toEqual([true, true, true, true]);
  });

  test('leaves a page to the entry that has it, where the tables changed and nothing was flushed', () => {
    const table = pages([100, 101, -1, -1]);
    const model = new TlbModel(grouping(4), walkSource(table));
    touch(model, page(0));
    table.unmap(page(1), 4096);
    table.map(page(1), [201, 202], RIGHTS);
    // The old entry still has page 1. The new one, of the frames around 200, gets page 2 alone.
    expect([1, 2, 1].map((i) => touch(model, page(i)))).toEqual([1, 3, 1]);
    model.invalidate(VAE1, { va: page(1), asid: 0 });
    expect(model.stats.entriesDropped).toBe(1);
  });

  test('loses the page that is invalidated, and keeps the others', () => {
    const model = new TlbModel(grouping(4), walkSource(pages([100, 101, 102, 103])));
    touch(model, page(0));
    model.invalidate(VAE1, { va: page(1), asid: 0 });
    expect(model.stats.entriesDropped).toBe(1);
    expect([page(0), page(2), page(3), page(1)].map((va) => touch(model, va))).toEqual([1, 1, 1, 3]);
  });

  test('comes up from level 2 with all its pages where both levels have groups of a size', () => {
    const l2 = plain(16, 'full', { coalesce: 4 });
    const served = (coalesce: 1 | 4) => {
      const model = new TlbModel(
        describe2([plain(1, 'full', { coalesce })], [l2]),
        walkSource(pages([100, 101, 102, 103, 990])),
      );
      for (const i of [0, 4]) touch(model, page(i));
      return [1, 2, 3].map((i) => touch(model, page(i)));
    };
    expect(served(4)).toEqual([2, 1, 1]);
    expect(served(1)).toEqual([2, 2, 2]);
  });

  test('is what the L2 of Cortex-A76 has: 4 pages of any granule', () => {
    const format = arm64({ granule: 16, vaBits: 47, half: 'ttbr0' }) as unknown as PageTableFormat;
    const model = new TlbModel(CORTEX_A76, walkSource(pages([64, 65, 66, 67], format)));
    expect([0, 1, 2, 3].map((i) => touch(model, page(i, 14)))).toEqual([3, 2, 2, 2]);
  });
});

describe('a run', () => {
  const cont = arm64({ granule: 4, vaBits: 48, half: 'ttbr0' }) as unknown as PageTableFormat;
  const napot = riscv64({ mode: 'sv39' }) as unknown as PageTableFormat;
  const runOf = (format: PageTableFormat) => {
    const { table } = machine(format);
    table.mapRange(A, 0x8000_0000n, 64 << 10, protection({ write: true }));
    expect(table.walk(A).leaf?.runShift).toBe(16);
    return table;
  };

  test.each([
    ['arm64, the contiguous hint', cont],
    ['riscv64, NAPOT', napot],
  ])('of 64 KiB is one entry where the description says so: %s', (_, format) => {
    const model = new TlbModel(
      describe2([plain(4, 'full', { runs: true })], null),
      walkSource(runOf(format)),
    );
    expect(held(model, 16).filter((isHeld) => !isHeld)).toHaveLength(1);
    expect(model.stats.tlbs[0]?.bySize).toEqual([{ leafShift: 12, hits: 15, misses: 1 }]);
  });

  test('is 16 entries where it says that it is not, and where it does not say', () => {
    const source = walkSource(runOf(cont));
    for (const runs of [false, null]) {
      const model = new TlbModel(describe2([plain(16, 'full', { runs })], null), source);
      expect(held(model, 16).some(Boolean)).toBe(false);
    }
  });

  test('is one entry where the description does not say, and the caller assumes it', () => {
    const description = describe2([plain(16, 'full', { runs: null })], [plain(16, 'full', { runs: false })]);
    const model = new TlbModel(description, walkSource(runOf(cont)), { assume: { runs: true } });
    expect([0, 1, 2].map((i) => touch(model, page(i)))).toEqual([3, 1, 1]);
    expect(model.assumptions).toEqual([
      'L1: whether a contiguous or NAPOT run is one entry is unknown; modelled as one entry.',
    ]);
  });

  test('is held by its leaves in an array without its size', () => {
    const array = plain(16, 'full', { runs: true, sizes: [12, 21] });
    const model = new TlbModel(describe2([array], null), walkSource(runOf(cont)));
    expect(held(model, 16).some(Boolean)).toBe(false);
  });

  test('goes whole when one of its pages is invalidated', () => {
    const model = new TlbModel(describe2([plain(4, 'full', { runs: true })], null), walkSource(runOf(cont)));
    touch(model, page(0));
    model.invalidate(VAE1, { va: page(9), asid: 0 });
    expect(touch(model, page(0))).toBe(3);
  });

  test('of 16K pages covers 2 MiB: 128 of them', () => {
    const { table } = machine(arm64({ granule: 16, vaBits: 47, half: 'ttbr0' }));
    table.mapRange(A, 0x8000_0000n, 2 << 20, protection({ write: true }));
    expect(table.walk(A).leaf?.runShift).toBe(21);
    const model = new TlbModel(describe2([plain(4, 'full', { runs: true })], null), walkSource(table));
    expect([0, 1, 127].map((i) => touch(model, page(i, 14)))).toEqual([3, 1, 1]);
  });
});
