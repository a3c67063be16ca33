import { kindOf } from '@vmarea/conformance';
import {
  dumpTables,
  FrameAllocator,
  PageTable,
  PageTableReader,
  PhysicalMemory,
  protection,
} from '@vmarea/core';
import { hex } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { type Arm64Half, type Arm64Registers, type Arm64State, arm64FromRegisters } from '../src/index.js';

/** The recorded guest with 16K pages: T0SZ and T1SZ 17, IPS 48 bits, AS, TBI0 and TBI1, HA, HD, TBID1, A1. */
const LINUX = {
  tcr: 0x5001f57551b511n,
  ttbr0: 0x5621c001n,
  ttbr1: 0x16000041f2c001n,
  mair: 0x40044ffffn,
  sctlr: 0x20000003474591dn,
} as const satisfies Arm64Registers;

const bit = (at: number): bigint => 1n << BigInt(at);
const read = (change: Partial<Arm64Registers> = {}): Arm64State =>
  arm64FromRegisters({ ...LINUX, ...change });

/** TCR with one field changed. */
function tcr(low: number, width: number, value: number, from: bigint = LINUX.tcr): bigint {
  const field = (bit(width) - 1n) << BigInt(low);
  return (from & ~field) | (BigInt(value) << BigInt(low));
}

describe('the state of a processor', () => {
  test('is that of the recorded guest with 16K pages', () => {
    const { ttbr0, ttbr1, asid } = read();
    expect(asid).toBe(0x16);
    expect(ttbr0).toMatchObject({ root: 0x5621c000n, cnp: true });
    expect(ttbr1).toMatchObject({ root: 0x41f2c000n, cnp: true });
    expect([ttbr0?.format.name, ttbr1?.format.name]).toEqual(['arm64-16k-47-ttbr0', 'arm64-16k-47']);
    expect(ttbr1?.format.paBits).toBe(48);
    const controls = {
      ha: true,
      hd: true,
      wxn: false,
      pan: true,
      epan: true,
      hpd: false,
      e0pd: false,
      tbi: true,
      tbid: false,
      poe: false,
      porEl1: 7,
      e0poe: false,
      porEl0: 7,
    };
    expect(ttbr0?.controls).toEqual({ ...controls });
    expect(ttbr1?.controls).toEqual({ ...controls, tbid: true });
  });

  test('is that of the recorded guest with 4K pages', () => {
    const { ttbr0, ttbr1, asid } = arm64FromRegisters({
      tcr: 0x500074b5503510n,
      ttbr0: 0x4812c000,
      ttbr1: 0x1a000041858000n,
      mair: 0x40044ffffn,
      sctlr: 0x200000034f4d91dn,
    });
    expect(asid).toBe(0x1a);
    expect(ttbr0).toMatchObject({ root: 0x4812c000n, cnp: false });
    expect(ttbr1?.format.name).toBe('arm64-4k-48');
    // IPS is 44 bits.
    expect(ttbr1?.format.paBits).toBe(44);
    expect(ttbr1?.controls).toMatchObject({ ha: false, hd: false });
  });

  test.each([
    ['ha', 39, 39],
    ['hd', 40, 40],
    ['tbi', 37, 38],
    ['hpd', 41, 42],
    ['tbid', 51, 52],
    ['e0pd', 55, 56],
  ] as const)('%s has a bit of its own for each half, or one for both', (name, low, high) => {
    for (const [half, at] of [
      ['ttbr0', low],
      ['ttbr1', high],
    ] as const) {
      const other = half === 'ttbr0' ? 'ttbr1' : 'ttbr0';
      const before = read();
      const after = read({ tcr: LINUX.tcr ^ bit(at) });
      expect(after[half]?.controls).toEqual({
        ...before[half]?.controls,
        [name]: !before[half]?.controls[name],
      });
      if (low !== high) expect(after[other]?.controls).toEqual(before[other]?.controls);
    }
  });

  test('has WXN and EPAN from SCTLR, and PAN from PSTATE', () => {
    expect(read({ sctlr: LINUX.sctlr | bit(19) }).ttbr1?.controls.wxn).toBe(true);
    expect(read({ sctlr: LINUX.sctlr & ~bit(57) }).ttbr1?.controls.epan).toBe(false);
    expect(read({ pan: false }).ttbr0?.controls.pan).toBe(false);
  });

  test('has the memory types of MAIR in its format', () => {
    expect(read({ mair: 0x40044f0ffn }).ttbr1?.format.memoryTypes).toContain('tagged');
    expect(read().ttbr1?.format.memoryTypes).not.toContain('tagged');
  });
});

