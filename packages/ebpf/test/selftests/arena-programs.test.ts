import { Process } from '@vmarea/core';
import { Mmu } from '@vmarea/mmu';
import { describe, expect, test } from 'vitest';
import { arenaAddress, globalBytes } from '../../src/index.js';
import { ARCHITECTURES } from '../support/arena-machine.js';
import { u64At } from '../support/objects.js';
import { type RealArena, realArena } from '../support/real-arena.js';

/*
 * The kernel's arena_list, arena_htab, arena_strsearch, arena_atomics and arena_spin_lock as programs of our own, in an arena of @vmarea/arena.
 * Where the kernel's test looks with user space's eyes, a process walks through its own page tables.
 */

/** Loads of 64 bits by a process, whose faults map the pages of the arena. */
function userOf({ arena, kernel, memory }: RealArena): (address: bigint) => bigint {
  const mmu = new Mmu({ memory, tables: null });
  const process = new Process({ kernel, sink: mmu.sink });
  const { format, root } = process.table;
  mmu.switchTables({ format, root, controls: format.controls }, process.asid);
  arena.mmap(process);
  const view = arena.view({ by: process, mmu });
  return (address) => {
    const low = Number(BigInt.asUintN(32, address));
    const [lo, hi] = [0, 4].map((offset) => BigInt(view.loadSigned32(low, offset) >>> 0)) as [bigint, bigint];
    return (hi << 32n) | lo;
  };
}

describe.each(Object.keys(ARCHITECTURES))('on %s', (architecture) => {
  test.each([1, 1000])(
    'arena_list: %i elements, whose two sums agree, and whose pages come back',
    (count) => {
      const { run, arena, program, page, ram } = realArena('slab', architecture);
      const [own, free] = [arena.memUsage(), ram.stats().free];
      expect(run('add_all', 1, BigInt(count)).value).toBe(0n);
      // The first 16 bytes of a page are its count.
      const each = page / 16n - 1n;
      expect(arena.memUsage()).toBe(own + ((BigInt(count) + each - 1n) / each) * page);
      expect(run('sum', 0).value).toBe(0n);
      const sum = BigInt((count * (count - 1)) / 2);
      expect(arena.load(arenaAddress(program, 'arena_sum'), 8)).toBe(sum);
      expect(u64At(new Uint8Array(globalBytes(program, 'list_sum')))).toBe(sum);
      expect(run('delete_all', 0).value).toBe(BigInt(count));
      expect([arena.memUsage(), ram.stats().free]).toEqual([own, free]);
      run('sum', 0);
      expect(arena.load(arenaAddress(program, 'arena_sum'), 8)).toBe(0n);
    },
  );

  test('arena_htab: 1,000 keys, each of them put twice', () => {
    const { interpreter, arena, program, page } = realArena('htab', architecture);
    const found = (kind: number, key: number, value: number): number[] => {
      const context = new Uint32Array([kind, key, value, 9]);
      interpreter.run('run', { context: new Uint8Array(context.buffer) });
      return [...context.subarray(2)];
    };
    for (let key = 0; key < 1000; key++) expect(found(0, key, key)).toEqual([key, 1]);
    for (let key = 0; key < 1000; key++) expect(found(0, key, key * 2)).toEqual([key * 2, 0]);
    for (let key = 0; key < 1000; key++) expect(found(1, key, 0)).toEqual([key * 2, 1]);
    const variables = BigInt(program.arenaGlobals?.bytes.length as number);
    expect(arena.memUsage()).toBe(((16_000n + page - 1n) / page + (variables + page - 1n) / page) * page);
  });

  test.each([
    ['', '', true],
    ['a', '', false],
    ['*', '', true],
    ['a*c', 'abbbc', true],
    ['a*c', 'abbb', false],
    ['*b*b*', 'abab', true],
    ['?b*', 'abab', true],
    ['????', 'aba', false],
    ['*aba', 'ababa', true],
  ])('arena_strsearch: %s and %s', (pattern, text, expected) => {
    const { run, arena, program } = realArena('glob', architecture);
    for (const [name, value] of [
      ['pattern', pattern],
      ['text', text],
    ] as const) {
      const bytes = new TextEncoder().encode(value);
      for (const [i, byte] of bytes.entries())
        arena.store(arenaAddress(program, name) + BigInt(i), 1, BigInt(byte));
    }
    expect(run('search', 0).value).toBe(expected ? 1n : 0n);
  });

  test('arena_atomics: add, sub, and, or, xor, cmpxchg and xchg of 64 and 32 bits', () => {
    const { run, arena, program } = realArena('atomics', architecture);
    run('all', 0);
    const all = (name: string, bytes: 4 | 8): bigint[] =>
      Array.from({ length: 8 }, (_, i) => arena.load(arenaAddress(program, name) + BigInt(i * bytes), bytes));
    const old = [1n, 1n, 0x110n, 0x110n, 0x110n, 1n, 1n, 1n];
    const left = [3n, -1n, 0x010n, 0x111n, 0x101n, 1n, 2n, 2n];
    const wide = (value: bigint, i: number): bigint =>
      BigInt.asUintN(64, i >= 2 && i <= 4 ? value << 32n : value);
    expect(all('old64', 8)).toEqual(old.map(wide));
    expect(all('value64', 8)).toEqual(left.map(wide));
    expect(all('old32', 4)).toEqual(old);
    expect(all('value32', 4)).toEqual(left.map((value) => BigInt.asUintN(32, value)));
  });

  test('arena_spin_lock: the counter is exact', () => {
    const { run, arena, program } = realArena('spin', architecture);
    run('count_in_arena', 1, 1000n);
    expect(arena.load(arenaAddress(program, 'arena_count'), 8)).toBe(1000n);
  });
});

// Where one root translates both halves, a process needs no format of its own.
describe.each(['x86-64', 'riscv64'])('user space on %s', (architecture) => {
  test('arena_list: walks through the same list by the pointers of the program', () => {
    const all = realArena('list', architecture);
    all.run('fill', 1, 1000n);
    const load = userOf(all);
    const found: number[] = [];
    for (let at = load(arenaAddress(all.program, 'head')); at !== 0n; at = load(at))
      found.push(Number(load(at + 8n)));
    expect(found).toEqual(Array.from({ length: 1000 }, (_, i) => 999 - i));
  });

  test('arena_htab: finds each key in the chain of its bucket', () => {
    const all = realArena('htab', architecture);
    for (let key = 0; key < 1000; key++)
      all.interpreter.run('run', { context: new Uint8Array(new Uint32Array([0, key, key * 3, 0]).buffer) });
    const load = userOf(all);
    const found = new Map<number, number>();
    for (let bucket = 0n; bucket < 256n; bucket++) {
      let at = load(arenaAddress(all.program, 'buckets') + bucket * 8n);
      for (; at !== 0n; at = load(at)) {
        const pair = load(at + 8n);
        found.set(Number(pair & 0xffff_ffffn), Number(pair >> 32n));
      }
    }
    expect(found.size).toBe(1000);
    for (const [key, value] of found) expect(value).toBe(key * 3);
  });
});
