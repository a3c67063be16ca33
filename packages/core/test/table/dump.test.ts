import type { PageTableFormat, Protection } from '@vmarea/core';
import { FrameAllocator, hex, PageTable, PhysicalMemory, protection } from '@vmarea/core';
import { describe, expect, it } from 'vitest';
import { arm64 } from '../formats/arm64.js';
import { formats } from '../formats/index.js';
import { riscv64 } from '../formats/riscv64.js';
import { walkBytes } from '../support/bytes-walk.js';
import { firstAddress, machine } from '../support/machine.js';
import { thrown } from '../support/thrown.js';

const KERNEL = protection({ write: true, global: true });
const TEXT = protection({ execute: true, global: true });
const USER = protection({ user: true, write: true });
const WINDOW = 0xffff800000000000n;
const MIB = 1n << 20n;

/** The words after the address range: what most tests are about. */
function fields(line: string | undefined): string {
  return (line ?? 'no line').trim().split(/ +/).slice(1).join(' ');
}

/** The lines below the title. */
function linesOf(dump: string): string[] {
  return dump.trimEnd().split('\n').slice(1);
}

/** Physical address of the entry that a walk reads at a level. */
function entryAt(table: PageTable, va: bigint, level: number): bigint {
  const step = table.walk(va).steps[level];
  if (step === undefined) throw new Error(`no entry at level ${level}`);
  return step.address;
}

/** A bit of everything on arm64. */
function sample() {
  const all = machine(arm64({ granule: 4, vaBits: 48 }));
  const { table } = all;
  table.map(WINDOW, [0x1234, 0x1235, 0x1236, 0x99], KERNEL);
  table.map(WINDOW + 0x5000n, [0x300], { ...KERNEL, dirty: false });
  table.mapRange(WINDOW + 2n * MIB, 0x40000000n, 6n * MIB, TEXT);
  table.mapRange(WINDOW + 1024n * MIB, 0xfe000000n, 3n * MIB, protection({ write: true, memory: 'device' }));
  table.map(WINDOW + 4096n * MIB, [0x500, 0x501], { ...USER, accessed: false, extra: 1n << 55n });
  table.map(0xfffffffffffff000n, [0xffffffff], protection({ read: true }));
  return all;
}

