import type { PageTableFormat } from '@vmarea/core';
import { dumpTables, FrameAllocator, hex, PageTable, PhysicalMemory } from '@vmarea/core';
import { machine } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../../formats/arm64.js';
import { riscv64 } from '../../formats/riscv64.js';
import { fields, KERNEL, linesOf, MIB, sample, WINDOW } from '../../support/dump.js';
import { entryAt } from '../../support/entries.js';

describe('a dump as a tree', () => {
  /** The sample, with some entries that map nothing. */
  function withOthers() {
    const all = sample();
    const { table, memory } = all;
    const swapped = entryAt(table, WINDOW + 0x8000n, 3).address;
    memory.write64(swapped, 0xabc0n);
    memory.write64(swapped + 8n, 0xabc0n);
    memory.write64(swapped + 16n, 0xabd0n);
    // A block at the last level, which has none, and a table outside the memory.
    memory.write64(swapped + 32n, 0x1000000000000701n);
    memory.write64(entryAt(table, WINDOW + 512n * 1024n * MIB, 0).address, 0x1000000077000403n);
    return all;
  }

  test('lists tables, their entries in use, and entries that map nothing', () => {
    expect(dumpTables(withOthers().table, { tables: true })).toMatchInlineSnapshot(`
      "arm64-4k-48, root 0x0000000000000000
      0xffff000000000000-0xffffffffffffffff        256T  PGD  table 0x0000000000000000    3 of 512 in use
        0xffff800000000000-0xffff807fffffffff        512G  PUD  table 0x0000000000001000  slot  256  flags 0x1000000000000403    3 of 512 in use
          0xffff800000000000-0xffff80003fffffff          1G  PMD  table 0x0000000000002000  slot    0  flags 0x1000000000000403    4 of 512 in use
            0xffff800000000000-0xffff8000001fffff          2M  PTE  table 0x0000000000003000  slot    0  flags 0x1000000000000403    9 of 512 in use
              0xffff800000000000-0xffff800000002fff         12K  PTE         3 x 4K    rw- k gad  normal           0x0000000001234000
              0xffff800000003000-0xffff800000003fff          4K  PTE         1 x 4K    rw- k gad  normal           0x0000000000099000
              0xffff800000005000-0xffff800000005fff          4K  PTE         1 x 4K    rw- k ga-  normal           0x0000000000300000
              0xffff800000008000-0xffff800000009fff          8K  PTE         2 x 4K    absent 0x000000000000abc0
              0xffff80000000a000-0xffff80000000afff          4K  PTE         1 x 4K    absent 0x000000000000abd0
              0xffff80000000c000-0xffff80000000cfff          4K  PTE         1 x 4K    reserved 0x1000000000000701
            0xffff800000200000-0xffff8000007fffff          6M  PMD         3 x 2M    r-x k ga-  normal           0x0000000040000000
          0xffff800040000000-0xffff80007fffffff          1G  PMD  table 0x0000000000004000  slot    1  flags 0x1000000000000403    2 of 512 in use
            0xffff800040000000-0xffff8000401fffff          2M  PMD         1 x 2M    rw- k -ad  device           0x00000000fe000000
            0xffff800040200000-0xffff8000403fffff          2M  PTE  table 0x0000000000005000  slot    1  flags 0x1000000000000403  256 of 512 in use
              0xffff800040200000-0xffff8000402fffff          1M  PTE       256 x 4K    rw- k -ad  device           0x00000000fe200000  cont
          0xffff800100000000-0xffff80013fffffff          1G  PMD  table 0x0000000000006000  slot    4  flags 0x1000000000000403    1 of 512 in use
            0xffff800100000000-0xffff8001001fffff          2M  PTE  table 0x0000000000007000  slot    0  flags 0x1000000000000403    2 of 512 in use
              0xffff800100000000-0xffff800100001fff          8K  PTE         2 x 4K    rw- u --d  normal           0x0000000000500000  extra 0x80000000000000
        0xffff808000000000-0xffff80ffffffffff        512G  PUD  table 0x0000000077000000  slot  257  flags 0x1000000000000403  no bytes
        0xffffff8000000000-0xffffffffffffffff        512G  PUD  table 0x0000000000008000  slot  511  flags 0x1000000000000403    1 of 512 in use
          0xffffffffc0000000-0xffffffffffffffff          1G  PMD  table 0x0000000000009000  slot  511  flags 0x1000000000000403    1 of 512 in use
            0xffffffffffe00000-0xffffffffffffffff          2M  PTE  table 0x000000000000a000  slot  511  flags 0x1000000000000403    1 of 512 in use
              0xfffffffffffff000-0xffffffffffffffff          4K  PTE         1 x 4K    r-- k -a-  normal           0x00000ffffffff000
      "
    `);
  });

  test('shows as many levels as are asked for', () => {
    const { table } = withOthers();
    const all = linesOf(dumpTables(table, { tables: true }));
    for (const levels of [1, 2, 3, 4, 9]) {
      const shallow = all.filter((line) => (/^ */.exec(line)?.[0].length as number) <= 2 * levels);
      expect(linesOf(dumpTables(table, { tables: true, levels }))).toEqual(shallow);
    }
    expect(all.length).toBeGreaterThan(linesOf(dumpTables(table, { tables: true, levels: 3 })).length);
  });

  test('shows the tables of a range, and counts all their entries', () => {
    const { table } = sample();
    expect(
      linesOf(dumpTables(table, { tables: true, va: WINDOW + 0x1000n, bytes: 0x2000 })).map(fields),
    ).toEqual([
      expect.stringMatching(/^256T PGD table 0x[\da-f]{16} 2 of 512 in use$/),
      expect.stringMatching(
        /^512G PUD table 0x[\da-f]{16} slot 256 flags 0x1000000000000403 3 of 512 in use$/,
      ),
      expect.stringMatching(/^1G PMD table 0x[\da-f]{16} slot 0 flags 0x1000000000000403 4 of 512 in use$/),
      expect.stringMatching(/^2M PTE table 0x[\da-f]{16} slot 0 flags 0x1000000000000403 5 of 512 in use$/),
      '8K PTE 2 x 4K rw- k gad normal 0x0000000001235000',
    ]);
  });

  test('ends where a table points to itself', () => {
    const { table, memory } = machine(riscv64(4));
    table.map(0x1000n, [7], KERNEL);
    // Slot 510 of the root is the root.
    memory.write64(table.root + 510n * 8n, ((table.root >> 12n) << 10n) | 1n);
    const lines = linesOf(dumpTables(table, { tables: true }));
    expect(
      lines
        .filter((line) => line.includes(`table ${hex(table.root)}`))
        .map((line) => fields(line).split(' ')[1]),
    ).toEqual(['PGD', 'PUD', 'PMD', 'PTE']);
    expect(lines.length).toBeLessThan(30);
    expect(linesOf(dumpTables(table))).toHaveLength(1);
  });

  test('lists a table once, however many entries point to it', () => {
    const { table, memory, frames } = machine(riscv64(3));
    // Each table holds the one below it, 64 times: 2^18 paths to one page.
    const below = [frames.allocate(), frames.allocate()];
    let at = table.root;
    for (const pfn of [...below, -1]) {
      const entry = pfn < 0 ? (0x123n << 10n) | 0xcfn : (BigInt(pfn) << 10n) | 1n;
      for (let slot = 0n; slot < 64n; slot++) memory.write64(at + 8n * slot, entry);
      at = BigInt(Math.max(pfn, 0)) << 12n;
    }
    const lines = linesOf(dumpTables(table, { tables: true }));
    // The root, and 64 lines in each of three levels.
    expect(lines.length).toBe(1 + 3 * 64);
    expect(lines.filter((line) => line.endsWith(', listed at 0x0000000000000000'))).toHaveLength(2 * 63);
    expect(lines.filter((line) => line.includes('x 4K'))).toHaveLength(64);
  });

  test('lists a table again whose first list was cut by the range', () => {
    const { table, memory } = machine(riscv64(3));
    table.map(0n, [7], KERNEL);
    table.map(0x10000n, [8], KERNEL);
    const at = entryAt(table, 0n, 1).address;
    for (let slot = 1n; slot < 3n; slot++) memory.write64(at + 8n * slot, memory.read64(at));
    const lines = linesOf(dumpTables(table, { tables: true, va: 0x10000n, bytes: 0x3f1000 })).slice(2);
    expect(lines.map((line) => line.trim().slice(0, 37))).toEqual([
      '0x0000000000000000-0x00000000001fffff',
      '0x0000000000010000-0x0000000000010fff',
      '0x0000000000200000-0x00000000003fffff',
      '0x0000000000200000-0x0000000000200fff',
      '0x0000000000210000-0x0000000000210fff',
      '0x0000000000400000-0x00000000005fffff',
      '0x0000000000400000-0x0000000000400fff',
    ]);
  });

  test('lists a table again under an entry with other flags', () => {
    const { table, memory } = machine(arm64({ granule: 4, vaBits: 48 }));
    table.map(WINDOW, [7], KERNEL);
    const at = entryAt(table, WINDOW, 2).address;
    memory.write64(at + 8n, memory.read64(at));
    memory.write64(at + 16n, memory.read64(at) | (1n << 62n));
    const lines = linesOf(dumpTables(table, { tables: true }))
      .slice(3)
      .map(fields);
    expect(lines).toEqual([
      expect.stringMatching(/slot 0 .* 1 of 512 in use$/),
      '4K PTE 1 x 4K rw- k gad normal 0x0000000000007000',
      expect.stringMatching(/slot 1 .* 1 of 512 in use, listed at 0xffff800000000000$/),
      expect.stringMatching(/slot 2 .* 1 of 512 in use$/),
      '4K PTE 1 x 4K r-- k gad normal 0x0000000000007000',
    ]);
  });

  test('does not refer to a table whose contents it does not show', () => {
    const { table, memory } = machine(riscv64(3));
    table.map(0n, [7], KERNEL);
    memory.write64(table.root + 8n, memory.read64(table.root));
    const marks = (levels: number): boolean[] =>
      linesOf(dumpTables(table, { tables: true, levels })).map((line) => line.includes('listed at'));
    expect(marks(1)).toEqual([false, false, false]);
    expect(marks(2)).toEqual([false, false, false, true]);
  });

  test('joins adjacent entries in one line only if both of their words are equal', () => {
    const { table, memory } = machine(arm64({ granule: 4, vaBits: 48 }));
    table.map(WINDOW, [7, 8], KERNEL);
    const { address } = entryAt(table, WINDOW);
    memory.write64(address + 8n, memory.read64(address + 8n) | (1n << 55n));
    [0xabc0n, 0x1_0000_abc0n, 0x1_0000_abd0n, 0n, 0x1_0000_abd0n].forEach((entry, i) => {
      memory.write64(address + 16n + 8n * BigInt(i), entry);
    });
    expect(
      linesOf(dumpTables(table, { tables: true }))
        .slice(4)
        .map(fields),
    ).toEqual([
      '4K PTE 1 x 4K rw- k gad normal 0x0000000000007000',
      '4K PTE 1 x 4K rw- k gad normal 0x0000000000008000 extra 0x80000000000000',
      '4K PTE 1 x 4K absent 0x000000000000abc0',
      '4K PTE 1 x 4K absent 0x000000010000abc0',
      '4K PTE 1 x 4K absent 0x000000010000abd0',
      '4K PTE 1 x 4K absent 0x000000010000abd0',
    ]);
  });

  test('does not read address bits of a table as flags', () => {
    // 52 address bits: bits 51 to 48 stand in bits 15 to 12 of an entry.
    const format = arm64({ granule: 64, vaBits: 48, large: true });
    let asked = 0;
    const counting: PageTableFormat = {
      ...format,
      permissions: (path, controls) => {
        asked++;
        return format.permissions(path, controls);
      },
    };
    const bases = [0n, 1n << 36n, 5n << 48n, (9n << 48n) | (3n << 32n)];
    const memory = PhysicalMemory.of(bases.map((base) => ({ base, bytes: 1 << 20 })));
    const frames = new FrameAllocator(memory, { pageShift: 16 });
    const table = new PageTable({ format: counting, memory, frames });
    table.map(WINDOW, [7], KERNEL);
    const { entry, address } = entryAt(table, WINDOW, 1);
    const child = entryAt(table, WINDOW, 2);
    const pieces = 0x0000_ffff_ffff_f000n;
    bases.slice(1).forEach((base, i) => {
      memory.bytesAt(base, 65536).set(memory.bytesAt(child.table, 65536));
      const bits = (base & 0x0000_ffff_ffff_0000n) | ((base >> 48n) << 12n);
      memory.write64(address + 8n * BigInt(i + 1), (entry & ~pieces) | bits);
    });
    asked = 0;
    const lines = linesOf(dumpTables(table, { tables: true }));
    expect(asked).toBe(1);
    const tables = lines.filter((line) => line.includes(' PTE  table '));
    expect(tables.map((line) => /table (\S+)/.exec(line)?.[1])).toEqual(
      [child.table, ...bases.slice(1)].map(hex),
    );
    expect(new Set(tables.map((line) => /flags (\S+)/.exec(line)?.[1]))).toEqual(
      new Set([hex(entry & ~pieces)]),
    );
    expect(lines.filter((line) => line.includes('x 64K'))).toHaveLength(4);
  });
});
