import type { PageTableFormat, Protection } from '@vmarea/core';
import { dumpTables, FrameAllocator, hex, PageTable, PhysicalMemory, wasmLoops } from '@vmarea/core';
import { machine, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../../formats/arm64.js';
import { riscv64 } from '../../formats/riscv64.js';
import { fields, KERNEL, linesOf, MIB, sample, USER, WINDOW } from '../../support/dump.js';
import { entryAt } from '../../support/entries.js';

describe('a dump', () => {
  test('has a line for each run, in columns', () => {
    expect(dumpTables(sample().table)).toMatchInlineSnapshot(`
      "arm64-4k-48, root 0x0000000000000000
      0xffff800000000000-0xffff800000002fff         12K  PTE         3 x 4K    rw- k gad  normal           0x0000000001234000
      0xffff800000003000-0xffff800000003fff          4K  PTE         1 x 4K    rw- k gad  normal           0x0000000000099000
      0xffff800000005000-0xffff800000005fff          4K  PTE         1 x 4K    rw- k ga-  normal           0x0000000000300000
      0xffff800000200000-0xffff8000007fffff          6M  PMD         3 x 2M    r-x k ga-  normal           0x0000000040000000
      0xffff800040000000-0xffff8000401fffff          2M  PMD         1 x 2M    rw- k -ad  device           0x00000000fe000000
      0xffff800040200000-0xffff8000402fffff          1M  PTE       256 x 4K    rw- k -ad  device           0x00000000fe200000  cont
      0xffff800100000000-0xffff800100001fff          8K  PTE         2 x 4K    rw- u --d  normal           0x0000000000500000  extra 0x80000000000000
      0xfffffffffffff000-0xffffffffffffffff          4K  PTE         1 x 4K    r-- k -a-  normal           0x00000ffffffff000
      "
    `);
  });

  test('of an empty table is its title', () => {
    expect(dumpTables(machine(riscv64(3)).table)).toBe('riscv64-sv39, root 0x0000000000000000\n');
  });

  test('marks contiguous and NAPOT runs, and begins a line where the mark changes', () => {
    const arm = machine(arm64({ granule: 4, vaBits: 48 }));
    arm.table.mapRange(WINDOW, 0x10000n, 0x20000n, KERNEL, { maxLeafShift: 12 });
    for (let page = 0n; page < 16n; page++) {
      const at = entryAt(arm.table, WINDOW + page * 4096n, 3).address;
      arm.memory.write64(at, arm.memory.read64(at) | (1n << 52n));
    }
    expect(linesOf(dumpTables(arm.table)).map(fields)).toEqual([
      '64K PTE 16 x 4K rw- k gad normal 0x0000000000010000 cont',
      '64K PTE 16 x 4K rw- k gad normal 0x0000000000020000',
    ]);

    const riscv = machine(riscv64(3));
    riscv.table.mapRange(0x10000n, 0x40000n, 0x10000n, KERNEL);
    for (let page = 0x10n; page < 0x20n; page++) {
      const at = entryAt(riscv.table, page * 4096n, 2).address;
      const flags = riscv.memory.read64(at) & 0x3ffn;
      riscv.memory.write64(at, flags | (1n << 63n) | (0x48n << 10n));
    }
    for (const tables of [false, true]) {
      expect(fields(linesOf(dumpTables(riscv.table, { tables })).at(-1))).toBe(
        '64K PTE 16 x 4K rw- k gad normal 0x0000000000040000 napot',
      );
    }
  });

  test('keeps its columns for 10 GiB in pages', () => {
    const { table } = machine(riscv64(4), 6000);
    table.map(0x1000n, [7], KERNEL);
    table.mapRange(1n << 39n, 1n << 32n, (10n << 30n) + 0x1000n, KERNEL, { maxLeafShift: 12 });
    expect(linesOf(dumpTables(table))).toMatchInlineSnapshot(`
      [
        "0x0000000000001000-0x0000000000001fff          4K  PTE         1 x 4K    rw- k gad  normal           0x0000000000007000",
        "0x0000008000000000-0x0000008280000fff   10485764K  PTE   2621441 x 4K    rw- k gad  normal           0x0000000100000000",
      ]
    `);
  });

  test('begins a line where only the size of leaves changes', () => {
    const { table } = machine(riscv64(3));
    table.map(0x1ff000n, [0x1ff], KERNEL);
    table.mapRange(0x200000n, 0x200000n, 2n * MIB, KERNEL);
    table.map(0x400000n, [0x400], KERNEL);
    const runs = [...table.leaves()];
    expect(runs.map(({ count, leafShift, flags }) => [count, leafShift, flags])).toEqual([
      [1, 12, runs[0]?.flags],
      [1, 21, runs[0]?.flags],
      [1, 12, runs[0]?.flags],
    ]);
    expect(linesOf(dumpTables(table)).map((line) => fields(line).split(' ').slice(0, 5).join(' '))).toEqual([
      '4K PTE 1 x 4K',
      '2M PMD 1 x 2M',
      '4K PTE 1 x 4K',
    ]);
  });

  test('shows whole leaves, though the range cuts them', () => {
    const { table } = sample();
    const lines = linesOf(dumpTables(table, { va: WINDOW + 0x2000n, bytes: 0x200000n }));
    expect(lines.map((line) => line.slice(0, 50).trim())).toEqual([
      '0xffff800000002000-0xffff800000002fff          4K',
      '0xffff800000003000-0xffff800000003fff          4K',
      '0xffff800000005000-0xffff800000005fff          4K',
      '0xffff800000200000-0xffff8000003fffff          2M',
    ]);
    expect(dumpTables(table, { va: WINDOW + 0x8000n, bytes: 0x1000 })).toBe(
      `arm64-4k-48, root ${hex(table.root)}\n`,
    );
    expect(thrown(() => dumpTables(table, { va: 0n, bytes: 0x1000 }))).toMatch(/^ERANGE/);
  });

  test('begins a line after the canonical hole', () => {
    const { table } = machine(riscv64(3));
    table.map(0x3ffffff000n, [7], KERNEL);
    table.map(0xffffffc000000000n, [8], KERNEL);
    expect(linesOf(dumpTables(table)).map((line) => line.slice(0, 37))).toEqual([
      '0x0000003ffffff000-0x0000003fffffffff',
      '0xffffffc000000000-0xffffffc000000fff',
    ]);
    // The same where the leaves on both sides of the hole stand in the root.
    const blocks = machine(riscv64(3));
    blocks.table.mapRange(0x3fc0000000n, 0x40000000n, 1n << 30n, KERNEL);
    blocks.table.mapRange(0xffffffc000000000n, 0x80000000n, 1n << 30n, KERNEL);
    expect(
      linesOf(dumpTables(blocks.table, { tables: true }))
        .slice(1)
        .map(fields),
    ).toEqual([
      '1G PGD 1 x 1G rw- k gad normal 0x0000000040000000',
      '1G PGD 1 x 1G rw- k gad normal 0x0000000080000000',
    ]);
  });

  test('gives each size exactly', () => {
    const { table } = machine(riscv64(4), 1024);
    const sizes = [0x99000n, 0x180000n, 0x200000n, 0x201000n, 0x60000000n, 1n << 39n];
    sizes.forEach((size, i) => {
      table.mapRange(BigInt(i + 1) << 40n, 1n << 40n, size, KERNEL, {
        maxLeafShift: size < 1n << 39n ? 12 : 39,
      });
    });
    expect(linesOf(dumpTables(table)).map((line) => fields(line).split(' ')[0])).toEqual([
      '612K',
      '1.5M',
      '2M',
      '2052K',
      '1.5G',
      '512G',
    ]);
  });
});

describe('the rights in a dump', () => {
  const format = arm64({ granule: 4, vaBits: 48 });
  /** 4 MiB in base pages under two tables, with bits set in the entry of the second. */
  function twoTables(bits: bigint, given: Protection = KERNEL, over: PageTableFormat = format) {
    const all = machine(over);
    all.table.mapRange(WINDOW, 0x40000000n, 4n * MIB, given, { maxLeafShift: 12 });
    const at = entryAt(all.table, WINDOW + 2n * MIB, 2).address;
    all.memory.write64(at, all.memory.read64(at) | bits);
    expect([...all.table.leaves()].reduce((sum, { count }) => sum + count, 0)).toBe(1024);
    return all.table;
  }

  test('are those that the tables above allow, and end a run', () => {
    expect(linesOf(dumpTables(twoTables(0n))).map(fields)).toEqual([
      '4M PTE 1024 x 4K rw- k gad normal 0x0000000040000000',
    ]);
    expect(linesOf(dumpTables(twoTables(1n << 62n))).map(fields)).toEqual([
      '2M PTE 512 x 4K rw- k gad normal 0x0000000040000000',
      '2M PTE 512 x 4K r-- k gad normal 0x0000000040200000',
    ]);
  });

  test('end no run where the tables above differ but allow the same', () => {
    // An ignored bit of a table entry, and a right that the leaf does not give.
    for (const bits of [1n << 52n, 1n << 59n]) {
      expect(linesOf(dumpTables(twoTables(bits))), hex(bits)).toHaveLength(1);
    }
  });

  test('show a page of the user as one of the kernel where the tables above close it to the user', () => {
    expect(linesOf(dumpTables(twoTables(1n << 61n, USER))).map(fields)).toEqual([
      '2M PTE 512 x 4K rw- u -ad normal 0x0000000040000000',
      '2M PTE 512 x 4K rw- k -ad normal 0x0000000040200000',
    ]);
  });

  test('are computed once for each different path and leaf of a page table', () => {
    let asked = 0;
    const counting: PageTableFormat = {
      ...format,
      permissions: (path, controls) => {
        asked++;
        return format.permissions(path, controls);
      },
    };
    const table = twoTables(1n << 62n, KERNEL, counting);
    // A list of leaves has asked.
    asked = 0;
    dumpTables(table);
    dumpTables(table, { tables: true });
    expect(asked).toBe(0);
    dumpTables(table, { controls: {} });
    expect(asked).toBe(2);
  });
});

describe('dumpTables refuses options', () => {
  const { table } = machine(riscv64(3));

  test.each([
    [{ tables: true, levels: 0 }, 'EINVAL: levels is 0, expected 1 or more'],
    [{ tables: true, levels: 1.5 }, 'EINVAL: levels is 1.5, expected 1 or more'],
    [{ levels: 1 }, 'EINVAL: levels has no effect on a list; pass tables: true with it for a tree'],
    [{ lines: 0 }, 'EINVAL: lines is 0, expected 1 or more'],
    [{ lines: -1 }, 'EINVAL: lines is -1, expected 1 or more'],
    [{ lines: 1.5 }, 'EINVAL: lines is 1.5, expected 1 or more'],
    [{ lines: 5n }, 'EINVAL: lines is 5n, expected 1 or more'],
    [{ lines: '5' }, "EINVAL: lines is '5', expected 1 or more"],
    [{ tables: 'yes' }, "EINVAL: tables is 'yes', expected true or false"],
    [{ controls: 5 }, 'EINVAL: the controls of riscv64-sv39 are 5; pass an object'],
    [{ line: 5 }, 'EINVAL: dumpTables() has no option `line`; did you mean `lines`?'],
    [{ controls: { wxn: true } }, 'EINVAL: riscv64-sv39 has no control `wxn`; it has none'],
    [{ controls: { toString: true } }, 'EINVAL: riscv64-sv39 has no control `toString`; it has none'],
  ])('%o', (options, message) => {
    expect(thrown(() => dumpTables(table, options as never))).toBe(message);
  });

  test('and, before it looks at them, a destroyed table', () => {
    const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 1 << 16 });
    const gone = new PageTable({ format: riscv64(3), memory, frames: new FrameAllocator(memory) });
    gone.destroy();
    expect(thrown(() => dumpTables(gone))).toBe('EINVAL: this page table was destroyed');
  });
});