describe('the plain form', () => {
  it('is a line for each run, in columns', () => {
    expect(sample().table.dump()).toMatchInlineSnapshot(`
      "arm64-4k-48, root 0x0000000000000000
      0xffff800000000000-0xffff800000002fff       12K  PTE       3 x 4K    rw- k gad  normal           0x0000000001234000
      0xffff800000003000-0xffff800000003fff        4K  PTE       1 x 4K    rw- k gad  normal           0x0000000000099000
      0xffff800000005000-0xffff800000005fff        4K  PTE       1 x 4K    rw- k ga-  normal           0x0000000000300000
      0xffff800000200000-0xffff8000007fffff        6M  PMD       3 x 2M    r-x k ga-  normal           0x0000000040000000
      0xffff800040000000-0xffff8000401fffff        2M  PMD       1 x 2M    rw- k -ad  device           0x00000000fe000000
      0xffff800040200000-0xffff8000402fffff        1M  PTE     256 x 4K    rw- k -ad  device           0x00000000fe200000
      0xffff800100000000-0xffff800100001fff        8K  PTE       2 x 4K    rw- u --d  normal           0x0000000000500000  extra 0x80000000000000
      0xfffffffffffff000-0xffffffffffffffff        4K  PTE       1 x 4K    r-- k -a-  normal           0x00000ffffffff000
      "
    `);
  });

  it('says nothing more than its title of an empty table', () => {
    expect(machine(riscv64(3)).table.dump()).toBe('riscv64-sv39, root 0x0000000000000000\n');
  });

  it('marks contiguous and NAPOT runs, a line where the mark changes', () => {
    const arm = machine(arm64({ granule: 4, vaBits: 48 }));
    arm.table.mapRange(WINDOW, 0x10000n, 0x20000n, KERNEL);
    for (let page = 0n; page < 16n; page++) {
      const at = entryAt(arm.table, WINDOW + page * 4096n, 3);
      arm.memory.write64(at, arm.memory.read64(at) | (1n << 52n));
    }
    expect(linesOf(arm.table.dump()).map(fields)).toEqual([
      '64K PTE 16 x 4K rw- k gad normal 0x0000000000010000 cont',
      '64K PTE 16 x 4K rw- k gad normal 0x0000000000020000',
    ]);

    const riscv = machine(riscv64(3));
    riscv.table.mapRange(0x10000n, 0x40000n, 0x10000n, KERNEL);
    for (let page = 0x10n; page < 0x20n; page++) {
      const at = entryAt(riscv.table, page * 4096n, 2);
      const flags = riscv.memory.read64(at) & 0x3ffn;
      riscv.memory.write64(at, flags | (1n << 63n) | (0x48n << 10n));
    }
    for (const tables of [false, true]) {
      expect(fields(linesOf(riscv.table.dump({ tables })).at(-1))).toBe(
        '64K PTE 16 x 4K rw- k gad normal 0x0000000000040000 napot',
      );
    }
  });

  it('shows whole leaves of a range', () => {
    const { table } = sample();
    const lines = linesOf(table.dump({ va: WINDOW + 0x2000n, bytes: 0x200000n }));
    expect(lines.map((line) => line.slice(0, 48).trim())).toEqual([
      '0xffff800000002000-0xffff800000002fff        4K',
      '0xffff800000003000-0xffff800000003fff        4K',
      '0xffff800000005000-0xffff800000005fff        4K',
      '0xffff800000200000-0xffff8000003fffff        2M',
    ]);
    expect(table.dump({ va: WINDOW + 0x8000n, bytes: 0x1000 })).toBe(
      `arm64-4k-48, root ${hex(table.root)}\n`,
    );
    expect(thrown(() => table.dump({ va: 0n, bytes: 0x1000 }))).toMatch(/^ERANGE/);
  });

  it('does not run over the hole between the halves', () => {
    const { table } = machine(riscv64(3));
    table.map(0x3ffffff000n, [7], KERNEL);
    table.map(0xffffffc000000000n, [8], KERNEL);
    expect(linesOf(table.dump()).map((line) => line.slice(0, 37))).toEqual([
      '0x0000003ffffff000-0x0000003fffffffff',
      '0xffffffc000000000-0xffffffc000000fff',
    ]);
    // The same where both sides of the hole are leaves of the root.
    const blocks = machine(riscv64(3));
    blocks.table.mapRange(0x3fc0000000n, 0x40000000n, 1n << 30n, KERNEL);
    blocks.table.mapRange(0xffffffc000000000n, 0x80000000n, 1n << 30n, KERNEL);
    expect(
      linesOf(blocks.table.dump({ tables: true }))
        .slice(1)
        .map(fields),
    ).toEqual([
      '1G PGD 1 x 1G rw- k gad normal 0x0000000040000000',
      '1G PGD 1 x 1G rw- k gad normal 0x0000000080000000',
    ]);
  });

  it('says a size exactly', () => {
    const { table } = machine(riscv64(4), 1024);
    const sizes = [0x99000n, 0x180000n, 0x200000n, 0x201000n, 0x60000000n, 1n << 39n];
    sizes.forEach((size, i) => {
      table.mapRange(BigInt(i + 1) << 40n, 1n << 40n, size, KERNEL, {
        maxLeafShift: size < 1n << 39n ? 12 : 39,
      });
    });
    expect(linesOf(table.dump()).map((line) => fields(line).split(' ')[0])).toEqual([
      '612K',
      '1.5M',
      '2M',
      '2052K',
      '1.5G',
      '512G',
    ]);
  });
});

describe('effective rights', () => {
  const format = arm64({ granule: 4, vaBits: 48 });
  /** 4 MiB in base pages under two tables, and a change of the second one's entry. */
  function twoTables(bits: bigint, given: Protection = KERNEL, over: PageTableFormat = format) {
    const all = machine(over);
    all.table.mapRange(WINDOW, 0x40000000n, 4n * MIB, given, { maxLeafShift: 12 });
    const at = entryAt(all.table, WINDOW + 2n * MIB, 2);
    all.memory.write64(at, all.memory.read64(at) | bits);
    expect([...all.table.leaves()]).toMatchObject([{ count: 1024 }]);
    return all.table;
  }

  it('are those that tables above leave, and cut a run', () => {
    expect(linesOf(twoTables(0n).dump()).map(fields)).toEqual([
      '4M PTE 1024 x 4K rw- k gad normal 0x0000000040000000',
    ]);
    expect(linesOf(twoTables(1n << 62n).dump()).map(fields)).toEqual([
      '2M PTE 512 x 4K rw- k gad normal 0x0000000040000000',
      '2M PTE 512 x 4K r-- k gad normal 0x0000000040200000',
    ]);
  });

  it('do not cut a run where the entries above differ and allow the same', () => {
    // Ignored bits of a table's entry, and a right that the leaf does not give.
    for (const bits of [1n << 52n, 1n << 59n]) {
      expect(linesOf(twoTables(bits).dump()), hex(bits)).toHaveLength(1);
    }
  });

  it('give a page of the user to the kernel when tables leave the user nothing', () => {
    expect(linesOf(twoTables(1n << 61n, USER).dump()).map(fields)).toEqual([
      '2M PTE 512 x 4K rw- u -ad normal 0x0000000040000000',
      '2M PTE 512 x 4K rw- k -ad normal 0x0000000040200000',
    ]);
  });

  it('are asked for once for each different leaf and path', () => {
    let asked = 0;
    const counting: PageTableFormat = {
      ...format,
      permissions: (path, controls) => {
        asked++;
        return format.permissions(path, controls);
      },
    };
    const table = twoTables(1n << 62n, KERNEL, counting);
    asked = 0;
    table.dump();
    expect(asked).toBe(2);
    table.dump({ tables: true });
    expect(asked).toBe(4);
  });
});