describe('a machine of Linux 6.12 with PIE and overlays', () => {
  // TCR2_EL1: PIE and E0POE. PIR_EL1 and PIRE0_EL1: PIE_E1 and PIE_E0. POR_EL0 of a thread that may read key 1.
  const PIE = {
    tcr2: bit(1) | bit(2),
    pir: 0xcc880e0ac0800000n,
    pire0: 0x5010000070320000n,
    porEl0: 0x17n,
  } as const;

  test('is read: permissions come through the registers', () => {
    const state = read(PIE);
    const memory = PhysicalMemory.create({ base: 0x41f2c000n, bytes: 1 << 16 });
    const frames = new FrameAllocator(memory, { pageShift: 14, first: 0x41f30000 / 0x4000, frames: 3 });
    const half = state.ttbr1 as Arm64Half;
    const table = new PageTable({ ...half, memory, frames });
    const va = 0xffff_c000_8000_4000n;
    table.map(va, [1], protection({ write: true, global: true }));
    const entry = table.walk(va).steps.at(-1)?.address ?? 0n;
    const permissions = (leaf: bigint) => {
      memory.write64(entry, leaf);
      const { kernel, user } = table.walk(va).permissions ?? {};
      return [kernel, user].map((side) =>
        (['read', 'write', 'execute'] as const)
          .map((kind) => (side?.[kind] === true ? kind[0] : '-'))
          .join(''),
      );
    };
    // PAGE_KERNEL; the same without PTE_WRITE, which is not writable with PIE although AP[2] is clear.
    expect(permissions(0x0068000000004703n)).toEqual(['rw-', '---']);
    expect(permissions(0x0060000000004703n)).toEqual(['r--', '---']);
    // PAGE_SHARED with the keys 0, 1 and 2.
    expect(permissions(0x0068000000004f43n)).toEqual(['---', 'rw-']);
    expect(permissions(0x1068000000004f43n)).toEqual(['---', 'r--']);
    expect(permissions(0x2068000000004f43n)).toEqual(['---', '---']);
  });

  test('has both halves, with the overlay among their controls', () => {
    const { ttbr0, ttbr1 } = read(PIE);
    for (const half of [ttbr0, ttbr1] as Arm64Half[]) {
      expect(half.controls).toMatchObject({ e0poe: true, porEl0: 0x17, poe: false, porEl1: 7 });
      // PIR has no index for a page of the kernel that may only be fetched from.
      expect(() => half.format.encode(protection({ read: false, execute: true }), 2)).toThrow(
        'no index of PIR',
      );
    }
    expect(read({ tcr2: bit(3), porEl1: 0xf_8765_4321n }).ttbr1?.controls).toMatchObject({
      ...{ poe: true, porEl1: 0x87654321, e0poe: false, porEl0: 7 },
    });
  });

  test('ignores the registers whose bit in TCR2 is clear', () => {
    const direct = read({ ...PIE, tcr2: 0n }).ttbr1 as Arm64Half;
    expect(direct.controls).toMatchObject({ e0poe: false, poe: false });
    expect(() => direct.format.encode(protection({ read: false, execute: true }), 2)).toThrow(
      'read is false',
    );
  });
});

