import { describe, expect, test } from 'vitest';
import { type Riscv64Registers, riscv64FromRegisters } from '../src/index.js';

describe('from registers', () => {
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

  test('the largest root and ASID', () => {
    const { root, asid } = riscv64FromRegisters({ satp: 0x9fff_ffff_ffff_ffffn });
    expect([root, asid]).toEqual([0xff_ffff_ffff_f000n, 0xffff]);
  });

  test('the modes, one by one', () => {
    const of = (more: Partial<Riscv64Registers>) =>
      riscv64FromRegisters({ satp: 9n << 60n, ...more }).controls;
    expect(of({})).toEqual({ sum: false, mxr: false, adue: false });
    expect(of({ sstatus: 0x40000 })).toEqual({ sum: true, mxr: false, adue: false });
    expect(of({ sstatus: 0x80000 })).toEqual({ sum: false, mxr: true, adue: false });
    expect(of({ menvcfg: 1n << 61n })).toEqual({ sum: false, mxr: false, adue: true });
  });

  test('PBMTE decides whether there are memory types', () => {
    const types = (more: Partial<Riscv64Registers>) =>
      riscv64FromRegisters({ satp: 8n << 60n, ...more }).format.memoryTypes.length;
    expect([types({}), types({ menvcfg: 0 }), types({ menvcfg: 1n << 62n })]).toEqual([3, 1, 3]);
  });

  test('what the processor has goes through', () => {
    const { format } = riscv64FromRegisters({ satp: 8n << 60n, svnapot: false, paBits: 44 });
    expect([format.levels[2]?.run, format.paBits]).toEqual([null, 44]);
  });

  test.each<[Riscv64Registers, RegExp]>([
    [{ satp: 0 }, /^EINVAL: satp 0x0+ has the mode 0; that is Bare/],
    [{ satp: 1n << 60n }, /^EINVAL: satp 0x1000000000000000 has the mode 1; only 8 \(Sv39\), 9/],
    [{ satp: 11n << 60n }, /has the mode 11; only 8/],
    [{ satp: (9n << 60n) | (1n << 32n), paBits: 44 }, /has its root beyond the 44 bits of an address/],
    [{ satp: -1n }, /^EINVAL: satp is no unsigned 64-bit value/],
    [{ satp: 1n << 64n }, /^EINVAL: satp is no unsigned 64-bit value/],
    [{ satp: 9n << 60n, sstatus: 0.5 }, /^EINVAL: sstatus is 0.5, which is no exact integer; pass a bigint/],
    [{ satp: 9n << 60n, menvcfg: 8 }, /^EINVAL: menvcfg.SSE \(bit 3\) is set/],
    [{ satp: 9n << 60n, menvcfg: 2 ** 60 }, /^EINVAL: menvcfg is 1152921504606847000, which is no exact/],
  ])('refuses %o', (registers, message) => {
    expect(() => riscv64FromRegisters(registers)).toThrow(message);
  });
});
