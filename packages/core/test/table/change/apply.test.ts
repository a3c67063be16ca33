import { applyToExisting, applyToRange, protection } from '@vmarea/core';
import { machine, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../../formats/arm64.js';
import { riscv64 } from '../../formats/riscv64.js';
import { fingerprint } from '../../support/digest.js';
import { entryAt, markRun, sizes } from '../../support/entries.js';

const WRITE = protection({ write: true, global: true });
const MiB = 1024 * 1024;
const arm = arm64({ granule: 4, vaBits: 48 });
const BASE = 0xffff000000000000n;

describe('applyToRange', () => {
  test('visits every page in order, makes tables, and writes what the callback sets', () => {
    const { table, frames, flushes } = machine(arm);
    const seen: [bigint, number, number, number, bigint, number][] = [];
    const start = BASE + 0x1ff000n;
    const result = applyToRange(table, start, 3 * 4096, (slot) => {
      seen.push([slot.va, slot.page, slot.level, slot.leafShift, slot.entry, slot.pfn]);
      slot.setLeaf(100 + slot.page, WRITE);
      expect(slot.pfn).toBe(100 + slot.page);
    });
    expect(result).toBeUndefined();
    expect(seen).toEqual([
      [start, 0, 3, 12, 0n, -1],
      [start + 0x1000n, 1, 3, 12, 0n, -1],
      [start + 0x2000n, 2, 3, 12, 0n, -1],
    ]);
    expect([...table.leaves()]).toMatchObject([{ va: start, count: 3, pfn: 100, leafShift: 12 }]);
    expect(table.walk(start).leaf?.protection).toEqual(WRITE);
    expect(frames.stats().allocated).toBe(5);
    // New mappings need no flush.
    expect(flushes).toEqual([]);
  });

  test('stops at the first value that is returned, returns it, and keeps what was set', () => {
    const { table, frames } = machine(arm);
    const found = applyToRange(table, BASE, 64 * MiB, (slot) => {
      if (slot.page === 2) return 'here';
      slot.setLeaf(slot.page, WRITE);
      return undefined;
    });
    expect(found).toBe('here');
    expect(sizes(table)).toEqual([[BASE, 12, 2]]);
    // No table is made after the stop.
    expect(frames.stats().allocated).toBe(4);
    expect(applyToRange(table, BASE, 4096, () => 0)).toBe(0);
    expect(applyToRange(table, BASE, 4096, () => null)).toBe(null);
  });

  test('undoes everything when the callback throws', () => {
    const { table, memory, frames } = machine(arm);
    table.map(BASE + 0x1000n, [7], WRITE);
    const before = fingerprint({ memory, frames });
    const broken = new Error('broken');
    const call = () =>
      applyToRange(table, BASE, 4 * MiB, (slot) => {
        if (slot.page === 600) throw broken;
        slot.setLeaf(slot.page, protection());
      });
    expect(call).toThrow(broken);
    expect(fingerprint({ memory, frames })).toBe(before);
    expect(table.translate(BASE + 0x1000n)).toBe(0x7000n);
  });

  test('refuses a block, and an entry where a table is needed', () => {
    const { table, memory, frames } = machine(arm);
    table.map(BASE, [1], WRITE);
    table.mapRange(BASE + BigInt(2 * MiB), 0n, 2 * MiB, WRITE);
    const pmd = table.walk(BASE).steps[2] as { address: bigint };
    memory.write64(pmd.address + 16n, 0xabc000n);
    const before = fingerprint({ memory, frames });
    const clear = (slot: { set(lo: number, hi: number): void }) => slot.set(0, 0);
    expect(thrown(() => applyToRange(table, BASE, 3 * MiB, clear))).toBe(
      "EINVAL at 0xffff000000200000: a PMD leaf of 2097152 bytes maps this; ask for the block itself with blocks: 'visit', or for its pages with blocks: 'split'",
    );
    expect(thrown(() => applyToExisting(table, BASE + BigInt(4 * MiB), 4096, clear))).toBe(
      'EBUSY at 0xffff000000400000: the PMD slot holds an entry of the kind absent; a table is needed there: clear the entry first',
    );
    expect(thrown(() => applyToRange(table, BASE, 4096, clear, { blocks: 'pages' as never }))).toMatch(
      /^EINVAL: blocks is 'pages'/,
    );
    expect(thrown(() => applyToRange(table, BASE, 4096, undefined as never))).toMatch(
      /^EINVAL: the callback is/,
    );
    expect(fingerprint({ memory, frames })).toBe(before);
  });

  test('visits a block with blocks: visit, and lets only the whole of it be set', () => {
    const { table } = machine(arm);
    table.mapRange(BASE, 0x4000_0000n, 4 * MiB, WRITE);
    const seen: unknown[] = [];
    applyToExisting(
      table,
      BASE + BigInt(2 * MiB),
      2 * MiB,
      (slot) => {
        seen.push([slot.va, slot.page, slot.leafShift, slot.pfn]);
        slot.setLeaf(0x80000, protection());
      },
      { blocks: 'visit' },
    );
    expect(seen).toEqual([[BASE + BigInt(2 * MiB), 0, 21, 0x40200]]);
    expect(table.translate(BASE + BigInt(3 * MiB))).toBe(0x8010_0000n);
    const part = () =>
      applyToExisting(
        table,
        BASE + BigInt(MiB),
        4096,
        (slot) => {
          expect([slot.va, slot.page]).toEqual([BASE, -256]);
          slot.set(0, 0);
        },
        { blocks: 'visit' },
      );
    expect(thrown(part)).toMatch(
      /^EINVAL at 0xffff000000000000: the PMD entry is a block that reaches beyond the range/,
    );
    expect(table.translate(BASE)).toBe(0x4000_0000n);
  });

  test('splits a block with blocks: split, down to pages, only where the range is', () => {
    const { table, flushes } = machine(arm);
    table.mapRange(BASE, 0n, 1 << 30, WRITE);
    const pages: number[] = [];
    applyToRange(
      table,
      BASE + 0x40_1000n,
      0x3000,
      (slot) => {
        pages.push(slot.pfn);
        if (slot.page === 1) slot.set(0, 0);
      },
      { blocks: 'split' },
    );
    expect(pages).toEqual([0x401, 0x402, 0x403]);
    expect(table.translate(BASE + 0x40_2000n)).toBeNull();
    expect(table.translate(BASE + 0x40_3000n)).toBe(0x40_3000n);
    expect(sizes(table)).toEqual([
      [BASE, 21, 2],
      [BASE + 0x40_0000n, 12, 2],
      [BASE + 0x40_3000n, 12, 509],
      [BASE + 0x60_0000n, 21, 509],
    ]);
    expect(flushes).toHaveLength(1);
  });

  test('takes a run apart when one of its leaves is set, not when it is only read', () => {
    const format = riscv64(3);
    const made = machine(format);
    const { table } = made;
    table.mapRange(0x10000n, 0x50010000n, 16 * 4096, WRITE);
    markRun(made, 0x10000n, 16, 1n << 63n);
    const frames: number[] = [];
    applyToExisting(table, 0x12000n, 8192, (slot) => void frames.push(slot.pfn));
    expect(frames).toEqual([0x50012, 0x50013]);
    expect(thrown(() => applyToExisting(table, 0x12000n, 4096, (slot) => slot.set(0, 0)))).toMatch(
      /^EINVAL at 0x0000000000012000: the PTE entry is a leaf of a run; use blocks: 'split'/,
    );
    expect(table.walk(0x11000n).leaf?.runShift).toBe(16);
    applyToExisting(table, 0x12000n, 4096, (slot) => slot.set(0, 0), { blocks: 'split' });
    expect(table.translate(0x12000n)).toBeNull();
    expect(table.translate(0x1f123n)).toBe(0x5001f123n);
    expect(table.walk(0x1f000n).leaf?.runShift).toBeNull();
  });

  test('refuses words that are not an entry of the level, and frames that the format cannot address', () => {
    const { table, memory, frames } = machine(arm64({ granule: 4, vaBits: 48, paBits: 40 }));
    const before = fingerprint({ memory, frames });
    const set = (lo: number, hi: number) =>
      thrown(() => applyToRange(table, BASE, 4096, (slot) => slot.set(lo, hi)));
    // 01 is reserved at the last level.
    expect(set(0x1001, 0)).toBe(
      'EINVAL at 0xffff000000000000: the PTE entry cannot become 0x0000000000001001; it may be 0, a PTE leaf outside of runs, or an entry that the MMU ignores',
    );
    expect(set(0x1003, 0x100)).toMatch(/cannot become/); // beyond 40 bits
    expect(set(0x1003, 1 << 20)).toMatch(/cannot become/); // a contiguous mark alone
    const leaf = (pfn: number) =>
      thrown(() => applyToRange(table, BASE, 4096, (slot) => slot.setLeaf(pfn, WRITE)));
    for (const pfn of [-1, 0.5, 2 ** 28, Number.NaN]) expect(leaf(pfn)).toMatch(/cannot map frame/);
    expect(fingerprint({ memory, frames })).toBe(before);
    expect(set(0x1002, 0)).toBe('none'); // the MMU ignores it
    expect(entryAt(table, BASE).entry).toBe(0x1002n);
  });

  test('refuses to let the callback change the table, or set a slot later', () => {
    const { table } = machine(arm);
    const call = () => applyToRange(table, BASE, 4096, () => table.map(BASE, [1], WRITE));
    expect(thrown(call)).toMatch(/^EBUSY: this page table is in the middle of a change/);
    let kept: { set(lo: number, hi: number): void } | undefined;
    applyToRange(table, BASE, 4096, (slot) => {
      kept = slot;
    });
    expect(thrown(() => kept?.set(0x1003, 0))).toMatch(/: the PTE entry was kept after its callback/);
  });

  test('keeps what another writer puts into the table meanwhile', () => {
    const { table, memory } = machine(arm);
    table.map(BASE, [1, 2], WRITE);
    const second = entryAt(table, BASE + 0x1000n);
    applyToExisting(table, BASE, 8192, (slot) => {
      // A guest sets the access bit of the other page meanwhile.
      if (slot.page === 0) {
        memory.write64(second.address, second.entry | (1n << 55n));
        slot.set(0, 0);
      }
    });
    expect(table.translate(BASE)).toBeNull();
    expect(entryAt(table, BASE + 0x1000n).entry).toBe(second.entry | (1n << 55n));
  });
});

describe('different changes of equal entries', () => {
  test('each get a break only where they need one', () => {
    // As on arm64: another memory type needs a break, other rights do not.
    const memoryType = 7 << 2;
    const format = {
      ...arm,
      needsBreak: (before: { lo: number }, after: { lo: number }) =>
        ((before.lo ^ after.lo) & memoryType) !== 0,
    };
    const atFlush: boolean[] = [];
    const made: ReturnType<typeof machine> = machine(format, 64, 0n, {
      flush: () =>
        atFlush.push(...[0n, 1n, 2n, 3n].map((page) => made.table.translate(BASE + page * 4096n) !== null)),
    });
    const { table } = made;
    table.map(BASE, [1, 2, 3, 4], WRITE);
    applyToExisting(table, BASE, 4 * 4096, (slot) =>
      slot.setLeaf(slot.pfn, protection({ global: true, memory: slot.page % 2 === 0 ? 'normal' : 'device' })),
    );
    expect(atFlush).toEqual([true, false, true, false]);
    expect([...table.leaves()].map((run) => run.count)).toEqual([1, 1, 1, 1]);
  });
});

describe('applyToExisting', () => {
  test('skips empty entries and missing tables, and makes no table', () => {
    const { table, frames, flushes } = machine(arm);
    table.map(BASE + 0x3000n, [3], WRITE);
    table.map(BASE + 0x4000_0000n, [4], WRITE);
    const before = frames.stats().allocated;
    const seen: bigint[] = [];
    applyToExisting(table, BASE, 1n << 48n, (slot) => {
      seen.push(slot.va);
      slot.set(0, 0);
    });
    expect(seen).toEqual([BASE + 0x3000n, BASE + 0x4000_0000n]);
    expect(frames.stats().allocated).toBe(before);
    expect([...table.leaves()]).toEqual([]);
    expect(flushes).toEqual([{ va: BASE + 0x3000n, bytes: 0x3fffe000n, leafShift: 12, tablesFreed: [] }]);
  });
});
