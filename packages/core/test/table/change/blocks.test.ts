import { firstAddress } from '@vmarea/conformance';
import type { FlushSink } from '@vmarea/core';
import { PageTable, protection } from '@vmarea/core';
import { machine, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../../formats/arm64.js';
import { formats } from '../../formats/index.js';
import { riscv64 } from '../../formats/riscv64.js';
import { fingerprint } from '../../support/digest.js';

const WRITE = protection({ write: true, global: true });
const MiB = 1024 * 1024;
const GiB = 1024 * MiB;
const arm = arm64({ granule: 4, vaBits: 48 });
const BASE = 0xffff000000000000n;

describe('a list of frames', () => {
  const adjacent = () => Array.from({ length: 512 }, (_, i) => 0x400 + i);
  const shifts = (list: readonly number[] | Uint32Array | Float64Array): string => {
    const { table } = machine(arm);
    table.map(BASE, list, WRITE);
    return [...table.leaves()].map((run) => `${run.count}x${run.leafShift}`).join(' ');
  };

  test.each([
    ['an array', (list: number[]) => list],
    ['a Uint32Array', (list: number[]) => Uint32Array.from(list)],
    ['a Float64Array', (list: number[]) => Float64Array.from(list)],
  ])('becomes a block only where all frames are adjacent, in %s', (_what, form) => {
    expect(shifts(form(adjacent()))).toBe('1x21');
    for (const wrong of [0, 1, 255, 510, 511]) {
      const list = adjacent();
      list[wrong] = 0x9999;
      expect(shifts(form(list)), `frame ${wrong} elsewhere`).not.toContain('x21');
    }
    const swapped = adjacent();
    [swapped[100], swapped[200]] = [swapped[200] as number, swapped[100] as number];
    // The runs with a swapped page, from 96 and from 192 on, are single pages.
    expect(shifts(form(swapped))).toBe('96x12 4x12 1x12 11x12 80x12 8x12 1x12 7x12 304x12');
    // Adjacent, but not aligned.
    expect(shifts(form(adjacent().map((pfn) => pfn + 1)))).toBe('512x12');
  });
});

describe.each(formats.map((format) => [format.name, format] as const))('a leaf of %s', (_name, format) => {
  test('translates up to its last byte, at every level with leaves', () => {
    for (const { leaf, shift } of format.levels) {
      // An aligned frame number, not 0 where there is another.
      const bytes = 1n << BigInt(shift);
      const pa = 1n << BigInt(format.paBits) > bytes ? bytes : 0n;
      if (leaf === null || bytes > 1n << BigInt(format.paBits)) continue;
      const { table } = machine(format);
      const va = firstAddress(format);
      table.mapRange(va, pa, bytes, WRITE);
      expect([...table.leaves()].map((run) => [run.va, run.count, run.leafShift, run.pa])).toEqual([
        [va, 1, shift, pa],
      ]);
      for (const inside of [0n, bytes / 2n + 5n, bytes - 1n]) {
        expect(table.translate(va + inside)).toBe(pa + inside);
        expect(table.walk(va + inside).pa).toBe(pa + inside);
      }
      table.unmap(va, bytes);
      expect(table.translate(va)).toBeNull();
    }
  });
});

describe('an existing subtree in the slot of a block', () => {
  test('stays when it maps a block: the call is EBUSY', () => {
    const { table, memory, frames, flushes } = machine(arm);
    const live = BASE + BigInt(6 * MiB);
    table.mapRange(live, 0n, 2 * MiB, WRITE);
    const before = fingerprint({ memory, frames });
    expect(thrown(() => table.mapRange(BASE, 0n, GiB, WRITE))).toMatch(
      /^EBUSY at 0xffff000000600000: the PMD slot holds a leaf entry/,
    );
    expect(fingerprint({ memory, frames })).toBe(before);
    expect(table.translate(live)).toBe(0n);
    // The three blocks that were written before are flushed.
    expect(flushes).toEqual([{ va: BASE, bytes: BigInt(GiB), leafShift: 12, tablesFreed: [] }]);
  });

  test('stays when it maps a page two levels down, and is freed when it maps none', () => {
    const { table, frames, flushes } = machine(arm);
    const page = BASE + BigInt(512 * MiB);
    table.map(page, [7], WRITE);
    expect(thrown(() => table.mapRange(BASE, 0n, GiB, WRITE))).toMatch(/^EBUSY at 0xffff000020000000/);
    expect(table.translate(page)).toBe(0x7000n);
    table.unmap(page, 4096);
    flushes.length = 0;
    const tables = table.walk(page).steps.slice(2);
    table.mapRange(BASE, 0n, GiB, WRITE);
    expect([...table.leaves()].map((run) => run.leafShift)).toEqual([30]);
    expect(flushes).toEqual([
      {
        va: BASE,
        bytes: BigInt(GiB),
        leafShift: 12,
        tablesFreed: tables.map((step) => Number(step.table >> 12n)),
      },
    ]);
    expect(frames.stats().allocated).toBe(2);
  });

  test('is not scanned when its live count is above 0', () => {
    const { table } = machine(arm);
    table.map(BASE + 0x1ff000n, [7], WRITE);
    table.resetCounters();
    expect(thrown(() => table.mapRange(BASE, 0n, 2 * MiB, WRITE))).toMatch(/^EBUSY at 0xffff0000001ff000/);
    // A slot of the PGD and of the PUD, that of the PMD twice, and the 512 of the table that the pages would go into.
    expect(table.counters.entriesRead).toBe(2 + 2 + 512);
  });

  test('is still allocated during the flush, with its slot empty', () => {
    const seen: unknown[] = [];
    const sink: FlushSink = {
      flush: () => {
        seen.push(made.table.translate(BASE), made.frames.stats().allocated);
      },
    };
    const made = machine(arm, 64, 0n, sink);
    made.table.map(BASE, [1], WRITE);
    made.table.unmap(BASE, 4096);
    seen.length = 0;
    made.table.mapRange(BASE, 0n, 2 * MiB, WRITE);
    expect(seen).toEqual([null, 4]);
    expect(made.frames.stats().allocated).toBe(3);
  });
});

describe('unmap of part of a leaf with split: false', () => {
  test('is refused for either half of a block', () => {
    const { table, memory, frames, flushes } = machine(arm);
    table.map(BASE + 0x1ff000n, [5], WRITE);
    table.mapRange(BASE + BigInt(2 * MiB), 0n, 2 * MiB, WRITE);
    const before = fingerprint({ memory, frames });
    const refused = (from: number, bytes: number, at: string) => {
      expect(thrown(() => table.unmap(BASE + BigInt(from), bytes, { split: false }))).toBe(
        `EINVAL at 0xffff000000${at}: the range ends inside a PMD entry of 0x200000 bytes; name all of it: it starts at 0xffff000000200000`,
      );
    };
    refused(3 * MiB, MiB, '300000');
    refused(2 * MiB, MiB, '300000');
    refused(4 * MiB - 4096, 4096, '3ff000');
    // A page before the block is not unmapped either.
    refused(2 * MiB - 4096, 8192, '201000');
    expect(fingerprint({ memory, frames })).toBe(before);
    expect(flushes).toEqual([]);
  });

  const runs = [
    ['a NAPOT run', riscv64(3), 0x200000n, 1n << 63n, 8n << 10n],
    ['a contiguous run', arm64({ granule: 4, vaBits: 39, half: 'ttbr0' }), 0x200000n, 1n << 52n, 0n],
  ] as const;
  test.each(runs)('is refused where an end lies inside %s', (_what, format, va, bit, size) => {
    const { table, memory, frames, flushes } = machine(format);
    // Pages 15 to 48: 16 to 31 are a run, the others have no mark.
    table.mapRange(va + 0xf000n, 0x5000f000n, 34 * 4096, WRITE, { maxLeafShift: 12 });
    for (let i = 16n; i < 32n; i++) {
      const { address, entry } = table.walk(va + i * 4096n).steps.at(-1) as {
        address: bigint;
        entry: bigint;
      };
      const frame = size === 0n ? entry : (entry & ~(0xfn << 10n)) | size;
      memory.write64(address, frame | bit);
    }
    expect(table.translate(va + 0x15123n)).toBe(0x50015123n);
    expect(table.walk(va + 0x15123n).leaf?.runShift).toBe(16);
    const before = fingerprint({ memory, frames });
    const part = (from: number, pages: number, cut: number) => {
      const at = (va + BigInt(cut * 4096)).toString(16).padStart(16, '0');
      const start = (va + 0x10000n).toString(16).padStart(16, '0');
      expect(thrown(() => table.unmap(va + BigInt(from * 4096), pages * 4096, { split: false }))).toBe(
        `EINVAL at 0x${at}: the range ends inside a run of PTE entries of 0x10000 bytes; name all of it: it starts at 0x${start}`,
      );
    };
    part(17, 15, 17); // starts inside
    part(31, 1, 31);
    part(16, 15, 31); // ends inside
    part(15, 2, 17); // begins before it and ends inside
    part(20, 20, 20); // begins inside and ends behind it
    part(18, 4, 18); // both
    expect(fingerprint({ memory, frames })).toBe(before);
    expect(flushes).toEqual([]);
    // Outside the run every page stands by itself.
    table.unmap(va + 0xf000n, 4096);
    table.unmap(va + 40n * 4096n, 4096);
    table.unmap(va + 0x10000n, 0x10000);
    expect([...table.leaves()].map((run) => [run.va, run.count])).toEqual([
      [va + 0x20000n, 8],
      [va + 41n * 4096n, 8],
    ]);
  });

  test('is refused inside a contiguous run of blocks', () => {
    const { table, memory, frames } = machine(arm);
    table.mapRange(BASE, 0n, 64 * MiB, WRITE);
    for (let i = 16n; i < 32n; i++) {
      const { address, entry } = table.walk(BASE + i * BigInt(2 * MiB)).steps.at(-1) as {
        address: bigint;
        entry: bigint;
      };
      memory.write64(address, entry | (1n << 52n));
    }
    const before = fingerprint({ memory, frames });
    const message =
      /: the range ends inside a run of PMD entries of 0x2000000 bytes; name all of it: it starts at 0xffff000002000000$/;
    expect(thrown(() => table.unmap(BASE + BigInt(34 * MiB), 2 * MiB, { split: false }))).toMatch(message);
    expect(thrown(() => table.unmap(BASE, 34 * MiB, { split: false }))).toMatch(message);
    expect(thrown(() => table.unmap(BASE + BigInt(62 * MiB), 2 * MiB, { split: false }))).toMatch(message);
    expect(fingerprint({ memory, frames })).toBe(before);
    table.unmap(BASE + BigInt(30 * MiB), 34 * MiB);
    expect([...table.leaves()]).toMatchObject([{ va: BASE, count: 15 }]);
  });

  test('is allowed for entries that the MMU ignores, whatever bits they have', () => {
    const { table, memory } = machine(arm);
    table.map(BASE, [1, 2, 3], WRITE);
    // A page that is swapped out: not present, with other bits of the operating system.
    const at = table.walk(BASE + 0x1000n).steps.at(-1)?.address as bigint;
    memory.write64(at, (1n << 52n) | 0x1234000n);
    table.unmap(BASE + 0x1000n, 4096);
    expect(memory.read64(at)).toBe(0n);
  });
});

describe('the stride of a flush', () => {
  test('is the size of the smallest leaf that was unmapped', () => {
    const map = (...parts: [at: number, bytes: number][]) => {
      const made = machine(arm);
      for (const [at, bytes] of parts) made.table.mapRange(BASE + BigInt(at), BigInt(at), bytes, WRITE);
      made.table.unmap(BASE, 3 * GiB);
      return made.flushes.map((flush) => [flush.va - BASE, flush.bytes, flush.leafShift]);
    };
    expect(map([2 * MiB, 2 * MiB], [4 * MiB, 4096])).toEqual([[BigInt(2 * MiB), BigInt(4 * MiB), 12]]);
    expect(map([0, 4096], [2 * MiB, 2 * MiB])).toEqual([[0n, BigInt(4 * MiB), 12]]);
    expect(map([0, 2 * MiB], [GiB, GiB])).toEqual([[0n, BigInt(2 * GiB), 21]]);
    expect(map([GiB, GiB], [2 * GiB, 2 * MiB])).toEqual([[BigInt(GiB), BigInt(GiB + 2 * MiB), 21]]);
    expect(map([GiB, 2 * GiB])).toEqual([[BigInt(GiB), BigInt(2 * GiB), 30]]);
  });

  test('is the page where tables are freed as well', () => {
    const { table, flushes } = machine(arm);
    table.mapRange(BASE, 0n, 2 * MiB, WRITE);
    const tables = table.walk(BASE).steps.slice(1);
    table.unmap(BASE, 2 * MiB, { reclaim: true });
    expect(flushes).toEqual([
      {
        va: BASE,
        bytes: BigInt(2 * MiB),
        leafShift: 12,
        tablesFreed: tables.map((step) => Number(step.table >> 12n)).reverse(),
      },
    ]);
  });
});

describe('leaves of a range', () => {
  const { table } = machine(arm);
  table.mapRange(BASE + BigInt(2 * MiB), 0n, 2 * MiB, WRITE);
  table.map(BASE + 0x5000n, [9, 10, 11], WRITE);
  const list = (va: bigint, bytes: number) =>
    [...table.leaves(va, bytes)].map((run) => [run.va - BASE, run.count]);

  test('are those that lie in it, to the exact page', () => {
    expect(list(BASE + 0x4000n, 4096)).toEqual([]);
    expect(list(BASE + 0x4000n, 8192)).toEqual([[0x5000n, 1]]);
    expect(list(BASE + 0x5000n, 4096)).toEqual([[0x5000n, 1]]);
    expect(list(BASE + 0x6000n, 4096)).toEqual([[0x6000n, 1]]);
    expect(list(BASE + 0x7000n, 4096)).toEqual([[0x7000n, 1]]);
    expect(list(BASE + 0x8000n, 4096)).toEqual([]);
    expect(list(BASE + 0x6000n, 0x10000)).toEqual([[0x6000n, 2]]);
    expect(list(BASE + BigInt(2 * MiB - 4096), 4096)).toEqual([]);
    expect(list(BASE + BigInt(4 * MiB), 4096)).toEqual([]);
  });

  test('end with an error when the table is destroyed meanwhile', () => {
    const other = machine(arm).table;
    other.map(BASE, [1, 5, 9], WRITE);
    const runs = other.leaves();
    expect(runs.next().value).toMatchObject({ pfn: 1 });
    other.destroy();
    expect(thrown(() => runs.next())).toBe('EINVAL: this page table was destroyed');
    expect(runs.next().done).toBe(true);
  });

  test('include the whole of a block that is partly inside', () => {
    const whole = [[BigInt(2 * MiB), 1]];
    expect(list(BASE + BigInt(2 * MiB - 4096), 8192)).toEqual(whole);
    expect(list(BASE + BigInt(3 * MiB), 4096)).toEqual(whole);
    expect(list(BASE + BigInt(4 * MiB - 4096), 4096)).toEqual(whole);
    expect(list(BASE + BigInt(4 * MiB - 4096), GiB)).toEqual(whole);
  });
});

describe('tables in frames that hold old data', () => {
  test.each([
    ['blocks that fill a table, and two more', 0x4000_0000n],
    ['pages that are no blocks', 0x4000_1000n],
  ])('map only what is asked for: %s', (_what, pa) => {
    const made = machine(arm, 1200);
    const { memory, frames, format } = made;
    for (const { words } of memory.banks) words.fill(-1);
    const table = new PageTable({ format, memory, frames });
    table.mapRange(BASE, pa, GiB + 4 * MiB, WRITE, { maxLeafShift: 21 });
    expect([...table.leaves()].reduce((sum, { count, leafShift }) => sum + count * 2 ** leafShift, 0)).toBe(
      GiB + 4 * MiB,
    );
    for (const at of [0, MiB, GiB - 1, GiB, GiB + 4 * MiB - 1]) {
      expect(table.translate(BASE + BigInt(at))).toBe(pa + BigInt(at));
    }
    expect(table.translate(BASE + BigInt(GiB + 4 * MiB))).toBeNull();
  });
});
