import { expect, test } from 'vitest';
import { VmError } from '../../../src/errors.js';
import type { FrameAllocator } from '../../../src/memory/frames/frame-allocator.js';
import { auditFrames } from '../../../src/memory/frames/shared/audit-frames.js';
import { recoverFrames } from '../../../src/memory/frames/shared/recover-frames.js';
import { interrupted, nextPlace } from '../interrupt.js';
import { type Member, membersOf } from './support.js';

/** Two threads in the middle of calls: the second does its call before each call of `Atomics` of the first. */
interface Pair<Ready> {
  readonly frames: number;
  readonly prepare: (one: FrameAllocator, other: FrameAllocator) => Ready;
  readonly one: (frames: FrameAllocator, ready: Ready) => unknown;
  readonly other: (frames: FrameAllocator, ready: Ready) => unknown;
  /** False: the second one finds all it needs in its cache. */
  readonly needsLock?: boolean;
  /** What both returned, or the code of their refusal. */
  readonly expected: (one: unknown, other: unknown, frames: FrameAllocator, ready: Ready) => void;
}

function everyWay<Ready>({ frames, prepare, one, other, expected, needsLock = true }: Pair<Ready>): void {
  let ways = 0;
  for (let at = 0, isReached = true; isReached; at = nextPlace(at)) {
    const [first, second] = membersOf({ first: 0, frames }, 2) as [Member, Member];
    const ready = prepare(first.frames, second.frames);
    const lock = first.group.lock(new Int32Array(first.frames.state), 14, 'the allocator');
    let [ofOne, ofOther]: unknown[] = [];
    let hasRun = false;
    const run = (): void => {
      // One that waits for the lock comes later.
      if (lock.isHeld && needsLock) return;
      hasRun = true;
      ofOther = codeOrValue(() => other(second.frames, ready));
    };
    isReached = interrupted(at, run, () => {
      ofOne = codeOrValue(() => one(first.frames, ready));
    });
    if (!hasRun) run();
    else ways++;
    expected(ofOne, ofOther, first.frames, ready);
    expect(auditFrames(first.frames)).toEqual([]);
  }
  expect(ways).toBeGreaterThan(1);
}

function codeOrValue(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    if (error instanceof VmError) return error.code;
    throw error;
  }
}

test('of two frees of a frame one is refused', () => {
  everyWay({
    frames: 100,
    prepare: (one) => one.allocate(),
    one: (frames, pfn) => frames.free(pfn),
    other: (frames, pfn) => frames.free(pfn),
    expected: (one, other, frames) => {
      expect([one, other].filter((code) => code === 'EINVAL')).toHaveLength(1);
      expect(frames.stats().free).toBe(100);
    },
  });
});

test('of a free of a frame and one of a list with it one is refused', () => {
  everyWay({
    frames: 100,
    prepare: (one) => [...one.allocateMany(5)],
    one: (frames, list) => frames.freeMany(list),
    other: (frames, list) => frames.free(list[3] as number),
    expected: (one, other, frames) => {
      expect([one, other].filter((code) => code === 'EINVAL')).toHaveLength(1);
      expect(frames.stats().free).toBe(one === 'EINVAL' ? 96 : 100);
    },
  });
});

test('two lists that share a frame are never both freed', () => {
  everyWay({
    frames: 100,
    prepare: (one) => [...one.allocateMany(9)],
    one: (frames, list) => frames.freeMany(list.slice(0, 5)),
    other: (frames, list) => frames.freeMany(list.slice(4).reverse()),
    expected: (one, other, frames) => {
      const refused = [one, other].filter((code) => code === 'EINVAL').length;
      expect(refused).toBeGreaterThan(0);
      expect(frames.stats().free).toBe(91 + 5 * (2 - refused));
    },
  });
});

test('of two frees of a block one is refused', () => {
  everyWay({
    frames: 100,
    prepare: (one) => one.allocate(3),
    one: (frames, pfn) => frames.free(pfn, 3),
    other: (frames, pfn) => frames.free(pfn, 3),
    expected: (one, other, frames) => {
      expect([one, other].filter((code) => code === 'EINVAL')).toHaveLength(1);
      expect(frames.stats().free).toBe(100);
    },
  });
});

test('two threads never get the same frame', () => {
  everyWay({
    frames: 100,
    prepare: (one) => one.free(one.allocate()),
    one: (frames) => [...frames.allocateMany(20), frames.allocate()],
    other: (frames) => [...frames.allocateMany(25), frames.allocate(2)],
    expected: (one, other) => {
      const [pfns, others] = [one as number[], other as number[]];
      const block = others[25] as number;
      const all = [...pfns, ...others, block + 1, block + 2, block + 3];
      expect(new Set(all).size).toBe(50);
    },
  });
});

test('a block joined from frames that another thread has at hand is found, and none of them is lost', () => {
  everyWay({
    frames: 64,
    prepare: (one) => {
      const all = [...one.allocateMany(64)];
      one.freeMany(all.slice(0, 9));
      return all;
    },
    // It takes and gives frames of its cache while the other one empties it.
    one: (frames) => {
      const pfn = frames.tryAllocate();
      if (pfn >= 0) frames.free(pfn);
      return pfn;
    },
    other: (frames) => frames.tryAllocate(3),
    expected: (one, other, frames) => {
      // The thread may have one of the eight in its hand.
      if (other === -1) expect(one).toBeLessThan(8);
      expect(frames.stats().free).toBe(other === -1 ? 9 : 1);
    },
  });
});

test('the last free frame goes to whoever asks, wherever it is', () => {
  everyWay({
    frames: 40,
    prepare: (one) => {
      const all = one.allocateMany(40);
      return all[17] as number;
    },
    one: (frames, pfn) => frames.free(pfn),
    other: (frames) => frames.tryAllocate(),
    expected: (_, other, frames, pfn) => {
      expect([-1, pfn]).toContain(other);
      expect(frames.tryAllocate()).toBe(other === -1 ? pfn : -1);
    },
  });
});

test('a recovery does not disturb a thread that takes and frees', () => {
  everyWay({
    frames: 100,
    prepare: (one) => one.free(one.allocate()),
    one: (frames) => {
      const pfns = Array.from({ length: 40 }, () => frames.allocate());
      for (const pfn of pfns) frames.free(pfn);
      return new Set(pfns).size;
    },
    other: (frames) => recoverFrames(frames).held,
    expected: (one, other, frames) => {
      expect([one, other]).toEqual([40, []]);
      expect(frames.stats().free).toBe(100);
      expect(frames.allocateMany(100)).toHaveLength(100);
    },
  });
});

test('a thread that frees does not disturb a recovery', () => {
  everyWay({
    frames: 100,
    prepare: (_, other) => other.allocateMany(40),
    one: (frames) => recoverFrames(frames).held,
    // Into its cache: it needs no lock.
    needsLock: false,
    other: (frames, pfns) => {
      for (let i = 0; i < 5; i++) frames.free(pfns[i] as number);
      frames.freeMany(pfns.subarray(5, 9));
    },
    expected: (one, _, frames) => {
      expect(one).toEqual([]);
      expect(frames.stats().free).toBe(69);
      expect(frames.allocateMany(69)).toHaveLength(69);
    },
  });
});
