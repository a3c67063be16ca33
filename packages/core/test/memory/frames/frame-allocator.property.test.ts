import { refusal } from '@vmarea/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { attachFrames } from '../../../src/memory/frames/attach-frames.js';
import { FrameAllocator } from '../../../src/memory/frames/frame-allocator.js';
import { Word } from '../../../src/memory/frames/frame-layout.js';
import { snapshot } from '../support.js';

const setups = fc
  .record({
    pageShift: fc.constantFrom(12, 14, 16),
    first: fc.oneof(
      fc.integer({ min: 0, max: 600 }),
      fc.constantFrom(2 ** 31 - 7, 2 ** 32 + 5, 2 ** 36 - 150),
    ),
    frames: fc.integer({ min: 1, max: 150 }),
    holes: fc.array(fc.tuple(fc.nat(149), fc.integer({ min: 1, max: 9 })), { maxLength: 4 }),
    scatter: fc.option(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { nil: undefined }),
  })
  .map(({ holes, scatter, ...o }) => ({
    ...o,
    ...(scatter === undefined ? {} : { scatter }),
    reserved: holes
      .map(([at, length]) => ({ pfn: o.first + (at % o.frames), frames: length }))
      .map(({ pfn, frames }) => ({ pfn, frames: Math.min(frames, o.first + o.frames - pfn) })),
  }));

const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constant('allocate' as const), order: fc.integer({ min: 0, max: 5 }) }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('free' as const), which: fc.nat() }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('allocateMany' as const), count: fc.nat(40) }) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('freeMany' as const), every: fc.integer({ min: 1, max: 4 }) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('refuse' as const), pfn: fc.nat(160), order: fc.nat(4) }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('attach' as const) }) },
  ),
  { maxLength: 60 },
);

/** The plain model: a set of free frames, and the blocks that are given out. */
class Model {
  readonly free = new Set<number>();
  readonly blocks = new Map<number, number>();

  constructor(
    first: number,
    readonly total: number,
    reserved: readonly { pfn: number; frames: number }[],
  ) {
    for (let pfn = first; pfn < first + total; pfn++) this.free.add(pfn);
    for (const { pfn, frames } of reserved) for (let i = 0; i < frames; i++) this.free.delete(pfn + i);
    this.reserved = total - this.free.size;
  }

  readonly reserved: number;

  isFree(pfn: number, order: number): boolean {
    for (let i = 0; i < 2 ** order; i++) if (!this.free.has(pfn + i)) return false;
    return true;
  }

  /** The largest aligned blocks that the free frames make, as [pfn, order], ascending. */
  freeBlocks(): [number, number][] {
    const blocks: [number, number][] = [];
    let end = 0;
    for (const pfn of [...this.free].sort((a, b) => a - b)) {
      if (pfn < end) continue;
      let order = 0;
      while (order < 18 && pfn % 2 ** (order + 1) === 0 && this.isFree(pfn, order + 1)) order++;
      blocks.push([pfn, order]);
      end = pfn + 2 ** order;
    }
    return blocks;
  }

  /**
   * What scattering must choose when it draws a frame: its block, else the next one, from the end back to the
   * start.
   */
  scattered(order: number, drawn: number): number {
    const blocks = this.freeBlocks().filter(([, k]) => k >= order);
    const holding = blocks.find(([pfn, k]) => pfn <= drawn && drawn < pfn + 2 ** k);
    if (holding !== undefined) return drawn - (drawn % 2 ** order);
    return (blocks.find(([pfn]) => pfn > drawn) ?? blocks[0])?.[0] ?? -1;
  }

  /** What lowest-first must choose. */
  lowest(order: number): number {
    const holding = this.freeBlocks().find(([, k]) => k >= order);
    return holding?.[0] ?? -1;
  }

  take(pfn: number, order: number): void {
    expect(pfn % 2 ** order).toBe(0);
    expect(this.isFree(pfn, order)).toBe(true);
    for (let i = 0; i < 2 ** order; i++) this.free.delete(pfn + i);
    this.blocks.set(pfn, order);
  }

  give(pfn: number): number {
    const order = this.blocks.get(pfn) as number;
    for (let i = 0; i < 2 ** order; i++) this.free.add(pfn + i);
    this.blocks.delete(pfn);
    return order;
  }

  stats(): object {
    const orders = this.freeBlocks().map(([, order]) => order);
    const largestOrder = Math.max(-1, ...orders);
    const free = this.free.size;
    return {
      total: this.total,
      free,
      reserved: this.reserved,
      allocated: [...this.blocks.values()].reduce((sum, order) => sum + 2 ** order, 0),
      freeBlocks: Array.from({ length: 19 }, (_, k) => orders.filter((order) => order === k).length),
      largestOrder,
      fragmentation: free === 0 ? 0 : 1 - 2 ** largestOrder / free,
    };
  }
}

