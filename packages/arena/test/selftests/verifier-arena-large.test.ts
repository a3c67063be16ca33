import { describe, expect, test } from 'vitest';
import { arenaOn, MACHINES, type MachineName, processOn } from '../support/machine.js';

/*
 * tools/testing/selftests/bpf/progs/verifier_arena_large.c, as calls. The arena has 4 GiB. The first mmap chooses its start, so
 * that it begins at a multiple of 4 GiB.
 */

const SIZE = 2 ** 32;

function large(name: MachineName) {
  const pageShift = name.includes('64k') ? 16 : name.includes('16k') ? 14 : 12;
  const made = arenaOn(name, { maxEntries: SIZE / 2 ** pageShift }, { pages: 2600 });
  const { process } = processOn(made);
  const start = made.arena.mmap(process);
  expect(start % BigInt(SIZE)).toBe(0n);
  const at = (page: number): bigint => start + BigInt(page * made.page);
  return { ...made, start, at, pages: SIZE / made.page };
}

function got(address: bigint | null): bigint {
  if (address === null) throw new Error('no page');
  return address;
}

describe.each(MACHINES)('verifier_arena_large on %s', (name) => {
  test.each(['at the end', 'at the start'])('big_alloc1, with the globals of a program %s', (where) => {
    const { arena, start, at, pages } = large(name);
    const isNew = where === 'at the end';
    // libbpf puts globals in the last page, older ones in the first.
    arena.allocPages(isNew ? at(pages - 1) : at(0), 1);
    const first = got(arena.allocPages(null, 1));
    expect(first).toBe(isNew ? at(0) : at(1));
    arena.store(first, 4, 1n);
    expect(arena.allocPages(at(pages - 2), 1)).toBe(at(pages - 2));
    const last = arena.allocPages(at(pages - 1), 1);
    expect(last).toBe(isNew ? null : at(pages - 1));
    // The same slot as page 0, since only the low half counts: it is taken in both layouts.
    expect(arena.allocPages(start + BigInt(SIZE), 1)).toBeNull();
    expect(arena.load(first, 4)).toBe(1n);
    arena.freePages(first, 1);
    expect(arena.load(first, 4)).toBe(0n);
    expect(arena.allocPages(null, 1)).toBe(first);
    expect(arena.load(first, 4)).toBe(0n);
    for (const beside of [first + at(1) - at(0), first - (at(1) - at(0))])
      expect(arena.load(beside, 4)).toBe(0n);
  });

  test('access_reserved', () => {
    const { arena, at, pages } = large(name);
    const base = pages / 4;
    arena.reservePages(at(base), 4);
    for (let i = 0; i < 4; i++) {
      arena.store(at(base + i), 4, 0xcafen);
      expect(arena.load(at(base + i), 4)).toBe(0n);
    }
    expect(arena.memUsage()).toBe(0n);
  });

  test('request_partially_reserved', () => {
    const { arena, at, pages } = large(name);
    const base = pages / 16;
    arena.reservePages(at(base + 3), 4);
    expect(arena.allocPages(at(base), 5)).toBeNull();
    expect(arena.allocPages(at(base), 3)).toBe(at(base));
  });

  test('free_reserved', () => {
    const { arena, at, pages } = large(name);
    const base = pages / 8;
    expect(arena.allocPages(at(base), 2)).toBe(at(base));
    arena.reservePages(at(base + 2), 2);
    // One allocated page, and one that is reserved.
    arena.freePages(at(base + 1), 2);
    expect(arena.allocPages(at(base + 1), 2)).toBe(at(base + 1));
    expect(arena.allocPages(at(base + 3), 1)).toBeNull();
  });

  test('big_alloc2', () => {
    const { arena, at } = large(name);
    const base = got(arena.allocPages(null, 1));
    arena.freePages(base, 1);
    const page = at(1) - at(0);
    const index = (address: bigint | null): number => Number((got(address) - base) / page);
    for (let i = 0; i < 100; i++) expect(index(arena.allocPages(null, 1))).toBe(i);
    for (let i = 0; i < 100; i += 2) arena.freePages(base + BigInt(i) * page, 1);
    const holes = Array.from({ length: 50 }, () => index(arena.allocPages(null, 1)));
    expect([...holes].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => 2 * i));
    for (let i = 0; i < 100; i += 4) arena.freePages(base + BigInt(i) * page, 2);
    const pairs = Array.from({ length: 25 }, () => index(arena.allocPages(null, 2)));
    expect([...pairs].sort((a, b) => a - b)).toEqual(Array.from({ length: 25 }, (_, i) => 4 * i));
    expect(index(arena.allocPages(null, 1))).toBeGreaterThanOrEqual(100);
  });

  test.each([
    ['big_alloc3', false],
    ['big_alloc4', true],
  ] as const)('%s', (_, sleepable) => {
    const { arena, at, ram } = large(name);
    const before = ram.stats().free;
    const first = got(arena.allocPages(null, 2051, -1, 0, { sleepable }));
    const page = at(1) - at(0);
    for (let i = 0; i < 2051; i++) arena.store(first + BigInt(i) * page, 4, BigInt(i));
    for (let i = 0; i < 2051; i++) expect(arena.load(first + BigInt(i) * page, 4)).toBe(BigInt(i));
    expect(before - ram.stats().free).toBe(2051);
    expect(arena.freePages(first, 2051, { sleepable })).toBe(sleepable ? 'freed' : 'deferred');
    if (!sleepable) {
      // Until the worker runs, the pages can be read.
      expect(arena.load(first + 7n * page, 4)).toBe(7n);
      expect(arena.runWorker()).toBe(1);
    }
    expect(arena.load(first + 7n * page, 4)).toBe(0n);
    expect(ram.stats().free).toBe(before);
    expect(arena.allocPages(null, 2051)).toBe(first);
  });
});
