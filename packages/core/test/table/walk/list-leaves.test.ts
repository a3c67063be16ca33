import type { PageTableFormat, ReadableTable } from '@vmarea/core';
import {
  diffTables,
  dumpTables,
  hex,
  listLeaves,
  PageTableReader,
  PhysicalMemory,
  sparseBank,
} from '@vmarea/core';
import { machine, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../../formats/arm64.js';
import { riscv64 } from '../../formats/riscv64.js';
import { x86 } from '../../formats/x86.js';
import { fields, KERNEL, linesOf, MIB } from '../../support/dump.js';
import { entryAt } from '../../support/entries.js';

/* Tables of somebody else: some have no bytes, some point to themselves. Work is counted, not timed. */

const GIB = 1024n * MIB;

/** A memory's first 64 frames as an image that lacks one of them. */
function without(memory: PhysicalMemory, missing: bigint, more: object = {}): PhysicalMemory {
  const kept = Array.from({ length: 64 }, (_, i) => BigInt(i) * 4096n).filter((pa) => pa !== missing);
  const bytes = new Uint8Array(kept.length * 4096);
  kept.forEach((pa, i) => void bytes.set(memory.bytesAt(pa, 4096), i * 4096));
  return PhysicalMemory.of([sparseBank({ pageShift: 12, addresses: kept, bytes, ...more })]);
}

/** Pages at 4 KiB, 2 MiB and 4 MiB, in three tables; an image lacks the second. */
function holed(more: object = {}) {
  const all = machine(riscv64(3));
  for (const [i, va] of [0x1000n, 2n * MIB, 4n * MIB].entries()) all.table.map(va, [7 + i], KERNEL);
  const missing = entryAt(all.table, 2n * MIB).table;
  const memory = without(all.memory, missing, more);
  return {
    ...all,
    missing,
    image: new PageTableReader({ format: riscv64(3), memory, root: all.table.root }),
  };
}

/** A root whose first entries point to itself. */
function looped(format: PageTableFormat, entry: (root: bigint, slot: number) => bigint, count: number) {
  const all = machine(format);
  const { root } = all.table;
  for (let slot = 0; slot < count; slot++) all.memory.write64(root + 8n * BigInt(slot), entry(root, slot));
  all.table.resetCounters();
  return all.table;
}

const riscvLoop = (root: bigint): bigint => ((root >> 12n) << 10n) | 1n;
const x86Loop = (root: bigint): bigint => root | 0x63n;

describe('a listing of an image that lacks a table', () => {
  test('names the table with its span, and goes on', () => {
    const { table, image, missing } = holed();
    expect([...listLeaves(image)]).toEqual([
      expect.objectContaining({ kind: 'leaves', va: 0x1000n, pfn: 7, count: 1 }),
      {
        ...{ kind: 'missing', va: 2n * MIB, bytes: 2n * MIB, level: 2 },
        ...{ pfn: Number(missing >> 12n), pa: missing, listedAt: null },
        ...{ address: entryAt(table, 2n * MIB, 1).address, entry: entryAt(table, 2n * MIB, 1).entry },
      },
      expect.objectContaining({ kind: 'leaves', va: 4n * MIB, pfn: 9, count: 1 }),
    ]);
  });

  test('names it for a range inside it, and not for a range beside it', () => {
    const { image } = holed();
    const kinds = (va: bigint): unknown[] =>
      [...listLeaves(image, { va, bytes: 4096 })].map(({ kind }) => kind);
    expect(kinds(2n * MIB + 0x5000n)).toEqual(['missing']);
    expect(kinds(4n * MIB)).toEqual(['leaves']);
  });

  test('by `leaves` names the table, too', () => {
    const { image } = holed();
    expect([...image.leaves()]).toEqual([...listLeaves(image)]);
  });

  test('that must be complete gives what is before the table, then fails', () => {
    const { image } = holed();
    const leaves = image.leaves(undefined, undefined, { complete: true });
    expect(leaves.next().value).toMatchObject({ va: 0x1000n, pfn: 7 });
    expect(thrown(() => leaves.next())).toMatch(/^EFAULT at 0x0000000000200000: the table at physical 0x/);
  });

  test('reads the table as empty where the image says that missing frames are zero', () => {
    const { image } = holed({ zeros: true });
    expect([...image.leaves()].map(({ va }) => va)).toEqual([0x1000n, 4n * MIB]);
    expect([...listLeaves(image)].map(({ kind }) => kind)).toEqual(['leaves', 'leaves']);
    expect(image.walk(2n * MIB).fault).toMatchObject({ kind: 'not-present', level: 2 });
    expect(image.translate(4n * MIB)).toBe(0x9000n);
    expect(image.translate(2n * MIB)).toBeNull();
  });
});

describe('a comparison of images that lack tables', () => {
  test('says where a side is unknown, and compares the rest', () => {
    const { table, image } = holed();
    table.map(6n * MIB, [5], KERNEL);
    const diff = (a: ReadableTable, b: ReadableTable): unknown[] =>
      [...diffTables(a, b)].map(({ kind, va, bytes, here, there }) => [kind, va, bytes, here?.pa, there?.pa]);
    expect(diff(image, table)).toEqual([
      ['missing-here', 2n * MIB, 2n * MIB, undefined, undefined],
      ['only-there', 6n * MIB, 4096n, undefined, 0x5000n],
    ]);
    expect(diff(table, image)).toEqual([
      ['missing-there', 2n * MIB, 2n * MIB, undefined, undefined],
      ['only-here', 6n * MIB, 4096n, 0x5000n, undefined],
    ]);
    expect(diff(image, image)).toEqual([['missing-both', 2n * MIB, 2n * MIB, undefined, undefined]]);
  });

  test('cuts what is unknown to the range', () => {
    const { table, image } = holed();
    const range = { va: 2n * MIB - 4096n, bytes: 3 * 4096 };
    expect([...diffTables(image, table, range)]).toEqual([
      { kind: 'missing-here', va: 2n * MIB, bytes: 8192n, here: null, there: null },
    ]);
  });
});

describe('tables that point to themselves', () => {
  test('are read once for each level where they have no leaves', () => {
    const table = looped(riscv64(3), riscvLoop, 512);
    expect(table.leaves().next().done).toBe(true);
    expect(table.counters).toMatchObject({ tablesRead: 3, entriesRead: 3 * 512 });
    expect([...listLeaves(table)]).toEqual([]);
    expect(linesOf(dumpTables(table))).toEqual([]);
  });

  test('are read as far as the list is asked for', () => {
    const table = looped(
      riscv64(3),
      (root, slot) => (slot < 511 ? riscvLoop(root) : (1n << 28n) | 0xcfn),
      512,
    );
    // Each of 511 * 511 ways reaches that page. A run is given when the next one is met.
    const first = table.leaves().next().value;
    expect(first).toMatchObject({ va: 511n * 4096n, level: 2 });
    expect(table.counters.entriesRead).toBe(2 + 512 + 1 + 512);
  });

  test.each([8, 64])('are listed once for each level in a dump of %i, and named after that', (count) => {
    const table = looped(x86(4), x86Loop, count);
    const lines = linesOf(dumpTables(table));
    expect(lines).toHaveLength(count + 3 * (count - 1));
    expect(lines.filter((line) => line.endsWith('  listed at 0x0000000000000000'))).toHaveLength(
      3 * (count - 1),
    );
    expect(table.counters).toMatchObject({ tablesRead: 4, entriesRead: 4 * 512 });
    expect(fields(lines.at(-1))).toMatch(
      /^512G PUD table 0x0{16} slot \d+ flags 0x0{14}63 listed at 0x0{16}$/,
    );
  });

  test('are bounded by `lines`, which says how many there are', () => {
    const table = looped(x86(4), x86Loop, 64);
    const lines = linesOf(dumpTables(table, { lines: 10 }));
    expect(lines).toHaveLength(10);
    expect(lines[5]).toMatch(/^\.\.\. 59 runs and 185 tables listed elsewhere, .*T not shown$/);
    expect(table.counters).toMatchObject({ tablesRead: 4, entriesRead: 4 * 512 });
  });

  test('are bounded in a tree', () => {
    const table = looped(x86(4), x86Loop, 64);
    dumpTables(table, { tables: true, lines: 10 });
    expect(table.counters).toMatchObject({ tablesRead: 4, entriesRead: 4 * 512 });
    table.resetCounters();
    expect(linesOf(dumpTables(table, { tables: true }))).toHaveLength(1 + 64 + 3 * 64);
    expect(table.counters).toMatchObject({ tablesRead: 4, entriesRead: 4 * 512 });
  });

  test('are bounded where each entry has flags of its own, and the line says so', () => {
    // Bits 62:52 and 11:9 of an entry are software's.
    const table = looped(x86(4), (root, slot) => x86Loop(root) | (BigInt(slot) << 52n), 512);
    const lines = linesOf(dumpTables(table));
    expect(lines.some((line) => line.endsWith('listed at 0x0000000000000000 below other flags'))).toBe(true);
    expect(table.counters.tablesRead).toBe(1 + 3 * 16);
  });

  test('are compared once for each level where both sides have the same', () => {
    const [here, there] = [looped(x86(4), x86Loop, 512), looped(x86(4), x86Loop, 512)];
    expect([...diffTables(here, there)]).toEqual([]);
    for (const table of [here, there]) expect(table.counters).toMatchObject({ tablesRead: 4 });
  });

  test('are compared at each address where they differ', () => {
    // In the last level, the third entry is a page that one side may write and the other may not.
    const here = looped(x86(4), x86Loop, 3);
    const there = looped(x86(4), (root, slot) => (slot < 2 ? x86Loop(root) : root | 0x61n), 3);
    const found = [...diffTables(here, there)];
    expect(found).toHaveLength(3 ** 3);
    expect(
      found.every(
        ({ kind, va, bytes }) => kind === 'protection' && va % (2n * MIB) === 8192n && bytes === 4096n,
      ),
    ).toBe(true);
    // A side whose tables point to themselves, and one that has none.
    const { table } = machine(x86(4));
    expect([...diffTables(here, table)].map(({ va }) => va)).toEqual([...here.leaves()].map(({ va }) => va));
    expect([...diffTables(table, here)]).toHaveLength(3 ** 4);
  });

  test('are items of a listing, once for each level', () => {
    const table = looped(x86(4), x86Loop, 3);
    const items = [...listLeaves(table)];
    expect(items.filter(({ kind }) => kind === 'again')).toHaveLength(3 * 2);
    expect(items.at(-1)).toEqual({
      ...{ kind: 'again', va: 2n << 39n, bytes: 1n << 39n, level: 1 },
      ...{ pfn: Number(table.root >> 12n), pa: table.root, listedAt: 0n },
      ...{ address: table.root + 16n, entry: x86Loop(table.root) },
    });
    expect([...listLeaves(table, { again: 'list' })]).toHaveLength(3 ** 4);
    expect([...table.leaves()]).toHaveLength(3 ** 4);
  });
});

describe('a table that two entries share', () => {
  /** A page at 4 KiB and, by the same table, at 1 GiB; between them other pages. */
  function shared() {
    const all = machine(arm64({ granule: 4, vaBits: 39, half: 'ttbr0' }));
    all.table.map(0x1000n, [7], KERNEL);
    const { address, entry } = entryAt(all.table, 0n, 0);
    all.memory.write64(address + 8n, entry);
    return all;
  }

  test('has its leaves at each address in `leaves`, and one item after the first in a listing', () => {
    const { table } = shared();
    expect([...table.leaves()].map(({ va }) => va)).toEqual([0x1000n, GIB + 0x1000n]);
    expect([...listLeaves(table)].map(({ kind, va }) => [kind, va])).toEqual([
      ['leaves', 0x1000n],
      ['again', GIB],
    ]);
    const line = linesOf(dumpTables(table))[1];
    expect(line).toMatch(/^0x0000000040000000-0x000000007fffffff .* listed at 0x0{16}$/);
    expect(line).toContain(`table ${hex(table.walk(0n).steps[1]?.table as bigint)}`);
  });

  test('is an item also where all that it has is a table without bytes', () => {
    const { table, memory, frames } = machine(riscv64(3));
    const pmd = BigInt(frames.allocate());
    memory.write64(pmd << 12n, (0x99999n << 10n) | 1n);
    for (const slot of [0n, 1n]) memory.write64(table.root + 8n * slot, (pmd << 10n) | 1n);
    expect([...listLeaves(table)]).toMatchObject([
      { kind: 'missing', va: 0n, bytes: 2n * MIB },
      { kind: 'again', va: GIB, bytes: GIB },
    ]);
  });

  test('is listed again where the range has cut its first list', () => {
    const { table } = shared();
    const items = [...listLeaves(table, { va: 0x1000n, bytes: 2n * GIB - 0x1000n })];
    expect(items.map(({ kind, va }) => [kind, va])).toEqual([
      ['leaves', 0x1000n],
      ['leaves', GIB + 0x1000n],
    ]);
  });
});

describe('listLeaves refuses', () => {
  const { table } = machine(riscv64(3));

  test('options that it does not know, values that it does not take, and what is no page table', () => {
    expect(thrown(() => listLeaves(table, { agian: 'list' } as never))).toMatch(/did you mean `again`/);
    expect(thrown(() => listLeaves(table, { again: 'never' } as never))).toBe(
      "EINVAL: again is 'never', expected name or list",
    );
    expect(thrown(() => listLeaves(table, { va: 1n, bytes: 4096 }))).toMatch(/^EINVAL/);
    expect(thrown(() => listLeaves({} as never))).toMatch(/is not a page table/);
  });
});
