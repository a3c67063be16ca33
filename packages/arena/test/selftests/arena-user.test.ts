import { Process } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import {
  type AllocationKind,
  type ArenaPoint,
  BPF_F_MMAPABLE,
  BPF_F_SEGV_ON_FAULT,
} from '../../src/index.js';
import { arenaOn, MACHINES, type MachineName, processOn, startOf } from '../support/machine.js';

/** An arena that a process maps. */
function mapped(
  name: MachineName,
  maxEntries: number,
  more: { flags?: number; fails?: Set<AllocationKind> } = {},
) {
  const { fails = new Set<AllocationKind>() } = more;
  const made = arenaOn(
    name,
    {
      ...{ maxEntries, mapExtra: startOf(name), flags: more.flags ?? BPF_F_MMAPABLE },
      allocFailure: (kind) => fails.has(kind),
    },
    { pages: maxEntries + 64 },
  );
  const { process, mmu } = processOn(made);
  const start = made.arena.mmap(process);
  const user = made.arena.view({ by: process, mmu });
  const at = (page: number): bigint => start + BigInt(page * made.page);
  const low = (page: number): number => Number(at(page) & 0xffffffffn);
  return { ...made, process, mmu, start, user, at, low, fails };
}

describe.each(MACHINES)('arena_split on %s', (name) => {
  test('munmap of the middle page is refused', () => {
    const { process, at, page } = mapped(name, 3);
    expect(() => process.munmap(at(1), page)).toThrow(/^EINVAL/);
    expect(process.regions()).toHaveLength(1);
    process.munmap(at(0), 3 * page);
    expect(process.regions()).toHaveLength(0);
  });
});

describe.each(MACHINES)('arena_vma on %s', (name) => {
  test('a region is neither split nor moved nor made longer', () => {
    const { process, at, page } = mapped(name, 4);
    expect(() => process.munmap(at(0), page)).toThrow(/^EINVAL/);
    expect(() => process.mprotect(at(1), page, { read: true })).toThrow(/^EINVAL/);
    expect(() => process.mremap(at(0), 4 * page, 4 * page, { mayMove: true, fixed: at(64) })).toThrow(
      /^EINVAL/,
    );
    expect(() => process.mremap(at(0), 4 * page, 8 * page)).toThrow(/^EFAULT/);
    expect(process.regions()).toHaveLength(1);
  });

  test('a forked child has no mapping', () => {
    const { process, at, user, low } = mapped(name, 4);
    user.store32(low(0), 0, 7);
    const child = process.fork();
    expect(child.findRegion(at(0))).toBeNull();
    expect(child.handleFault(at(0), 'read')).toBe('SEGV');
    expect(user.loadSigned32(low(0))).toBe(7);
  });
});

describe.each(MACHINES)('arena_fork on %s', (name) => {
  test('the parent unmaps, and a free touches only regions that live', () => {
    const { arena, process, at, page, ram } = mapped(name, 4);
    const free = ram.stats().free;
    const first = arena.allocPages(null, 2) as bigint;
    expect(process.handleFault(first, 'write')).toBe('mapped');
    const child = process.fork();
    process.munmap(at(0), 4 * page);
    expect(arena.object.regions).toHaveLength(0);
    expect(arena.freePages(first, 2)).toBe('freed');
    expect(ram.stats().free).toBe(free);
    child.destroy();
  });

  test('arena_fork_free: either side frees, and the pages go from the process that maps them', () => {
    const made = mapped(name, 4);
    const { arena, process, at, user, low } = made;
    const other = processOn(made);
    expect(arena.mmap(other.process)).toBe(at(0));
    const theirs = arena.view({ by: other.process, mmu: other.mmu });
    arena.allocPages(at(0), 3);
    user.store32(low(1), 0, 5);
    expect(theirs.loadSigned32(low(1))).toBe(5);
    theirs.store32(low(2), 0, 6);
    const child = other.process.fork();
    child.destroy();
    arena.freePages(at(1), 2);
    for (const { table } of [process, other.process])
      for (const page of [1, 2]) expect(table.translate(at(page))).toBeNull();
    // The next access of a user makes another page.
    expect(user.loadSigned32(low(1))).toBe(0);
    expect(theirs.loadSigned32(low(1))).toBe(0);
    expect(arena.load(at(1), 4)).toBe(0n);
  });
});

