import { arm64 } from '@vmarea/arm64';
import { type PageTableFormat, VmError } from '@vmarea/core';
import { riscv64 } from '@vmarea/riscv64';
import { x8664 } from '@vmarea/x86-64';
import { x8664La57 } from '@vmarea/x86-64-la57';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { kernelLayout, MACHINES, machineOfFormat, type Region, regionAt } from '../../src/index.js';

const TOP = 1n << 64n;
const FORMATS = [
  x8664(),
  x8664La57(),
  arm64({ granule: 4, vaBits: 48 }),
  arm64({ granule: 16, vaBits: 47 }),
  arm64({ granule: 64, vaBits: 52 }),
  arm64({ granule: 4, vaBits: 39 }),
  arm64({ granule: 4, vaBits: 48, half: 'ttbr0' }),
  ...(['sv39', 'sv48', 'sv57'] as const).map((mode) => riscv64({ mode })),
] as unknown as PageTableFormat[];

describe('kernelLayout', () => {
  test.each(FORMATS.map((format) => ({ name: format.name, format })))(
    'has ranges in order for $name',
    ({ format }) => {
      const { regions, assumed } = kernelLayout(format, null);
      expect(assumed === null).toBe(format.range.upper === 'zeros');
      for (const { name, start, end } of regions) expect(start < end && end <= TOP, name).toBe(true);
      // The first and the last address that it translates have names.
      const ends = format.range.upper === 'zeros' ? [0n] : [TOP - 1n];
      for (const va of ends) expect(regionAt(regions, va, 0n).region).not.toBeNull();
    },
  );

  test.each([
    [x8664(), 0xffff888000000000n, 'direct map, vmalloc or vmemmap'],
    [x8664(), 0xffffffff81000000n, 'kernel text'],
    [x8664(), 0xffffffffc0000000n, 'modules'],
    [x8664(), 0xffffffffff5fb000n, 'fixmap'],
    [x8664(), 0xffffffffff600000n, 'vsyscall'],
    [x8664(), 0x7fffffffffffn, 'user'],
    [arm64({ granule: 4, vaBits: 48 }), 0xffff000000000000n, 'direct map'],
    [arm64({ granule: 4, vaBits: 48 }), 0xffff800000000000n, 'modules'],
    [arm64({ granule: 4, vaBits: 48 }), 0xffff800080000000n, 'vmalloc'],
    [riscv64({ mode: 'sv48' }), 0xffffaf8000000000n, 'direct map'],
    [riscv64({ mode: 'sv39' }), 0xffffffc4fec00000n, 'fixmap'],
    [riscv64({ mode: 'sv57' }), 0xff1c000000000000n, 'vmemmap'],
  ])('names an address as the map of Linux does', (format, va, name) => {
    const { regions } = kernelLayout(format as unknown as PageTableFormat, null);
    expect(regionAt(regions, va, 0n).region?.name).toBe(name);
  });
});

describe('regionAt', () => {
  const address = fc.bigInt({ min: 0n, max: 40n });
  const one = fc.tuple(address, address, fc.option(fc.bigInt({ min: 0n, max: 3n }))).map(
    ([a, b, distance]): Region => ({
      name: `${a} ${b}`,
      start: BigInt(Math.min(Number(a), Number(b))),
      end: BigInt(Math.max(Number(a), Number(b))) + 1n,
      distance,
    }),
  );

  test('says what a look at each address by itself says, up to its end', () => {
    fc.assert(
      fc.property(
        fc.array(one, { maxLength: 6 }),
        address,
        fc.bigInt({ min: 0n, max: 3n }),
        (regions, va, distance) => {
          const at = (address: bigint): Region | undefined =>
            regions.find(
              ({ start, end, distance: d }) =>
                start <= address && address < end && (d === null || d === distance),
            );
          const { region, end } = regionAt(regions, va, va - distance);
          expect(region).toBe(at(va) ?? null);
          expect(end > va).toBe(true);
          // Behind what no region names, it is asked again for the next run.
          if (region === null) return;
          for (let next = va; next < end; next++) expect(at(next)).toBe(region);
          expect(at(end)).not.toBe(region);
        },
      ),
    );
  });
});

describe('a machine', () => {
  test.each(MACHINES)('$name finds a root by the registers that it writes', (machine) => {
    for (const format of FORMATS.filter((one) => machineOfFormat(one) === machine)) {
      const root = 0x4_2000_0000n;
      const options = machine.name === 'arm64' ? optionsOf(format) : {};
      const known = { name: format.name, options };
      const registers = machine.registers(format, known, root);
      expect(typeof registers).toBe('object');
      const tables = machine.tables(new Map(Object.entries(registers)), null);
      if (typeof tables === 'string') throw new Error(tables);
      expect(tables.root).toBe(root);
      expect(tables.format.range).toEqual(format.range);
      expect(tables.format.levels.map(({ shift }) => shift)).toEqual(format.levels.map(({ shift }) => shift));
    }
  });

  test('refuses registers that turn translation off', () => {
    for (const machine of MACHINES) {
      const off = {
        'x86-64': { cr3: 0n, cr0: 0n, cr4: 0n },
        arm64: { ttbr0: 0n, tcr: 0n, sctlr: 0n },
        riscv64: { satp: 0n },
      };
      const registers = off[machine.name as keyof typeof off];
      expect(() => machine.tables(new Map(Object.entries(registers)), null)).toThrow(VmError);
    }
  });
});

/** Granule, size and width of a format of arm64, as `RootCandidate.options` has them. */
function optionsOf({ pageShift, range, address }: PageTableFormat): Readonly<Record<string, unknown>> {
  const top = Math.max(...address.map(({ paBit, width }) => paBit + width));
  return { granule: 2 ** pageShift / 1024, vaBits: range.bits, outputBits: top > 48 ? 52 : 48 };
}
