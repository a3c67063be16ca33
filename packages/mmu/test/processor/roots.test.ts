import { ARM64_INVALIDATIONS, arm64FromRegisters } from '@vmarea/arm64';
import { FrameAllocator, PageTable, PhysicalMemory, protection } from '@vmarea/core';
import { Mmu } from '@vmarea/mmu';
import { riscv64, riscv64FromRegisters } from '@vmarea/riscv64';
import { x8664, x8664FromRegisters } from '@vmarea/x86-64';
import { describe, expect, test } from 'vitest';
import { RW, smallMachine, split, USER_RW } from './support/small-machine.js';

const VA = 0xffff_8000_0000_0000n;
const tablesOf = ({ format, root }: PageTable) => ({ format, root, controls: format.controls });

describe('a processor from registers', () => {
  test('of x86-64 takes root, controls and PCID', () => {
    const { memory, table } = smallMachine(x8664());
    table.map(VA, [700], RW);
    const cpu = x8664FromRegisters({
      cr0: 0x80050033,
      cr3: table.root | 7n,
      cr4: 0x770ef0n | (1n << 17n),
      efer: 0xd01,
    });
    const mmu = new Mmu({ memory, tables: cpu });
    expect([mmu.asid, mmu.access(VA + 5n, 'write')]).toEqual([7, { pa: 700n * 4096n + 5n, fault: null }]);
  });

  test('of arm64 translates with both halves, and takes a half that is off', () => {
    const memory = PhysicalMemory.create({ bytes: 4 << 20 });
    const frames = new FrameAllocator(memory, { first: 0, frames: 128 });
    const registers = { tcr: (16n << 0n) | (16n << 16n) | (2n << 30n) | (5n << 32n), sctlr: 1n };
    const formats = arm64FromRegisters({ ...registers, ttbr0: 0n, ttbr1: 0n });
    const [low, high] = [formats.ttbr0, formats.ttbr1].map((half) => {
      if (half === null) throw new Error('no half');
      return new PageTable({ format: half.format, memory, frames });
    }) as [PageTable, PageTable];
    const leaf = { accessed: true, dirty: true, write: true };
    low.map(0x1000n, [700], protection({ ...leaf, user: true }));
    high.map(0xffff_0000_0000_1000n, [701], protection({ ...leaf, global: true }));
    const cpu = arm64FromRegisters({ ...registers, ttbr0: low.root | (3n << 48n), ttbr1: high.root });
    const mmu = new Mmu({ memory, tables: cpu, invalidations: ARM64_INVALIDATIONS });
    expect(mmu.asid).toBe(3);
    expect(mmu.translate(0, 0x1000, 'read', true)).toBe(700);
    expect(mmu.translate(-65536, 0x1000, 'read', false)).toBe(701);
    // Between the halves no root translates.
    expect(mmu.access(1n << 50n, 'read').fault).toEqual({
      kind: 'address',
      level: 0,
      code: { name: 'FSC', code: 4 },
    });
    const second = new PageTable({ format: low.format, memory, frames });
    second.map(0x1000n, [702], USER_RW);
    mmu.switchRoot(second.root, 4, 0);
    expect([mmu.translate(0, 0x1000, 'read', true), mmu.translate(-65536, 0x1000, 'read', false)]).toEqual([
      702, 701,
    ]);
    expect(mmu.counters.walks).toBe(4);
    const off = arm64FromRegisters({
      ...registers,
      tcr: registers.tcr | (1n << 7n),
      ttbr0: 0n,
      ttbr1: high.root,
    });
    mmu.switchTables(off, 5);
    expect(mmu.access(0x1000n, 'read', true).fault?.kind).toBe('address');
    expect(mmu.translate(-65536, 0x1000, 'read', false)).toBe(701);
  });

  test('of riscv64 takes satp, and null for Bare', () => {
    const { memory, table } = smallMachine(riscv64({ mode: 'sv39' }));
    table.map(0x1000n, [700], USER_RW);
    const hart = riscv64FromRegisters({ satp: (8n << 60n) | (5n << 44n) | (table.root >> 12n) });
    const mmu = new Mmu({ memory, tables: null });
    memory.write32(0x3004n, 99);
    expect([mmu.asid, mmu.load32(0, 0x3004, false), mmu.translate(0, 0x1000, 'execute', true)]).toEqual([
      0, 99, 1,
    ]);
    expect(mmu.access(0x7_ffff_ffff_f123n, 'write')).toEqual({ pa: 0x7_ffff_ffff_f123n, fault: null });
    expect(() => mmu.switchRoot(table.root)).toThrow('EINVAL: this processor has no root 0');
    mmu.switchTables(hart);
    expect([
      mmu.asid,
      mmu.translate(0, 0x1000, 'read', true),
      mmu.translate(0, 0x3000, 'read', true),
    ]).toEqual([5, 700, -1]);
    mmu.switchTables(null);
    expect([mmu.asid, mmu.load32(0, 0x3004, true)]).toEqual([5, 99]);
    mmu.switchTables(hart);
    // Found again, not walked again. Bare pages count as walks, too.
    const { walks } = mmu.counters;
    expect([mmu.translate(0, 0x1000, 'read', true), mmu.counters.walks]).toEqual([700, walks]);
  });
});

