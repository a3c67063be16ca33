import { firstAddress } from '@vmarea/conformance';
import {
  FrameAllocator,
  type Level,
  PageTable,
  type PageTableFormat,
  PageTableReader,
  PhysicalMemory,
  protection,
  type ReadableTable,
  sparseBank,
  translateMany,
  wasmLoops,
} from '@vmarea/core';
import { machine, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../../formats/arm64.js';
import { formats } from '../../formats/index.js';
import { riscv64 } from '../../formats/riscv64.js';
import { x86 } from '../../formats/x86.js';

const WRITE = protection({ write: true, global: true });

/** Frames and leaf shifts of addresses, by one call. */
function many(table: ReadableTable, addresses: readonly bigint[]): [number, number][] {
  const frames = new Float64Array(addresses.length);
  const shifts = new Uint8Array(addresses.length);
  const found = translateMany(table, BigUint64Array.from(addresses), frames, shifts);
  expect(found).toBe(frames.filter((pfn) => pfn >= 0).length);
  return addresses.map((_, i) => [frames[i] as number, shifts[i] as number]);
}

/** The same, each by a walk. */
function oneByOne(table: ReadableTable, addresses: readonly bigint[]): [number, number][] {
  const pageBytes = 1n << BigInt(table.format.pageShift);
  return addresses.map((va) => {
    const { leaf, pa } = table.walk(va);
    return leaf === null || pa === null ? [-1, 0] : [Number(pa / pageBytes), leaf.leafShift];
  });
}

/** Maps leaves of all sizes. Returns addresses inside, before and after each, in the other half, and in the hole. */
function mapped(format: PageTableFormat, table: PageTable): bigint[] {
  const start = firstAddress(format, 'lower');
  const addresses = [
    start,
    start - 1n,
    start + (1n << BigInt(format.range.bits)),
    1n << 63n,
    (1n << 64n) - 1n,
  ];
  const places = format.levels.filter(({ leaf }) => leaf !== null).map(({ shift }) => shift);
  let va = start + (1n << BigInt(format.range.bits - 1)) - (1n << BigInt(places[0] as number));
  for (const shift of places.reverse()) {
    const bytes = 1n << BigInt(shift);
    va = ((va + bytes - 1n) / bytes) * bytes;
    if (va + bytes > start + (1n << BigInt(format.range.bits - 1))) break;
    table.mapRange(va, bytes * 3n, bytes, WRITE);
    addresses.push(va - 1n, va, va + bytes / 2n + 5n, va + bytes - 1n, va + bytes);
    va += 2n * bytes;
  }
  return addresses.map((address) => BigInt.asUintN(64, address)).filter((address) => address >= 0n);
}

describe.each(formats)('translateMany of $name', (format) => {
  test.each([true, false])('gives what single walks give (WebAssembly %s)', (webAssembly) => {
    const bytes = 64 * 2 ** format.pageShift;
    const memory = PhysicalMemory.create({ bytes, ...(webAssembly ? { loops: wasmLoops } : {}) });
    const frames = new FrameAllocator(memory, { pageShift: format.pageShift });
    const table = new PageTable({ format, memory, frames });
    const addresses = mapped(format, table);
    const expected = oneByOne(table, addresses);
    expect(expected.some(([pfn]) => pfn >= 0)).toBe(true);
    expect(many(table, addresses)).toEqual(expected);
    // More than fit into one piece of the scratch page.
    const often = Array.from({ length: 5000 }, (_, i) => addresses[i % addresses.length] as bigint);
    expect(many(table, often)).toEqual(often.map((_, i) => expected[i % addresses.length]));
  });
});

describe('translateMany', () => {
  test('walks tables in several banks, and in an image', () => {
    const format = x86(4, 46);
    const memory = PhysicalMemory.of([{ bytes: 4096 }, { bytes: 16 * 4096, base: 1n << 32n }]);
    const frames = new FrameAllocator(memory, { first: 2 ** 20, frames: 16 });
    const table = new PageTable({ format, memory, frames });
    table.map(0x7000n, [5, 6], WRITE);
    const addresses = [0x6fffn, 0x7000n, 0x8001n, 0x9000n];
    const expected = [
      [-1, 0],
      [5, 12],
      [6, 12],
      [-1, 0],
    ];
    expect(many(table, addresses)).toEqual(expected);
    const image = PhysicalMemory.of([
      sparseBank({
        pageShift: 12,
        addresses: Array.from({ length: 16 }, (_, i) => (1n << 32n) + 4096n * BigInt(i)),
        bytes: memory.bytesAt(1n << 32n, 16 * 4096).slice(),
      }),
    ]);
    expect(many(new PageTableReader({ format, memory: image, root: table.root }), addresses)).toEqual(
      expected,
    );
  });

  test('gives -1 where an entry points out of the bank', () => {
    const format = x86(4, 46);
    const { table, memory } = machine(format);
    table.map(0n, [1, 2], WRITE);
    const entry = (table.walk(0n).steps[2] as { address: bigint }).address;
    for (const wild of [0x3fff_ffff_f067n, 0x4_0067n + (64n << 12n)]) {
      memory.write64(entry, wild);
      const addresses = Array.from({ length: 20 }, (_, i) => 0x1000n * BigInt(i));
      expect(many(table, addresses)).toEqual(addresses.map(() => [-1, 0]));
    }
  });

  test('checks the rules of a leaf that no mask can express', () => {
    const { table, memory } = machine(riscv64(3));
    table.map(0n, [1, 2, 3], WRITE);
    const { address, entry } = table.walk(0x1000n).steps[2] as { address: bigint; entry: bigint };
    // Write without read, which RISC-V reserves.
    memory.write64(address, entry & ~2n);
    const addresses = Array.from({ length: 24 }, (_, i) => 0x1000n * BigInt(i % 3));
    expect(many(table, addresses)).toEqual(
      addresses.map((va) => (va === 0x1000n ? [-1, 0] : [Number(va >> 12n) + 1, 12])),
    );
  });

  test.each(formats)('refuses result arrays that overlap the addresses or each other: $name', (format) => {
    const { table } = machine(format);
    const addresses = new BigUint64Array(4);
    const before = addresses.slice();
    for (const frames of [new Float64Array(addresses.buffer), new Float64Array(addresses.buffer, 8)]) {
      expect(thrown(() => translateMany(table, addresses.subarray(0, frames.length), frames))).toMatch(
        /^EINVAL.*overlaps/,
      );
    }
    const shifts = new Uint8Array(addresses.buffer);
    expect(thrown(() => translateMany(table, addresses, new Float64Array(4), shifts))).toMatch(
      /^EINVAL.*overlaps/,
    );
    expect(addresses).toEqual(before);
    const frames = new Float64Array(4).fill(7);
    const over = new Uint8Array(frames.buffer, 24, 4);
    expect(thrown(() => translateMany(table, addresses, frames, over))).toMatch(
      /^EINVAL.*leafShifts overlaps frames/,
    );
    expect(frames).toEqual(new Float64Array(4).fill(7));
    // Side by side in one buffer is allowed.
    const both = new ArrayBuffer(64);
    expect(translateMany(table, new BigUint64Array(both, 0, 4), new Float64Array(both, 32, 4))).toBe(0);
  });

  test('checks the bits above a range of two levels, whatever it has met before', () => {
    const format = { ...arm64({ granule: 64, vaBits: 42 }), range: { bits: 42, upper: 'sign' } } as const;
    const { table } = machine(format);
    const HIGH = 0xffff_fe00_0000_0000n;
    table.map(0n, [1, 2], WRITE);
    table.map(HIGH, [3, 4], WRITE);
    // Bit 41 is set but not copied above, and the other way round.
    const wrong = [0x200_0000_0000n, 0xffff_fc00_0000_0000n];
    const all = [0n, HIGH, ...wrong, 0x10000n, HIGH + 0x10000n, ...wrong];
    const list = [...all, ...all, ...all];
    expect(many(table, list)).toEqual(
      list.map((va) =>
        wrong.includes(va) ? [-1, 0] : [Number((va & 0x10000n) >> 16n) + (va < HIGH ? 1 : 3), 16],
      ),
    );
  });

  test('takes no table outside the bank for a leaf, where every other valid entry is a leaf', () => {
    const { levels, ...rest } = riscv64(3);
    const anything = (level: Level): Level =>
      level.leaf === null
        ? level
        : {
            ...level,
            leaf: { ...level.leaf, rules: level.leaf.rules.filter(({ must }) => must === 'equal') },
          };
    const { table, memory } = machine({ ...rest, levels: levels.map(anything) });
    table.map(0n, [1], WRITE);
    // A table at 1 GiB, where the memory has no bytes.
    memory.write64(table.root, (0x40000n << 10n) | 1n);
    expect(table.translateWords(0, 0)).toBe(-1);
    const addresses = Array.from({ length: 24 }, () => 0n);
    expect(many(table, addresses)).toEqual(addresses.map(() => [-1, 0]));
    expect(table.walk(0n).fault).toMatchObject({ kind: 'external' });
  });

  test('takes no shifts, and fills no more than the number of addresses', () => {
    const { table } = machine(arm64({ granule: 4, vaBits: 48 }));
    table.map(0xffff000000000000n, [3], WRITE);
    const frames = new Float64Array(3).fill(99);
    expect(translateMany(table, BigUint64Array.of(0xffff000000000123n, 0n), frames)).toBe(1);
    expect([...frames]).toEqual([3, -1, 99]);
    expect(translateMany(table, new BigUint64Array(0), frames)).toBe(0);
    expect([...frames]).toEqual([3, -1, 99]);
  });

  test.each<[string, unknown, unknown, unknown, RegExp]>([
    [
      'a plain array of numbers',
      [1],
      new Float64Array(1),
      undefined,
      /^EINVAL.*addresses is .*pass a BigUint64Array/,
    ],
    ['no addresses', undefined, new Float64Array(1), undefined, /^EINVAL.*addresses is undefined/],
    ['signed addresses', new BigInt64Array(1), new Float64Array(1), undefined, /^EINVAL.*BigUint64Array/],
    [
      'frames of 32 bits',
      new BigUint64Array(1),
      new Uint32Array(1),
      undefined,
      /^EINVAL.*pass a Float64Array/,
    ],
    [
      'too few frames',
      new BigUint64Array(2),
      new Float64Array(1),
      undefined,
      /^EINVAL.*frames has 1 elements for 2/,
    ],
    [
      'too few shifts',
      new BigUint64Array(2),
      new Float64Array(2),
      new Uint8Array(1),
      /^EINVAL.*leafShifts has 1/,
    ],
    [
      'wide shifts',
      new BigUint64Array(1),
      new Float64Array(1),
      new Uint16Array(1),
      /^EINVAL.*pass a Uint8Array/,
    ],
  ])('refuses %s', (_, addresses, frames, shifts, message) => {
    const { table } = machine(arm64({ granule: 4, vaBits: 48 }));
    expect(thrown(() => translateMany(table, addresses as never, frames as never, shifts as never))).toMatch(
      message,
    );
  });

  test('refuses a destroyed table', () => {
    const { table } = machine(arm64({ granule: 4, vaBits: 48 }));
    table.destroy();
    expect(thrown(() => translateMany(table, new BigUint64Array(1), new Float64Array(1)))).toMatch(
      /destroyed/,
    );
  });
});
