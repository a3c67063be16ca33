import { ARM64_INVALIDATIONS, arm64 } from '@vmarea/arm64';
import { FrameAllocator, hex, type Invalidation, PageTable, PhysicalMemory } from '@vmarea/core';
import {
  CHAMPSIM_WALK_CACHES,
  CORTEX_A55,
  CORTEX_A76,
  TlbModel,
  walkSource,
  ZEN_2,
  ZEN_5,
} from '@vmarea/mmu';
import { machine } from '@vmarea/testkit';
import { X8664_INVALIDATIONS, x8664 } from '@vmarea/x86-64';
import { x8664La57 } from '@vmarea/x86-64-la57';
import { describe, expect, test } from 'vitest';
import { cache, describe2, plain, RIGHTS, tableWith, touch } from './support/small.js';

const PAGE = 4096n;
const M2 = 2n << 20n;
const G = 1n << 30n;
const T = 1n << 39n;
const A = 0x10_0000_0000n;
const named = (list: readonly Invalidation[], name: string) =>
  list.find((one) => one.name === name) as Invalidation;

/** Caches of the last three heights, over a TLB that holds one page. */
const psc = (more: { entries?: number; dropsOnFault?: boolean } = {}) =>
  describe2([plain(1)], null, {
    walkCaches: [1, 2, 3].map((height) => cache(`height ${height}`, [height], more.entries ?? 8)),
    dropsOnFault: more.dropsOnFault ?? true,
  });

/** Table reads of one access. */
function readsOf(model: TlbModel, va: bigint): number {
  const before = model.stats.tableReads;
  touch(model, va);
  return model.stats.tableReads - before;
}

const near = [0n, PAGE, M2, G, T].map((offset) => A + offset);

describe('a walk', () => {
  test('begins at the deepest table that a cache names', () => {
    const model = new TlbModel(psc(), walkSource(tableWith(x8664(), near)));
    // Cold; same PTE table; same PMD table; same PUD table; only the root in common.
    expect(near.map((va) => readsOf(model, va))).toEqual([4, 1, 2, 3, 4]);
    expect(model.stats.walkCaches).toEqual([
      { name: 'height 1', hits: 1 },
      { name: 'height 2', hits: 1 },
      { name: 'height 3', hits: 1 },
    ]);
    expect(model.stats.levels.map(({ name, reads, walkCacheHits }) => [name, reads, walkCacheHits])).toEqual([
      ['PGD', 2, 1],
      ['PUD', 3, 1],
      ['PMD', 4, 1],
      ['PTE', 5, 0],
    ]);
  });

  test('reads every level where there are no caches', () => {
    const model = new TlbModel(describe2([plain(1)], null), walkSource(tableWith(x8664(), near)));
    expect(near.map((va) => readsOf(model, va))).toEqual([4, 4, 4, 4, 4]);
  });

  test('of five levels has one cache more', () => {
    const source = walkSource(tableWith(x8664La57(), [...near, A + 512n * T]));
    const model = new TlbModel(ZEN_5, source, { assume: { walkCaches: CHAMPSIM_WALK_CACHES } });
    expect([...near, A + 512n * T].map((va) => readsOf(model, va))).toEqual([5, 1, 2, 3, 4, 5]);
  });

  test('uses an entry of a middle level where the deeper one was evicted', () => {
    const model = new TlbModel(psc({ entries: 1 }), walkSource(tableWith(x8664(), near)));
    expect([near[0], near[2], near[1]].map((va) => readsOf(model, va as bigint))).toEqual([4, 2, 2]);
  });
});