describe('a switch that is refused changes nothing', () => {
  const { table, mmu } = smallMachine(x8664());
  table.map(VA, [700], RW);
  test.each<[string, () => void, string]>([
    [
      'an unaligned root',
      () => mmu.switchRoot(table.root + 8n),
      'the root is not a multiple of its size 0x1000',
    ],
    [
      'a root without bytes',
      () => mmu.switchRoot(1n << 40n),
      'EFAULT at 0x0000010000000000: the memory has no bytes at the root',
    ],
    ['a root beyond physical addresses', () => mmu.switchRoot(1n << 60n), 'is not a physical address'],
    ['a root that is no bigint', () => mmu.switchRoot(0 as never), 'the root 0 is not a physical address'],
    ['an ASID that is none', () => mmu.switchRoot(table.root, -1), 'asid is -1, expected 0 to 65535'],
    [
      'a root that does not exist',
      () => mmu.switchRoot(table.root, 0, 1),
      'this processor has no root 1, but 1',
    ],
    ['tables that are none', () => mmu.switchTables({} as never), 'the tables are no translation'],
    [
      'tables with an ASID that is none',
      () => mmu.switchTables({ ...tablesOf(table), asid: 5n } as never),
      'asid is 5n',
    ],
    [
      'a format that is none',
      () => mmu.switchTables({ format: { levels: [] }, root: 0n } as never),
      'the tables are no translation',
    ],
    ['no controls', () => mmu.setControls(undefined as never), 'the controls are undefined'],
    ['unknown controls', () => mmu.setControls({ smab: true } as never), 'did you mean `smap`?'],
  ])('%s', (_, call, message) => {
    expect(call).toThrow(message);
    expect([mmu.asid, mmu.translate(...split(VA), 'read', false)]).toEqual([0, 700]);
  });
});

test('a switch that is refused does not forget modes, also where there is no room for another one', () => {
  const { memory, frames, table, mmu } = smallMachine(x8664());
  const { format } = table;
  const second = new PageTable({ format, memory, frames });
  const pages = Array.from({ length: 61 }, (_, page) => page);
  table.map(
    0n,
    pages.map((page) => 700 + page),
    USER_RW,
  );
  second.map(
    0n,
    pages.map((page) => 800 + page),
    USER_RW,
  );
  // Modes are remembered up to 64.
  for (let pkru = 1; pkru < 64; pkru++) mmu.setControls({ pkru: pkru << 2 });
  const controls = { ...format.controls, pkru: 1 << 20 };
  expect(() => mmu.switchTables({ format, root: table.root, controls }, -1)).toThrow('asid is -1');
  expect(() => mmu.switchTables({ format, root: 1n << 40n, controls })).toThrow('EFAULT');
  for (const page of pages) expect(mmu.translate(0, page << 12, 'read', true)).toBe(700 + page);
  // Each address space looks at another page, so that none overwrites what the first one left.
  for (let asid = 1; asid < 250; asid++) {
    mmu.switchRoot(second.root, asid);
    expect(mmu.translate(0, (asid % 61) << 12, 'read', true)).toBe(800 + (asid % 61));
  }
});