describe.each(MACHINES)('arena_memcg on %s', (name) => {
  test('a fault for which there is no page is out of memory, never a SIGSEGV', () => {
    const { arena, process, at, fails, user, low } = mapped(name, 4);
    fails.add('page');
    expect(process.handleFault(at(1), 'read')).toBe('OOM');
    expect(() => user.load8(low(1))).toThrow(/SIGKILL/);
    fails.delete('page');
    expect(process.handleFault(at(1), 'read')).toBe('mapped');
    // The slot of the fault that failed is free again.
    expect([at(0), at(2)]).toContain(arena.allocPages(null, 1));
  });

  test('a program gets NULL, which may succeed the next time', () => {
    const { arena, fails } = mapped(name, 4);
    for (const kind of ['array', 'page', 'lock'] as const) {
      fails.add(kind);
      expect(arena.allocPages(null, 2)).toBeNull();
      expect(arena.lastFailure?.code).toBe('EAGAIN');
      fails.delete(kind);
      expect(arena.allocPages(null, 4)).not.toBeNull();
      expect(arena.lastFailure).toBeNull();
      arena.freePages(arena.userVmStart, 4);
    }
    expect(arena.allocPages(null, 5)).toBeNull();
    expect(arena.lastFailure?.code).toBe('EINVAL');
    arena.allocPages(null, 1);
    expect(arena.allocPages(null, 4)).toBeNull();
    expect(arena.lastFailure?.code).toBe('ENOMEM');
  });
});

describe.each(MACHINES)('arena_mem_usage on %s', (name) => {
  test('usage is the pages that are there: allocated, or populated by a user', () => {
    const { arena, at, page, process } = mapped(name, 1000);
    const used = (): number => Number(arena.memUsage()) / page;
    expect(used()).toBe(0);
    arena.allocPages(at(0), 600);
    expect(used()).toBe(600);
    // An address inside a page names the page.
    arena.freePages(at(100) + 123n, 50);
    expect(used()).toBe(550);
    // Holes are no pages.
    arena.freePages(at(100), 50);
    expect(used()).toBe(550);
    for (const hole of [100, 700, 999]) expect(process.handleFault(at(hole), 'write')).toBe('mapped');
    expect(used()).toBe(553);
    expect(process.handleFault(at(0), 'read')).toBe('mapped');
    expect(used()).toBe(553);
    arena.reservePages(at(800), 10);
    expect(used()).toBe(553);
    arena.freePages(at(0), 1000);
    expect(used()).toBe(0);
  });
});

describe.each(MACHINES)('arena_race on %s', (name) => {
  test('a reader sees the old marker or the new one while a page is freed and given out again', () => {
    const between: { at?: (point: ArenaPoint) => void } = {};
    const made = arenaOn(
      name,
      { maxEntries: 1, mapExtra: startOf(name), interleave: (point) => between.at?.(point) },
      { pages: 16 },
    );
    const { arena } = made;
    const reader = processOn(made);
    const start = arena.mmap(reader.process);
    const low = Number(start & 0xffffffffn);
    const user = arena.view({ by: reader.process, mmu: reader.mmu });
    const program = arena.view();
    const points: Record<string, number> = {};
    for (let round = 1; round <= 1000; round++) {
      expect(arena.allocPages(null, 1)).toBe(start);
      program.store32(low, 0, round);
      expect(user.loadSigned32(low)).toBe(round);
      between.at = (point) => {
        points[point] = (points[point] ?? 0) + 1;
        // Two allocators never win one page: nobody gets it before the free is over.
        expect(arena.allocPages(null, 1)).toBeNull();
        expect(arena.allocPages(start, 1)).toBeNull();
        if (reader.process.table.translate(start) === null)
          expect(reader.process.handleFault(start, 'read')).toBe('retry');
        else expect(user.loadSigned32(low)).toBe(round);
      };
      expect(arena.freePages(start, 1)).toBe('freed');
      delete between.at;
    }
    expect(points).toEqual({ flush: 1000, zap: 1000, release: 1000 });
  });
});

describe.each(MACHINES)('arena_reuse on %s', (name) => {
  test('a page that is given out again after a free is new for everybody', () => {
    const { arena, at, user, low } = mapped(name, 1);
    for (let round = 1; round <= 200; round++) {
      expect(arena.allocPages(null, 1)).toBe(at(0));
      expect(user.loadSigned32(low(0))).toBe(0);
      arena.store(at(0), 4, BigInt(round));
      expect(user.loadSigned32(low(0))).toBe(round);
      user.store32(low(0), 4, round);
      expect(arena.load(at(0) + 4n, 4)).toBe(BigInt(round));
      arena.freePages(at(0), 1);
    }
  });
});

describe.each(MACHINES)('SEGV_ON_FAULT on %s', (name) => {
  test('a user finds only pages that a program allocated', () => {
    const { arena, at, user, low, process } = mapped(name, 4, {
      flags: BPF_F_MMAPABLE | BPF_F_SEGV_ON_FAULT,
    });
    expect(process.handleFault(at(0), 'read')).toBe('SEGV');
    expect(() => user.load8(low(0))).toThrow(/SIGSEGV/);
    arena.allocPages(at(0), 1);
    expect(user.load8(low(0))).toBe(0);
    arena.freePages(at(0), 1);
    expect(() => user.load8(low(0))).toThrow(/SIGSEGV/);
    expect(process).toBeInstanceOf(Process);
  });
});
