import { arm64, configurations as arm64Configurations } from '@vmarea/arm64';
import {
  type Controls,
  FrameAllocator,
  PageTable,
  type PageTableFormat,
  PageTableReader,
  PhysicalMemory,
  pathWalker,
  protection,
  type ReadableTable,
  VmError,
} from '@vmarea/core';
import { walkRecord, walkSource } from '@vmarea/mmu';
import { riscv64, configurations as riscv64Configurations } from '@vmarea/riscv64';
import { codeOf, machine } from '@vmarea/testkit';
import { x8664, configurations as x8664Configurations } from '@vmarea/x86-64';
import { configurations as la57Configurations } from '@vmarea/x86-64-la57';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

/* The record of a walk, beside what `table.walk` reports of the same address. */

const formats = [
  ...[...x8664Configurations, ...la57Configurations, ...riscv64Configurations, ...arm64Configurations],
  {
    name: 'arm64 with a root of 16 entries',
    format: arm64({ granule: 4, vaBits: 25 + 9 + 9, half: 'ttbr0' }),
  },
].map(({ name, format }) => [name, format as unknown as PageTableFormat] as const);

const words = (va: bigint) => [Number(va >> 32n), Number(va & 0xffff_ffffn)] as const;

/** What a record says, in the words of `Walk`. */
function recorded<C extends Controls>(table: ReadableTable<C>, va: bigint) {
  const record = walkRecord();
  const found = walkSource(table).walk(...words(va), record);
  const { levels, leafShift, runShift, pfn, isGlobal } = record;
  return {
    ...{ found, leafShift, runShift, pfn, isGlobal },
    addresses: [...record.entryAddress.subarray(0, levels)],
    tables: [...record.tablePfn.subarray(0, levels)],
  };
}

function walked<C extends Controls>(table: ReadableTable<C>, va: bigint): ReturnType<typeof recorded> {
  const { steps, leaf, pa } = table.walk(va);
  const { pageShift } = table.format;
  return {
    found: leaf !== null,
    leafShift: leaf?.leafShift ?? 0,
    runShift: leaf?.runShift ?? 0,
    pfn: pa === null ? -1 : Number(pa >> BigInt(pageShift)),
    isGlobal: leaf?.protection.global ?? false,
    addresses: steps.map(({ address }) => Number(address)),
    tables: steps.map((step) => Number(step.table >> BigInt(pageShift))),
  };
}

/** The first address of a root's range, or of its upper half. */
function startOf({ range: { bits, upper } }: PageTableFormat): bigint {
  return upper === 'zeros' ? 0n : (1n << 64n) - (1n << BigInt(upper === 'ones' ? bits : bits - 1));
}

describe.each(formats)('a record of a walk of %s', (_, format) => {
  const { table, pageBytes } = machine(format, 128, 1n << 40n);
  const start = startOf(format);
  const page = BigInt(pageBytes);
  table.map(start + page, [5, 99, 100], protection({ write: true, global: true }));
  table.map(start + 5n * page, [7], protection({ write: true }));
  const large = 1n << BigInt(format.levels.at(-2)?.shift as number);
  table.mapRange(start + large, 7n * large, 2n * large, protection({ write: true }));
  table.mapRange(start + 4n * large, 1n << 34n, 128n * page, protection({ write: true, global: true }));

  test('says what the walk of the table reports', () => {
    const offset = fc.oneof(
      fc.nat(10).map((i) => BigInt(i) * page),
      fc.nat(4).map((i) => BigInt(i) * large),
      fc.nat(130).map((i) => 4n * large + BigInt(i) * page),
      fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
    );
    fc.assert(
      fc.property(offset, fc.nat(4095), (from, inside) => {
        const va = BigInt.asUintN(64, start + from + BigInt(inside));
        expect(recorded(table, va)).toEqual(walked(table, va));
      }),
      { numRuns: 60 },
    );
  });

  test('takes words as signed and as unsigned numbers', () => {
    const [hi, lo] = words(start + page);
    const signed = walkRecord();
    const unsigned = walkRecord();
    const source = walkSource(table);
    expect([source.walk(hi | 0, lo | 0, signed), source.walk(hi >>> 0, lo >>> 0, unsigned)]).toEqual([
      true,
      true,
    ]);
    expect(signed).toEqual(unsigned);
  });
});