test('an ASID that gets other roots is forgotten in all modes', () => {
  const { memory, frames, table, mmu } = smallMachine(x8664());
  const second = new PageTable({ format: table.format, memory, frames });
  const served = (wp: boolean): number => {
    mmu.setControls({ wp });
    return mmu.translate(0, 0x1000, 'read', true);
  };
  table.map(0x1000n, [700], USER_RW);
  expect([served(false), served(true)]).toEqual([700, 700]);
  table.unmap(0x1000n, 4096);
  mmu.switchRoot(second.root);
  mmu.switchRoot(table.root);
  expect([served(true), served(false)]).toEqual([-1, -1]);
});

describe('controls', () => {
  test('change what is allowed at once, and going back finds what was found', () => {
    const { table, mmu } = smallMachine(x8664());
    table.map(0x1000n, [700], USER_RW);
    const ac = Object.freeze({ ac: true });
    const noAc = Object.freeze({ ac: false });
    for (let round = 0; round < 5; round++) {
      mmu.setControls(noAc);
      expect(mmu.translate(0, 0x1000, 'read', false)).toBe(-1);
      expect(mmu.fault?.code).toEqual({ name: '#PF', code: 1 });
      mmu.setControls(ac);
      expect(mmu.translate(0, 0x1000, 'read', false)).toBe(700);
    }
    // Faults are walked each time: nothing is remembered of them.
    expect(mmu.counters.walks).toBe(5 + 1);
  });

  test('of a thousand values still judge right', () => {
    const { table, mmu } = smallMachine(x8664());
    table.map(0x1000n, [700], { ...USER_RW, extra: 1n << 59n });
    for (let pkru = 0; pkru < 1000; pkru++) {
      mmu.setControls({ pkru });
      expect(mmu.translate(0, 0x1000, 'read', true)).toBe((pkru & 4) === 0 ? 700 : -1);
      expect(mmu.translate(0, 0x1000, 'write', true)).toBe((pkru & 12) === 0 ? 700 : -1);
    }
  });
});

describe('options', () => {
  const { memory, table } = smallMachine(x8664());
  const tables = { format: table.format, root: table.root, controls: table.format.controls };
  test.each<[string, object, string]>([
    ['an unknown one', { memory, tables, entrys: 64 }, 'Mmu has no option `entrys`; did you mean `entries`?'],
    ['no memory', { tables }, 'the memory of the Mmu is no PhysicalMemory'],
    ['no tables', { memory }, 'the tables are no translation'],
    ['a table that is no translation', { memory, tables: [table.root] }, 'the tables are no translation'],
    [
      'two tables for one address',
      { memory, tables: [tables, tables] },
      'x86-64 and x86-64 translate the same addresses',
    ],
    [
      'entries that are no power of two',
      { memory, tables, entries: 100 },
      'entries is 100, expected a power of two',
    ],
    ['too few entries', { memory, tables, entries: 8 }, 'entries is 8, expected 16 to 65536'],
    ['an ASID that is none', { memory, tables, asid: 65536 }, 'asid is 65536'],
    ['half an io', { memory, tables, io: { load: () => 0n } }, 'io has no function store'],
    ['an observer that is none', { memory, tables, observer: {} }, 'observer has no function fill'],
    [
      'invalidations that are none',
      { memory, tables, invalidations: [{ name: 'X' }] },
      'addresses is undefined',
    ],
  ])('%s is refused', (_, options, message) => {
    expect(() => new Mmu(options as never)).toThrow(message);
  });

  test('are told in words', () => {
    const mmu = new Mmu({ memory, tables, entries: 64, asid: 9 });
    expect(String(mmu)).toBe(
      'Mmu x86-64, root 0x0000000000000000, asid 9\n  64 lines; 0 walks, 0 entries read, 0 written',
    );
    expect(String(new Mmu({ memory, tables: null }))).toMatch(/^Mmu of physical addresses, asid 0\n/);
  });

  test('an access of a kind that is none is refused', () => {
    const mmu = new Mmu({ memory, tables });
    expect(() => mmu.access(0n, 'fetch' as 'read')).toThrow(
      "kind is 'fetch', expected read, write or execute",
    );
    expect(() => mmu.translate(0, 0, 'fetch' as 'read', true)).toThrow("kind is 'fetch'");
    expect(() => mmu.access(1n << 64n, 'read')).toThrow('ERANGE');
    expect(() => mmu.access(0n, 'read', 1 as never)).toThrow('user is 1, expected true or false');
  });
});