/** The frame that the next scattered allocation draws: splitmix32, written a second time. */
function draw({ state, first, frames }: FrameAllocator): number {
  let z = BigInt((new Uint32Array(state)[Word.random] as number) + 0x9e37_79b9) & 0xffff_ffffn;
  z = ((z ^ (z >> 16n)) * 0x85eb_ca6bn) & 0xffff_ffffn;
  z = ((z ^ (z >> 13n)) * 0xc2b2_ae35n) & 0xffff_ffffn;
  z ^= z >> 16n;
  return first + Number((z * BigInt(frames)) >> 32n);
}

/** The state without the word in which scattering counts. */
function withoutRandom(frames: FrameAllocator): Uint8Array {
  const copy = snapshot(frames.state);
  new Int32Array(copy.buffer)[Word.random] = 0;
  return copy;
}

test('the allocator does what a plain set of free frames does', () => {
  fc.assert(
    fc.property(setups, steps, (setup, list) => {
      let frames = new FrameAllocator(null, setup);
      const initial = withoutRandom(frames);
      const initialStats = frames.stats();
      const model = new Model(setup.first, setup.frames, setup.reserved);
      const choice = (order: number): number =>
        'scatter' in setup ? model.scattered(order, draw(frames)) : model.lowest(order);
      expect(initialStats).toEqual(model.stats());
      for (const step of list) {
        if (step.do === 'allocate') {
          const expected = choice(step.order);
          const pfn = frames.tryAllocate(step.order);
          expect(pfn).toBe(expected);
          if (pfn >= 0) model.take(pfn, step.order);
        } else if (step.do === 'allocateMany') {
          if (step.count > model.free.size) {
            expectRefused(frames, () => frames.allocateMany(step.count), 'ENOMEM');
          } else {
            const one = attachFrames(snapshot(frames.state).buffer);
            for (const pfn of frames.allocateMany(step.count)) {
              expect(pfn).toBe(one.allocate());
              model.take(pfn, 0);
            }
            expect(Buffer.compare(snapshot(frames.state), snapshot(one.state))).toBe(0);
          }
        } else if (step.do === 'free' && model.blocks.size > 0) {
          const pfn = [...model.blocks.keys()][step.which % model.blocks.size] as number;
          frames.free(pfn, model.give(pfn));
        } else if (step.do === 'freeMany') {
          const singles = [...model.blocks].filter(([, order]) => order === 0).map(([pfn]) => pfn);
          const some = singles.filter((_, i) => i % step.every === 0);
          if (some.length > 0)
            expectRefused(frames, () => frames.freeMany([...some, some[0] as number]), 'EINVAL');
          frames.freeMany(some);
          for (const pfn of some) model.give(pfn);
        } else if (step.do === 'refuse') {
          const pfn = setup.first + step.pfn - 5;
          if (model.blocks.get(pfn) !== step.order) {
            const foreign = pfn < setup.first || pfn >= setup.first + setup.frames;
            const code = foreign && pfn >= 0 ? 'ERANGE' : 'EINVAL';
            expectRefused(frames, () => frames.free(pfn, step.order), code);
          }
        } else if (step.do === 'attach') {
          frames = attachFrames(frames.state);
        }
        expect(frames.stats()).toEqual(model.stats());
      }
      for (const pfn of model.blocks.keys()) frames.free(pfn, model.give(pfn));
      expect(frames.stats()).toEqual(initialStats);
      expect(withoutRandom(frames)).toEqual(initial);
    }),
    { numRuns: 150 },
  );
});

function expectRefused(frames: FrameAllocator, call: () => unknown, code: string): void {
  const before = snapshot(frames.state);
  expect(refusal(call).code).toBe(code);
  expect(Buffer.compare(snapshot(frames.state), before)).toBe(0);
}

test('an allocator that is attached midway continues as the first one would', () => {
  fc.assert(
    fc.property(setups, steps, fc.nat(60), (setup, list, midway) => {
      const alone = new FrameAllocator(null, setup);
      let frames = new FrameAllocator(null, { ...setup, shared: true });
      const out: number[][] = [[], []];
      list.forEach((step, i) => {
        if (i === midway) frames = attachFrames(frames.state);
        [alone, frames].forEach((allocator, which) => {
          const mine = out[which] as number[];
          if (step.do === 'allocate') mine.push(allocator.tryAllocate(0));
          else if (step.do === 'free' && (mine.at(-1) ?? -1) >= 0) allocator.free(mine.pop() as number);
        });
      });
      expect(out[1]).toEqual(out[0]);
      expect(Buffer.compare(snapshot(frames.state), snapshot(alone.state))).toBe(0);
    }),
    { numRuns: 60 },
  );
});
