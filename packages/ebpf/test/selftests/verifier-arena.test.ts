import { describe, expect, test } from 'vitest';
import { ARCHITECTURES } from '../support/arena-machine.js';
import { type RealArena, realArena } from '../support/real-arena.js';

/*
 * The cases of tools/testing/selftests/bpf/progs/verifier_arena.c as programs of our own, requests.bpf.c. The arena has 2 pages, and ends at
 * a multiple of 4 GiB. A program writes down what it sees; what that must be is written here.
 */

const small = (architecture: string): RealArena =>
  realArena('requests', architecture, { userVmStart: (page) => (1n << 44n) + (1n << 32n) - 2n * page });

/** A negative error as r0 has it, and as a program widens it. */
const error = (number: bigint): bigint => 2n ** 64n - number;
const EBUSY = error(16n);
const EINVAL = error(22n);

describe.each(Object.keys(ARCHITECTURES))('verifier_arena as bytecode on %s', (architecture) => {
  test('basic_alloc1: a page that is freed reads 0, and is the next one that a request gets', () => {
    const { run, start, page, arena } = small(architecture);
    const [first, second] = [start, start + page];
    expect(run('basic_alloc1', 10)).toEqual({
      value: 0n,
      seen: [first, second, 0n, 1n, 2n, 1n, 0n, second, 1n, 0n],
    });
    expect(arena.memUsage()).toBe(2n * page);
  });

  test('basic_alloc2: bytes before and behind the arena are dropped and read 0', () => {
    const { run, start, page, reports, arena } = small(architecture);
    expect(run('basic_alloc2', 9)).toEqual({ value: 0n, seen: [start, 1n, 2n, 0n, 0n, 0n, 0n, 0n, 0n] });
    expect(arena.memUsage()).toBe(0n);
    // The byte behind the arena has the low half 0: Linux tells of it with the upper half of the start.
    const [behind, before] = [1n << 44n, start - page];
    expect(reports.map(({ isWrite, address }) => [isWrite, address])).toEqual([
      ...[behind, before].map((address) => [true, address]),
      ...[behind, before, start, start + page, behind, before].map((address) => [false, address]),
    ]);
  });

  test('basic_alloc3: all pages at once, and not one more', () => {
    const { run, start } = small(architecture);
    expect(run('basic_alloc3', 3)).toEqual({ value: 0n, seen: [0n, start, 0n] });
  });

  test('basic_reserve1: a reserved page is not given, with a hint or without', () => {
    const { run, start, page, arena } = small(architecture);
    expect(run('basic_reserve1', 4)).toEqual({ value: 0n, seen: [start, 0n, 0n, 0n] });
    expect(arena.memUsage()).toBe(page);
  });

  test('basic_reserve2: a reserved first page is not given, the second one is', () => {
    const { run, start, page } = small(architecture);
    expect(run('basic_reserve2', 3, start)).toEqual({ value: 0n, seen: [0n, 0n, start + page] });
  });

  test('reserve_twice: the second time is -EBUSY', () => {
    const { run, start } = small(architecture);
    expect(run('reserve_twice', 2, start)).toEqual({ value: 0n, seen: [0n, EBUSY] });
  });

  test('reserve_invalid_region: pages beyond the arena are -EINVAL, and nothing is reserved', () => {
    const { run, start } = small(architecture);
    expect(run('reserve_invalid_region', 5, start)).toEqual({
      value: 0n,
      seen: [EINVAL, EINVAL, EINVAL, EINVAL, start],
    });
  });
});
