import { describe, expect, test } from 'vitest';
import type { ArenaReport } from '../../src/index.js';
import { arenaOn, MACHINES, type MachineName, startOf } from '../support/machine.js';

function ten(name: MachineName) {
  const start = startOf(name);
  const made = arenaOn(name, { maxEntries: 10, mapExtra: start }, { pages: 64 });
  made.arena.allocPages(null, 1);
  return { ...made, start };
}

describe.each(MACHINES)('arena_atomics on %s', (name) => {
  test('add, sub', () => {
    const { arena, start } = ten(name);
    for (const bytes of [8, 4] as const) {
      const at = start + BigInt(bytes * 8);
      arena.store(at, bytes, 1n);
      expect(arena.atomic('add', at, bytes, 2n)).toBe(1n);
      expect(arena.load(at, bytes)).toBe(3n);
      arena.store(at, bytes, 1n);
      // sub is an add of the negative.
      expect(arena.atomic('add', at, bytes, -2n)).toBe(1n);
      expect(arena.load(at, bytes)).toBe(BigInt.asUintN(8 * bytes, -1n));
    }
  });

  test('and, or, xor', () => {
    const { arena, start } = ten(name);
    for (const [bytes, shift] of [
      [8, 32n],
      [4, 0n],
    ] as const) {
      for (const [operation, result] of [
        ['and', 0x010n],
        ['or', 0x111n],
        ['xor', 0x101n],
      ] as const) {
        const at = start + 64n;
        arena.store(at, bytes, 0x110n << shift);
        expect(arena.atomic(operation, at, bytes, 0x011n << shift)).toBe(0x110n << shift);
        expect(arena.load(at, bytes)).toBe(result << shift);
      }
    }
  });

  test('cmpxchg, xchg', () => {
    const { arena, start } = ten(name);
    for (const bytes of [8, 4] as const) {
      const at = start + 16n;
      arena.store(at, bytes, 1n);
      expect(arena.compareExchange(at, bytes, 0n, 1n)).toBe(1n);
      expect(arena.load(at, bytes)).toBe(1n);
      expect(arena.compareExchange(at, bytes, 1n, 2n)).toBe(1n);
      expect(arena.load(at, bytes)).toBe(2n);
      arena.store(at, bytes, 1n);
      expect(arena.atomic('exchange', at, bytes, 2n)).toBe(1n);
      expect(arena.load(at, bytes)).toBe(2n);
    }
  });

  test('load_acquire, store_release', () => {
    const { arena, start } = ten(name);
    const values = [
      [1, 0x12n],
      [2, 0x1234n],
      [4, 0x12345678n],
      [8, 0x1234567890abcdefn],
    ] as const;
    for (const [bytes, value] of values) {
      const at = start + BigInt(bytes * 16);
      arena.storeRelease(at, bytes, value);
      expect(arena.loadAcquire(at, bytes)).toBe(value);
      expect(arena.load(at, bytes)).toBe(value);
      expect(arena.load(at + BigInt(bytes), 1)).toBe(0n);
    }
  });

  test('uaf: after a free, 24 operations give 0 and store nothing', () => {
    const { arena, start } = ten(name);
    arena.freePages(start, 1);
    for (const bytes of [4, 8] as const) {
      for (const operation of ['add', 'and', 'or', 'xor', 'exchange'] as const)
        expect(arena.atomic(operation, start, bytes, 7n)).toBe(0n);
      expect(arena.compareExchange(start, bytes, 0n, 7n)).toBe(0n);
    }
    for (const bytes of [1, 2, 4, 8] as const) {
      expect(arena.loadAcquire(start, bytes)).toBe(0n);
      arena.storeRelease(start, bytes, 7n);
      expect(arena.load(start, bytes)).toBe(0n);
    }
    expect(arena.memUsage()).toBe(0n);
    arena.allocPages(start, 1);
    expect(arena.load(start, 8)).toBe(0n);
  });
});

describe.each(MACHINES)('arena_kfunc on %s', (name) => {
  test('only the low half of an argument counts, and 0 arrives as the base', () => {
    const { arena, start } = ten(name);
    const base = arena.kernVmStart;
    for (const high of [0n, start >> 32n, 0xdeadn])
      expect(arena.castForKernel((high << 32n) | 0x1010n)).toBe(base + 0x1010n);
    expect(arena.castForKernel(0n)).toBe(base);
    expect(arena.castForKernel(start)).toBe(base + (start & 0xffffffffn));
  });

  test('a nullable argument with a low half of 0 arrives as NULL, whatever is above it', () => {
    const { arena } = ten(name);
    expect(arena.castForKernel(0n, true)).toBe(0n);
    expect(arena.castForKernel(0xdeadn << 32n, true)).toBe(0n);
    expect(arena.castForKernel(0x10n, true)).toBe(arena.kernVmStart + 0x10n);
  });

  test('what the kernel writes at an argument, the program reads', () => {
    const { arena, kernel, memory, start, pageShift } = ten(name);
    const address = arena.castForKernel(start + 24n);
    const pfn = kernel.vmallocToPfn(address);
    memory.write32((BigInt(pfn) << BigInt(pageShift)) + 24n, 0xabcd);
    expect(arena.load(start + 24n, 4)).toBe(0xabcdn);
  });
});

describe.each(MACHINES)('arena_direct_value on %s', (name) => {
  test('one past the end is refused', () => {
    const { arena, start, page } = ten(name);
    expect(arena.directValueAddress(0)).toBe(start);
    expect(arena.directValueAddress(10 * page - 1)).toBe(start + BigInt(10 * page) - 1n);
    expect(() => arena.directValueAddress(10 * page)).toThrow(/^ERANGE/);
  });
});

describe.each(MACHINES)('stream on %s', (name) => {
  test('an access that straddles two pages of an empty arena reports its first byte', () => {
    const start = startOf(name);
    const reports: ArenaReport[] = [];
    const { arena } = arenaOn(
      name,
      { maxEntries: 1, mapExtra: start, report: (one) => reports.push(one) },
      { pages: 8 },
    );
    expect(arena.load(start + 0x7fffn, 4)).toBe(0n);
    arena.store(start + 0x7fffn, 4, 5n);
    const shown = (start + 0x7fffn).toString(16);
    expect(reports).toEqual([
      {
        text: `ERROR: Arena READ access at unmapped address 0x${shown}`,
        address: start + 0x7fffn,
        access: 'READ',
      },
      {
        text: `ERROR: Arena WRITE access at unmapped address 0x${shown}`,
        address: start + 0x7fffn,
        access: 'WRITE',
      },
    ]);
  });

  test('a displacement counts: the reported address is the register and the displacement', () => {
    const start = startOf(name);
    const reports: bigint[] = [];
    const { arena } = arenaOn(
      name,
      { maxEntries: 1, mapExtra: start, report: ({ address }) => reports.push(address) },
      { pages: 8 },
    );
    const view = arena.view();
    expect(view.load16(0x100, 0x7fff)).toBe(0);
    expect(view.load64Words(0, -8)).toBe(0);
    // The upper half is that of the arena; nothing wraps inside it.
    expect(reports).toEqual([start + 0x80ffn, start - 8n]);
    expect(() => view.load8(0, 0x8000)).toThrow(/^EINVAL/);
  });
});
