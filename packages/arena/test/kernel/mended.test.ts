import { Process, VmError } from '@vmarea/core';
import { Mmu, processorOf } from '@vmarea/mmu';
import { describe, expect, test } from 'vitest';
import { type AllocationKind, createArena } from '../../src/index.js';
import { machine } from '../support/machine.js';

const START = 1n << 44n;

describe('a free of one page in 6.12 and 6.14', () => {
  test.each(['6.12', '6.14'] as const)(
    'takes the page from processes before the kernel loses it, so a sink that throws leaves it whole: %s',
    (release) => {
      const { kernel, ram } = machine('x86-64', { pages: 64 });
      let throws = false;
      const sink = {
        flush: () => {
          if (throws) throw new Error('the sink');
        },
      };
      const process = new Process({ kernel, sink });
      const arena = createArena(kernel, { maxEntries: 4, mapExtra: START, release });
      arena.mmap(process);
      const page = arena.allocPages(null, 1) as bigint;
      process.handleFault(page, 'write');
      const before = ram.stats().allocated;
      throws = true;
      expect(() => arena.freePages(page, 1)).toThrow('the sink');
      // Everybody still has the page, and nobody can get its slot.
      expect(process.table.translate(page)).not.toBeNull();
      expect(kernel.table.translate(arena.kernVmStart)).toBe(process.table.translate(page));
      expect(arena.allocPages(page, 1)).toBeNull();
      throws = false;
      expect(arena.freePages(page, 1)).toBe('freed');
      expect(process.table.translate(page)).toBeNull();
      expect(ram.stats().allocated).toBe(before - 1);
      expect(arena.allocPages(page, 1)).toBe(page);
    },
  );
});

describe('the worker', () => {
  test('keeps slots that it could not make available when the queue is full', () => {
    const fails = new Set<AllocationKind>();
    let locks = 0;
    const { kernel } = machine('x86-64', { pages: 64 });
    const arena = createArena(kernel, {
      ...{ maxEntries: 8, mapExtra: START },
      // The second lock of a run fails, and then no record can be had.
      allocFailure: (kind) => (kind === 'lock' ? fails.has('lock') && ++locks % 2 === 0 : fails.has(kind)),
    });
    const page = arena.allocPages(null, 1) as bigint;
    expect(arena.freePages(page, 1, { sleepable: false })).toBe('deferred');
    fails.add('lock').add('span');
    expect(arena.runWorker()).toBe(1);
    fails.clear();
    expect(arena.pendingSpans).toBe(1);
    expect(arena.allocPages(page, 1)).toBeNull();
    arena.runWorker();
    expect(arena.allocPages(page, 1)).toBe(page);
  });
});

describe('a destroyed arena', () => {
  test('uses no memory', () => {
    const { kernel } = machine('x86-64', { pages: 64 });
    const arena = createArena(kernel, { maxEntries: 8, mapExtra: START });
    arena.allocPages(null, 3);
    expect(arena.memUsage()).toBe(3n * 4096n);
    arena.destroy();
    expect(arena.memUsage()).toBe(0n);
  });

  test('leaves no processor behind in its kernel', () => {
    const { kernel } = machine('x86-64', { pages: 64 });
    const before = kernel.counters.flushes;
    const arena = createArena(kernel, { maxEntries: 8, mapExtra: START });
    const { mmu } = arena.port();
    const page = arena.allocPages(null, 1) as bigint;
    arena.store(page, 4, 7n);
    expect(mmu.toString()).toContain('walks');
    arena.destroy();
    expect(kernel.counters.flushes).toBeGreaterThanOrEqual(before);
    expect(() => arena.port()).toThrow(VmError);
  });
});

describe('the processors of an arena', () => {
  test('are one for all views and ports that are given none', () => {
    const { kernel } = machine('x86-64', { pages: 64 });
    const arena = createArena(kernel, { maxEntries: 8, mapExtra: START });
    const { mmu } = arena.port();
    expect(arena.port().mmu).toBe(mmu);
    const page = arena.allocPages(null, 1) as bigint;
    const walks = mmu.counters.walks;
    arena.view().store32(Number(page & 0xffffffffn), 0, 7);
    expect(mmu.counters.walks).toBe(walks + 1);
    expect(arena.view().loadSigned32(Number(page & 0xffffffffn))).toBe(7);
  });

  test('are refused when they are none', () => {
    const { kernel } = machine('x86-64', { pages: 64 });
    const arena = createArena(kernel, { maxEntries: 8, mapExtra: START });
    expect(() => arena.port({} as Mmu)).toThrow(/mmu is no Mmu/);
    expect(() => arena.view({ mmu: {} as Mmu })).toThrow(/mmu is no Mmu/);
  });

  test.each(['x86-64', 'arm64-4k-48', 'riscv64-sv39'] as const)(
    'of a process come with its view, and forget what the process flushes: %s',
    (name) => {
      const { kernel, configuration } = machine(name, { pages: 64 });
      const { userFormat } = configuration;
      const process = new Process({ kernel, ...(userFormat === undefined ? {} : { userFormat }) });
      const start = 1n << 32n;
      const arena = createArena(kernel, { maxEntries: 8, mapExtra: start });
      arena.mmap(process);
      const user = arena.view({ by: process });
      const page = arena.allocPages(null, 1) as bigint;
      user.store32(0, 0, 7);
      expect(arena.load(page, 4)).toBe(7n);
      arena.freePages(page, 1);
      // A new page, by a fault.
      expect(user.loadSigned32(0)).toBe(0);
      expect(processorOf(process)).toBeInstanceOf(Mmu);
    },
  );
});

describe('numbers of a call', () => {
  test('are refused with their range', () => {
    const { kernel } = machine('x86-64', { pages: 64 });
    const arena = createArena(kernel, { maxEntries: 8, mapExtra: START });
    expect(() => arena.allocPages(null, 2 ** 32)).toThrow(/count is 4294967296.*4294967295/);
    expect(() => arena.freePages(START, 0)).toThrow(/count is 0/);
  });
});
