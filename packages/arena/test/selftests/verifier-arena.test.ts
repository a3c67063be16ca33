import { describe, expect, test } from 'vitest';
import type { Arena } from '../../src/index.js';
import { arenaOn, MACHINES, type MachineName, startOf } from '../support/machine.js';

/*
 * tools/testing/selftests/bpf/progs/verifier_arena.c, as calls. The arena has 2 pages, and ends at a multiple of 4 GiB.
 */

function small(name: MachineName): { arena: Arena; start: bigint; page: bigint } {
  const pageShift = Number(/(\d+)k/.exec(name)?.[1] ?? 4) * 1024;
  const page = BigInt(pageShift);
  const start = startOf(name) | ((1n << 32n) - 2n * page);
  const { arena } = arenaOn(name, { maxEntries: 2, mapExtra: start }, { pages: 64 });
  return { arena, start, page };
}

/** A page, which the test expects to be there. */
function got(address: bigint | null): bigint {
  if (address === null) throw new Error('no page');
  return address;
}

describe.each(MACHINES)('verifier_arena on %s', (name) => {
  test('basic_alloc1', () => {
    const { arena } = small(name);
    const page1 = got(arena.allocPages(null, 1));
    arena.store(page1, 4, 1n);
    const page2 = got(arena.allocPages(null, 1));
    arena.store(page2, 4, 2n);
    expect(arena.allocPages(null, 1)).toBeNull();
    expect(arena.lastFailure?.code).toBe('ENOMEM');
    expect([arena.load(page1, 4), arena.load(page2, 4)]).toEqual([1n, 2n]);
    expect(arena.freePages(page2, 1)).toBe('freed');
    expect(arena.load(page1, 4)).toBe(1n);
    expect(arena.load(page2, 4)).toBe(0n);
    expect(arena.allocPages(null, 1)).toBe(page2);
    expect(arena.load(page1, 4)).toBe(1n);
  });

  test('basic_alloc2', () => {
    const { arena, start, page } = small(name);
    const page1 = got(arena.allocPages(null, 2));
    expect(page1).toBe(start);
    const page2 = page1 + page;
    // The low half of this one is 0: it wraps to the other end of the window.
    const page3 = page1 + 2n * page;
    const page4 = page1 - page;
    for (const [i, at] of [page1, page2, page3, page4].entries()) arena.store(at, 4, BigInt(i + 1));
    expect([page1, page2, page3, page4].map((at) => arena.load(at, 4))).toEqual([1n, 2n, 0n, 0n]);
    arena.freePages(page1, 2);
    expect([page1, page2, page3, page4].map((at) => arena.load(at, 4))).toEqual([0n, 0n, 0n, 0n]);
  });

  test('basic_alloc3', () => {
    const { arena, start } = small(name);
    expect(arena.allocPages(null, 2)).toBe(start);
    expect(arena.allocPages(null, 3)).toBeNull();
    expect(arena.lastFailure?.code).toBe('EINVAL');
  });

  test('basic_reserve1', () => {
    const { arena, page } = small(name);
    const first = got(arena.allocPages(null, 1));
    arena.reservePages(first + page, 1);
    expect(arena.allocPages(first + page, 1)).toBeNull();
    expect(arena.lastFailure?.code).toBe('EBUSY');
    expect(arena.allocPages(null, 1)).toBeNull();
    expect(arena.lastFailure?.code).toBe('ENOMEM');
  });

  test('basic_reserve2', () => {
    const { arena, start } = small(name);
    arena.reservePages(start, 1);
    expect(arena.allocPages(start, 1)).toBeNull();
  });

  test('reserve_twice', () => {
    const { arena, start } = small(name);
    arena.reservePages(start, 1);
    expect(() => arena.reservePages(start, 1)).toThrow(/^EBUSY/);
  });

  test('reserve_invalid_region', () => {
    const { arena, start } = small(name);
    for (const [address, count] of [
      [0n, 3],
      [start, 3],
      [start, 4096],
      [start, 2 ** 32 - 1],
    ] as const)
      expect(() => arena.reservePages(address, count)).toThrow(/^EINVAL/);
    // Nothing is reserved.
    expect(arena.allocPages(null, 2)).toBe(start);
  });
});
