import { describe, expect, test } from 'vitest';
import { arenaAddress, type KernelCall } from '../../src/index.js';
import { ARCHITECTURES } from '../support/arena-machine.js';
import { bpfLoop } from '../support/bpf-loop.js';
import { realArena } from '../support/real-arena.js';

/*
 * The cases of the kernel's arena_atomics, stream and arena_kfunc that are about what an access does, as programs of our own.
 */

/** A kernel address of a kfunc's argument. */
const argument = ({ args }: KernelCall, index: number): bigint =>
  BigInt.asUintN(
    64,
    (BigInt(args[index * 2 + 1] as number) << 32n) | BigInt((args[index * 2] as number) >>> 0),
  );

describe.each(Object.keys(ARCHITECTURES))('arena_atomics as bytecode on %s', (architecture) => {
  test('load_acquire: 8, 16, 32 and 64 bits, extended by zeros', () => {
    const { run } = realArena('ordered', architecture);
    expect(run('load_acquire', 4)).toEqual({
      value: 0n,
      seen: [0x12n, 0x1234n, 0x1234_5678n, 0x1234_5678_90ab_cdefn],
    });
  });

  test('store_release: 8, 16, 32 and 64 bits, and no byte beside them', () => {
    const { run, arena, program } = realArena('ordered', architecture);
    const value = 0xfedc_ba98_7654_3210n;
    const seen = [8, 16, 32, 64].map((bits) => BigInt.asUintN(bits, value));
    expect(run('store_release', 4, value)).toEqual({ value: 0n, seen });
    expect(arena.load(arenaAddress(program, 'stored64'), 8)).toBe(value);
    // What was there before stays: the program has stored to others of the same page.
    expect(arena.load(arenaAddress(program, 'value64'), 8)).toBe(0x1234_5678_90ab_cdefn);
  });

  test('uaf: operations on a page that is freed fetch 0, change nothing, and are reported', () => {
    const { run, start, page, reports, arena } = realArena('ordered', architecture);
    expect(run('use_after_free', 10)).toEqual({ value: 0n, seen: [start, ...Array(9).fill(0n)] });
    expect(reports.map(({ isWrite, address }) => `${isWrite ? 'W' : 'R'}${address - start}`)).toEqual([
      ...['W0', 'W8', 'W0', 'W8', 'W0', 'W8', 'W0', 'R0', 'W0', 'R0'],
    ]);
    // The page of the program's variables alone.
    expect(arena.memUsage()).toBe(page);
  });
});

describe.each(Object.keys(ARCHITECTURES))('stream as bytecode on %s', (architecture) => {
  const helpers = { 181: bpfLoop };
  const lines = (name: string): { value: bigint; texts: string[]; places: string[] } => {
    const { run, reports } = realArena('stream', architecture, { interpreter: { helpers } });
    const { value } = run(name, 1, 0x7fffn);
    return {
      value,
      texts: reports.map(({ text }) => text),
      places: reports.map((one) => `${one.function} ${one.stream}: ${one.source?.text.trim()}`),
    };
  };
  const text = (kind: 'READ' | 'WRITE', offset = 0x7fff): string =>
    `ERROR: Arena ${kind} access at unmapped address 0x${((1n << 44n) + BigInt(offset)).toString(16)}`;

  test('fault_read: a load that crosses into the next page names its first byte', () => {
    expect(lines('fault_read')).toEqual({
      value: 0n,
      texts: [text('READ')],
      places: ['fault_read 2: return WORD(PLACE(*offset));'],
    });
  });

  test('fault_write: a store does so, too', () => {
    expect(lines('fault_write')).toEqual({
      value: 0n,
      texts: [text('WRITE')],
      places: ['fault_write 2: WORD(PLACE(*offset)) = 5;'],
    });
  });

  test('fault_in_subprogram: both go to the same stream, with the name of the subprogram', () => {
    const { value, texts, places } = lines('fault_in_subprogram');
    expect([value, ...texts]).toEqual([0n, text('WRITE'), text('READ')]);
    expect(places.every((place) => place.startsWith('in_subprogram 2: '))).toBe(true);
  });

  test('fault_in_callback: each call back is reported, and the helper goes on', () => {
    const { value, texts, places } = lines('fault_in_callback');
    expect([value, ...texts]).toEqual([2n, text('WRITE'), text('WRITE', 0x8000)]);
    expect(places.every((place) => place.startsWith('in_callback 2: '))).toBe(true);
  });
});

describe.each(Object.keys(ARCHITECTURES))('arena_kfunc as bytecode on %s', (architecture) => {
  /** A kernel whose kfuncs store the number of each pointer where it points, as code of the kernel. */
  function made() {
    const seen: bigint[][] = [];
    let store: (address: bigint, value: number) => void = () => {};
    const call = (one: KernelCall): void => {
      const all = [0, 1, 2, 3, 4].map((index) => argument(one, index));
      seen.push(all);
      for (const [i, address] of all.entries()) store(address, i + 1);
      one.returnWords(77, 0);
    };
    const mixed = (one: KernelCall): void =>
      void seen.push([0, 1, 2, 3, 4].map((index) => argument(one, index)));
    const kfuncs = {
      vm_five: { call, arenaArguments: 'tags' as const },
      vm_mixed: { call: mixed, arenaArguments: 'tags' as const },
    };
    const all = realArena('kfunc', architecture, { interpreter: { kfuncs } });
    const kernel = all.arena.view({ by: 'kernel' });
    const { kernVmStart } = all.arena;
    store = (address, value) => kernel.store32(Number(address - kernVmStart), 0, value);
    return { ...all, seen, kernVmStart };
  }

  test('five arguments: the low halves count, from the start of the window', () => {
    const { run, start, seen, kernVmStart, arena, page } = made();
    arena.allocPages(null, 8);
    const given = [start, start + page, page * 2n, (5n << 32n) + page * 3n, start + 8n * page - 4n];
    expect(run('five', 5, ...given).value).toBe(77n);
    const offsets = [0n, page, 2n * page, 3n * page, 8n * page - 4n];
    expect(seen).toEqual([offsets.map((offset) => kernVmStart + offset)]);
    expect(offsets.map((offset) => arena.load(start + offset, 4))).toEqual([1n, 2n, 3n, 4n, 5n]);
  });

  test('NULL is the start of the window, unless the argument may be NULL', () => {
    const { run, start, seen, kernVmStart } = made();
    run('five', 5, 0n, 1n << 32n, 0n, 0n, 0n);
    expect(seen.pop()).toEqual(Array(5).fill(kernVmStart));
    run('mixed', 5, start, 0n, start, 9n << 32n, 0n);
    // Plain numbers stay as they are, and a low half of 0 is NULL whatever is above it.
    expect(seen.pop()).toEqual([start, 0n, start, 0n, kernVmStart]);
    run('mixed', 5, 0n, start + 4n, 1n, start + 8n, start + 12n);
    expect(seen.pop()).toEqual([0n, kernVmStart + 4n, 1n, kernVmStart + 8n, kernVmStart + 12n]);
  });

  test('what kernel code stores where no page is goes to the scratch page, and does not reach the arena', () => {
    const { run, start, page, arena, seen, kernVmStart } = made();
    expect(run('own', 3, page)).toEqual({ value: 77n, seen: [1n, 2n, 3n] });
    expect(seen[0]?.slice(3)).toEqual([kernVmStart + page, kernVmStart + page + 4n]);
    expect(arena.memUsage()).toBe(page);
    // A page that is allocated there has zeros.
    expect(arena.allocPages(start + page, 1)).toBe(start + page);
    expect(arena.load(start + page, 8)).toBe(0n);
  });
});
