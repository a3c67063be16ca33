import {
  collapseLeaves,
  FrameAllocator,
  hex,
  PageTable,
  PhysicalMemory,
  protection,
  toBigint,
  VmError,
  validateFormat,
  wasmLoops,
} from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';
import { describe, expect, test } from 'vitest';
import {
  configurations,
  x8664AnyFromRegisters,
  x8664La57,
  x8664La57FromRegisters,
  x8664La57Linux,
} from '../src/index.js';

const format = x8664La57({ paBits: 46 });
const four = x8664({ paBits: 46 });

describe('the format', () => {
  test('is the format of 4 levels with one more on top', () => {
    validateFormat(format);
    expect(format.levels.slice(2)).toEqual(four.levels.slice(1));
    // The P4D is the old PGD: tables only, PS reserved. The PGD looks the same, 9 bits higher.
    const [pgd, p4d] = format.levels;
    expect(p4d).toEqual({ ...four.levels[0], name: 'P4D' });
    expect(pgd).toEqual({ ...p4d, name: 'PGD', shift: 48 });
    expect(format.range).toEqual({ bits: 57, upper: 'sign' });
  });

  test('encodes as 4 levels do', () => {
    for (const [name, named] of Object.entries(x8664La57Linux().protections)) {
      for (const level of [2, 3, 4]) {
        expect(toBigint(format.encode(named, level)), name).toBe(toBigint(four.encode(named, level - 1)));
      }
    }
  });

  test.each([
    [0x00ffffffffffffffn, null],
    [0x0100000000000000n, 'address'],
    [0xfeffffffffffffffn, 'address'],
    [0xff00000000000000n, null],
    [0xffffffffffffffffn, null],
  ])('canonical at %s', (va, fault) => {
    const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 0x10000 });
    const table = new PageTable({ format, memory, frames: new FrameAllocator(memory) });
    expect(table.walk(va).fault?.kind).toBe(fault ?? 'not-present');
    const page = va & ~0xfffn;
    if (fault !== null) expect(() => table.map(page, [7], protection())).toThrow(VmError);
    else {
      table.map(page, [7], protection());
      expect(table.translate(va)).toBe(0x7000n | (va & 0xfffn));
      expect(table.walk(va).steps.map(({ name }) => name)).toEqual(['PGD', 'P4D', 'PUD', 'PMD', 'PTE']);
    }
  });
});

test('every operation writes the entries that it writes with 4 levels', () => {
  const run = (of: typeof format) => {
    const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 1 << 20 });
    const table = new PageTable({ format: of, memory, frames: new FrameAllocator(memory) });
    const va = 0xffffc90000000000n;
    table.mapRange(va, 0x40000000n, 1 << 30, protection({ write: true, memory: 'write-through' }));
    table.protect(va + 0x201000n, 8192, { write: false });
    table.unmap(va + 0x3ff00000n, 1 << 20);
    const cut = [...table.leaves()];
    table.protect(va, 1 << 30, { write: true, memory: 'normal' });
    expect(collapseLeaves(table, va, 1 << 30)).toBe(1);
    return [...cut, ...table.leaves()].map(({ level, ...leaf }) => ({
      ...leaf,
      fromLast: of.levels.length - level,
    }));
  };
  const five = run(format);
  expect(five).toEqual(run(four));
  expect(five).toHaveLength(8);
});

describe('the policy of Linux', () => {
  test('has its window at __VMALLOC_BASE_L5, which ends a byte early', () => {
    const { window, leaves, protections } = x8664La57Linux();
    expect(hex(window.start)).toBe('0xffa0000000000000');
    expect(hex(window.end)).toBe('0xffd1ffffffffffff');
    expect(leaves).toEqual(x8664Linux().leaves);
    expect(protections).toEqual(x8664Linux().protections);
  });

  test('accepts the options of 4 levels, and has its own name', () => {
    const policy = x8664La57Linux({ pti: true, guardPages: 2 });
    expect(policy.name).toBe('Linux x86-64-la57, PTI');
    expect([policy.guardBytes, policy.protections.PAGE_KERNEL.global]).toEqual([8192, false]);
  });

  test('has one configuration, without PTI as its title says', () => {
    expect(configurations.map(({ name }) => name)).toEqual(['x86-64-la57']);
    expect(configurations[0]?.linux.name).toBe('Linux x86-64-la57');
    expect(configurations[0]?.linux.protections.PAGE_KERNEL.global).toBe(true);
  });
});

