import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import type { AllocationKind, ArenaPoint, ArenaRelease } from '../../src/index.js';
import { arenaOn, type Machine } from '../support/machine.js';

const START = (1n << 44n) + 0x7000n;
const PAGE = 4096n;

function made(maxEntries: number, release: ArenaRelease = 'three-state') {
  const fails = new Set<AllocationKind>();
  const flushes: (readonly [va: bigint, bytes: bigint])[] = [];
  const throwing = { is: false };
  const between: { at?: (point: ArenaPoint) => void } = {};
  const all = arenaOn(
    'x86-64',
    {
      ...{ maxEntries, mapExtra: START, release },
      allocFailure: (kind) => fails.has(kind),
      interleave: (point) => between.at?.(point),
    },
    {
      pages: 256,
      sink: {
        flush: (va, bytes) => {
          if (throwing.is) throw new Error('no IPI');
          flushes.push([va, bytes]);
        },
      },
    },
  );
  const at = (page: number): bigint => START + BigInt(page) * PAGE;
  return { ...all, fails, flushes, throwing, between, at };
}

function freeFrames({ ram }: Machine): number {
  return ram.stats().free;
}

describe('a free', () => {
  test('of an address outside of the arena is refused', () => {
    const { arena, at } = made(8);
    arena.allocPages(null, 8);
    for (const address of [at(-1), at(8), at(0) - (1n << 31n)])
      expect(codeOf(() => arena.freePages(address, 1))).toBe('ERANGE');
    expect(codeOf(() => arena.freePages(at(0), 0))).toBe('EINVAL');
    expect(arena.freePages(0n, 5)).toBe('freed');
    expect(arena.memUsage()).toBe(8n * PAGE);
  });

  test('is cut at the end of the arena, and takes only the low half of an address', () => {
    const made8 = made(8);
    const { arena, at } = made8;
    const before = freeFrames(made8);
    arena.allocPages(null, 8);
    expect(arena.freePages((7n << 50n) | (at(5) & 0xffffffffn), 2 ** 32 - 1)).toBe('freed');
    expect(before - freeFrames(made8)).toBe(5);
    expect(arena.allocPages(at(5), 3)).toBe(at(5));
  });

  test('flushes its span once; up to 7.0 each page', () => {
    for (const [release, count] of [
      ['three-state', 1],
      ['7.1', 1],
      ['6.14', 4],
      ['6.12', 4],
    ] as const) {
      const { arena, flushes, at } = made(8, release);
      arena.allocPages(null, 8);
      arena.freePages(at(2), 4);
      expect(flushes).toHaveLength(count);
      expect(flushes.reduce((sum, [, bytes]) => sum + bytes, 0n)).toBe(4n * PAGE);
    }
  });

  test('of a slot in use by another free is dropped, and that other one ends', () => {
    const { arena, at, between } = made(8);
    arena.allocPages(null, 8);
    const seen: unknown[] = [];
    between.at = (point) => {
      if (point !== 'zap') return;
      delete between.at;
      seen.push(arena.freePages(at(3), 1), arena.lastFailure?.code);
      seen.push(arena.freePages(at(5), 1), arena.lastFailure);
    };
    expect(arena.freePages(at(2), 3)).toBe('freed');
    expect(seen).toEqual(['dropped', 'EAGAIN', 'freed', null]);
    expect(arena.allocPages(at(2), 4)).toBe(at(2));
  });

  test.each(['three-state', '7.3'] as const)(
    'of release %s gives its slots out again only when it is over, or before its flush',
    (release) => {
      const { arena, at, between } = made(1, release);
      arena.allocPages(null, 1);
      const seen: [ArenaPoint, bigint | null, string | undefined][] = [];
      between.at = (point) => {
        const got = arena.allocPages(null, 1);
        seen.push([point, got, arena.lastFailure?.code]);
        if (got !== null) delete between.at;
      };
      arena.freePages(at(0), 1);
      expect(seen).toEqual(
        release === '7.3'
          ? [['flush', at(0), undefined]]
          : [
              ['flush', null, 'ENOMEM'],
              ['zap', null, 'ENOMEM'],
              ['release', null, 'ENOMEM'],
            ],
      );
      delete between.at;
      if (release === 'three-state') expect(arena.allocPages(null, 1)).toBe(at(0));
    },
  );

  test('whose sink throws ends at the next run of the worker', () => {
    const made8 = made(8);
    const { arena, at, throwing } = made8;
    const before = freeFrames(made8);
    arena.allocPages(null, 8);
    throwing.is = true;
    expect(() => arena.freePages(at(2), 3)).toThrow('no IPI');
    expect(arena.load(at(2), 4)).toBe(0n);
    expect(arena.pendingSpans).toBe(1);
    expect(before - freeFrames(made8)).toBe(8);
    // Its slots are not given out.
    expect(arena.allocPages(at(2), 1)).toBeNull();
    expect(arena.lastFailure?.code).toBe('EAGAIN');
    expect(() => arena.runWorker()).toThrow('no IPI');
    expect(arena.pendingSpans).toBe(1);
    throwing.is = false;
    arena.runWorker();
    expect(arena.pendingSpans).toBe(0);
    expect(before - freeFrames(made8)).toBe(5);
    expect(arena.allocPages(at(2), 3)).toBe(at(2));
  });

  test('that is interrupted after its pages are free does not free them again', () => {
    const made8 = made(8);
    const { arena, at, between } = made8;
    const before = freeFrames(made8);
    arena.allocPages(null, 8);
    between.at = (point) => {
      if (point === 'release') throw new Error('interrupted');
    };
    expect(() => arena.freePages(at(2), 3)).toThrow('interrupted');
    expect(before - freeFrames(made8)).toBe(5);
    delete between.at;
    // Somebody else has the frames now.
    const others = made8.ram.allocateMany(3);
    arena.runWorker();
    expect(arena.pendingSpans).toBe(0);
    expect(others.every((pfn) => made8.ram.isAllocated(pfn))).toBe(true);
    expect(arena.allocPages(at(2), 3)).toBe(at(2));
  });

  test('up to 7.0 whose sink throws keeps the pages that are still mapped', () => {
    const made8 = made(8, '6.14');
    const { arena, at, throwing } = made8;
    arena.allocPages(null, 8);
    arena.store(at(2), 4, 9n);
    throwing.is = true;
    expect(() => arena.freePages(at(2), 3)).toThrow('no IPI');
    expect(arena.load(at(2), 4)).toBe(9n);
    throwing.is = false;
    expect(arena.allocPages(null, 1)).toBeNull();
    expect(arena.freePages(at(2), 3)).toBe('freed');
    expect(arena.allocPages(null, 3)).toBe(at(2));
  });

  test('from within a flush is refused', () => {
    let inside: () => unknown = () => undefined;
    const { arena } = arenaOn(
      'x86-64',
      { maxEntries: 4, mapExtra: START },
      { pages: 16, sink: { flush: () => void inside() } },
    );
    arena.allocPages(null, 4);
    const codes: unknown[] = [];
    inside = () => {
      inside = () => undefined;
      codes.push(
        codeOf(() => arena.allocPages(null, 1)),
        codeOf(() => arena.freePages(START + PAGE, 1)),
        codeOf(() => arena.reservePages(START, 1)),
        codeOf(() => arena.runWorker()),
        codeOf(() => arena.destroy()),
      );
    };
    expect(arena.freePages(START, 1)).toBe('freed');
    expect(codes).toEqual(Array(5).fill('EBUSY'));
  });
});

