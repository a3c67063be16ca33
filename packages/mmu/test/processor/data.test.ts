import { arm64 } from '@vmarea/arm64';
import { type BankOptions, PhysicalMemory, protection, VmError } from '@vmarea/core';
import { type DeviceIo, Mmu, MmuFault } from '@vmarea/mmu';
import { riscv64 } from '@vmarea/riscv64';
import { x8664 } from '@vmarea/x86-64';
import { describe, expect, test } from 'vitest';
import { smallMachine, split, USER_RW } from './support/small-machine.js';

/** The part of the host that the tests' types lack. */
interface Host {
  readonly WebAssembly: {
    readonly Memory: new (o: {
      initial: number;
      maximum: number;
    }) => { buffer: ArrayBuffer; grow(delta: number): number };
  };
}

const format = x8664();
/** Crosses bit 32 between its second and third page. */
const VA = 0xffff_e000n;
/** Frames in no order, so that what crosses a page crosses to another frame. */
const FRAMES = [300, 200, 400, 250];

function machineOver(memory: PhysicalMemory, io?: DeviceIo) {
  const machine = smallMachine(format, { memory, ...(io === undefined ? {} : { io }) });
  machine.table.map(VA, FRAMES, USER_RW);
  return machine;
}

const MEMORIES: [string, () => PhysicalMemory][] = [
  ['one bank', () => PhysicalMemory.create({ bytes: 4 << 20 })],
  ['shared memory', () => PhysicalMemory.create({ bytes: 4 << 20, shared: true })],
  [
    'two banks, data in the smaller one too',
    () => {
      const banks: BankOptions[] = [
        { bytes: 301 * 4096 },
        { bytes: 99 * 4096, base: 301n << 12n },
        { bytes: 600 * 4096, base: 400n << 12n },
      ];
      return PhysicalMemory.of(banks);
    },
  ],
  [
    'a WebAssembly.Memory that grows',
    () => {
      const host = new (globalThis as unknown as Host).WebAssembly.Memory({ initial: 64, maximum: 80 });
      const memory = PhysicalMemory.over(host);
      queueMicrotask(() => host.grow(1));
      return memory;
    },
  ],
];

/** The bytes of the guest at an address, read one by one through another way: `translate`. */
function byteOf(memory: PhysicalMemory, va: bigint): number {
  const page = Number((va - VA) >> 12n);
  return memory.bytesAt((BigInt(FRAMES[page] as number) << 12n) + (va & 4095n), 1)[0] as number;
}

