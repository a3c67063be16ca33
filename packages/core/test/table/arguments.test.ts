import type { PageTableFormat, PageTableOptions, Protection, ReaderOptions } from '@vmarea/core';
import {
  FrameAllocator,
  or,
  PageTable,
  PageTableReader,
  PhysicalMemory,
  protection,
  VmapAreas,
  VmError,
  wasmLoops,
  words,
} from '@vmarea/core';
import { machine, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../formats/arm64.js';
import { riscv64 } from '../formats/riscv64.js';
import { fingerprint } from '../support/digest.js';

const WRITE = protection({ write: true, global: true });
const MiB = 1024 * 1024;
const arm = arm64({ granule: 4, vaBits: 48 });
const BASE = 0xffff000000000000n;

describe('a protection that the format encodes for pages alone', () => {
  const asked: number[] = [];
  const pagesOnly: PageTableFormat = {
    ...arm,
    name: 'pages-only',
    encode: (wanted, level) => {
      asked.push(level);
      if (level < 3) throw new VmError('EINVAL', 'no block can say this');
      return arm.encode(wanted, level);
    },
  };

  test('maps where a call makes no block', () => {
    const { table } = machine(pagesOnly);
    const scattered = Uint32Array.from({ length: 1024 }, (_, i) => 2 * i);
    asked.length = 0;
    table.map(BASE, scattered, WRITE);
    table.mapRange(BASE + BigInt(8 * MiB), 0n, 4 * MiB, WRITE, { maxLeafShift: 20 });
    table.mapRange(BASE + BigInt(16 * MiB), 0x1000n, 4 * MiB, WRITE);
    expect([...table.leaves()].reduce((sum, run) => sum + run.count, 0)).toBe(3072);
    // It is encoded once: it cannot change.
    expect(asked).toEqual([3]);
  });

  test('is refused where a call would make a block, and what it has written is undone', () => {
    const { table, memory, frames } = machine(pagesOnly);
    const before = fingerprint({ memory, frames });
    const call = () => table.mapRange(BASE + 0x1ff000n, 0x1ff000n, 4 * MiB, WRITE);
    expect(thrown(call)).toBe('EINVAL: no block can say this');
    expect(fingerprint({ memory, frames })).toBe(before);
  });

  test('is encoded once for each level and call', () => {
    const levels: number[] = [];
    const { table } = machine({
      ...arm,
      name: 'counting',
      encode: (wanted, level) => {
        levels.push(level);
        return arm.encode(wanted, level);
      },
    });
    table.mapRange(BASE + 0x1ff000n, 0x1ff000n, 2048 * MiB + 8192, WRITE);
    expect([...new Set(levels)].sort()).toEqual([1, 2, 3]);
    expect(levels).toHaveLength(3);
  });
});

describe('a wrong encoding by the format', () => {
  const refused = (extra: bigint, format = arm, va = BASE): void => {
    const { table, memory, frames } = machine(format);
    const before = fingerprint({ memory, frames });
    const wanted = { ...WRITE, extra };
    for (const call of [
      () => table.map(va, [0x10], wanted),
      () => table.mapRange(va, 0n, 4 * MiB, wanted),
      () => table.mapRange(va, 0n, 4 * MiB, wanted, { maxLeafShift: 12 }),
    ]) {
      expect(thrown(call)).toMatch(
        /^EINVAL: .* encodes the protection as 0x[0-9a-f]{16}, no PTE leaf; look at `extra`/,
      );
    }
    expect(fingerprint({ memory, frames })).toBe(before);
  };

  test('is refused when it has an address bit', () => {
    for (const bit of [12n, 31n, 32n, 47n]) refused(1n << bit);
    refused(1n << 10n, riscv64(3), 0n);
    refused(1n << 53n, riscv64(3), 0n);
  });

  test('is refused when it is not a leaf', () => {
    // A bit that riscv64 reserves, and a run of a size that the format does not have.
    refused(1n << 54n, riscv64(3), 0n);
    refused(1n << 63n, riscv64(3), 0n);
    // Above the physical addresses.
    refused(1n << 45n, arm64({ granule: 4, vaBits: 48, paBits: 40 }));
  });

  test('is refused when only the encoding of a block is wrong', () => {
    const shifted: PageTableFormat = {
      ...arm,
      name: 'wrong-block',
      encode: (wanted, level) =>
        level === 2 ? or(arm.encode(wanted, level), words(1n << 21n)) : arm.encode(wanted, level),
    };
    const { table, memory, frames } = machine(shifted);
    table.map(BASE, [1], WRITE);
    const before = fingerprint({ memory, frames });
    expect(thrown(() => table.mapRange(BASE + BigInt(2 * MiB), 0n, 2 * MiB, WRITE))).toMatch(
      /^EINVAL: wrong-block encodes the protection as .*, no PMD leaf; look at `extra`/,
    );
    expect(fingerprint({ memory, frames })).toBe(before);
  });

  test('may have bits below the size of a block, where blocks have no address', () => {
    // arm64 has GP and nT there. This format has a software bit at 16 in blocks.
    const low: PageTableFormat = {
      ...arm,
      name: 'low-bits',
      encode: (wanted, level) =>
        level === 2 ? or(arm.encode(wanted, level), words(1n << 16n)) : arm.encode(wanted, level),
    };
    const { table } = machine(low);
    table.mapRange(BASE, 0x40000000n, 2 * MiB, WRITE);
    expect(table.translate(BASE + 0x12345n)).toBe(0x40012345n);
    expect([...table.leaves()]).toMatchObject([{ pfn: 0x40000, leafShift: 21 }]);
    expect(([...table.leaves()][0]?.flags ?? 0n) & (1n << 16n)).toBe(1n << 16n);
  });
});

describe('PageTable refuses', () => {
  test.each([
    ['undefined', undefined, 'the protection is not complete; make it with protection('],
    ['null', null, 'the members of the protection are null'],
    ['a number', 3, 'the members of the protection are 3'],
    ['one without `extra`', { ...WRITE, extra: undefined }, 'the protection is not complete; make it'],
    [
      'one with a number for `extra`',
      { ...WRITE, extra: 0 },
      'extra of the protection is 0, expected a bigint',
    ],
    ['some of its members', { write: true }, 'the protection is not complete; make it with protection('],
    ['one with a misspelt member', { ...WRITE, wriet: true }, 'no member `wriet`; did you mean `write`?'],
    ['an array', [], 'the members of the protection are an array'],
    ['a Map', new Map([['write', true]]), 'the members of the protection are an object'],
    ['one that is inherited', Object.create(WRITE), 'the member `read` of the protection is inherited'],
  ])('%s as a protection', (_what, wanted, message) => {
    const { table, memory, frames } = machine(arm);
    const before = fingerprint({ memory, frames });
    expect(thrown(() => table.map(BASE, [1], wanted as unknown as Protection))).toMatch(message);
    expect(thrown(() => table.mapRange(BASE, 0n, 4096, wanted as unknown as Protection))).toMatch(message);
    expect(fingerprint({ memory, frames })).toBe(before);
  });

  test('a new table without an allocator', () => {
    const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: MiB });
    expect(thrown(() => new PageTable({ format: arm, memory } as unknown as PageTableOptions))).toMatch(
      /^EINVAL: a page table needs `frames`, a FrameAllocator for its tables; .*a PageTableReader needs none$/,
    );
  });

  test('leaves with an address or a length alone', () => {
    const { table } = machine(arm);
    expect(thrown(() => table.leaves(undefined, 4096))).toBe(
      'EINVAL: the address is undefined, expected a bigint',
    );
    expect(thrown(() => table.leaves(BASE))).toBe(
      'EINVAL at 0xffff000000000000: the length is undefined, expected 1 or more bytes',
    );
    expect(thrown(() => table.leaves(BASE, 0))).toMatch(
      /^EINVAL .*the length is 0, expected 1 or more bytes$/,
    );
    expect(thrown(() => table.leaves(0n, 4096))).toMatch(/^ERANGE/);
  });

  test('a call with a wrong address and wrong frames, and names the address', () => {
    const { table } = machine(arm);
    expect(thrown(() => table.map(0n, [-1], WRITE))).toMatch(/^ERANGE/);
    expect(thrown(() => table.mapRange(0n, 1n, 4096, WRITE))).toMatch(/^ERANGE/);
    expect(thrown(() => table.mapRange(BASE + 1n, -1n, 4096, WRITE))).toMatch(
      /^EINVAL at 0xffff000000000001/,
    );
    expect(thrown(() => table.map(BASE, [-1], undefined as unknown as Protection))).toMatch(
      /^EINVAL: frame -1/,
    );
  });

  test('an allocator whose last frame has no bytes in the memory', () => {
    const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 0x10000 });
    const fitting = new FrameAllocator(null, { first: 4, frames: 12 });
    const tooLong = new FrameAllocator(null, { first: 4, frames: 13 });
    expect(thrown(() => new PageTable({ format: arm, memory, frames: fitting }))).toBe('none');
    expect(thrown(() => new PageTable({ format: arm, memory, frames: tooLong }))).toMatch(
      /^EINVAL: frames 0x4 to 0x10 do not all have bytes in one writable bank/,
    );
    const readOnly = PhysicalMemory.over(new ArrayBuffer(0x10000), { writable: false });
    expect(thrown(() => new PageTable({ format: arm, memory: readOnly, frames: fitting }))).toMatch(
      /^EINVAL: frames 0x4 to 0xf do not all have bytes in one writable bank/,
    );
  });

  test('an invalid access, which must not look allowed', () => {
    const { table } = machine(arm);
    table.map(BASE, [1], protection());
    const walk = (access: unknown) =>
      thrown(() => table.walk(BASE, access as { kind: 'read'; user: boolean }));
    expect(table.walk(BASE, { kind: 'write', user: false }).fault?.kind).toBe('permission');
    for (const wrong of ['write', { kind: 'Write', user: false }, { kind: 'write' }, null, {}]) {
      expect(walk(wrong)).toMatch(/^EINVAL: (?:the members of the access are|kind is|user is)/);
    }
    expect(walk({ kind: 'read', user: false, usr: true })).toBe(
      'EINVAL: the access has no member `usr`; did you mean `user`?',
    );
  });

  test('options of another type', () => {
    const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 0x10000 });
    const frames = new FrameAllocator(memory);
    const make = (options: unknown) => thrown(() => new PageTable(options as PageTableOptions));
    expect(make(undefined)).toMatch(/^EINVAL: format is undefined, expected a page-table format/);
    expect(make({ format: arm, memory: new ArrayBuffer(8), frames })).toMatch(
      /^EINVAL: memory is .*, expected a PhysicalMemory, such as PhysicalMemory\.over/,
    );
    expect(make({ format: arm, memory, frames: {} })).toMatch(/^EINVAL: a page table needs `frames`/);
    const open = (options: unknown) => thrown(() => new PageTableReader(options as ReaderOptions));
    for (const format of [arm64, {}, { ...arm, levels: undefined }, { ...arm, address: null }, [1n]]) {
      const refused = /^EINVAL: format is .*, expected a page-table format/;
      expect(make({ format, memory, frames })).toMatch(refused);
      expect(open({ format, memory, root: 0n })).toMatch(refused);
    }
    for (const member of ['range', 'present', 'tableEntry', 'controls']) {
      const format = { ...arm, [member]: null };
      expect(make({ format, memory, frames })).toBe(`EINVAL: format ${arm.name}: ${member} is null`);
    }
    for (const sink of [null, 5, {}, { flush: 5 }])
      expect(make({ format: arm, memory, frames, sink })).toMatch(
        /^EINVAL: sink is .*, expected an object with a function flush$/,
      );
    expect(open({ format: arm, memory, frames })).toMatch(/^EINVAL: PageTableReader has no option `frames`/);
    expect(open({ format: arm, memory })).toMatch(/^EINVAL: the root is undefined, expected a bigint/);
    expect(open({ format: arm, memory, root: 4096 })).toMatch(/^EINVAL: the root is 4096, expected a bigint/);
    expect(frames.stats().allocated).toBe(0);
    expect(thrown(() => new FrameAllocator(5 as unknown as PhysicalMemory))).toMatch(
      /^EINVAL: memory is .*, expected a PhysicalMemory, or null/,
    );
    expect(thrown(() => PhysicalMemory.create({ loops: wasmLoops, bytes: 4096n as unknown as number }))).toBe(
      'EINVAL: the length of the bank is 4096n, expected a multiple of 4096 bytes, as a number above 0',
    );
    expect(
      thrown(
        () => new VmapAreas({ window: { start: 0 as unknown as bigint, end: 1n << 20n }, pageShift: 12 }),
      ),
    ).toMatch(/^EINVAL: window.start is 0, expected a bigint/);
    const areas = new VmapAreas({ window: { start: 0n, end: 1n << 20n }, pageShift: 12 });
    expect(thrown(() => areas.reserve(4096, { align: 4096 as unknown as bigint }))).toMatch(
      /^EINVAL: the alignment is 4096/,
    );
    expect(thrown(() => areas.reserve('4096' as unknown as number))).toMatch(/^EINVAL: the size is '4096'/);
    expect(areas.count).toBe(0);
  });
});
