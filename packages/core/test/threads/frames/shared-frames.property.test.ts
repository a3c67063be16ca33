import { codeOf } from '@vmarea/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { auditFrames } from '../../../src/memory/frames/shared/audit-frames.js';
import { recoverFrames } from '../../../src/memory/frames/shared/recover-frames.js';
import { membersOf } from './support.js';

const THREADS = 3;

const setups = fc.record({
  first: fc.oneof(fc.integer({ min: 0, max: 600 }), fc.constantFrom(2 ** 32 + 5, 2 ** 36 - 400)),
  frames: fc.integer({ min: 1, max: 300 }),
  holes: fc.array(fc.tuple(fc.nat(299), fc.integer({ min: 1, max: 9 })), { maxLength: 3 }),
  // Without caches.
  scatter: fc.oneof(
    { weight: 4, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 2 ** 32 - 1 }) },
  ),
});

const thread = fc.nat(THREADS - 1);
const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('take' as const),
        thread,
        order: fc.constantFrom(0, 0, 0, 1, 2, 5),
      }),
    },
    { weight: 5, arbitrary: fc.record({ do: fc.constant('free' as const), thread, which: fc.nat() }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('takeMany' as const), thread, count: fc.nat(80) }) },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('freeMany' as const),
        thread,
        every: fc.integer({ min: 1, max: 5 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('refuse' as const), thread, at: fc.nat(320), order: fc.nat(3) }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('recover' as const), thread }) },
  ),
  { maxLength: 60, size: 'max' },
);

/** The frames that are free, and the blocks that are given out. */
class Model {
  readonly free = new Set<number>();
  readonly blocks = new Map<number, number>();

  isFree(pfn: number, order: number): boolean {
    for (let i = 0; i < 2 ** order; i++) if (!this.free.has(pfn + i)) return false;
    return true;
  }

  hasBlock(order: number): boolean {
    for (const pfn of this.free) if (pfn % 2 ** order === 0 && this.isFree(pfn, order)) return true;
    return false;
  }

  take(pfn: number, order: number): void {
    expect(pfn % 2 ** order).toBe(0);
    expect(this.isFree(pfn, order), `frame ${pfn} of order ${order}`).toBe(true);
    for (let i = 0; i < 2 ** order; i++) this.free.delete(pfn + i);
    this.blocks.set(pfn, order);
  }

  give(pfn: number): number {
    const order = this.blocks.get(pfn) as number;
    for (let i = 0; i < 2 ** order; i++) this.free.add(pfn + i);
    this.blocks.delete(pfn);
    return order;
  }
}

test('several threads that take turns do what a plain set of free frames does', () => {
  fc.assert(
    fc.property(setups, steps, ({ holes, scatter, ...o }, list) => {
      const reserved = holes
        .map(([at, length]) => ({ pfn: o.first + (at % o.frames), length }))
        .map(({ pfn, length }) => ({ pfn, frames: Math.min(length, o.first + o.frames - pfn) }));
      const members = membersOf({ ...o, reserved, ...(scatter === undefined ? {} : { scatter }) }, THREADS);
      const model = new Model();
      for (let pfn = o.first; pfn < o.first + o.frames; pfn++) model.free.add(pfn);
      for (const { pfn, frames } of reserved) for (let i = 0; i < frames; i++) model.free.delete(pfn + i);
      const [any] = members.map(({ frames }) => frames);
      const initial = any?.stats();
      for (const step of list) {
        const frames = (members[step.thread] as (typeof members)[number]).frames;
        if (step.do === 'take') {
          const expected = model.hasBlock(step.order);
          const pfn = frames.tryAllocate(step.order);
          expect(pfn >= 0, `a block of order ${step.order}`).toBe(expected);
          if (pfn >= 0) model.take(pfn, step.order);
        } else if (step.do === 'takeMany') {
          const pfns = frames.tryAllocateMany(step.count);
          expect(pfns !== null).toBe(step.count <= model.free.size);
          for (const pfn of pfns ?? []) model.take(pfn, 0);
        } else if (step.do === 'free' && model.blocks.size > 0) {
          const pfn = [...model.blocks.keys()][step.which % model.blocks.size] as number;
          frames.free(pfn, model.give(pfn));
          expect(codeOf(() => frames.free(pfn, 0))).toBe('EINVAL');
        } else if (step.do === 'freeMany') {
          const singles = [...model.blocks].filter(([, order]) => order === 0).map(([pfn]) => pfn);
          const some = singles.filter((_, i) => i % step.every === 0);
          const one = some[0];
          if (one !== undefined) expect(codeOf(() => frames.freeMany([...some, one]))).toBe('EINVAL');
          frames.freeMany(some);
          for (const pfn of some) model.give(pfn);
        } else if (step.do === 'refuse') {
          const pfn = o.first + step.at - 5;
          if (model.blocks.get(pfn) !== step.order) {
            const isForeign = pfn >= 0 && (pfn < o.first || pfn >= o.first + o.frames);
            expect(codeOf(() => frames.free(pfn, step.order))).toBe(isForeign ? 'ERANGE' : 'EINVAL');
          }
          for (const member of members)
            expect(member.frames.isAllocated(pfn, step.order)).toBe(model.blocks.get(pfn) === step.order);
        } else if (step.do === 'recover') {
          expect(recoverFrames(frames)).toMatchObject({ givenBack: [], held: [] });
        }
        expect(frames.stats().free).toBe(model.free.size);
        expect(auditFrames(frames)).toEqual([]);
      }
      for (const pfn of [...model.blocks.keys()]) any?.free(pfn, model.give(pfn));
      recoverFrames((members[1] as (typeof members)[number]).frames);
      expect(any?.stats()).toEqual(initial);
    }),
    { numRuns: 80 },
  );
});
