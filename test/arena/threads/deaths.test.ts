import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { account } from './account.js';
import { Died, interruptedAt, nextStep } from './interrupted.js';
import { PAGE, type Pair, pairOf, quiesceAll, START } from './pair.js';

/** Where anonymous pages of a process are. */
const PRIVATE = 0x10_0000_0000n;

/** What the second thread does when it dies. The first one has made `before`. */
const CALLS: readonly (readonly [string, (pair: Pair) => void, (pair: Pair) => unknown])[] = [
  ['allocates a page', () => {}, ({ two }) => two.arena.allocPages(null, 1)],
  ['allocates three pages', () => {}, ({ two }) => two.arena.allocPages(null, 3)],
  ['allocates at a hint', () => {}, ({ two }) => two.arena.allocPages(START + PAGE, 2)],
  ['frees a page', ({ one }) => one.arena.allocPages(null, 1), ({ two }) => two.arena.freePages(START, 1)],
  [
    'frees a page that a process maps',
    ({ one }) => {
      one.arena.allocPages(null, 1);
      one.user.store32(0, 0, 7);
    },
    ({ two }) => two.arena.freePages(START, 1),
  ],
  [
    'frees three pages, one of which a process maps, and a hole',
    ({ one }) => {
      one.arena.allocPages(START, 1);
      one.arena.allocPages(START + 2n * PAGE, 1);
      one.user.store32(0, 0, 7);
    },
    ({ two }) => two.arena.freePages(START, 3),
  ],
  [
    'runs the worker',
    ({ one }) => {
      one.arena.allocPages(null, 3);
      one.arena.freePages(START, 1, { sleepable: false });
      one.arena.freePages(START + PAGE, 2, { sleepable: false });
    },
    ({ two }) => two.arena.runWorker(),
  ],
  ['reserves pages', () => {}, ({ two }) => two.arena.reservePages(START, 2)],
  ['makes a page by a fault', () => {}, ({ two }) => two.process.handleFault(START, 'write')],
  [
    'faults at a page that is there',
    ({ one }) => one.arena.allocPages(null, 1),
    ({ two }) => two.process.handleFault(START, 'write'),
  ],
  [
    'faults at a page that is reserved',
    ({ one }) => one.arena.reservePages(START, 1),
    ({ two }) => two.process.handleFault(START, 'write'),
  ],
  [
    'allocates where kernel code has used a pointer to nothing',
    ({ one }) => one.arena.handleKernelFault(one.arena.kernVmStart, false),
    ({ two }) => two.arena.allocPages(START, 1),
  ],
];

/** Everything can be freed and used again. */
function useAgain({ one }: Pair): void {
  expect(one.arena.freePages(START, 4)).toBe('freed');
  one.arena.runWorker();
  quiesceAll(one);
  account(one);
  expect(one.arena.memUsage()).toBe(0n);
  expect(one.arena.allocPages(null, 4)).toBe(START);
  for (let slot = 0; slot < 4; slot++) {
    expect(one.program.loadSigned32(Number(PAGE) * slot)).toBe(0);
    one.user.store32(Number(PAGE) * slot, 0, slot);
  }
  account(one);
}

function die(): never {
  throw new Died();
}

/** After a recovery, all is as counted, and of use. */
function expectWhole(pair: Pair, step: number): void {
  quiesceAll(pair.one);
  try {
    account(pair.one);
    useAgain(pair);
  } catch (error) {
    throw new Error(`step ${step}`, { cause: error });
  }
}