describe('the tree', () => {
  /** The sample, and entries that map nothing. */
  function withOthers() {
    const all = sample();
    const { table, memory } = all;
    const swapped = entryAt(table, WINDOW + 0x8000n, 3);
    memory.write64(swapped, 0xabc0n);
    memory.write64(swapped + 8n, 0xabc0n);
    memory.write64(swapped + 16n, 0xabd0n);
    // A block where the last level has none, and a table beyond all memory.
    memory.write64(swapped + 32n, 0x1000000000000701n);
    memory.write64(entryAt(table, WINDOW + 512n * 1024n * MIB, 0), 0x1000000077000403n);
    return all;
  }

  it('lists tables, what they hold, and what maps nothing', () => {
    expect(withOthers().table.dump({ tables: true })).toMatchInlineSnapshot(`
      "arm64-4k-48, root 0x0000000000000000
      0xffff000000000000-0xffffffffffffffff      256T  PGD  table 0x0000000000000000    3 of 512 in use
        0xffff800000000000-0xffff807fffffffff      512G  PUD  table 0x0000000000001000  slot  256  flags 0x1000000000000403    3 of 512 in use
          0xffff800000000000-0xffff80003fffffff        1G  PMD  table 0x0000000000002000  slot    0  flags 0x1000000000000403    4 of 512 in use
            0xffff800000000000-0xffff8000001fffff        2M  PTE  table 0x0000000000003000  slot    0  flags 0x1000000000000403    9 of 512 in use
              0xffff800000000000-0xffff800000002fff       12K  PTE       3 x 4K    rw- k gad  normal           0x0000000001234000
              0xffff800000003000-0xffff800000003fff        4K  PTE       1 x 4K    rw- k gad  normal           0x0000000000099000
              0xffff800000005000-0xffff800000005fff        4K  PTE       1 x 4K    rw- k ga-  normal           0x0000000000300000
              0xffff800000008000-0xffff800000009fff        8K  PTE       2 x 4K    absent 0x000000000000abc0
              0xffff80000000a000-0xffff80000000afff        4K  PTE       1 x 4K    absent 0x000000000000abd0
              0xffff80000000c000-0xffff80000000cfff        4K  PTE       1 x 4K    reserved 0x1000000000000701
            0xffff800000200000-0xffff8000007fffff        6M  PMD       3 x 2M    r-x k ga-  normal           0x0000000040000000
          0xffff800040000000-0xffff80007fffffff        1G  PMD  table 0x0000000000004000  slot    1  flags 0x1000000000000403    2 of 512 in use
            0xffff800040000000-0xffff8000401fffff        2M  PMD       1 x 2M    rw- k -ad  device           0x00000000fe000000
            0xffff800040200000-0xffff8000403fffff        2M  PTE  table 0x0000000000005000  slot    1  flags 0x1000000000000403  256 of 512 in use
              0xffff800040200000-0xffff8000402fffff        1M  PTE     256 x 4K    rw- k -ad  device           0x00000000fe200000
          0xffff800100000000-0xffff80013fffffff        1G  PMD  table 0x0000000000006000  slot    4  flags 0x1000000000000403    1 of 512 in use
            0xffff800100000000-0xffff8001001fffff        2M  PTE  table 0x0000000000007000  slot    0  flags 0x1000000000000403    2 of 512 in use
              0xffff800100000000-0xffff800100001fff        8K  PTE       2 x 4K    rw- u --d  normal           0x0000000000500000  extra 0x80000000000000
        0xffff808000000000-0xffff80ffffffffff      512G  PUD  table 0x0000000077000000  slot  257  flags 0x1000000000000403  no bytes
        0xffffff8000000000-0xffffffffffffffff      512G  PUD  table 0x0000000000008000  slot  511  flags 0x1000000000000403    1 of 512 in use
          0xffffffffc0000000-0xffffffffffffffff        1G  PMD  table 0x0000000000009000  slot  511  flags 0x1000000000000403    1 of 512 in use
            0xffffffffffe00000-0xffffffffffffffff        2M  PTE  table 0x000000000000a000  slot  511  flags 0x1000000000000403    1 of 512 in use
              0xfffffffffffff000-0xffffffffffffffff        4K  PTE       1 x 4K    r-- k -a-  normal           0x00000ffffffff000
      "
    `);
  });

  it('shows the contents of as many levels as are asked for', () => {
    const { table } = withOthers();
    const all = linesOf(table.dump({ tables: true }));
    for (const levels of [1, 2, 3, 4, 9]) {
      const shallow = all.filter((line) => (/^ */.exec(line)?.[0].length as number) <= 2 * levels);
      expect(linesOf(table.dump({ tables: true, levels }))).toEqual(shallow);
    }
    expect(all.length).toBeGreaterThan(linesOf(table.dump({ tables: true, levels: 3 })).length);
  });

  it('shows the tables of a range, and counts all of their entries', () => {
    const { table } = sample();
    expect(linesOf(table.dump({ tables: true, va: WINDOW + 0x1000n, bytes: 0x2000 })).map(fields)).toEqual([
      expect.stringMatching(/^256T PGD table 0x[\da-f]{16} 2 of 512 in use$/),
      expect.stringMatching(
        /^512G PUD table 0x[\da-f]{16} slot 256 flags 0x1000000000000403 3 of 512 in use$/,
      ),
      expect.stringMatching(/^1G PMD table 0x[\da-f]{16} slot 0 flags 0x1000000000000403 4 of 512 in use$/),
      expect.stringMatching(/^2M PTE table 0x[\da-f]{16} slot 0 flags 0x1000000000000403 5 of 512 in use$/),
      '8K PTE 2 x 4K rw- k gad normal 0x0000000001235000',
    ]);
  });

  it('ends where a table holds itself', () => {
    const { table, memory } = machine(riscv64(4));
    table.map(0x1000n, [7], KERNEL);
    // Slot 510 of the root is the root.
    memory.write64(table.root + 510n * 8n, ((table.root >> 12n) << 10n) | 1n);
    const lines = linesOf(table.dump({ tables: true }));
    expect(
      lines
        .filter((line) => line.includes(`table ${hex(table.root)}`))
        .map((line) => fields(line).split(' ')[1]),
    ).toEqual(['PGD', 'PUD', 'PMD', 'PTE']);
    expect(lines.length).toBeLessThan(30);
    expect(linesOf(table.dump())).toHaveLength(1);
  });

  it('lists a table once, however often it is reached', () => {
    const { table, memory, frames } = machine(riscv64(3));
    // Each table holds nothing but the one below it, 64 times: 2^18 ways to one page.
    const below = [frames.allocate(), frames.allocate()];
    let at = table.root;
    for (const pfn of [...below, -1]) {
      const entry = pfn < 0 ? (0x123n << 10n) | 0xcfn : (BigInt(pfn) << 10n) | 1n;
      for (let slot = 0n; slot < 64n; slot++) memory.write64(at + 8n * slot, entry);
      at = BigInt(Math.max(pfn, 0)) << 12n;
    }
    const lines = linesOf(table.dump({ tables: true, lines: 3 }));
    // The root; 64 lines in each of two levels; the pages of the last table, shortened.
    expect(lines.length).toBe(1 + 2 * 64 + 3);
    expect(lines.filter((line) => line.endsWith(', listed at 0x0000000000000000'))).toHaveLength(2 * 63);
    expect(lines.filter((line) => line.includes('x 4K'))).toHaveLength(2);
  });

  it('lists a table again that a range had cut', () => {
    const { table, memory } = machine(riscv64(3));
    table.map(0n, [7], KERNEL);
    table.map(0x10000n, [8], KERNEL);
    const at = entryAt(table, 0n, 1);
    for (let slot = 1n; slot < 3n; slot++) memory.write64(at + 8n * slot, memory.read64(at));
    const lines = linesOf(table.dump({ tables: true, va: 0x10000n, bytes: 0x3f1000 })).slice(2);
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

  it('lists a table again where other flags stand above it', () => {
    const { table, memory } = machine(arm64({ granule: 4, vaBits: 48 }));
    table.map(WINDOW, [7], KERNEL);
    const at = entryAt(table, WINDOW, 2);
    memory.write64(at + 8n, memory.read64(at));
    memory.write64(at + 16n, memory.read64(at) | (1n << 62n));
    const lines = linesOf(table.dump({ tables: true }))
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
});

describe('a table without bytes', () => {
  function image() {
    const { table, memory } = sample();
    const missing = table.walk(WINDOW + 2n * MIB).steps[2]?.table as bigint;
    const addresses = Array.from({ length: 64 }, (_, i) => BigInt(i) * 4096n);
    const kept = addresses.filter((pa) => pa !== missing);
    const bytes = new Uint8Array(kept.length * 4096);
    kept.forEach((pa, i) => {
      bytes.set(memory.bytesAt(pa, 4096), i * 4096);
    });
    const sparse = PhysicalMemory.sparse({ pageShift: 12, addresses: kept, bytes });
    return { table: PageTable.open({ format: table.format, memory: sparse, root: table.root }), missing };
  }

  it('is a line in its place, and the rest is listed', () => {
    const { table, missing } = image();
    const line = `0xffff800000000000-0xffff80003fffffff        1G  PMD  table ${hex(missing)}  slot    0  flags 0x1000000000000403  no bytes`;
    const [first, ...others] = linesOf(table.dump());
    expect(first).toBe(line);
    expect(others).toEqual(linesOf(sample().table.dump()).slice(4));
    expect(linesOf(table.dump({ tables: true })).filter((text) => text.includes('no bytes'))).toEqual([
      `    ${line}`,
    ]);
    expect(thrown(() => [...table.leaves()])).toMatch(/^EFAULT/);
  });

  it('is counted where lines are left out', () => {
    expect(linesOf(image().table.dump({ lines: 1 }))).toEqual([
      expect.stringMatching(/^\.\.\. \d+ runs, \d+K, and 1 tables without bytes not shown$/),
    ]);
  });
});

describe('lines', () => {
  /** 11 runs of one page, and 3 more behind a table boundary. */
  function scattered() {
    const { table } = machine(riscv64(3));
    for (let i = 0n; i < 11n; i++) table.map(0x10000n + i * 0x2000n, [7], KERNEL);
    for (let i = 0n; i < 3n; i++) table.map(0x200000n + i * 0x2000n, [7], KERNEL);
    return table;
  }

  it.each([1, 2, 3, 4, 5, 13])('%i show the ends of a list and say what is missing', (lines) => {
    const table = scattered();
    const all = linesOf(table.dump());
    const got = linesOf(table.dump({ lines }));
    expect(got).toHaveLength(lines);
    const head = Math.ceil((lines - 1) / 2);
    const tail = lines - 1 - head;
    const missing = all.length - head - tail;
    expect(got).toEqual([
      ...all.slice(0, head),
      `... ${missing} runs, ${missing * 4}K not shown`,
      ...all.slice(all.length - tail),
    ]);
  });

  it.each([14, 15, 1000])('%i are enough', (lines) => {
    const table = scattered();
    expect(table.dump({ lines })).toBe(table.dump());
  });

  it('are counted for each table of a tree', () => {
    const table = scattered();
    const all = linesOf(table.dump({ tables: true }));
    expect(linesOf(table.dump({ tables: true, lines: 3 }))).toEqual([
      ...all.slice(0, 4),
      '      ... 9 runs, 36K not shown',
      ...all.slice(13),
    ]);
    expect(linesOf(table.dump({ tables: true, lines: 2 }))).toEqual([
      ...all.slice(0, 4),
      '      ... 10 runs, 40K not shown',
      all[14],
      all[15],
      '      ... 2 runs, 8K not shown',
    ]);
  });

  it('never take a table away', () => {
    const { table } = machine(riscv64(3));
    for (const slot of [0n, 2n, 4n]) table.mapRange(slot << 30n, 1n << 30n, 1n << 30n, KERNEL);
    for (const slot of [1n, 3n]) table.map(slot << 30n, [7], KERNEL);
    const lines = linesOf(table.dump({ tables: true, lines: 1, levels: 1 }));
    expect(lines.map((line) => fields(line).split(' ').slice(0, 3).join(' '))).toEqual([
      '512G PGD table',
      '3 runs, 3G',
      '1G PMD table',
      '1G PMD table',
    ]);
  });
});

describe('every format', () => {
  it.each(formats.map((format) => [format.name, format] as const))(
    '%s: what the lines say is what the bytes say',
    (_name, format) => {
      const { table, memory } = machine(format);
      const page = 1n << BigInt(format.pageShift);
      const start = firstAddress(format, true);
      const total = 1n << BigInt(format.range.bits - (format.range.upper === 'sign' ? 1 : 0));
      const block = 1n << BigInt(format.levels.at(-2)?.shift ?? format.pageShift);
      let mapped = 0n;
      const map = (offset: bigint, bytes: bigint, given: Protection): void => {
        if (offset + bytes > total) return;
        table.mapRange(start + offset, 0x10000000000n, bytes, given);
        mapped += bytes;
      };
      map(page, page, KERNEL);
      map(2n * page, page, KERNEL);
      map(3n * page, page, USER);
      if (block > page) map(block, 2n * block, TEXT);
      if (block > page) map(3n * block, page, TEXT);
      map(total - page, page, KERNEL);

      for (const options of [{}, { tables: true }]) {
        const dump = table.dump(options);
        expect(dump).not.toMatch(/ $/m);
        expect(dump).toMatch(/[^\n]\n$/);
        expect(dump.startsWith(`${format.name}, root ${hex(table.root)}\n`)).toBe(true);
        let listed = 0n;
        let at = -1n;
        for (const line of linesOf(dump)) {
          if (line.includes('table')) continue;
          const found =
            /^ *(0x[\da-f]{16})-(0x[\da-f]{16}) .* +(\d+) x \d+[KMGT] +([r-][w-][x-]) ([ku]) .* (0x[\da-f]{16})$/.exec(
              line,
            );
          if (found === null) throw new Error(`no line of leaves: ${line}`);
          const [, first, last, , letters, side, pa] = found as string[] & RegExpExecArray;
          const va = BigInt(first as string);
          expect(va).toBeGreaterThan(at);
          at = BigInt(last as string);
          listed += at - va + 1n;
          for (const offset of [0n, at - va + 1n - page]) {
            const bytes = walkBytes(format, memory, table.root, va + offset);
            expect(bytes?.pa, line).toBe(BigInt(pa as string) + offset);
          }
          const { permissions } = table.walk(va);
          const { read, write, execute } = (side === 'u' ? permissions?.user : permissions?.kernel) ?? {};
          expect(letters).toBe(`${read ? 'r' : '-'}${write ? 'w' : '-'}${execute ? 'x' : '-'}`);
          expect(side).toBe(va === start + 3n * page ? 'u' : 'k');
        }
        expect(listed).toBe(mapped);
      }
    },
  );
});

describe('options that make no sense', () => {
  const { table } = machine(riscv64(3));

  it.each([
    [{ tables: true, levels: 0 }, 'EINVAL: levels is 0; pass the number of levels to show, 1 or more'],
    [{ tables: true, levels: 1.5 }, 'EINVAL: levels is 1.5; pass the number of levels to show, 1 or more'],
    [{ levels: 1 }, 'EINVAL: levels is given, but no tree is asked for; pass tables: true with it'],
    [{ lines: 0 }, 'EINVAL: lines is 0; pass the number of lines for each list, 1 or more'],
    [{ lines: -1 }, 'EINVAL: lines is -1; pass the number of lines for each list, 1 or more'],
    [{ lines: 1.5 }, 'EINVAL: lines is 1.5; pass the number of lines for each list, 1 or more'],
    [{ lines: 5n }, 'EINVAL: lines is 5n; pass the number of lines for each list, 1 or more'],
    [{ lines: '5' }, "EINVAL: lines is '5'; pass the number of lines for each list, 1 or more"],
    [{ tables: 'yes' }, "EINVAL: tables is 'yes'; pass true or false"],
    [
      { controls: 5 },
      'EINVAL: controls is 5; pass an object with the members that differ from format.controls',
    ],
  ])('%o', (options, message) => {
    expect(thrown(() => table.dump(options as never))).toBe(message);
  });

  it('are not looked at in a table that was destroyed', () => {
    const memory = PhysicalMemory.create({ bytes: 1 << 16 });
    const gone = new PageTable({ format: riscv64(3), memory, frames: new FrameAllocator(memory) });
    gone.destroy();
    expect(thrown(() => gone.dump())).toBe('EINVAL: this page table was destroyed');
  });
});