describe.each(MEMORIES)('loads and stores over %s', (_, make) => {
  test('are little-endian at every alignment, and across pages', async () => {
    const memory = make();
    const { mmu } = machineOver(memory);
    for (let round = 0; round < 2; round++) {
      for (let offset = 0; offset < 12; offset++) {
        for (const page of [0n, 1n, 2n]) {
          const va = VA + (page << 12n) + 4090n + BigInt(offset) - 4n;
          const [hi, lo] = split(va);
          const value = 0xf1e2_d3c4_b5a6_9788n ^ BigInt(offset * 257);
          mmu.store64(hi, lo, true, value);
          for (let i = 0; i < 8; i++) {
            expect(byteOf(memory, va + BigInt(i))).toBe(Number((value >> BigInt(8 * i)) & 255n));
          }
          expect(mmu.load64(hi, lo, true)).toBe(value);
          expect([mmu.load64Words(hi, lo, true), mmu.high]).toEqual([
            Number(BigInt.asIntN(32, value)),
            Number(BigInt.asIntN(32, value >> 32n)),
          ]);
          expect(mmu.load32(hi, lo, true)).toBe(Number(value & 0xffff_ffffn));
          expect(mmu.loadSigned32(hi, lo, true)).toBe(Number(BigInt.asIntN(32, value)));
          expect(mmu.load16(hi, lo, true)).toBe(Number(value & 0xffffn));
          expect(mmu.loadSigned16(hi, lo, true)).toBe(Number(BigInt.asIntN(16, value)));
          expect(mmu.load8(hi, lo, true)).toBe(Number(value & 0xffn));
          expect(mmu.loadSigned8(hi, lo, true)).toBe(Number(BigInt.asIntN(8, value)));
          mmu.store32(hi, lo, true, 0x8765_4321);
          expect(mmu.load32(hi, lo, true)).toBe(0x8765_4321);
          mmu.store16(hi, lo, true, 0x1_abcd);
          expect(mmu.load32(hi, lo, true)).toBe(0x8765_abcd);
          mmu.store8(hi, lo, true, 0x1ef);
          expect(mmu.load32(hi, lo, true)).toBe(0x8765_abef);
          expect(mmu.load64(hi, lo, true) >> 32n).toBe(value >> 32n);
        }
      }
      await Promise.resolve();
    }
  });

  test('take a number below 2^53 as two words', () => {
    const { mmu } = machineOver(make());
    const va = Number(VA) + 0x2010;
    mmu.store32(va / 4294967296, va, true, 77);
    expect(mmu.load32(...split(BigInt(va)), true)).toBe(77);
  });

  test('exchange atomically', () => {
    const memory = make();
    const { mmu } = machineOver(memory);
    const [hi, lo] = split(VA + 0x2008n);
    mmu.store64(hi, lo, true, 0x8000_0001_ffff_fffen);
    expect(mmu.compareExchange32(hi, lo, true, 5, 6)).toBe(-2);
    expect(mmu.compareExchange32(hi, lo, true, 0xffff_fffe, 6)).toBe(-2);
    expect(mmu.compareExchange64(hi, lo, true, 1n, 2n)).toBe(0x8000_0001_0000_0006n);
    expect(mmu.compareExchange64(hi, lo, true, 0x8000_0001_0000_0006n, -1n)).toBe(0x8000_0001_0000_0006n);
    expect(mmu.atomic64('add', hi, lo, true, 3n)).toBe(0xffff_ffff_ffff_ffffn);
    expect(mmu.atomic32('xor', hi, lo, true, -1)).toBe(2);
    expect(mmu.atomic32('and', hi, lo, true, 0xf0)).toBe(-3);
    expect(mmu.atomic32('or', hi, lo, true, 1)).toBe(0xf0);
    expect(mmu.atomic32('exchange', hi, lo, true, 9)).toBe(0xf1);
    expect(mmu.load64(hi, lo, true)).toBe(9n);
  });

  test('copy ranges of bytes in and out', () => {
    const { mmu } = machineOver(make());
    const bytes = Uint8Array.from({ length: 9000 }, (_, i) => (i * 7) & 255);
    mmu.copyIn(VA + 100n, bytes, true);
    const back = new Uint8Array(9000);
    mmu.copyOut(VA + 100n, back, true);
    expect(Buffer.compare(back, bytes)).toBe(0);
    expect(mmu.load8(...split(VA + 100n + 5000n), true)).toBe((5000 * 7) & 255);
  });
});

const thrownBy = (call: () => unknown): unknown => {
  try {
    call();
    return null;
  } catch (error) {
    return error;
  }
};