describe('the two granules', () => {
  test.each([
    [0, 4],
    [1, 64],
    [2, 16],
  ])('TG0 %i is %iK', (encoded, granule) => {
    expect(read({ tcr: tcr(14, 2, encoded) }).ttbr0?.format.name).toBe(`arm64-${granule}k-47-ttbr0`);
  });

  test.each([
    [1, 16],
    [2, 4],
    [3, 64],
  ])('TG1 %i is %iK', (encoded, granule) => {
    expect(read({ tcr: tcr(30, 2, encoded) }).ttbr1?.format.name).toBe(`arm64-${granule}k-47`);
  });

  test.each([
    [14, 3, 'TCR.TG0 is 3, which is reserved; it can be 0 (4K), 1 (64K), 2 (16K)'],
    [30, 0, 'TCR.TG1 is 0, which is reserved; it can be 1 (16K), 2 (4K), 3 (64K)'],
  ])('at bit %i, %i is reserved, and the other half is not affected', (low, encoded, message) => {
    const state = read({ tcr: tcr(low, 2, encoded) });
    const [bad, good] = low === 14 ? (['ttbr0', 'ttbr1'] as const) : (['ttbr1', 'ttbr0'] as const);
    expect([state[bad], state.reasons[bad]]).toEqual([null, message]);
    expect([state[good]?.root, state.reasons[good]]).toEqual([read()[good]?.root, null]);
  });
});

describe('sizes', () => {
  test('T0SZ and T1SZ are independent', () => {
    const { ttbr0, ttbr1 } = read({ tcr: tcr(0, 6, 28, tcr(16, 6, 25)) });
    expect(ttbr0?.format.range).toEqual({ bits: 36, upper: 'zeros' });
    expect(ttbr1?.format.range).toEqual({ bits: 39, upper: 'ones' });
  });

  test.each([
    [0, 32],
    [1, 36],
    [2, 40],
    [3, 42],
    [4, 44],
    [5, 48],
    [6, 48],
  ])('IPS %i is %i bits without DS', (encoded, bits) => {
    expect(read({ tcr: tcr(32, 3, encoded) }).ttbr1?.format.paBits).toBe(bits);
  });

  test('the implemented address bits limit IPS', () => {
    expect(read({ paBits: 40 }).ttbr1?.format.paBits).toBe(40);
  });

  test('DS = 1 allows descriptors and addresses of 52 bits', () => {
    const wide = tcr(16, 6, 12, tcr(32, 3, 6)) | bit(59);
    const { ttbr0, ttbr1 } = read({ tcr: wide });
    expect(ttbr1?.format).toMatchObject({ name: 'arm64-16k-52', paBits: 52 });
    expect(ttbr0?.format).toMatchObject({ name: 'arm64-16k-47-oa52-ttbr0', paBits: 52 });
    const narrow = read({ tcr: tcr(32, 3, 5, wide) }).ttbr1?.format;
    expect(narrow?.paBits).toBe(48);
    expect(narrow?.address.map(({ entryBit }) => entryBit)).toEqual([14, 8]);
  });

  test('IPS allows them with the 64K granule, and DS has no effect', () => {
    const k64 = tcr(30, 2, 3);
    expect(read({ tcr: k64 | bit(59) }).ttbr1?.format.paBits).toBe(48);
    expect(read({ tcr: tcr(32, 3, 6, k64) }).ttbr1?.format).toMatchObject({
      name: 'arm64-64k-47-oa52',
      paBits: 52,
    });
    // Blocks at level 1 depend on the processor, not on IPS.
    expect(read({ tcr: k64 }).ttbr1?.format.levels[0]?.leaf).not.toBeNull();
    expect(read({ tcr: k64, paBits: 48 }).ttbr1?.format.levels[0]?.leaf).toBeNull();
    expect(read({ tcr: tcr(32, 3, 6, k64), paBits: 48 }).ttbr1?.format.paBits).toBe(48);
    expect(read({ tcr: tcr(16, 6, 12, k64) }).ttbr1?.format.range.bits).toBe(52);
  });

  test.each([
    [
      'ttbr1',
      tcr(16, 6, 15),
      'TCR.T1SZ is 15, expected 16 to 48; the 16K granule with DS = 0 allows no other',
    ],
    ['ttbr0', tcr(0, 6, 49), 'TCR.T0SZ is 49, expected 16 to 48'],
    ['ttbr0', tcr(0, 6, 48, tcr(14, 2, 1)), 'TCR.T0SZ is 48, expected 12 to 47'],
    [
      'ttbr1',
      tcr(16, 6, 11) | bit(59),
      'TCR.T1SZ is 11, expected 12 to 48; the 16K granule with DS = 1 allows no other',
    ],
  ] as const)('%s with TCR %s is null, and the other half is not affected', (half, value, message) => {
    const state = read({ tcr: value });
    expect([state[half], state.reasons[half]]).toEqual([null, expect.stringContaining(message)]);
    const other = half === 'ttbr0' ? 'ttbr1' : 'ttbr0';
    expect([state[other]?.root, state.reasons[other]]).toEqual([read()[other]?.root, null]);
  });

  test('IPS 7 is refused for both halves', () => {
    expect(() => read({ tcr: tcr(32, 3, 7) })).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(() => read({ tcr: tcr(32, 3, 7) })).toThrow('TCR.IPS is 7');
  });
});

