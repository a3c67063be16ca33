import type { AllocationKind } from '@vmarea/arena';
import { describe, expect, test, vi } from 'vitest';
import { account } from './account.js';
import { Died, interruptedAt, nextStep } from './interrupted.js';
import { PAGE, pairOf, quiesceAll, type Side, START } from './pair.js';

/** A batch has two pages, so that a small request may fail in its second one. */
vi.mock('../../../packages/arena/src/kernel/geometry.js', async (importOriginal) => {
  const real = await importOriginal<typeof import('../../../packages/arena/src/kernel/geometry.js')>();
  return { ...real, geometryOf: (shift: number) => ({ ...real.geometryOf(shift), batchPages: 2 }) };
});

/** The page of a request's second batch fails. */
function secondBatch(): (kind: AllocationKind) => boolean {
  let batches = 0;
  return (kind) => kind === 'page' && batches++ % 2 === 1;
}

function allocateThree({ arena }: Side, sleepable: boolean): void {
  arena.allocPages(null, 3, undefined, undefined, { sleepable });
}

function die(): never {
  throw new Died();
}

describe('a thread that dies at any step while it', () => {
  test.each([
    ['three-state', true],
    ['three-state', false],
    ['7.3', true],
    ['7.3', false],
  ] as const)(
    'undoes an allocation whose second batch has failed leaves no page allocated: %s, may sleep: %s',
    (release, sleepable) => {
      let steps = 0;
      for (let at = 0; ; at = nextStep(at, 56)) {
        const { one, two, bury } = pairOf({ release }, { allocFailure: secondBatch() });
        const isInside = interruptedAt(at, die, () => allocateThree(two, sleepable));
        if (!isInside) break;
        steps++;
        bury();
        one.arena.runWorker();
        quiesceAll(one);
        expect(one.arena.memUsage(), `step ${at}`).toBe(0n);
        expect(one.arena.allocPages(null, 4), `step ${at}`).toBe(START);
        if (release === 'three-state') account(one);
      }
      expect(steps).toBeGreaterThan(20);
    },
  );
});

describe('a request whose second batch fails', () => {
  // Of a request of all slots, the first record of a range is for the slots without pages, the second one for the free.
  test.each([
    [1, true],
    [1, false],
    [2, true],
    [2, false],
  ])('loses nothing where no record can be had: number %i, may sleep: %s', (refused, sleepable) => {
    const fails = secondBatch();
    let nodes = 0;
    const { one, two } = pairOf(
      {},
      { allocFailure: (kind) => kind === 'span' || (kind === 'node' && ++nodes === refused) || fails(kind) },
    );
    expect(two.arena.allocPages(null, 4, undefined, undefined, { sleepable })).toBeNull();
    expect(two.arena.lastFailure?.code).toBe('EAGAIN');
    if (refused === 2 || !sleepable) {
      expect(one.arena.memUsage()).toBe(2n * PAGE);
      // Nobody else gets the slots meanwhile.
      expect(one.arena.freePages(START, 1)).toBe('dropped');
      expect(one.arena.allocPages(START, 1)).toBeNull();
    }
    two.arena.runWorker();
    quiesceAll(one, two);
    expect(one.arena.memUsage()).toBe(0n);
    account(one);
    expect(one.arena.allocPages(null, 4)).toBe(START);
  });
});
