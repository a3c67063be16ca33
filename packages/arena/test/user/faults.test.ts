import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import type { AllocationKind, ArenaPoint, ArenaRelease } from '../../src/index.js';
import { arenaOn, processOn, startOf } from '../support/machine.js';

const NAME = 'arm64-64k-48';

function mapped(release: ArenaRelease = 'three-state', maxEntries = 4) {
  const fails = new Set<AllocationKind>();
  const between: { at?: (point: ArenaPoint) => void } = {};
  const made = arenaOn(
    NAME,
    {
      ...{ maxEntries, mapExtra: startOf(NAME), release },
      allocFailure: (kind) => fails.has(kind),
      interleave: (point) => between.at?.(point),
    },
    { pages: 64 },
  );
  const { process, mmu } = processOn(made);
  const start = made.arena.mmap(process);
  const at = (page: number): bigint => start + BigInt(page * made.page);
  const low = (page: number): number => Number(at(page) & 0xffffffffn);
  return { ...made, process, mmu, at, low, fails, between, user: made.arena.view({ by: process, mmu }) };
}

describe('a fault of a user', () => {
  test('on a page that is being freed is made again', () => {
    const { arena, at, process, between } = mapped();
    arena.allocPages(at(0), 1);
    const seen: unknown[] = [];
    between.at = (point) => {
      if (point === 'insert') return;
      seen.push([point, process.handleFault(at(0), 'read')]);
    };
    arena.freePages(at(0), 1);
    expect(seen).toEqual([
      ['flush', 'retry'],
      ['zap', 'retry'],
      ['release', 'retry'],
    ]);
    delete between.at;
    expect(process.handleFault(at(0), 'read')).toBe('mapped');
  });

  test('holds its page: a free between the choice and the mapping does nothing', () => {
    const { arena, at, process, between } = mapped();
    arena.allocPages(at(0), 4);
    arena.store(at(1), 4, 7n);
    const seen: unknown[] = [];
    between.at = (point) => {
      if (point !== 'insert') return;
      delete between.at;
      seen.push(arena.freePages(at(1), 1), arena.lastFailure?.code);
      seen.push(arena.freePages(at(0), 3), arena.lastFailure?.code);
      seen.push(arena.allocPages(at(1), 1), arena.lastFailure?.code);
    };
    expect(process.handleFault(at(1), 'read')).toBe('mapped');
    expect(seen).toEqual(['dropped', 'EAGAIN', 'dropped', 'EAGAIN', null, 'EAGAIN']);
    expect(arena.load(at(1), 4)).toBe(7n);
    expect(arena.freePages(at(0), 4)).toBe('freed');
    expect(process.table.translate(at(1))).toBeNull();
  });

  test('that finds the lock taken is made again, or a SIGBUS in 7.3', () => {
    for (const [release, result] of [
      ['7.1', 'retry'],
      ['7.3', 'BUS'],
      ['three-state', 'retry'],
    ] as const) {
      const { process, at, fails } = mapped(release);
      fails.add('lock');
      expect(process.handleFault(at(0), 'read')).toBe(result);
    }
  });

  test('without a page is a SIGSEGV up to 7.3, and gives its slot back', () => {
    const { arena, process, at, fails } = mapped('7.3');
    fails.add('page');
    expect(process.handleFault(at(1), 'read')).toBe('SEGV');
    fails.clear();
    expect(arena.allocPages(null, 4)).toBe(at(0));
  });

  test('populates a reserved page, as in Linux', () => {
    const { arena, process, at } = mapped();
    arena.reservePages(at(1), 1);
    expect(process.handleFault(at(1), 'write')).toBe('mapped');
    expect(arena.allocPages(at(1), 1)).toBeNull();
    expect(arena.lastFailure?.reason).toMatch(/allocated or reserved/);
    arena.freePages(at(1), 1);
    expect(arena.allocPages(at(1), 1)).toBe(at(1));
  });

  test('of release 6.12 on a slot that is taken without a page is a SIGSEGV', () => {
    const { arena, process, at } = mapped('6.12');
    expect(process.handleFault(at(0), 'write')).toBe('mapped');
    expect(arena.allocPages(null, 1)).toBe(at(1));
  });

  test('without a frame for a table of the process is out of memory; the arena has the page', () => {
    const { arena, process, at, tables } = mapped();
    const taken = tables.allocateMany(tables.stats().free);
    expect(process.handleFault(at(0), 'write')).toBe('OOM');
    expect(arena.memUsage()).toBe(65536n);
    tables.freeMany(taken);
    expect(process.handleFault(at(0), 'write')).toBe('mapped');
    expect(arena.freePages(at(0), 1)).toBe('freed');
  });

  test('is one for each process: all see the same bytes', () => {
    const made = mapped();
    const { arena, at, low, user } = made;
    const other = processOn(made);
    arena.mmap(other.process);
    const theirs = arena.view({ by: other.process, mmu: other.mmu });
    user.store64Words(low(2), 8, 0x1234, 0x5678);
    expect(theirs.load64Words(low(2), 8)).toBe(0x5678);
    expect(theirs.high).toBe(0x1234);
    expect(arena.load(at(2) + 8n, 8)).toBe(0x1234_0000_5678n);
    theirs.store16(low(2), 10, 0xffff);
    expect(arena.load(at(2) + 8n, 8)).toBe(0x1234_ffff_5678n);
    expect(user.load8(low(2), 9)).toBe(0x56);
  });

  test('that never succeeds ends with EAGAIN', () => {
    const { user, low, fails } = mapped();
    fails.add('lock');
    expect(codeOf(() => user.load8(low(0)))).toBe('EAGAIN');
    fails.clear();
    expect(user.load8(low(0))).toBe(0);
  });

  test('inside a call of its process makes a free of several pages wait', () => {
    const { arena, at, process, between, ram } = mapped();
    arena.allocPages(at(0), 4);
    process.handleFault(at(2), 'write');
    const free = ram.stats().free;
    between.at = (point) => {
      if (point !== 'insert') return;
      delete between.at;
      // Its pages cannot be taken from the process now.
      expect(codeOf(() => arena.freePages(at(2), 2))).toBe('EBUSY');
    };
    expect(process.handleFault(at(0), 'read')).toBe('mapped');
    expect(arena.pendingSpans).toBe(1);
    expect(ram.stats().free).toBe(free);
    arena.runWorker();
    expect(ram.stats().free).toBe(free + 2);
    expect(process.table.translate(at(2))).toBeNull();
    expect(arena.allocPages(at(2), 2)).toBe(at(2));
  });
});

describe('references', () => {
  test('a page is allocated until every process has lost it', () => {
    const { arena, at, process, between, ram, low, user } = mapped();
    arena.allocPages(at(0), 1);
    user.store32(low(0), 0, 7);
    const seen: unknown[] = [];
    between.at = (point) => seen.push([point, ram.stats().free, process.table.translate(at(0)) !== null]);
    const free = ram.stats().free;
    arena.freePages(at(0), 1);
    expect(seen).toEqual([
      ['flush', free, true],
      ['zap', free, true],
      ['release', free + 1, false],
    ]);
  });

  test('a page dies with its last user', () => {
    const made = mapped();
    const { arena, at, process, ram, page } = made;
    const free = ram.stats().free;
    arena.allocPages(at(0), 2);
    process.handleFault(at(0), 'write');
    process.handleFault(at(3), 'write');
    expect(ram.stats().free).toBe(free - 3);
    process.munmap(at(0), 4 * page);
    expect(ram.stats().free).toBe(free - 3);
    arena.freePages(at(0), 4);
    expect(ram.stats().free).toBe(free);
  });
});