describe('an access to two pages', () => {
  const stores: [string, (mmu: Mmu, hi: number, lo: number) => void][] = [
    ['store64', (mmu, hi, lo) => mmu.store64(hi, lo, true, -1n)],
    ['store32', (mmu, hi, lo) => mmu.store32(hi, lo, true, -1)],
    ['store16', (mmu, hi, lo) => mmu.store16(hi, lo, true, -1)],
    ['copyIn', (mmu) => mmu.copyIn(VA + 0x3fffn - 8n, new Uint8Array(20).fill(255), true)],
  ];
  test.each(stores)('that faults on the second writes nothing: %s', (_, store) => {
    const { mmu, memory, table } = machineOver(PhysicalMemory.create({ bytes: 4 << 20 }));
    const [hi, lo] = split(VA + 0x3fffn);
    expect(thrownBy(() => store(mmu, hi, lo))).toBe(mmu.fault);
    // CR2 is the first byte that could not be accessed.
    expect(mmu.fault).toMatchObject({
      va: VA + 0x4000n,
      kind: 'not-present',
      code: { name: '#PF', code: 6 },
    });
    table.map(VA + 0x4000n, [500], protection({ write: false, user: true }));
    expect(thrownBy(() => store(mmu, hi, lo))).toBe(mmu.fault);
    expect(mmu.fault).toMatchObject({ va: VA + 0x4000n, kind: 'permission', code: { name: '#PF', code: 7 } });
    for (const frame of [250n, 500n]) {
      expect(memory.bytesAt(frame << 12n, 4096).every((byte) => byte === 0)).toBe(true);
    }
  });

  test('that faults on the first names its own address', () => {
    const { mmu } = machineOver(PhysicalMemory.create({ bytes: 4 << 20 }));
    expect(() => mmu.load32(...split(VA - 2n), true)).toThrow(MmuFault);
    expect(mmu.fault?.va).toBe(VA - 2n);
  });
});

describe('a frame without bytes', () => {
  const log: unknown[] = [];
  const io: DeviceIo = {
    load(pa, bytes) {
      log.push(['load', pa, bytes]);
      return 0xffff_ffff_8899_aabbn + pa;
    },
    store(pa, bytes, value) {
      log.push(['store', pa, bytes, value]);
    },
  };
  const device = 0x1_2345_6000n;
  function withDevice(given?: DeviceIo) {
    log.length = 0;
    const machine = machineOver(PhysicalMemory.create({ bytes: 4 << 20 }), given);
    machine.table.map(VA + 0x10000n, [0x123456, 300], USER_RW);
    return machine;
  }
  const [hi, lo] = split(VA + 0x10000n);

  test('is served by io, each access as it was made', () => {
    const { mmu } = withDevice(io);
    expect(mmu.load8(hi, lo, true)).toBe(0xbb);
    expect(mmu.load16(hi, lo + 2, true)).toBe((0xaabb + 0x6002) & 0xffff);
    expect(mmu.load32(hi, lo + 8, true)).toBe((0x8899_aabb + 0x2345_6008) % 2 ** 32);
    expect(mmu.load64(hi, lo + 16, true)).toBe(BigInt.asUintN(64, 0xffff_ffff_8899_aabbn + device + 16n));
    mmu.store8(hi, lo + 1, true, -1);
    mmu.store16(hi, lo + 3, true, 0x12345);
    mmu.store32(hi, lo + 4, true, -2);
    mmu.store64(hi, lo + 8, true, -3n);
    expect(log).toEqual([
      ...[
        ['load', device, 1],
        ['load', device + 2n, 2],
        ['load', device + 8n, 4],
        ['load', device + 16n, 8],
      ],
      ...[
        ['store', device + 1n, 1, 0xffn],
        ['store', device + 3n, 2, 0x2345n],
      ],
      ...[
        ['store', device + 4n, 4, 0xffff_fffen],
        ['store', device + 8n, 8, 0xffff_ffff_ffff_fffdn],
      ],
    ]);
  });

  test('is asked byte by byte across pages', () => {
    const { mmu, memory } = withDevice(io);
    memory.write32(300n << 12n, 0x11223344);
    expect(mmu.load32(hi, lo + 4094, true) >>> 16).toBe(0x3344);
    expect(log).toEqual([
      ['load', device + 4094n, 1],
      ['load', device + 4095n, 1],
    ]);
  });

  test('is refused with EFAULT where nobody serves it, before anything is written', () => {
    const { mmu, memory } = withDevice();
    expect(() => mmu.load32(hi, lo, true)).toThrow(
      'EFAULT at 0x0000000123456000: no bytes at this physical address',
    );
    expect(() => mmu.store32(hi, lo, true, 1)).toThrow(VmError);
    expect(() => mmu.copyIn(VA + 0x10ff8n, new Uint8Array(16).fill(9), true)).toThrow('EFAULT');
    expect(memory.read32(300n << 12n)).toBe(0);
    // To translate it is fine.
    expect(mmu.access(VA + 0x10004n, 'read', true).pa).toBe(device + 4n);
  });

  test('serves exchanges by a load and a store', () => {
    const { mmu } = withDevice(io);
    expect(mmu.compareExchange32(hi, lo, true, 0, 1) >>> 0).toBe((0x8899_aabb + 0x2345_6000) % 2 ** 32);
    expect(mmu.atomic64('exchange', hi, lo, true, 7n)).toBe(
      BigInt.asUintN(64, 0xffff_ffff_8899_aabbn + device),
    );
    expect(log.at(-1)).toEqual(['store', device, 8, 7n]);
  });
});

