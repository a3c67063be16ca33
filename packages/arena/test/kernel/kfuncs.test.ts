import { describe, expect, test } from 'vitest';
import { type AllocationKind, createArena, type KfuncCall } from '../../src/index.js';
import { arenaOn, machine } from '../support/machine.js';

const START = (1n << 44n) + 0x7000n;
const PAGE = 4096n;

/** Calls a kfunc with 64-bit registers. Returns r0, signed. */
function call(kfunc: ((call: KfuncCall) => void) | undefined, ...registers: readonly bigint[]): bigint {
  const args = new Int32Array(10);
  for (const [i, value] of registers.entries()) {
    args[2 * i] = Number(BigInt.asIntN(32, value));
    args[2 * i + 1] = Number(BigInt.asIntN(32, value >> 32n));
  }
  let result = 0n;
  if (kfunc === undefined) throw new Error('the release has no such kfunc');
  kfunc({
    args,
    returnWords: (lo, hi) => {
      result = BigInt.asIntN(64, (BigInt(hi | 0) << 32n) | BigInt(lo >>> 0));
    },
  });
  return result;
}

describe('the kfuncs of an arena', () => {
  test.each(['6.12', '6.14', '7.1', 'three-state'] as const)('are those that Linux %s has', (release) => {
    const { arena } = arenaOn('x86-64', { maxEntries: 8, mapExtra: START, release });
    expect('bpf_arena_reserve_pages' in arena.kfuncs()).toBe(release !== '6.12' && release !== '6.14');
  });

  test('return what those of Linux return', () => {
    const fails = new Set<AllocationKind>();
    const { arena } = arenaOn(
      'x86-64',
      { maxEntries: 8, mapExtra: START, allocFailure: (kind) => fails.has(kind) },
      { pages: 32 },
    );
    const {
      bpf_arena_alloc_pages: alloc,
      bpf_arena_free_pages: give,
      bpf_arena_reserve_pages: reserve,
    } = arena.kfuncs();
    expect(call(alloc, 5n, 0n, 2n, -1n, 0n)).toBe(START);
    expect(call(alloc, 5n, 0n, 2n, -1n, 1n << 40n)).toBe(0n);
    expect(call(alloc, 5n, 0n, 0n, -1n, 0n)).toBe(0n);
    expect(call(alloc, 5n, START + 5n * PAGE, 1n, 0n, 0n)).toBe(START + 5n * PAGE);
    // Only the low half of a hint counts, and only 32 bits of the number of pages.
    expect(call(alloc, 5n, (START + 6n * PAGE) & 0xffffffffn, (9n << 32n) | 1n, -1n, 0n)).toBe(
      START + 6n * PAGE,
    );
    expect(call(reserve, 5n, START + 7n * PAGE, 1n)).toBe(0n);
    expect(call(reserve, 5n, START + 7n * PAGE, 1n)).toBe(-16n);
    expect(call(reserve, 5n, START + 7n * PAGE, 2n)).toBe(-22n);
    expect(call(reserve, 5n, START + 7n * PAGE, 0n)).toBe(0n);
    fails.add('lock');
    expect(call(reserve, 5n, START + 3n * PAGE, 1n)).toBe(-16n);
    fails.clear();
    fails.add('node');
    expect(call(reserve, 5n, START + 3n * PAGE, 1n)).toBe(-12n);
    fails.clear();
    // What methods refuse, kfuncs ignore.
    expect(call(reserve, 5n, START + 3n * PAGE + 1n, 1n)).toBe(0n);
    expect(call(give, 5n, START - PAGE, 4n)).toBe(0n);
    expect(call(give, 5n, START + 8n * PAGE, 1n)).toBe(0n);
    expect(call(give, 5n, 0n, 1n)).toBe(0n);
    expect(call(give, 5n, START, 0n)).toBe(0n);
    expect(arena.memUsage()).toBe(4n * PAGE);
    expect(call(give, 5n, START + 1n, 2n)).toBe(0n);
    expect(arena.memUsage()).toBe(2n * PAGE);
  });

  test('of a program that may not sleep leave frees to the worker', () => {
    const { arena } = arenaOn('x86-64', { maxEntries: 8, mapExtra: START }, { pages: 32 });
    const { bpf_arena_alloc_pages: alloc, bpf_arena_free_pages: give } = arena.kfuncs(false);
    call(alloc, 5n, 0n, 8n, -1n, 0n);
    call(give, 5n, START, 8n);
    expect(arena.pendingSpans).toBe(1);
    expect(arena.memUsage()).toBe(8n * PAGE);
    arena.runWorker();
    expect(arena.memUsage()).toBe(0n);
  });

  test('free nothing of an arena whose user address is not known', () => {
    const arena = createArena(machine('x86-64', { pages: 16 }).kernel, { maxEntries: 8 });
    call(arena.kfuncs().bpf_arena_free_pages, 5n, 4096n, 1n);
    expect(call(arena.kfuncs().bpf_arena_alloc_pages, 5n, 0n, 1n, -1n, 0n)).toBe(0n);
  });

  test('and its port are all that an interpreter needs', () => {
    const { arena, page } = arenaOn('x86-64', { maxEntries: 8, mapExtra: START }, { pages: 32 });
    const port = arena.port();
    expect(port).toMatchObject({
      ...{ kernVmStart: arena.kernVmStart, userVmStart: START, pages: 8, pageSize: page, noUserConv: false },
    });
    arena.allocPages(null, 1);
    arena.store(START + 4n, 4, 0x77n);
    const address = port.kernVmStart + (START & 0xffffffffn) + 4n;
    expect(port.mmu.load32(Number(address >> 32n), Number(address & 0xffffffffn), false)).toBe(0x77);
    arena.freePages(START, 1);
    expect(port.mmu.translate(Number(address >> 32n), Number(address & 0xffffffffn), 'read', false)).toBe(-1);
  });
});