describe('the pages that one entry of a TLB can cover', () => {
  test('are those of the group whose frames and flags go on', () => {
    const frame = fc.oneof(
      { weight: 4, arbitrary: fc.constant('next' as const) },
      fc.constantFrom('none', 'far', 'other'),
    );
    fc.assert(
      fc.property(
        fc.array(frame, { minLength: 16, maxLength: 16 }),
        fc.constantFrom(2, 4, 8, 16),
        (kinds, group) => {
          const { table } = machine(x8664());
          kinds.forEach((kind, i) => {
            if (kind === 'none') return;
            table.map(
              BigInt(i) * 4096n,
              [kind === 'far' ? 9000 + 2 * i : 3000 + i],
              protection({ write: kind !== 'other' }),
            );
          });
          const source = walkSource(table);
          for (let i = 0; i < 16; i++) {
            source.walk(0, i * 4096, walkRecord());
            const first = i - (i % group);
            const like = (j: number) =>
              kinds[i] !== 'none' && (i === j || (kinds[i] !== 'far' && kinds[j] === kinds[i]));
            let mask = 0;
            for (let j = 0; j < group; j++) if (like(first + j)) mask |= 1 << j;
            expect(source.groupMask(group)).toBe(mask);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test('are all of a NAPOT run, whose entries are all the same', () => {
    const { table } = machine(riscv64({ mode: 'sv39' }));
    table.mapRange(0x10000n, 0x80000000n, 65536, protection({ write: true }));
    const source = walkSource(table);
    source.walk(0, 0x15000, walkRecord());
    expect([source.groupMask(16), source.groupMask(4)]).toEqual([0xffff, 0xf]);
  });

  test('are none for a block and for a fault', () => {
    const { table } = machine(x8664());
    table.mapRange(2n << 20n, 2n << 20n, 2 << 20, protection({ write: true }));
    const source = walkSource(table);
    source.walk(0, 2 << 20, walkRecord());
    expect(source.groupMask(8)).toBe(0);
    source.walk(0, 0, walkRecord());
    expect(source.groupMask(8)).toBe(0);
  });
});

describe('a source', () => {
  test('finds tables in other banks, and ends where a table has no bytes', () => {
    const low = { bytes: 1 << 16, base: 0n };
    const memory = PhysicalMemory.of([low, { bytes: 1 << 16, base: 1n << 32n }]);
    const frames = new FrameAllocator(memory, { first: 0, frames: 1 });
    const far = new FrameAllocator(memory, { first: 2 ** 20, frames: 16 });
    const root = new PageTable({ format: x8664(), memory, frames });
    const table = new PageTable({ format: x8664(), memory, frames: far });
    table.map(0x1000n, [5], protection({ write: true }));
    // The root of one names the tables of the other.
    memory.write64(root.root, memory.read64(table.root));
    expect(recorded(root, 0x1000n)).toEqual(walked(root, 0x1000n));
    expect(recorded(root, 0x1000n)).toMatchObject({ found: true, pfn: 5 });
    memory.write64(root.root, (1n << 40n) | 0x63n);
    expect(recorded(root, 0x1000n)).toEqual(walked(root, 0x1000n));
    expect(recorded(root, 0x1000n)).toMatchObject({ found: false, addresses: [Number(root.root)] });
  });

  test('sees what changes, whoever changes it', () => {
    const { table, memory, format } = machine(x8664());
    const source = walkSource(new PageTableReader({ format, memory, root: table.root }));
    const record = walkRecord();
    expect(source.walk(0, 0x1000, record)).toBe(false);
    table.map(0x1000n, [5], protection({}));
    expect([source.walk(0, 0x1000, record), record.pfn]).toEqual([true, 5]);
  });

  test('of something else, or of a destroyed table, is refused', () => {
    const { table } = machine(x8664());
    const source = walkSource(table);
    table.destroy();
    expect(codeOf(() => walkSource({} as never))).toBe('EINVAL');
    expect(codeOf(() => walkSource(table))).toBe('EINVAL');
    expect(codeOf(() => pathWalker(table))).toBe('EINVAL');
    expect(() => source.walk(0, 0, walkRecord())).toThrow(VmError);
  });

  test('has the levels of its format', () => {
    const { table } = machine(arm64({ granule: 16, vaBits: 47 }));
    const { levels, pageShift } = walkSource(table);
    expect([pageShift, levels]).toEqual([
      14,
      [
        { name: 'PGD', shift: 36 },
        { name: 'PMD', shift: 25 },
        { name: 'PTE', shift: 14 },
      ],
    ]);
  });
});