describe('bytes that are read-only', () => {
  test('refuse stores with EPERM, and keep accessed and dirty bits as they are', () => {
    const bytes = new ArrayBuffer(4 << 20);
    const { table } = machineOver(PhysicalMemory.over(bytes));
    table.unmap(VA, 4096);
    table.map(VA, [300], protection({ write: true, user: true, accessed: false, dirty: false }));
    const memory = PhysicalMemory.over(bytes, { writable: false });
    const mmu = new Mmu({ memory, tables: { format, root: table.root, controls: format.controls } });
    const before = new Uint8Array(bytes.slice(0));
    expect(mmu.load32(...split(VA), true)).toBe(0);
    expect(() => mmu.store32(...split(VA), true, 1)).toThrow(
      'EPERM at 0x000000000012c000: these bytes are read-only',
    );
    expect(() => mmu.store32(...split(VA + 0xffen), true, 1)).toThrow('EPERM');
    expect(() => mmu.copyIn(VA, new Uint8Array(4), true)).toThrow('EPERM');
    expect(() => mmu.compareExchange32(...split(VA), true, 0, 1)).toThrow('EPERM');
    expect(Buffer.compare(new Uint8Array(bytes), before)).toBe(0);
  });
});

describe('fetches', () => {
  test('need the right to execute', () => {
    const { table, mmu, memory } = machineOver(PhysicalMemory.create({ bytes: 4 << 20 }));
    table.map(VA + 0x20000n, [500], protection({ execute: true, user: true }));
    memory.write32(500n << 12n, 0x9abc_1234 | 0);
    const [hi, lo] = split(VA + 0x20000n);
    expect(mmu.fetch32(hi, lo, true)).toBe(0x9abc_1234 | 0);
    expect(mmu.fetch16(hi, lo + 2, true)).toBe(0x9abc);
    expect(mmu.fetch16(hi, lo + 1, true)).toBe(0xbc12);
    expect(() => mmu.fetch32(...split(VA), true)).toThrow(
      '#PF 21 at 0x00000000ffffe000: execute by user, permission at level 3',
    );
    // SMEP.
    expect(() => mmu.fetch32(hi, lo, false)).toThrow(MmuFault);
  });

  test('throw one object, which the next fault fills in anew', () => {
    const { mmu } = smallMachine(riscv64());
    const first = thrownBy(() => mmu.fetch32(0, 0, true));
    expect(first).toBe(mmu.fault);
    expect(mmu.fault?.code).toEqual({ name: 'scause', code: 12 });
    expect(thrownBy(() => mmu.load32(0, 4, false))).toBe(first);
    expect(mmu.fault).toMatchObject({ va: 4n, code: { code: 13 }, access: { kind: 'read', user: false } });
    expect(mmu.translate(0, 8, 'write', true)).toBe(-1);
    expect(mmu.fault).toMatchObject({ va: 8n, code: { code: 15 } });
  });
});