describe('the 64K granule with a selected size of 48 bits', () => {
  test.each([
    [52, 'address-size'],
    [48, 'leaf'],
  ])('on a processor of %i bits: bits 15:12 of a page', (paBits, kind) => {
    const { format } = read({ tcr: tcr(30, 2, 3, tcr(16, 6, 16)), ttbr1: 0x41f20000n, paBits })
      .ttbr1 as Arm64Half;
    expect(format.paBits).toBe(48);
    expect(kindOf(format, format.levels.length - 1, 0x006800000001f703n)).toBe(kind);
  });
});

describe('roots', () => {
  test('bits below the size of the table are ignored, down to 16 bytes for a root of two entries', () => {
    const root = (ttbr1: bigint, value: bigint) => hex(read({ ttbr1, tcr: value }).ttbr1?.root ?? 0n);
    expect(root(0x41f2fffen, LINUX.tcr)).toBe('0x0000000041f2c000');
    expect(root(0x41f2fffen, tcr(16, 6, 16))).toBe('0x0000000041f2fff0');
  });

  test('with 52 bits, bits 5:2 hold 51:48 and the table is aligned to 64 bytes', () => {
    const wide = tcr(16, 6, 16, tcr(32, 3, 6)) | bit(59);
    expect(hex(read({ tcr: wide, ttbr1: 0x800041f2c0a9n }).ttbr1?.root ?? 0n)).toBe('0x000a800041f2c080');
    const lpa = tcr(30, 2, 3, tcr(16, 6, 12, tcr(32, 3, 6)));
    expect(hex(read({ tcr: lpa, ttbr1: 0x41f2003cn }).ttbr1?.root ?? 0n)).toBe('0x000f000041f20000');
    // Without them the bits are below the alignment.
    expect(hex(read({ ttbr1: 0x41f2c03cn }).ttbr1?.root ?? 0n)).toBe('0x0000000041f2c000');
  });

  test('a half whose root is beyond the physical addresses is null', () => {
    const { ttbr0, ttbr1, reasons } = read({ ttbr1: 0x100_0000_0000n, paBits: 40 });
    expect(ttbr1).toBeNull();
    expect(reasons).toEqual({
      ttbr0: null,
      ttbr1: 'TTBR1 0x0000010000000000 has its table beyond the 40 bits of a physical address',
    });
    expect(ttbr0?.root).toBe(0x5621c000n);
  });

  test('EPD0 and EPD1 disable a half, whatever its other fields in TCR are', () => {
    const none = read({ tcr: tcr(14, 2, 3) | bit(7) });
    expect(none.ttbr0).toBeNull();
    expect(none.ttbr1).not.toBeNull();
    expect(none.reasons).toEqual({ ttbr0: 'TCR.EPD0 (bit 7) is set: its walks are disabled', ttbr1: null });
    expect(read({ tcr: LINUX.tcr | bit(23) }).ttbr1).toBeNull();
  });

  test('a half without its register is null', () => {
    const { ttbr1, tcr: value, sctlr } = LINUX;
    const state = arm64FromRegisters({ ttbr1, tcr: value & ~bit(22), sctlr });
    expect(state.ttbr0).toBeNull();
    expect(state.reasons).toEqual({ ttbr0: 'ttbr0 was not given', ttbr1: null });
    expect(state.ttbr1?.root).toBe(0x41f2c000n);
    expect(state.asid).toBeNull();
  });
});