describe('an entry of a walk cache is made', () => {
  test('for no leaf: a block of 2 MiB fills the caches above it alone', () => {
    const { table } = machine(x8664());
    table.mapRange(A, G, 2n * M2, RIGHTS);
    const model = new TlbModel(psc(), walkSource(table));
    expect(readsOf(model, A)).toBe(3);
    expect(readsOf(model, A + M2)).toBe(1);
    expect(model.stats.walkCaches.map(({ hits }) => hits)).toEqual([0, 1, 0]);
  });

  test('for no leaf, so a block pushes no table out', () => {
    const { table } = machine(x8664());
    table.map(A, [1, 5], RIGHTS);
    table.mapRange(A + M2, G, M2, RIGHTS);
    const model = new TlbModel(psc({ entries: 1 }), walkSource(table));
    expect([A, A + M2, A + PAGE].map((va) => readsOf(model, va))).toEqual([4, 1, 1]);
  });

  test('for no entry that is not present', () => {
    const { table } = machine(x8664());
    table.map(A, [1], RIGHTS);
    const model = new TlbModel(psc({ dropsOnFault: false }), walkSource(table));
    // The PGD entry of A + T is empty, so nothing was learnt: the walk of another page there reads it again.
    expect([readsOf(model, A + T), readsOf(model, A + T + PAGE)]).toEqual([1, 1]);
    // The PUD entry of A + G is empty, the PGD entry is a table.
    expect([readsOf(model, A + G), readsOf(model, A + G + M2)]).toEqual([2, 1]);
  });

  test('for each address by itself: two upper entries that name one table are two', () => {
    const memory = PhysicalMemory.create({ bytes: 1 << 20 });
    const frames = new FrameAllocator(memory);
    const table = new PageTable({ format: x8664(), memory, frames });
    table.map(A, [1], RIGHTS);
    // A second PGD entry that names the same PUD table.
    const steps = table.walk(A).steps;
    const root = steps[0] as (typeof steps)[number];
    memory.write64(root.address + 8n, root.entry);
    expect(hex(table.translate(A + T) as bigint)).toBe(hex(PAGE));
    const model = new TlbModel(psc(), walkSource(table));
    expect([readsOf(model, A), readsOf(model, A + T), readsOf(model, A + T)]).toEqual([4, 4, 0]);
    expect(model.stats.walkCaches.every(({ hits }) => hits === 0)).toBe(true);
  });

  test('for one address space: another one does not use it, also below global pages', () => {
    const { table } = machine(x8664());
    table.map(A, [1], { ...RIGHTS, global: true });
    table.map(A + PAGE, [5], { ...RIGHTS, global: true });
    const model = new TlbModel(psc(), walkSource(table));
    touch(model, A);
    model.asid = 1;
    expect([touch(model, A), readsOf(model, A + PAGE)]).toEqual([1, 4]);
  });

  test('for a table below which nothing is mapped, where no fault drops it', () => {
    const { table } = machine(x8664());
    table.map(A, [1], RIGHTS);
    const walks = (dropsOnFault: boolean) => {
      const model = new TlbModel(psc({ dropsOnFault }), walkSource(table));
      return [readsOf(model, A + PAGE), readsOf(model, A + PAGE), model.stats.faults];
    };
    // x86: the fault drops what the address would use (SDM vol. 3A, 4.10.4.1).
    expect(walks(true)).toEqual([4, 4, 2]);
    expect(walks(false)).toEqual([4, 1, 2]);
  });
});

describe('a page fault on x86', () => {
  test('drops what other addresses could use too, but only on its own way', () => {
    const model = new TlbModel(psc(), walkSource(tableWith(x8664(), [A, A + M2, A + T])));
    for (const va of [A, A + M2, A + T]) touch(model, va);
    // The walk begins at the PTE table of A, and its fault drops the three entries on its way.
    expect(readsOf(model, A + PAGE)).toBe(1);
    // The PDE entry of A + M2 is still there, and that of A + T.
    expect([A + M2, A + T, A].map((va) => readsOf(model, va))).toEqual([1, 1, 4]);
  });
});

describe('an invalidation drops entries of walk caches', () => {
  const source = walkSource(tableWith(x8664(), near));
  const after = (invalidation: Invalidation, asid = 0) => {
    const model = new TlbModel(psc(), source);
    for (const va of near) touch(model, va);
    model.invalidate(invalidation, { va: A, asid });
    return [readsOf(model, A + PAGE), readsOf(model, A + T)];
  };

  test('INVLPG: all of the current address space, whatever the address', () => {
    expect(after(named(X8664_INVALIDATIONS, 'INVLPG'))).toEqual([4, 4]);
  });

  test('TLBI VAE1: those on the way to the address', () => {
    expect(after(named(ARM64_INVALIDATIONS, 'TLBI VAE1'))).toEqual([4, 1]);
  });

  test('TLBI VALE1: none', () => {
    expect(after(named(ARM64_INVALIDATIONS, 'TLBI VALE1'))).toEqual([1, 1]);
  });

  test('TLBI VAE1 of another ASID: none', () => {
    expect(after(named(ARM64_INVALIDATIONS, 'TLBI VAE1'), 3)).toEqual([1, 1]);
  });
});

