import { kindOf } from '@vmarea/conformance';
import {
  dumpTables,
  FrameAllocator,
  PageTable,
  PageTableReader,
  PhysicalMemory,
  protection,
} from '@vmarea/core';
import { hex, loadGuest } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import {
  RESET_PAT,
  type X8664Registers,
  x86Format,
  x86FromRegisters,
  x8664FromRegisters,
} from '../src/index.js';
import { PMD, PTE, PUD } from './support.js';

const LINUX = { cr0: 0x80050033, cr3: 0x1000, cr4: 0x750ef0, efer: 0xd01 } as const;

describe('x8664FromRegisters', () => {
  test('reads the state of the recorded guest', () => {
    const { registers } = loadGuest('linux-6.12-x86-64').machine;
    const { cr0, cr3, cr4, efer } = registers as Record<'cr0' | 'cr3' | 'cr4' | 'efer', bigint>;
    const state = x8664FromRegisters({ cr0, cr3, cr4, efer });
    // Stopped in user mode under page-table isolation: CR3 points to the user root, one page above the kernel root.
    expect(hex(state.root)).toBe('0x0000000144219000');
    expect(state.pcid).toBeNull();
    expect(state.rootMemory).toBe('normal');
    expect(state.controls).toEqual({
      wp: true,
      pge: true,
      smep: true,
      smap: true,
      ac: false,
      pke: true,
      pkru: 0x55555554,
      pks: false,
      pkrs: 0,
    });
    expect(state.format.name).toBe('x86-64');
    expect(kindOf(state.format, PTE, 0x8000000000001163n)).toBe('leaf');
  });

  test.each([
    ['wp', { cr0: 0x80040033 }],
    ['pge', { cr4: LINUX.cr4 & ~(1 << 7) }],
    ['smep', { cr4: LINUX.cr4 & ~(1 << 20) }],
    ['smap', { cr4: LINUX.cr4 & ~(1 << 21) }],
    ['pke', { cr4: LINUX.cr4 & ~(1 << 22) }],
  ] as const)('clears %s, and nothing else', (name, change) => {
    const all = x8664FromRegisters(LINUX).controls;
    expect(x8664FromRegisters({ ...LINUX, ...change }).controls).toEqual({ ...all, [name]: false });
  });

  test('reads AC, PKS and the rights of keys', () => {
    const { controls } = x8664FromRegisters({
      ...LINUX,
      cr4: LINUX.cr4 | (1 << 24),
      rflags: 0x40246,
      pkru: 0x55555554n,
      pkrs: 0xfffffff0,
    });
    expect(controls).toMatchObject({ ac: true, pks: true, pkru: 0x55555554, pkrs: 0xfffffff0 });
    expect(x8664FromRegisters({ ...LINUX, rflags: 0x246 }).controls.ac).toBe(false);
  });

  test('reserves bit 63 without EFER.NXE', () => {
    const { format } = x8664FromRegisters({ ...LINUX, efer: 0x501 });
    expect(kindOf(format, PTE, 0x8000000000001163n)).toBe('reserved');
    expect(kindOf(format, PTE, 0x1163n)).toBe('leaf');
  });

  test('passes the options of the processor to the format', () => {
    const { format } = x8664FromRegisters({
      ...LINUX,
      paBits: 40,
      page1g: false,
      encryptionBit: 47,
      pat: RESET_PAT,
    });
    expect(format.paBits).toBe(40);
    expect(kindOf(format, PTE, 0x0000800000001163n)).toBe('leaf');
    expect(kindOf(format, PTE, 0x0000010000001163n)).toBe('reserved');
    expect(kindOf(format, PUD, 0x1e3n)).toBe('reserved');
    expect(kindOf(format, PMD, 0x1e3n)).toBe('leaf');
    expect(format.memoryTypes).toEqual(['normal', 'write-through', 'device', 'uncached']);
  });
});

describe('CR3', () => {
  test('has the memory type of the root in PWT and PCD without PCIDE', () => {
    const memory = (cr3: bigint) => x8664FromRegisters({ ...LINUX, cr3 }).rootMemory;
    expect(memory(0x1000n)).toBe('normal');
    expect(memory(0x1008n)).toBe('write-combining');
    expect(memory(0x1010n)).toBe('device');
    expect(memory(0x1018n)).toBe('uncached');
    expect(x8664FromRegisters({ ...LINUX, cr3: 0x1018n })).toMatchObject({ root: 0x1000n, pcid: null });
  });

  test('has the PCID in its low 12 bits with PCIDE', () => {
    const state = x8664FromRegisters({ ...LINUX, cr4: LINUX.cr4 | (1 << 17), cr3: 0x144219819n });
    expect(state).toMatchObject({ root: 0x144219000n, pcid: 0x819, rootMemory: 'normal' });
  });

  test('has linear-address-masking bits that are no part of the address', () => {
    expect(x8664FromRegisters({ ...LINUX, cr3: 0x6000000000001000n }).root).toBe(0x1000n);
  });

  test('has an encryption bit that is no part of the address', () => {
    const state = x8664FromRegisters({ ...LINUX, encryptionBit: 47, cr3: 0x0000800000001000n });
    expect(state.root).toBe(0x1000n);
  });

  test.each([
    [0x0010000000001000n, 52],
    [0x1000000000001000n, 52],
    [0x8000000000001000n, 52],
    [0x0000010000001000n, 40],
  ])('%s is refused with %i address bits', (cr3, paBits) => {
    expect(() => x8664FromRegisters({ ...LINUX, cr3, paBits })).toThrow(
      `CR3 ${hex(cr3)} has bits set beyond`,
    );
  });
});