describe('for(va): the half that translates an address', () => {
  const state = read();

  test.each([
    [0x0000_0000_0040_0123n, 'arm64-16k-47-ttbr0', 0x0000_0000_0040_0123n],
    [0xffff_c000_8000_4008n, 'arm64-16k-47', 0xffff_c000_8000_4008n],
    // TBI0 and TBI1 are set: bits 63:56 do not count, bit 55 selects the half.
    [0x3c00_0000_0040_0123n, 'arm64-16k-47-ttbr0', 0x0000_0000_0040_0123n],
    [0xff00_0000_0040_0123n, 'arm64-16k-47-ttbr0', 0x0000_0000_0040_0123n],
    [0x00ff_c000_8000_4008n, 'arm64-16k-47', 0xffff_c000_8000_4008n],
  ])('%s', (va, name, address) => {
    const found = state.for(va);
    expect([found?.format.name, hex(found?.address ?? 0n)]).toEqual([name, hex(address)]);
    const half = name.endsWith('ttbr0') ? state.ttbr0 : state.ttbr1;
    expect(found).toMatchObject({ root: half?.root, controls: half?.controls });
    expect(state.whyNot(va)).toBeNull();
  });

  test('with TBID a fetch has no tag', () => {
    expect(state.for(0x3c00_0000_0040_0000n, 'execute')?.address).toBe(0x40_0000n);
    expect(state.for(0x3cff_c000_8000_4000n, 'execute')).toBeNull();
    expect(state.for(0x3cff_c000_8000_4000n, 'write')?.address).toBe(0xffff_c000_8000_4000n);
  });

  test('without TBI no half translates a tagged address', () => {
    const plain = read({ tcr: LINUX.tcr & ~(bit(37) | bit(38)) });
    expect(plain.for(0x3c00_0000_0040_0000n)).toBeNull();
    expect(plain.whyNot(0x3c00_0000_0040_0000n)).toBe(
      '0x3c00000000400000 is not an address of arm64-16k-47-ttbr0: bits 63 to 47 must all be 0',
    );
  });

  test('no half translates an address between the halves', () => {
    expect(state.for(0x0000_8000_0000_0000n)).toBeNull();
    expect(state.whyNot(0x0000_8000_0000_0000n)).toContain('bits 63 to 47 must all be 0');
    expect(state.for(0xffff_7fff_ffff_ffffn)).toBeNull();
    expect(state.whyNot(0xffff_7fff_ffff_ffffn)).toContain('bits 63 to 47 must all be 1');
  });

  test.each<[string, Partial<Arm64Registers>, string]>([
    ['disabled', { tcr: LINUX.tcr | bit(7) }, 'TCR.EPD0 (bit 7) is set: its walks are disabled'],
    ['not given', { ttbr0: undefined as never }, 'ttbr0 was not given'],
    ['not modelled', { tcr: tcr(14, 2, 3) }, 'TCR.TG0 is 3, which is reserved; it can be 0 (4K), 1 (64K)'],
  ])('a half that is %s has a reason, and the other half translates', (_, change, reason) => {
    const one = read(change);
    expect(one.for(0x40_0000n)).toBeNull();
    expect(one.whyNot(0x40_0000n)).toContain(
      `bit 55 of 0x0000000000400000 selects TTBR0, which translates nothing: ${reason}`,
    );
    expect(one.for(0xffff_c000_8000_4008n)?.root).toBe(0x41f2c000n);
  });

  test('both halves may be disabled without an error', () => {
    const none = read({ tcr: LINUX.tcr | bit(7) | bit(23) });
    expect([none.ttbr0, none.ttbr1, none.for(0n), none.for((1n << 64n) - 1n)]).toEqual([
      null,
      null,
      null,
      null,
    ]);
    expect(none.asid).toBe(0x16);
  });

  test('opens a page table, whose walks use the controls of the registers; so does a half itself', () => {
    const memory = PhysicalMemory.create({ base: 0x41f2c000n, bytes: 1 << 16 });
    const frames = new FrameAllocator(memory, { pageShift: 14, first: 0x41f30000 / 0x4000, frames: 3 });
    const va = 0xffff_c000_8000_4000n;
    // A page of the user: PAN denies it to the kernel.
    for (const pan of [true, false]) {
      const machine = read({ pan });
      memory.banks[0]?.words.fill(0);
      new PageTable({ ...(machine.ttbr1 as Arm64Half), memory, frames }).map(
        va,
        [1],
        protection({ user: true }),
      );
      const found = machine.for(va | (0x5an << 56n)) as NonNullable<ReturnType<Arm64State['for']>>;
      const table = new PageTableReader({ ...found, memory });
      expect(table.walk(found.address).permissions?.kernel.read).toBe(!pan);
      expect(dumpTables(table)).toContain('r-- u');
      for (let pfn = frames.first; pfn < frames.first + 3; pfn++)
        if (frames.isAllocated(pfn)) frames.free(pfn);
    }
  });
});

