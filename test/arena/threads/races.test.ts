import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { account } from './account.js';
import { interruptedAt, nextStep } from './interrupted.js';
import { PAGE, type Pair, pairOf, quiesceAll, type Side, START } from './pair.js';

const LOW = Number(PAGE);

/** What a call of the second thread may throw: the lock is taken, and nobody may wait here. */
const LOST = ['none', 'EAGAIN'];

/** Runs one call of the first thread, and at each step of it a call of the second one. */
function atEachStep(
  make: () => Pair,
  before: (pair: Pair) => void,
  first: (one: Side) => void,
  second: (two: Side, pair: Pair, step: number) => void,
  after: (pair: Pair, step: number) => void,
): void {
  for (let at = 0; ; at = nextStep(at)) {
    const pair = make();
    before(pair);
    const { one, two } = pair;
    const isInside = interruptedAt(
      at,
      () => second(two, pair, at),
      () => first(one),
    );
    if (!isInside) break;
    one.arena.runWorker();
    two.arena.runWorker();
    quiesceAll(one, two);
    try {
      after(pair, at);
      account(one);
    } catch (error) {
      throw new Error(`step ${at}`, { cause: error });
    }
  }
}

describe('two threads at one arena', () => {
  test('free the only page and allocate it: nobody gets a page that is still mapped elsewhere', () => {
    let found: bigint | null = null;
    let won = 0;
    atEachStep(
      () => pairOf({ maxEntries: 1 }),
      ({ one }) => {
        one.arena.allocPages(null, 1);
        one.program.store32(0, 0, 7);
        one.user.store32(4, 0, 8);
      },
      (one) => {
        expect(one.arena.freePages(START, 1)).toMatch(/freed|deferred/);
        // Some steps more, at which the slot is free.
        one.threads.quiesce();
      },
      (two) => {
        found = null;
        expect(LOST).toContain(
          codeOf(() => {
            found = two.arena.allocPages(null, 1);
          }),
        );
        if (found === null) return;
        won++;
        // It is the same slot, and nobody maps another page there.
        expect(found).toBe(START);
        expect(two.program.loadSigned32(0)).toBe(0);
        expect(two.process.table.translate(START)).toBeNull();
        two.program.store32(0, 0, 9);
      },
      ({ one }) => {
        if (found === null) expect(one.arena.allocPages(null, 1)).toBe(START);
        expect(one.program.loadSigned32(0)).toBe(found === null ? 0 : 9);
        expect(one.user.loadSigned32(0)).toBe(found === null ? 0 : 9);
        expect(one.user.loadSigned32(4)).toBe(0);
      },
    );
    expect(won).toBeGreaterThan(0);
  });

  test('free and allocate a page while the other one reads: it sees the old value, the new one, or nothing', () => {
    const seen = new Set<number>();
    atEachStep(
      () => pairOf({ maxEntries: 2 }),
      ({ one, two }) => {
        one.arena.allocPages(START, 1);
        one.program.store32(0, 0, 7);
        // The translation that becomes stale.
        expect(two.program.loadSigned32(0)).toBe(7);
        expect(two.user.loadSigned32(0)).toBe(7);
      },
      (one) => {
        one.arena.freePages(START, 1);
        // Another slot would get the frame, if it could be had already.
        one.arena.allocPages(START + PAGE, 1);
        one.program.store32(LOW, 0, 99);
        one.arena.allocPages(START, 1);
        one.program.store32(0, 0, 8);
      },
      (two) => {
        const value = two.program.loadSigned32(0);
        seen.add(value);
        expect([0, 7, 8]).toContain(value);
      },
      ({ one, two }) => {
        expect(two.program.loadSigned32(0)).toBe(8);
        expect(two.user.loadSigned32(0)).toBe(8);
        expect(one.program.loadSigned32(LOW)).toBe(99);
      },
    );
    expect(seen.has(7)).toBe(true);
  });

  test('free and allocate a page: the next access of the other one finds the new page', () => {
    const { one, two } = pairOf({ maxEntries: 2 });
    one.arena.allocPages(START, 1);
    one.program.store32(0, 0, 7);
    expect(two.program.loadSigned32(0)).toBe(7);
    expect(two.user.loadSigned32(0)).toBe(7);
    one.arena.freePages(START, 1);
    expect(two.program.loadSigned32(0)).toBe(0);
    one.arena.allocPages(START, 1);
    one.program.store32(0, 0, 8);
    expect(two.user.loadSigned32(0)).toBe(8);
    expect(two.program.loadSigned32(0)).toBe(8);
  });

  test('free a page while the other one still uses its translation: nobody gets the frame before it has passed a quiescent point', () => {
    const { one, two } = pairOf({ maxEntries: 2 }, {}, 24);
    one.arena.allocPages(START, 1);
    const frame = one.kernel.table.translate(one.arena.kernVmStart + (START & 0xffffffffn));
    one.arena.freePages(START, 1);
    one.threads.quiesce();
    const others = Array.from({ length: 40 }, () => one.frames.tryAllocate()).filter((pfn) => pfn >= 0);
    expect(others).not.toContain(Number((frame as bigint) / PAGE));
    for (const pfn of others) one.frames.free(pfn);
    quiesceAll(two, one);
    account(one);
  });

  test('allocate one page: one of them gets it', () => {
    let found: bigint | null = null;
    let mine: bigint | null = null;
    atEachStep(
      () => pairOf({ maxEntries: 1 }),
      () => {
        mine = null;
        found = null;
      },
      (one) => {
        mine = one.arena.allocPages(null, 1);
      },
      (two) => {
        expect(LOST).toContain(
          codeOf(() => {
            found = two.arena.allocPages(null, 1);
          }),
        );
      },
      ({ one }) => {
        expect([mine, found].filter((page) => page !== null)).toEqual([START]);
        expect(one.arena.memUsage()).toBe(PAGE);
      },
    );
  });

  test('free one slot: one of them does, and each frame goes once', () => {
    atEachStep(
      () => pairOf({ maxEntries: 2 }),
      ({ one }) => one.arena.allocPages(null, 2),
      (one) => one.arena.freePages(START, 2),
      (two) => expect(LOST).toContain(codeOf(() => two.arena.freePages(START, 1))),
      ({ one }) => {
        one.arena.freePages(START, 2);
        expect(one.arena.memUsage()).toBe(0n);
      },
    );
  });

  test.each(['a page that is there', 'no page'])(
    'fault at a slot with %s and free it: the user maps what the arena has, or nothing',
    (what) => {
      atEachStep(
        () => pairOf({ maxEntries: 2 }),
        ({ one }) => {
          if (what !== 'no page') one.arena.allocPages(START, 1);
        },
        (one) => {
          const result = one.process.handleFault(START, 'write');
          expect(['mapped', 'retry']).toContain(result);
        },
        (two) => expect(LOST).toContain(codeOf(() => two.arena.freePages(START, 1))),
        ({ one }) => {
          const user = one.process.table.translate(START);
          const window = one.kernel.table.translate(one.arena.kernVmStart + (START & 0xffffffffn));
          if (user !== null) expect(user).toBe(window);
        },
      );
    },
  );

  test('free a page and fault at it: the user maps what the arena has, or nothing', () => {
    atEachStep(
      () => pairOf({ maxEntries: 2 }),
      ({ one }) => {
        one.arena.allocPages(START, 1);
        one.user.store32(0, 0, 7);
      },
      (one) => expect(one.arena.freePages(START, 1)).toMatch(/freed|deferred/),
      (two) => expect(LOST).toContain(codeOf(() => two.process.handleFault(START, 'read'))),
      ({ one }) => {
        const user = one.process.table.translate(START);
        const window = one.kernel.table.translate(one.arena.kernVmStart + (START & 0xffffffffn));
        if (user !== null) expect(user).toBe(window);
      },
    );
  });

  test('run the worker and allocate: no slot is given out before its page is gone', () => {
    let found: bigint | null = null;
    atEachStep(
      () => pairOf({ maxEntries: 2 }),
      ({ one }) => {
        one.arena.allocPages(null, 2);
        one.user.store32(0, 0, 7);
        one.arena.freePages(START, 1, { sleepable: false });
        found = null;
      },
      (one) => one.arena.runWorker(),
      (two) => {
        expect(LOST).toContain(
          codeOf(() => {
            found = two.arena.allocPages(START, 1);
          }),
        );
        if (found === null) return;
        expect(two.process.table.translate(START)).toBeNull();
        expect(two.program.loadSigned32(0)).toBe(0);
      },
      ({ one }) => {
        if (found === null) expect(one.arena.allocPages(START, 1)).toBe(START);
        expect(one.user.loadSigned32(0)).toBe(0);
      },
    );
  });

  test('use the scratch page and allocate its slot: the program gets the page', () => {
    atEachStep(
      () => pairOf({ maxEntries: 1 }),
      () => {},
      (one) => expect(one.arena.allocPages(null, 1)).toBe(START),
      (two) => {
        const address = two.arena.kernVmStart + (START & 0xffffffffn);
        expect(two.arena.handleKernelFault(address, true)).toBe(true);
      },
      ({ one, two }) => {
        one.program.store32(0, 0, 7);
        expect(two.program.loadSigned32(0)).toBe(7);
        expect(one.arena.memUsage()).toBe(PAGE);
      },
    );
  });
});

describe('an arena of several threads', () => {
  test('is one object in each thread, and ends for all', () => {
    const { one, two } = pairOf();
    const page = one.arena.allocPages(null, 1) as bigint;
    two.arena.store(page, 4, 5n);
    expect(one.arena.load(page, 4)).toBe(5n);
    expect(two.arena.memUsage()).toBe(PAGE);
    expect(codeOf(() => one.arena.destroy())).toBe('EBUSY');
    one.process.munmap(START, 4n * PAGE);
    one.arena.destroy();
    expect(two.arena.isLive).toBe(false);
    expect(codeOf(() => two.arena.allocPages(null, 1))).toBe('EINVAL');
    expect(codeOf(() => two.arena.share())).toBe('EINVAL');
  });

  test('keeps its regions whole in every release', () => {
    const { one } = pairOf({ release: '6.14' });
    expect(codeOf(() => one.process.munmap(START + PAGE, PAGE))).toBe('EINVAL');
  });
});