describe('for(va): the tables that translate an address', () => {
  const state = x8664FromRegisters(LINUX);

  test('are those of the processor, for every canonical address', () => {
    for (const va of [0n, 0x7fff_ffff_ffffn, 0xffff_8000_0000_0000n, 0xffff_ffff_ffff_ffffn]) {
      const { format, root, controls } = state;
      expect(state.for(va)).toMatchObject({ format, root, controls, address: va });
      expect(state.whyNot(va)).toBeNull();
    }
  });

  test('are null for a non-canonical address', () => {
    expect(state.for(0x8000_0000_0000n)).toBeNull();
    expect(state.whyNot(0x8000_0000_0000n)).toBe(
      '0x0000800000000000 is not an address of x86-64: bits 63 to 48 must equal bit 47',
    );
  });

  test('open a page table, whose walks and dumps use the controls of the registers', () => {
    const memory = PhysicalMemory.create({ bytes: 1 << 16 });
    const frames = new FrameAllocator(memory, { first: 1, frames: 8 });
    const made = new PageTable({ format: state.format, memory, frames });
    made.map(0x1000n, [1], protection());
    const letters = (cr0: number) => {
      const opened = new PageTableReader({
        ...x8664FromRegisters({ ...LINUX, cr0, cr3: made.root }),
        memory,
      });
      return [opened.walk(0x1000n).permissions?.kernel.write, dumpTables(opened).includes('rw- k')];
    };
    expect(letters(0x80050033)).toEqual([false, false]);
    // CR0.WP is clear: the kernel may write read-only pages.
    expect(letters(0x80040033)).toEqual([true, true]);
  });
});

describe('linear-address masking: for(va) removes metadata', () => {
  const U57 = 1n << 61n;
  const U48 = 1n << 62n;
  const SUP = 1 << 28;
  test.each([
    ['none', 0n, 0, 0x7e00_0000_0040_0000n, null],
    ['LAM_U57', U57, 0, 0x7e00_0000_0040_0000n, 0x40_0000n],
    ['LAM_U57 leaves bits 56 to 48', U57, 0, 0x7f00_0000_0040_0000n, null],
    ['LAM_U48', U48, 0, 0x7fff_0000_0040_0000n, 0x40_0000n],
    ['LAM_U48 leaves bit 47', U48, 0, 0x7fff_8000_0040_0000n, null],
    ['LAM_U57 before LAM_U48', U57 | U48, 0, 0x7fff_0000_0040_0000n, null],
    ['LAM_U57 leaves kernel pointers', U57, 0, 0x81ff_ff00_0040_0000n, null],
    ['LAM_SUP', 0n, SUP, 0x8123_ff00_0040_0000n, 0xffff_ff00_0040_0000n],
    ['LAM_SUP leaves user pointers', 0n, SUP, 0x7e00_0000_0040_0000n, null],
    ['LAM_SUP wants bit 47 to be bit 63', 0n, SUP, 0x8123_7f00_0040_0000n, null],
  ])('%s', (_, lam, sup, va, address) => {
    const state = x8664FromRegisters({ ...LINUX, cr3: 0x1000n | lam, cr4: LINUX.cr4 | sup });
    expect(state.root).toBe(0x1000n);
    expect(state.for(va)?.address ?? null).toBe(address);
    expect(state.for(va, 'write')?.address ?? null).toBe(address);
    // A fetch has no metadata.
    expect(state.for(va, 'execute')).toBeNull();
  });
});

describe('x8664FromRegisters refuses another paging mode and names register and bit', () => {
  test.each([
    [{ cr0: 0x80050032 }, 'CR0.PE (bit 0) is clear'],
    [{ cr0: 0x00050033 }, 'CR0.PG (bit 31) is clear; paging is off: addresses are physical'],
    [{ cr4: 0x750ed0 }, 'CR4.PAE (bit 5) is clear'],
    [{ efer: 0xc01 }, 'EFER.LME (bit 8) is clear'],
    [{ efer: 0x901 }, 'EFER.LMA (bit 10) is clear'],
    [{ cr4: 0x751ef0 }, 'CR4.LA57 (bit 12) is set; 5-level tables are another format: use the package'],
    [{ cr0: 0.5 }, 'cr0 is 0.5, which is not an exact integer; pass a bigint'],
    [{ cr3: 2 ** 60 }, 'which is not an exact integer'],
    [{ cr4: -1 }, 'cr4 is -1, expected an unsigned 64-bit value; pass the register as a bigint'],
    [{ efer: 1n << 64n }, 'efer is 0x10000000000000000n, expected an unsigned 64-bit value'],
    [{ pkru: 1n << 32n }, 'pkru 0x0000000100000000 is wider than its 32 bits'],
  ] as [Partial<X8664Registers>, string][])('%o', (change, message) => {
    const read = () => x8664FromRegisters({ ...LINUX, ...change });
    expect(read).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(read).toThrow(message);
  });
});

test('a mode with LA57 needs CR4.LA57, which 4-level paging refuses', () => {
  const mode = {
    la57: true,
    otherwise: 'use x8664FromRegisters',
    format: () => x86Format({ name: 'five', levels: ['PGD', 'P4D', 'PUD', 'PMD', 'PTE'] }),
  };
  expect(x86FromRegisters({ ...LINUX, cr4: 0x751ef0 }, mode)).toMatchObject({
    root: 0x1000n,
    format: { name: 'five' },
  });
  expect(() => x86FromRegisters(LINUX, mode)).toThrow('CR4.LA57 (bit 12) is clear; use x8664FromRegisters');
});