describe('the address space identifier', () => {
  const roots = { ttbr0: 0xabcd00005621c001n, ttbr1: 0x1234000041f2c001n };
  test.each([
    ['A1 and AS', LINUX.tcr, 0x1234],
    ['A1 without AS', LINUX.tcr & ~bit(36), 0x34],
    ['AS without A1', LINUX.tcr & ~bit(22), 0xabcd],
    ['neither', LINUX.tcr & ~bit(36) & ~bit(22), 0xcd],
  ])('with %s', (_, value, asid) => {
    expect(read({ ...roots, tcr: value }).asid).toBe(asid);
  });
});

describe('an unsupported state is refused, naming register and bit', () => {
  test.each([
    [{ sctlr: LINUX.sctlr & ~1n }, 'SCTLR.M (bit 0) is clear; the MMU is off: addresses are physical'],
    [{ sctlr: LINUX.sctlr | bit(25) }, 'SCTLR.EE (bit 25) is set; its tables are big-endian'],
    [{ tcr2: bit(1) }, 'TCR2.PIE (bit 1) is set, but pir was not given; without it, nobody knows what'],
    [{ tcr2: bit(1), pir: 0n }, 'TCR2.PIE (bit 1) is set, but pire0 was not given'],
    [{ tcr2: bit(0) }, 'TCR2.PnCH (bit 0) is set'],
    [{ tcr2: bit(2), porEl1: 0n }, 'TCR2.E0POE (bit 2) is set, but porEl0 was not given'],
    [{ tcr2: bit(3), porEl0: 0n }, 'TCR2.POE (bit 3) is set, but porEl1 was not given'],
    [{ pir: -1n }, 'pir is -1n, expected an unsigned 64-bit value; pass the register as a bigint'],
    [{ tcr2: bit(4) }, 'TCR2.AIE (bit 4) is set'],
    [{ tcr2: bit(11) }, 'TCR2.HAFT (bit 11) is set; hardware sets an access flag in table entries'],
    [{ tcr2: bit(16) }, 'TCR2.A2 (bit 16) is set'],
    [{ tcr2: bit(5) }, 'TCR2.D128 (bit 5) is set; descriptors have 128 bits'],
    [{ tcr: 0.5 }, 'tcr is 0.5, which is not an exact integer; pass a bigint'],
    [{ ttbr1: 0.5, tcr: LINUX.tcr | bit(23) }, 'ttbr1 is 0.5, which is not an exact integer'],
    [{ ttbr0: -1 }, 'ttbr0 is -1, expected an unsigned 64-bit value; pass the register as a bigint'],
    [{ ttbr1: 1n << 64n }, 'ttbr1 is 0x10000000000000000n, expected an unsigned 64-bit value'],
    [{ mair: 1n << 64n }, 'mair is 0x10000000000000000n, expected an unsigned 64-bit value'],
    [{ mair: 0x10n }, 'MAIR attribute 0 is 0x10'],
    [{ paBits: 31 }, 'paBits is 31, expected 32 to 52'],
  ] as [Partial<Arm64Registers>, string][])('%o', (change, message) => {
    expect(() => read(change)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(() => read(change)).toThrow(message);
  });
});