describe('registers', () => {
  const linux = { cr0: 0x80050033, cr3: 0x144219000, cr4: 0x751ef0, efer: 0xd01 };

  test('select the format with LA57', () => {
    const state = x8664La57FromRegisters(linux);
    expect(state.format.name).toBe('x86-64-la57');
    expect(state.root).toBe(0x144219000n);
    expect(state.controls).toMatchObject({ wp: true, smep: true, smap: true });
    // The options of the processor go into the format.
    const plain = x8664La57FromRegisters({ ...linux, efer: 0x501, paBits: 40 });
    expect(plain.format.paBits).toBe(40);
    expect(() => plain.format.encode(protection(), 4)).toThrow(/without EFER.NXE every page is executable/);
  });

  test('give the tables of every canonical address, without its metadata', () => {
    const state = x8664La57FromRegisters({
      ...linux,
      cr3: (1n << 61n) | 0x1000n,
      cr4: linux.cr4 | (1 << 28),
    });
    expect(state.for(0x00ff_ffff_ffff_ffffn)?.address).toBe(0x00ff_ffff_ffff_ffffn);
    expect(state.for(0x7e00_0000_0040_0000n)).toMatchObject({ root: 0x1000n, address: 0x40_0000n });
    // Supervisor pointers keep 57 bits here, 48 with 4 levels.
    expect(state.for(0x81ff_0000_0040_0000n)?.address).toBe(0xffff_0000_0040_0000n);
    expect(state.for(0x7f00_0000_0040_0000n)).toBeNull();
    expect(state.whyNot(0x7f00_0000_0040_0000n)).toContain('bits 63 to 57 must equal bit 56');
  });

  test('are refused without LA57', () => {
    expect(() => x8664La57FromRegisters({ ...linux, cr4: 0x750ef0 })).toThrow(
      'CR4.LA57 (bit 12) is clear; 4-level tables are another format: use x8664FromRegisters of @vmarea/x86-64',
    );
  });
});

describe('x8664AnyFromRegisters', () => {
  const four = { cr0: 0x80050033, cr3: 0x1000, cr4: 0x750ef0, efer: 0xd01 } as const;

  test('picks the number of levels by CR4.LA57', () => {
    expect(x8664AnyFromRegisters(four).format.name).toBe('x86-64');
    expect(x8664AnyFromRegisters({ ...four, cr4: 0x751ef0 })).toMatchObject({ root: 0x1000n });
    expect(x8664AnyFromRegisters({ ...four, cr4: 0x751ef0 }).format.levels.map(({ name }) => name)).toEqual([
      ...['PGD', 'P4D', 'PUD', 'PMD', 'PTE'],
    ]);
  });

  test('removes the metadata that each of the two allows', () => {
    const LAM_SUP = 1 << 28;
    const va = 0x80ff_8880_0000_1000n;
    expect(x8664AnyFromRegisters({ ...four, cr4: four.cr4 | LAM_SUP }).for(va)?.address).toBe(
      0xffff_8880_0000_1000n,
    );
  });

  test.each([
    [{ ...four, cr5: 1 }, 'EINVAL: x8664AnyFromRegisters() has no option `cr5`'],
    [{ ...four, cr4: 'x' }, 'EINVAL: cr4 is'],
    [undefined, 'EINVAL: cr4 is undefined'],
    [{ ...four, cr0: 0x11 }, 'EINVAL: CR0.PG (bit 31) is clear'],
  ])('refuses %o as the others do', (registers, message) => {
    expect(() => x8664AnyFromRegisters(registers as never)).toThrow(message);
  });
});
