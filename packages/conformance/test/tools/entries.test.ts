import { FrameAllocator, PageTable, PhysicalMemory, protection } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import {
  addressMask,
  addressOf,
  firstAddress,
  kindOf,
  lastRead,
  rangeBytes,
  readsOf,
  rootFrames,
  SeededRandom,
  takenFrames,
} from '../../src/index.js';
import { kestrel } from '../kestrel.js';

const memory = PhysicalMemory.create({ bytes: 2 ** 16, base: 0x10_0000n });
const frames = new FrameAllocator(memory);
const table = new PageTable({ format: kestrel, memory, frames });
table.map(0x20_1000n, [0x123], protection({ write: true }));

describe('the tools', () => {
  test('read the entries of a walk from memory', () => {
    const reads = readsOf(kestrel, memory, table.root, 0x20_1000n);
    const { steps } = table.walk(0x20_1000n);
    expect(reads).toEqual(steps.map(({ level, address, entry }) => ({ level, address, entry })));
    expect(lastRead(kestrel, memory, table.root, 0x20_1000n)).toEqual(reads.at(-1));
    expect(readsOf(kestrel, memory, table.root, 0x4000_0000n)).toHaveLength(1);
  });

  test('tell the kind of an entry, or the fault of the rule that it breaks', () => {
    const leaf = lastRead(kestrel, memory, table.root, 0x20_1000n).entry;
    expect(['none', 'absent', 'leaf']).toEqual([0n, 2n, leaf].map((entry) => kindOf(kestrel, 2, entry)));
    expect(kindOf(kestrel, 0, readsOf(kestrel, memory, table.root, 0x20_1000n)[0]?.entry ?? 0n)).toBe(
      'table',
    );
    expect(kindOf(kestrel, 2, leaf | 0x200n)).toBe('reserved');
    const levels = kestrel.levels.map((level) => ({
      ...level,
      leaf: level.leaf && {
        ...level.leaf,
        rules: level.leaf.rules.map((rule) => ({ ...rule, fault: 'address-size' as const })),
      },
    }));
    expect(kindOf({ ...kestrel, levels }, 2, leaf | 0x200n)).toBe('address-size');
  });

  test('find the address in an entry', () => {
    const { entry } = lastRead(kestrel, memory, table.root, 0x20_1000n);
    expect(addressOf(kestrel, entry, 12)).toBe(0x12_3000n);
    expect(addressOf(kestrel, entry, 20)).toBe(0x10_0000n);
    expect(addressMask(kestrel, 12)).toBe(0xfff_ffff_f000n);
    expect(addressMask(kestrel, 21)).toBe(0xfff_ffe0_0000n);
  });

  test.each([
    ['zeros', 0n, 0n, 1n << 39n],
    ['ones', 0xffff_ff80_0000_0000n, 0xffff_ff80_0000_0000n, 1n << 39n],
    ['sign', 0xffff_ffc0_0000_0000n, 0n, 1n << 38n],
  ] as const)('give the halves of a range whose upper bits are %s', (upper, high, low, bytes) => {
    const format = { ...kestrel, range: { bits: 39, upper } };
    expect([firstAddress(format), firstAddress(format, 'lower'), rangeBytes(format)]).toEqual([
      high,
      low,
      bytes,
    ]);
  });

  test('give the frames of a root', () => {
    const [root, ...rest] = kestrel.levels as [(typeof kestrel.levels)[0], ...typeof kestrel.levels];
    const rootOf = (bits: number) => rootFrames({ ...kestrel, levels: [{ ...root, bits }, ...rest] });
    expect([4, 9, 10, 13].map(rootOf)).toEqual([1, 1, 2, 16]);
  });

  test('list the taken frames, and leave the allocator as it is', () => {
    const own = new FrameAllocator(null, { first: 5, frames: 8, reserved: [{ pfn: 11, frames: 1 }] });
    own.allocate();
    own.allocate(1);
    const before = new Uint8Array(own.state).slice();
    expect([...takenFrames(own)]).toEqual([5, 6, 7, 11]);
    expect(new Uint8Array(own.state)).toEqual(before);
  });
});

describe('SeededRandom', () => {
  test('gives the numbers of mulberry32', () => {
    const random = new SeededRandom(1);
    expect([random.word(), random.word(), random.word()].map((word) => word >>> 0)).toEqual([
      2693262067, 11749833, 2265367787,
    ]);
  });

  test('gives the same numbers for the same seed, within the bounds', () => {
    const [one, other] = [new SeededRandom(7), new SeededRandom(7)];
    const numbers = Array.from({ length: 1000 }, () => one.below(6));
    expect(numbers).toEqual(Array.from({ length: 1000 }, () => other.below(6)));
    expect([...new Set(numbers)].sort()).toEqual([0, 1, 2, 3, 4, 5]);
    expect(['a', 'b']).toContain(one.of(['a', 'b']));
    expect(Array.from({ length: 300 }, () => one.oneIn(3)).filter(Boolean).length).toBeGreaterThan(50);
  });
});
