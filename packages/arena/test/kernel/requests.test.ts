import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { type AllocationKind, type ArenaRelease, createArena } from '../../src/index.js';
import { arenaOn, machine, processOn } from '../support/machine.js';

const START = (1n << 44n) + 0x7000n;
const PAGE = 4096n;
const RELEASES: readonly ArenaRelease[] = ['6.12', '6.14', '7.1', '7.2', '7.3', 'three-state'];

function made(maxEntries: number, release: ArenaRelease = 'three-state', pages = 4096) {
  const fails = new Set<AllocationKind>();
  const all = arenaOn(
    'x86-64',
    { maxEntries, mapExtra: START, release, allocFailure: (kind) => fails.has(kind) },
    { pages },
  );
  return { ...all, fails, at: (page: number): bigint => START + BigInt(page) * PAGE };
}

describe('a request', () => {
  test('is checked in the order of Linux', () => {
    const { arena, fails, at } = made(8);
    fails.add('array');
    const wrong: readonly (readonly [
      reason: RegExp,
      hint: bigint,
      count: number,
      node: number,
      flags: number,
    ])[] = [
      [/flags/, 1n, 9, 5, 1],
      [/1 page or more/, 1n, 0, 5, 0],
      [/memory node/, 1n, 9, 1, 0],
      [/memory node/, 1n, 9, -2, 0],
      [/fewer pages/, 1n, 9, 0, 0],
      [/not on a page/, at(0) + 1n, 8, -1, 0],
      [/not all in the arena/, at(7), 2, -1, 0],
      [/list of pages/, at(0), 1, -1, 0],
    ];
    for (const [reason, hint, count, node, flags] of wrong) {
      expect(arena.allocPages(hint, count, node, flags)).toBeNull();
      expect(arena.lastFailure?.reason).toMatch(reason);
    }
    fails.delete('array');
    expect(arena.allocPages(null, 8, 0)).toBe(at(0));
  });

  test('takes only the low half of a hint, unless hints are strict', () => {
    const { arena, at, kernel } = made(8);
    expect(arena.allocPages(at(2) + (3n << 40n), 1)).toBe(at(2));
    const strict = createArena(kernel, { maxEntries: 8, mapExtra: START, strictHints: true });
    expect(strict.allocPages(at(2) + (3n << 40n), 1)).toBeNull();
    expect(strict.lastFailure).toMatchObject({ code: 'EINVAL' });
    expect(strict.allocPages(at(2) & 0xffffffffn, 1)).toBe(at(2));
    expect(strict.allocPages(at(3), 1)).toBe(at(3));
  });

  test('has no pages before the user address is known', () => {
    const { kernel } = machine('x86-64', { pages: 16 });
    const arena = createArena(kernel, { maxEntries: 8 });
    expect(arena.allocPages(null, 1)).toBeNull();
    expect([arena.userVmStart, arena.userVmEnd]).toEqual([0n, 0n]);
    expect(codeOf(() => arena.freePages(4096n, 1))).toBe('EINVAL');
    expect(codeOf(() => arena.directValueAddress(0))).toBe('ERANGE');
  });

  test('gives back every batch when a later one has no frames', () => {
    const { arena, ram, at } = made(3000, 'three-state', 2001);
    expect(arena.allocPages(null, 2500)).toBeNull();
    expect(arena.lastFailure?.code).toBe('ENOMEM');
    // One frame is the scratch page.
    expect(ram.stats().free).toBe(2000);
    expect(arena.memUsage()).toBe(0n);
    expect(arena.allocPages(null, 2000)).toBe(at(0));
  });

  test('that may not sleep leaves the pages of a failed request to the worker', () => {
    const { arena, ram, at } = made(3000, 'three-state', 2001);
    expect(arena.allocPages(null, 2500, -1, 0, { sleepable: false })).toBeNull();
    expect(arena.pendingSpans).toBe(1);
    expect(ram.stats().free).toBe(2000 - 1024);
    expect(arena.runWorker()).toBe(1);
    expect(ram.stats().free).toBe(2000);
    expect(arena.allocPages(null, 2000)).toBe(at(0));
  });

  test('asks for the pages of each batch', () => {
    let asked = 0;
    const { arena } = arenaOn(
      'x86-64',
      {
        ...{ maxEntries: 3000, mapExtra: START },
        allocFailure: (kind) => kind === 'page' && ++asked > 2,
      },
      { pages: 4000 },
    );
    // The first one was the scratch page.
    expect(arena.allocPages(null, 1024)).not.toBeNull();
    expect(arena.allocPages(null, 1025)).toBeNull();
    expect(arena.lastFailure?.code).toBe('EAGAIN');
    expect(asked).toBe(3);
    expect(arena.memUsage()).toBe(1024n * PAGE);
  });

  test.each(['7.3', 'three-state'] as const)(
    'that fails says why, whatever others ask for while its pages go: %s',
    (release) => {
      let asked = 0;
      let others = 0;
      const { arena } = arenaOn(
        'x86-64',
        {
          ...{ maxEntries: 3000, mapExtra: START, release },
          // The scratch page, a batch, and the batch that fails.
          allocFailure: (kind) => kind === 'page' && ++asked === 3,
          interleave: () => {
            others++;
            arena.freePages(arena.allocPages(null, 1) ?? 0n, 1, { sleepable: false });
          },
        },
        { pages: 4000 },
      );
      expect(arena.allocPages(null, 2000)).toBeNull();
      expect(arena.lastFailure?.code).toBe('EAGAIN');
      expect(others).toBe(3);
    },
  );

  test.each([true, false])(
    'without a record for its slots takes no page from a user who comes later, may sleep: %s',
    (sleepable) => {
      const all = made(4);
      const { arena, fails, at } = all;
      const { process } = processOn(all);
      arena.mmap(process);
      fails.add('page').add('node');
      expect(arena.allocPages(null, 4, -1, 0, { sleepable })).toBeNull();
      fails.clear();
      // Where the request may not sleep, the slots are nobody's until the worker has run.
      expect(process.handleFault(at(1), 'write')).toBe(sleepable ? 'mapped' : 'retry');
      if (!sleepable) arena.runWorker();
      const user = arena.view({ by: process });
      user.store32(Number(at(1) & 0xffffffffn), 0, 42);
      arena.runWorker();
      expect(user.loadSigned32(Number(at(1) & 0xffffffffn))).toBe(42);
      arena.freePages(at(1), 1);
      expect(arena.allocPages(null, 4)).toBe(at(0));
    },
  );

  test('does not see the bytes of earlier pages', () => {
    const { arena } = made(8, 'three-state', 9);
    const first = arena.allocPages(null, 8) as bigint;
    for (let i = 0n; i < 8n; i++) arena.store(first + i * PAGE + 4088n, 8, ~0n);
    arena.freePages(first, 8);
    const next = arena.allocPages(null, 8) as bigint;
    for (let i = 0n; i < 8n; i++) expect(arena.load(next + i * PAGE + 4088n, 8)).toBe(0n);
  });

  test.each(RELEASES)('of release %s is placed as its allocator places it', (release) => {
    const { arena, at } = made(64, release);
    arena.allocPages(null, 64);
    // Three holes of 4 pages in this order, and one of 2.
    for (const page of [8, 40, 20]) arena.freePages(at(page), 4);
    arena.freePages(at(50), 2);
    expect(arena.allocPages(null, 3)).toBe(at(release === '6.12' ? 8 : 20));
    expect(arena.allocPages(null, 1)).toBe(at(release === '6.12' ? 11 : 23));
    expect(arena.allocPages(null, 2)).toBe(at(release === '6.12' ? 20 : 50));
  });

  test('with an alignment is a multiple of it as a user address', () => {
    const { arena, at } = made(64);
    // The first page is 7 pages after a multiple of 16.
    const first = arena.allocPages(null, 2, -1, 0, { align: 65536 }) as bigint;
    expect(first % 65536n).toBe(0n);
    expect(first).toBe(at(9));
    expect(arena.allocPages(null, 16, -1, 0, { align: 65536 })).toBe(at(25));
    expect(arena.allocPages(at(1), 1, -1, 0, { align: 65536 })).toBeNull();
    expect(arena.allocPages(at(41), 1, -1, 0, { align: 65536 })).toBe(at(41));
    expect(arena.allocPages(null, 16, -1, 0, { align: 2 ** 32 })).toBeNull();
    expect(codeOf(() => arena.allocPages(null, 1, -1, 0, { align: 6144 }))).toBe('EINVAL');
    expect(codeOf(() => arena.allocPages(null, 1, -1, 0, { align: 2048 }))).toBe('EINVAL');
  });
});

describe('a NULL guard', () => {
  test('keeps the pages from low half 0 on', () => {
    const { kernel } = machine('x86-64', { pages: 16 });
    const arena = createArena(kernel, { maxEntries: 8, mapExtra: 1n << 44n, reserveNull: 2 });
    expect(arena.allocPages(null, 1)).toBe((1n << 44n) + 2n * PAGE);
    expect(arena.allocPages(1n << 44n, 1)).toBeNull();
    expect(codeOf(() => arena.reservePages(1n << 44n, 1))).toBe('EBUSY');
    // An arena without low half 0 has none.
    const other = createArena(kernel, { maxEntries: 8, mapExtra: START, reserveNull: 2 });
    expect(other.allocPages(null, 8)).toBe(START);
  });
});
