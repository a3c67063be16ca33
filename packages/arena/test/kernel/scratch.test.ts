import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import type { ArenaReport } from '../../src/index.js';
import { arenaOn, MACHINES, processOn, startOf } from '../support/machine.js';

describe.each(MACHINES)('the scratch page on %s', (name) => {
  function made() {
    const start = startOf(name);
    const reports: ArenaReport[] = [];
    const all = arenaOn(
      name,
      { maxEntries: 8, mapExtra: start, report: (one) => reports.push(one) },
      { pages: 32 },
    );
    const page = BigInt(all.page);
    const at = (index: number): bigint => start + BigInt(index) * page;
    const low = (index: number): number => Number(at(index) & 0xffffffffn);
    return { ...all, start, reports, at, low, bytes: page };
  }

  test('serves kernel code that uses a pointer to nothing', () => {
    const { arena, at, low, reports, kernel } = made();
    const code = arena.view({ by: 'kernel' });
    code.store32(low(2), 20, 0x1234);
    // All such pages are one.
    expect(code.loadSigned32(low(5), 20)).toBe(0x1234);
    expect(reports.map(({ text }) => text)).toEqual([
      `ERROR: Arena WRITE access at unmapped address 0x${at(2).toString(16)}`,
      `ERROR: Arena READ access at unmapped address 0x${at(5).toString(16)}`,
    ]);
    const frames = [2, 5].map((index) => kernel.vmallocToPfn(arena.castForKernel(at(index))));
    expect(frames[0]).toBe(frames[1]);
    expect(arena.memUsage()).toBe(0n);
  });

  test('serves the byte of an access that lies on the second page', () => {
    const { arena, at, low, reports, page } = made();
    arena.allocPages(at(0), 1);
    const code = arena.view({ by: 'kernel' });
    code.store32(low(0) + page - 2, 0, 0x11223344);
    expect(code.loadSigned32(low(0) + page - 2)).toBe(0x11223344);
    expect(reports.map(({ address }) => address)).toEqual([at(1)]);
  });

  test('makes room for a page that is allocated there, with a flush', () => {
    const { arena, at, low, ram } = made();
    const code = arena.view({ by: 'kernel' });
    const program = arena.view();
    code.store32(low(2), 0, 7);
    expect(program.loadSigned32(low(2))).toBe(7);
    const free = ram.stats().free;
    expect(arena.allocPages(at(1), 3)).toBe(at(1));
    expect(free - ram.stats().free).toBe(3);
    expect(program.loadSigned32(low(2))).toBe(0);
    expect(code.loadSigned32(low(2))).toBe(0);
    code.store32(low(3), 0, 8);
    expect(program.loadSigned32(low(3))).toBe(8);
  });

  test('is not freed with the span that it lies in', () => {
    const { arena, at, low, ram } = made();
    const code = arena.view({ by: 'kernel' });
    const free = ram.stats().free;
    arena.allocPages(at(0), 2);
    code.store32(low(3), 0, 7);
    arena.freePages(at(0), 8);
    expect(ram.stats().free).toBe(free);
    expect(arena.memUsage()).toBe(0n);
    expect(arena.load(at(3), 4)).toBe(0n);
    code.store32(low(4), 0, 9);
    expect(code.loadSigned32(low(4))).toBe(9);
    arena.destroy();
    expect(ram.stats().free).toBe(free + 1);
  });

  test('is not freed with the single page that it stands for', () => {
    const { arena, at, low, ram, bytes } = made();
    const code = arena.view({ by: 'kernel' });
    const free = ram.stats().free;
    arena.allocPages(at(0), 1);
    code.store32(low(3), 0, 7);
    expect(arena.freePages(at(3), 1)).toBe('freed');
    expect(ram.stats().free).toBe(free - 1);
    expect(arena.memUsage()).toBe(bytes);
    code.store32(low(4), 0, 9);
    expect(code.loadSigned32(low(4))).toBe(9);
    arena.freePages(at(0), 1);
    arena.destroy();
    expect(ram.stats().free).toBe(free + 1);
  });

  test('is a SIGSEGV for a user', () => {
    const made8 = made();
    const { arena, at, low } = made8;
    const { process } = processOn(made8);
    arena.mmap(process);
    arena.view({ by: 'kernel' }).store32(low(2), 0, 7);
    expect(process.handleFault(at(2), 'read')).toBe('SEGV');
    expect(process.handleFault(at(3), 'read')).toBe('mapped');
    arena.allocPages(at(2), 1);
    expect(process.handleFault(at(2), 'read')).toBe('mapped');
  });

  test('reaches to the end of the upper guard, and not into the lower one', () => {
    const { arena, bytes, kernel } = made();
    const base = arena.kernVmStart;
    const half = bytes === 65536n ? 0x10000n : 0x8000n;
    const end = base + (1n << 32n) + half;
    expect(arena.handleKernelFault(end - 1n, false)).toBe(true);
    expect(kernel.vmallocToPage(end - bytes)).not.toBeNull();
    expect(arena.handleKernelFault(end, false)).toBe(false);
    expect(arena.handleKernelFault(base - 1n, true)).toBe(false);
    expect(arena.handleKernelFault(0n, true)).toBe(false);
    expect(codeOf(() => arena.view({ by: 'kernel' }).load8(0, -1))).toBe('EFAULT');
  });

  test('does not exist before 7.2', () => {
    const { arena } = arenaOn(
      name,
      { maxEntries: 8, mapExtra: startOf(name), release: '7.1' },
      { pages: 16 },
    );
    expect(arena.handleKernelFault(arena.kernVmStart, false)).toBe(false);
    expect(codeOf(() => arena.view({ by: 'kernel' }).load8(0))).toBe('EFAULT');
  });
});
