import { describe, expect, test } from 'vitest';
import { ARCHITECTURES } from '../support/arena-machine.js';
import { type RealArena, realArena, words } from '../support/real-arena.js';

/*
 * The cases of tools/testing/selftests/bpf/progs/verifier_arena_large.c as programs of our own, requests-large.bpf.c. The arena has 4 GiB. A
 * program writes down what it sees; what that must be is written here.
 */

const SIZE = 1n << 32n;

function large(architecture: string, more: Parameters<typeof realArena>[2] = {}): RealArena {
  return realArena('requests-large', architecture, { pages: (page) => Number(SIZE / page), ...more });
}

const range = (count: number, step: number): number[] => Array.from({ length: count }, (_, i) => i * step);
const sorted = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b);

describe.each(Object.keys(ARCHITECTURES))('verifier_arena_large as bytecode on %s', (architecture) => {
  test('big_alloc1, with variables in the last page: the hint 4 GiB is page 0, which is taken', () => {
    const { run, start, page } = large(architecture);
    const high = start + SIZE - 2n * page;
    expect(run('big_alloc1', 11, start)).toEqual({
      value: 0n,
      seen: [start, high, 0n, 0n, 1n, 0n, 2n, start, 0n, 0n, 0n],
    });
  });

  test('big_alloc1, with variables in the first page: the last page is free', () => {
    const { run, start, page } = large(architecture, { arenaGlobals: 'start' });
    const [first, high] = [start + page, start + SIZE - 2n * page];
    expect(run('big_alloc1', 11, start)).toEqual({
      value: 0n,
      seen: [first, high, high + page, 0n, 1n, 0n, 2n, first, 0n, 0n, 0n],
    });
  });

  test('access_reserved: stores to reserved pages are dropped, and take no page', () => {
    const { run, start, page, reports, arena } = large(architecture);
    const before = arena.memUsage();
    expect(run('access_reserved', 5, start)).toEqual({ value: 0n, seen: [0n, 0n, 0n, 0n, 0n] });
    expect(arena.memUsage()).toBe(before);
    const places = range(4, 1).map((i) => start + (16384n + BigInt(i)) * page);
    expect(reports.map(({ isWrite, address }) => [isWrite, address])).toEqual(
      [true, false].flatMap((isWrite) => places.map((address) => [isWrite, address])),
    );
  });

  test('request_partially_reserved: a request into reserved pages gets nothing, and one before them does', () => {
    const { run, start, page } = large(architecture);
    expect(run('request_partially_reserved', 3, start)).toEqual({
      value: 0n,
      seen: [0n, 0n, start + 4096n * page],
    });
  });

  test('free_reserved: a free takes back an allocated page and a reserved one', () => {
    const { run, start, page, arena } = large(architecture);
    const base = start + 32768n * page;
    expect(run('free_reserved', 4, start)).toEqual({ value: 0n, seen: [base, 0n, base + page, 0n] });
    // The page of the variables, the first page, and the two that came last.
    expect(arena.memUsage()).toBe(4n * page);
  });

  test('big_alloc2: requests fill holes before they take new pages', () => {
    const { run, start, program } = large(architecture, { frames: 120 });
    const { value, seen } = run('big_alloc2', 2, start);
    expect([value, seen[0]]).toEqual([0n, start]);
    expect(words(program, 'single')).toEqual(range(100, 1));
    expect(sorted(words(program, 'refilled'))).toEqual(range(50, 2));
    expect(sorted(words(program, 'doubled'))).toEqual(range(25, 4));
    expect(Number(seen[1])).toBeGreaterThanOrEqual(100);
  });
});

// Pages of 64 KiB would take 135 MiB.
describe.each(['x86-64', 'arm64-16k', 'riscv64'])(
  'verifier_arena_large as bytecode on %s',
  (architecture) => {
    test.each([
      ['big_alloc3', false],
      ['big_alloc4', true],
    ] as const)('%s: 2,051 pages are taken, hold what is stored, and come back', (_, sleepable) => {
      const { run, start, ram, arena } = large(architecture, { frames: 2100, sleepable });
      const before = ram.stats().free;
      expect(run('big_alloc3', 2, start)).toEqual({ value: 0n, seen: [start, 2051n] });
      // What cannot sleep leaves the free to a worker. Until then the pages are there.
      if (!sleepable) {
        expect(before - ram.stats().free).toBe(2051);
        expect(arena.runWorker()).toBe(1);
      }
      expect(ram.stats().free).toBe(before);
      expect(run('big_alloc3', 2, start).seen).toEqual([start, 2051n]);
    });
  },
);