describe('a walk cache inside a TLB', () => {
  test('takes entries of the TLB away: Zen 2 keeps PDEs among its pages', () => {
    const source = walkSource(tableWith(x8664(), near));
    const model = new TlbModel(ZEN_2, source);
    expect(near.slice(0, 2).map((va) => readsOf(model, va))).toEqual([4, 1]);
    // PDEs alone: the next 2 MiB begin at the root.
    expect(readsOf(model, A + M2)).toBe(4);
    const small = describe2([plain(1)], [plain(2)], {
      walkCaches: [{ name: 'PDE', heights: [1], entries: { inside: 'L2' } }],
    });
    const tiny = new TlbModel(small, source);
    // L2 has the PDE of A and A itself. The PDE of A + M2 and that page push both out.
    expect([A, A + M2, A + PAGE].map((va) => readsOf(tiny, va))).toEqual([4, 4, 4]);
  });

  test('is not found by a look-up of a page: Cortex-A76 keeps all heights in L2', () => {
    const { table } = machine(arm64({ granule: 4, vaBits: 48, half: 'ttbr0' }));
    table.map(A, [1], RIGHTS);
    table.map(A + PAGE, [9], RIGHTS);
    const model = new TlbModel(CORTEX_A76, walkSource(table));
    // The entry for 2 MiB names a table: A + PAGE must be walked, by one read.
    expect([readsOf(model, A), readsOf(model, A + PAGE), model.stats.walks]).toEqual([4, 1, 2]);
  });
});

test('the walk cache of Cortex-A55 has which last-level table is read, nothing above', () => {
  const source = walkSource(tableWith(arm64({ granule: 4, vaBits: 48, half: 'ttbr0' }), near));
  const model = new TlbModel(CORTEX_A55, source);
  expect(near.map((va) => readsOf(model, va))).toEqual([4, 1, 4, 4, 4]);
});

describe('the cache of table reads', () => {
  test('counts a read of each line: 8 entries are in 64 bytes', () => {
    const { table } = machine(x8664());
    table.map(
      A,
      Array.from({ length: 16 }, (_, i) => 1000 + 3 * i),
      RIGHTS,
    );
    const model = new TlbModel(describe2([plain(1)], null), walkSource(table), {
      tableCache: { sets: 1, ways: 64 },
    });
    for (let i = 0n; i < 16n; i++) touch(model, A + i * PAGE);
    // Three upper lines and two of the PTE table.
    expect(model.stats.tableCache).toEqual({ hits: 64 - 5, misses: 5 });
  });

  test('evicts the line that was not used for the longest time, in its set', () => {
    const { table } = machine(x8664());
    const pages = [0n, 8n, 16n].map((i) => A + i * PAGE);
    pages.forEach((va, i) => {
      table.map(va, [1000 + 3 * i], RIGHTS);
    });
    const description = describe2([plain(1)], null, { walkCaches: [cache('PDE', [1])] });
    const misses = (sets: number, ways: number) => {
      const model = new TlbModel(description, walkSource(table), { tableCache: { sets, ways } });
      touch(model, pages[0] as bigint);
      model.resetStats();
      // From here on each walk reads one PTE. The three lines follow each other.
      for (let round = 0; round < 3; round++) for (const va of pages) touch(model, va);
      return model.stats.tableCache?.misses;
    };
    expect(misses(1, 16)).toBe(2);
    expect(misses(1, 2)).toBe(8);
    // Lines 0 and 2 share a set of one line, line 1 is alone.
    expect(misses(2, 1)).toBe(1 + 5);
  });
});
