import { describe, expect, test } from 'vitest';
import { account } from './account.js';
import { Died, interruptedAt, nextStep } from './interrupted.js';
import { PAGE, type Pair, pairOf, quiesceAll, START } from './pair.js';

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

describe('a thread that dies at any step while it', () => {
  test.each(CALLS)('%s leaves an arena that a recovery makes whole', (_name, before, call) => {
    let steps = 0;
    for (let at = 0; ; at = nextStep(at)) {
      const pair = pairOf();
      before(pair);
      const isInside = interruptedAt(
        at,
        () => {
          throw new Died();
        },
        () => void call(pair),
      );
      if (!isInside) break;
      steps++;
      pair.bury();
      quiesceAll(pair.one);
      try {
        account(pair.one);
        useAgain(pair);
      } catch (error) {
        throw new Error(`step ${at}`, { cause: error });
      }
    }
    expect(steps).toBeGreaterThan(1);
  });

  test.each(['6.12', '6.14'] as const)(
    'frees pages under the mutex of %s leaves an arena that a recovery makes whole',
    (release) => {
      for (let at = 0; ; at = nextStep(at)) {
        const pair = pairOf({ release });
        pair.one.arena.allocPages(null, 2);
        pair.one.user.store32(0, 0, 7);
        const isInside = interruptedAt(
          at,
          () => {
            throw new Died();
          },
          () => void pair.two.arena.freePages(START, 2),
        );
        if (!isInside) break;
        pair.bury();
        expect(pair.one.arena.freePages(START, 4)).toBe('freed');
        expect(pair.one.arena.allocPages(null, 4)).toBe(START);
      }
    },
  );
});