describe('a thread that dies at any step while it', () => {
  test.each(CALLS)('%s leaves an arena that a recovery makes whole', (_name, before, call) => {
    let steps = 0;
    for (let at = 0; ; at = nextStep(at)) {
      const pair = pairOf();
      before(pair);
      const isInside = interruptedAt(at, die, () => void call(pair));
      if (!isInside) break;
      steps++;
      pair.bury();
      expectWhole(pair, at);
    }
    expect(steps).toBeGreaterThan(1);
  });

  test.each([
    ['unmaps anonymous pages', false, ({ two }: Pair) => two.process.munmap(PRIVATE, 2n * PAGE)],
    ['destroys a process with anonymous pages', false, ({ two }: Pair) => two.process.destroy()],
    [
      'unmaps anonymous pages while others make processes',
      true,
      ({ two }: Pair) => two.process.munmap(PRIVATE, 2n * PAGE),
    ],
    [
      'ends a process of its own',
      false,
      ({ two }: Pair) => {
        const own = two.process.fork();
        own.handleFault(PRIVATE, 'write');
        own.destroy();
      },
    ],
  ])('%s loses no frame', (_name, seesLate, call) => {
    let steps = 0;
    for (let at = 0; ; at = nextStep(at, 200)) {
      const pair = pairOf();
      const { one } = pair;
      one.process.mmap({ address: PRIVATE, length: 2n * PAGE, read: true, write: true, fixed: 'replace' });
      for (const page of [0n, 1n])
        expect(one.process.handleFault(PRIVATE + page * PAGE, 'write')).toBe('mapped');
      if (!interruptedAt(at, die, () => void call(pair))) break;
      steps++;
      pair.bury(seesLate);
      const isLive = codeOf(() => one.process.findRegion(START)) === 'none';
      if (isLive) one.process.munmap(PRIVATE, 2n * PAGE);
      if (isLive) one.process.munmap(START, 4n * PAGE);
      quiesceAll(one);
      try {
        account({ ...one, processes: isLive ? [one.process] : [] });
        // The next process may get the asid of one whose thread died when it had taken it out of the list.
        const next = one.makeProcess();
        next.mmap({ address: PRIVATE, length: PAGE, read: true, write: true, fixed: 'replace' });
        expect(next.handleFault(PRIVATE, 'write')).toBe('mapped');
        next.destroy();
      } catch (error) {
        throw new Error(`step ${at}`, { cause: error });
      }
    }
    expect(steps).toBeGreaterThan(10);
  });

  test('makes slots available that wait for the worker leaves an arena that a recovery makes whole', () => {
    for (let at = 0; ; at = nextStep(at)) {
      let locks = Number.NEGATIVE_INFINITY;
      const pair = pairOf({ allocFailure: (kind) => kind === 'lock' && ++locks === 2 });
      pair.one.arena.allocPages(null, 1);
      // The second time that a free takes the lock, it does not get it.
      locks = 0;
      expect(pair.one.arena.freePages(START, 1)).toBe('deferred');
      const isInside = interruptedAt(at, die, () => void pair.two.arena.runWorker());
      if (!isInside) break;
      pair.bury();
      pair.one.arena.runWorker();
      expectWhole(pair, at);
    }
  });

  test.each([
    ['maps the arena into a process', ({ one }: Pair) => one.process.munmap(START, 4n * PAGE)],
    ['takes the arena out of a process', () => {}],
    ['destroys a process that maps the arena', () => {}],
  ])('%s leaves an arena that can be destroyed once no process maps it', (name, before) => {
    let steps = 0;
    for (let at = 0; ; at = nextStep(at, 48)) {
      const pair = pairOf();
      before(pair);
      const { one, two } = pair;
      const isInside = interruptedAt(at, die, () => {
        if (name.startsWith('maps')) two.arena.mmap(two.process);
        else if (name.startsWith('takes')) two.process.munmap(START, 4n * PAGE);
        else two.process.destroy();
      });
      if (!isInside) break;
      steps++;
      pair.bury();
      quiesceAll(one);
      const isLive = codeOf(() => one.process.findRegion(START)) === 'none';
      if (isLive) account(one);
      const isMapped = isLive && one.process.findRegion(START) !== null;
      expect(
        codeOf(() => one.arena.destroy()),
        `step ${at}`,
      ).toBe(isMapped ? 'EBUSY' : 'none');
      if (!isMapped) continue;
      one.process.munmap(START, 4n * PAGE);
      one.arena.destroy();
    }
    expect(steps).toBeGreaterThan(10);
  });

  test('frees a page is told of by the worker, which loses nothing of other spans', () => {
    const told: unknown[] = [];
    for (let at = 0; ; at = nextStep(at)) {
      const pair = pairOf();
      const { one, two } = pair;
      one.arena.allocPages(null, 3);
      for (const page of [START, START + PAGE]) one.arena.freePages(page, 1, { sleepable: false });
      const isInside = interruptedAt(at, die, () => void two.arena.freePages(START, 1));
      if (!isInside) break;
      one.threads.declareDead(two.threads.id);
      told.push(codeOf(() => one.arena.runWorker()));
      pair.bury();
      one.arena.runWorker();
      expectWhole(pair, at);
    }
    expect(new Set(told)).toEqual(new Set(['none', 'EOWNERDEAD']));
  });

  test.each(['6.12', '6.14'] as const)(
    'frees pages under the mutex of %s leaves an arena that a recovery makes whole',
    (release) => {
      for (let at = 0; ; at = nextStep(at)) {
        const pair = pairOf({ release });
        pair.one.arena.allocPages(null, 2);
        pair.one.user.store32(0, 0, 7);
        const isInside = interruptedAt(at, die, () => void pair.two.arena.freePages(START, 2));
        if (!isInside) break;
        pair.bury();
        quiesceAll(pair.one);
        account(pair.one);
        expect(pair.one.arena.freePages(START, 4)).toBe('freed');
        expect(pair.one.arena.allocPages(null, 4)).toBe(START);
      }
    },
  );
});