describe('a deferred free', () => {
  test('waits for the worker: the pages can be read, their slots are taken', () => {
    const made8 = made(8);
    const { arena, at } = made8;
    const before = freeFrames(made8);
    arena.allocPages(null, 8);
    arena.store(at(3), 4, 5n);
    expect(arena.freePages(at(3), 2, { sleepable: false })).toBe('deferred');
    expect(arena.load(at(3), 4)).toBe(5n);
    expect(arena.allocPages(null, 1)).toBeNull();
    expect(arena.runWorker()).toBe(1);
    expect(arena.load(at(3), 4)).toBe(0n);
    expect(before - freeFrames(made8)).toBe(6);
    expect(arena.allocPages(null, 2)).toBe(at(3));
    expect(arena.runWorker()).toBe(0);
  });

  test.each(['lock', 'node'] as const)('is what a free becomes that does not get: %s', (kind) => {
    const { arena, at, fails } = made(8);
    arena.allocPages(null, 8);
    fails.add(kind);
    expect(arena.freePages(at(0), 1)).toBe('deferred');
    fails.delete(kind);
    expect(arena.runWorker()).toBe(1);
    expect(arena.allocPages(null, 1)).toBe(at(0));
  });

  test('without memory for its record is dropped, and can be repeated', () => {
    const { arena, at, fails } = made(8);
    arena.allocPages(null, 8);
    fails.add('span');
    expect(arena.freePages(at(0), 1, { sleepable: false })).toBe('dropped');
    expect(arena.lastFailure?.code).toBe('EAGAIN');
    fails.delete('span');
    expect(arena.freePages(at(0), 1)).toBe('freed');
  });

  test('keeps its slots when the lock is not obtained for the last step', () => {
    const { arena, at, fails, between, ...rest } = made(8);
    const before = rest.ram.stats().free;
    arena.allocPages(null, 8);
    between.at = (point) => {
      if (point === 'release') fails.add('lock');
    };
    expect(arena.freePages(at(0), 2)).toBe('deferred');
    expect(before - rest.ram.stats().free).toBe(6);
    expect(arena.runWorker()).toBe(0);
    expect(arena.lastFailure?.code).toBe('EAGAIN');
    fails.delete('lock');
    delete between.at;
    expect(arena.allocPages(at(0), 1)).toBeNull();
    expect(arena.runWorker()).toBe(1);
    expect(arena.allocPages(at(0), 2)).toBe(at(0));
  });

  test('that the worker cannot release is left to its next run', () => {
    const { arena, at, fails, between } = made(8);
    arena.allocPages(null, 8);
    for (const page of [1, 4]) arena.freePages(at(page), 1, { sleepable: false });
    between.at = (point) => {
      if (point === 'release') fails.add('lock');
    };
    expect(arena.runWorker()).toBe(2);
    expect(arena.pendingSpans).toBe(2);
    expect(arena.load(at(1), 4)).toBe(0n);
    fails.delete('lock');
    delete between.at;
    expect(arena.runWorker()).toBe(2);
    expect(arena.pendingSpans).toBe(0);
  });

  test.each(['three-state', '7.3'] as const)('of release %s is taken up newest first', (release) => {
    const { arena, at } = made(16, release);
    arena.allocPages(null, 16);
    for (const page of [1, 5, 9]) arena.freePages(at(page), 1, { sleepable: false });
    expect(arena.runWorker()).toBe(3);
    // The range of page 1 was inserted last, so it is the first to be given out.
    expect([1, 2, 3].map(() => arena.allocPages(null, 1))).toEqual([at(1), at(5), at(9)]);
  });

  test('of a span that another free has taken is dropped', () => {
    const { arena, at, between } = made(8);
    arena.allocPages(null, 8);
    arena.freePages(at(2), 1, { sleepable: false });
    between.at = (point) => {
      if (point !== 'flush') return;
      delete between.at;
      expect(arena.runWorker()).toBe(1);
      expect(arena.lastFailure?.code).toBe('EAGAIN');
    };
    expect(arena.freePages(at(1), 4)).toBe('freed');
    expect(arena.allocPages(null, 4)).toBe(at(1));
  });
});

describe('the end of an arena', () => {
  test('gives back its pages, its window and its scratch page, and finishes what waits', () => {
    const made8 = made(8);
    const { arena, at, kernel, fails } = made8;
    const before = freeFrames(made8);
    arena.allocPages(null, 8);
    arena.freePages(at(3), 2, { sleepable: false });
    fails.add('lock').add('span').add('node');
    arena.destroy();
    // The scratch page, too.
    expect(freeFrames(made8)).toBe(before + 1);
    expect(kernel.vmallocinfo()).toBe('');
    expect(arena.isLive).toBe(false);
    for (const call of [
      () => arena.allocPages(null, 1),
      () => arena.freePages(at(0), 1),
      () => arena.load(at(0), 4),
      () => arena.view(),
      () => arena.destroy(),
      () => arena.runWorker(),
    ])
      expect(codeOf(call)).toBe('EINVAL');
  });
});