describe('atomic accesses', () => {
  test('are refused off their alignment, and for another operation', () => {
    const { mmu } = machineOver(PhysicalMemory.create({ bytes: 4 << 20 }));
    const [hi, lo] = split(VA);
    expect(() => mmu.compareExchange32(hi, lo + 2, true, 0, 1)).toThrow('a multiple of 4');
    expect(() => mmu.atomic64('add', hi, lo + 4, true, 1n)).toThrow('a multiple of 8');
    expect(() => mmu.atomic32('nand' as 'and', hi, lo, true, 1)).toThrow(
      'EINVAL: nand is no atomic operation',
    );
  });

  test('fault as writes', () => {
    const { mmu, table } = machineOver(PhysicalMemory.create({ bytes: 4 << 20 }));
    table.protect(VA, 4096, { write: false });
    expect(() => mmu.compareExchange32(...split(VA), true, 0, 1)).toThrow(MmuFault);
    expect(mmu.fault?.code).toEqual({ name: '#PF', code: 7 });
  });
});

test('a store that ends in read-only bytes writes nothing', () => {
  const writable = new ArrayBuffer(301 * 4096);
  const memory = PhysicalMemory.of([
    { source: writable },
    { source: new ArrayBuffer(4096), base: 301n << 12n, writable: false },
  ]);
  const { mmu, table } = smallMachine(format, { memory });
  table.map(VA, [300, 301], USER_RW);
  const [hi, lo] = split(VA + 0xffen);
  expect(() => mmu.store32(hi, lo, true, -1)).toThrow('EPERM');
  expect(mmu.load32(hi, lo, true)).toBe(0);
});

test('a copy that ends in a frame without bytes writes nothing', () => {
  const { mmu, table } = smallMachine(format);
  table.map(VA, [300, 0x123456], USER_RW);
  expect(() => mmu.copyIn(VA + 0xff8n, new Uint8Array(16).fill(9), true)).toThrow('EFAULT');
  expect(mmu.load64(...split(VA + 0xff8n), true)).toBe(0n);
});

test('a leaf of known attributes, but beyond the physical addresses, is refused', () => {
  const { mmu, table, memory } = smallMachine(arm64({ granule: 4, vaBits: 48, paBits: 40 }));
  const va = 0xffff_0000_0000_0000n;
  table.map(va, [300, 301], USER_RW);
  expect(mmu.translate(...split(va), 'read', true)).toBe(300);
  const entry = table.walk(va + 0x1000n).steps[3];
  if (entry === undefined) throw new Error('no entry');
  memory.write64(entry.address, entry.entry | (1n << 41n));
  expect(mmu.access(va + 0x1000n, 'read', true).fault).toEqual({
    ...{ kind: 'address-size', level: 3 },
    code: { name: 'FSC', code: 3 },
  });
});

describe('an access to two pages of which one has no bytes', () => {
  test.each([
    ['the second', [700, 0x100000]],
    ['the first', [0x100000, 700]],
  ])('is refused before a byte moves, where it is %s', (_, frames) => {
    const { memory, table, mmu } = smallMachine(format);
    table.map(0x1000n, frames, USER_RW);
    memory.bytesAt(700n << 12n, 4096).fill(7);
    expect(() => mmu.store64(0, 0x1ffc, true, 0n)).toThrow('EFAULT at 0x000000010000');
    expect(() => mmu.load64(0, 0x1ffc, true)).toThrow('EFAULT at 0x000000010000');
    expect(memory.bytesAt(700n << 12n, 4096).every((byte) => byte === 7)).toBe(true);
  });
});

describe('a value of the wrong kind', () => {
  const { table, mmu } = smallMachine(format, { io: { load: () => 5 as never, store: () => {} } });
  table.map(0x1000n, [700, 0x100000], USER_RW);
  const five = 5 as never;
  test.each<[string, () => unknown, string]>([
    ['a number for store64', () => mmu.store64(0, 0x1000, true, five), 'EINVAL: a value of 64 bits is 5'],
    ['for compareExchange64', () => mmu.compareExchange64(0, 0x1000, true, 0n, five), 'of 64 bits is 5'],
    ['for atomic64', () => mmu.atomic64('add', 0, 0x1000, true, five), 'EINVAL: a value of 64 bits is 5'],
    ['from io.load', () => mmu.load32(0, 0x2000, true), 'EINVAL at 0x0000000100000000: io.load returned 5'],
  ])('%s is refused', (_, call, message) => {
    expect(call).toThrow(message);
  });
});
