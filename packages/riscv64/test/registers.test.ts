import { FrameAllocator, PageTable, PageTableReader, PhysicalMemory, protection } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { type Riscv64Registers, riscv64FromRegisters } from '../src/index.js';

describe('riscv64FromRegisters', () => {
  test.each([
    [8n, 'riscv64-sv39'],
    [9n, 'riscv64-sv48'],
    [10n, 'riscv64-sv57'],
  ])('mode %d is %s', (mode, name) => {
    const { format, root, asid } = riscv64FromRegisters({
      satp: (mode << 60n) | (0x1234n << 44n) | 0x80abcn,
    });
    expect([format.name, root, asid]).toEqual([name, 0x80abc000n, 0x1234]);
  });

  test('reads the largest root and ASID', () => {
    const { root, asid } = riscv64FromRegisters({ satp: 0x9fff_ffff_ffff_ffffn });
    expect([root, asid]).toEqual([0xff_ffff_ffff_f000n, 0xffff]);
  });

  test('reads each control from its bit', () => {
    const of = (more: Partial<Riscv64Registers>) =>
      riscv64FromRegisters({ satp: 9n << 60n, ...more }).controls;
    expect(of({})).toEqual({ sum: false, mxr: false, adue: false });
    expect(of({ sstatus: 0x40000 })).toEqual({ sum: true, mxr: false, adue: false });
    expect(of({ sstatus: 0x80000 })).toEqual({ sum: false, mxr: true, adue: false });
    expect(of({ menvcfg: 1n << 61n })).toEqual({ sum: false, mxr: false, adue: true });
  });

  test('gives memory types only with PBMTE', () => {
    const types = (more: Partial<Riscv64Registers>) =>
      riscv64FromRegisters({ satp: 8n << 60n, ...more }).format.memoryTypes.length;
    expect([types({}), types({ menvcfg: 0 }), types({ menvcfg: 1n << 62n })]).toEqual([3, 1, 3]);
  });

  test('passes the options of the processor to the format', () => {
    const { format } = riscv64FromRegisters({ satp: 8n << 60n, svnapot: false, paBits: 44 });
    expect([format.levels[2]?.run, format.paBits]).toEqual([null, 44]);
  });

  test.each<[Riscv64Registers, RegExp]>([
    [
      { satp: 0 },
      /^EINVAL: satp 0x0+ has the mode 0; that is Bare: addresses are physical, and there are no tables/,
    ],
    [{ satp: 1n << 60n }, /^EINVAL: satp 0x1000000000000000 has the mode 1; only 8 \(Sv39\), 9/],
    [{ satp: 11n << 60n }, /has the mode 11; only 8/],
    [{ satp: (9n << 60n) | (1n << 32n), paBits: 44 }, /has its root beyond the 44 bits of an address/],
    [{ satp: -1n }, /^EINVAL: satp is -1n, expected an unsigned 64-bit value; pass the register as a bigint/],
    [{ satp: 1n << 64n }, /^EINVAL: satp is 0x10000000000000000n, expected an unsigned 64-bit value/],
    [
      { satp: 9n << 60n, sstatus: 0.5 },
      /^EINVAL: sstatus is 0.5, which is not an exact integer; pass a bigint/,
    ],
    [{ satp: 9n << 60n, menvcfg: 8 }, /^EINVAL: menvcfg.SSE \(bit 3\) is set/],
    [{ satp: 9n << 60n, menvcfg: 2 ** 60 }, /^EINVAL: menvcfg is 1152921504606847000, which is not an exact/],
  ])('refuses %o', (registers, message) => {
    expect(() => riscv64FromRegisters(registers)).toThrow(message);
  });
});

describe('for(va): the tables that translate an address', () => {
  const hart = riscv64FromRegisters({ satp: (8n << 60n) | 0x80abcn });

  test('are those of the hart, for every address whose upper bits are copies of its top bit', () => {
    for (const va of [0n, 0x3f_ffff_ffffn, 0xffff_ffc0_0000_0000n, 0xffff_ffff_ffff_ffffn]) {
      const { format, root, controls } = hart;
      expect(hart.for(va)).toMatchObject({ format, root, controls, address: va });
      expect(hart.whyNot(va)).toBeNull();
    }
  });

  test('are null for any other address', () => {
    expect(hart.for(0x40_0000_0000n)).toBeNull();
    expect(hart.whyNot(0x40_0000_0000n)).toBe(
      '0x0000004000000000 is not an address of riscv64-sv39: bits 63 to 39 must equal bit 38',
    );
  });

  test('open a page table, whose walks and dumps use the controls of the registers', () => {
    const memory = PhysicalMemory.create({ bytes: 1 << 16 });
    const frames = new FrameAllocator(memory);
    const made = new PageTable({ format: hart.format, memory, frames });
    made.map(0x1000n, [1], protection({ user: true }));
    const opened = (sstatus: number) => {
      const satp = (8n << 60n) | (made.root >> 12n);
      const table = new PageTableReader({ ...riscv64FromRegisters({ satp, sstatus }), memory });
      return table.walk(0x1000n, { kind: 'read', user: false }).fault?.kind ?? null;
    };
    expect(opened(0)).toBe('permission');
    // sstatus.SUM: the supervisor may read pages of user mode.
    expect(opened(1 << 18)).toBeNull();
  });
});
