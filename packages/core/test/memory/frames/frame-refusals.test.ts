import { refusal } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { FrameAllocator } from '../../../src/memory/frames/frame-allocator.js';
import { snapshot, wrong } from '../support.js';

/** Frames 0x10 to 0x2f. 0x20 to 0x23 are reserved; 0x28, 0x29 and a block of order 2 at 0x24 are allocated. */
function prepared(): FrameAllocator {
  const frames = new FrameAllocator(null, { first: 0x10, frames: 32, reserved: [{ pfn: 0x20, frames: 4 }] });
  const low = frames.allocate(4);
  expect([frames.allocate(2), frames.allocate(), frames.allocate()]).toEqual([0x24, 0x28, 0x29]);
  frames.free(low, 4);
  return frames;
}

/** The refusal of a call that must leave the state as it is. */
function refused(frames: FrameAllocator, call: () => unknown): { code: string; message: string } {
  const before = snapshot(frames.state);
  const error = refusal(call);
  expect(snapshot(frames.state)).toEqual(before);
  return error;
}

describe('free refuses, says why, and changes nothing', () => {
  test.each([
    [
      'a double free',
      0x2a,
      0,
      'EINVAL',
      'frame 0x2a is free already, in a free block of order 1 (double free)',
    ],
    ['a free frame of a large block', 0x1b, 0, 'EINVAL', 'free already, in a free block of order 4'],
    [
      'too small an order',
      0x24,
      0,
      'EINVAL',
      'frame 0x24 was allocated with order 2, not 0; free it with order 2',
    ],
    ['too large an order', 0x28, 1, 'EINVAL', 'frame 0x28 was allocated with order 0, not 1'],
    [
      'the inside of a block',
      0x26,
      0,
      'EINVAL',
      'frame 0x26 lies inside the block that was allocated at 0x24 with order 2',
    ],
    [
      'a frame inside a block, with the order of the block',
      0x25,
      2,
      'EINVAL',
      'allocated at 0x24 with order 2',
    ],
    ['a reserved frame', 0x23, 0, 'EINVAL', 'frame 0x23 is reserved'],
    [
      'the frame before the range',
      0xf,
      0,
      'ERANGE',
      'frame 0xf does not belong to this allocator, which has frames 0x10 to 0x2f',
    ],
    ['the frame after the range', 0x30, 0, 'ERANGE', 'frame 0x30 does not belong to this allocator'],
    ['a far frame', 2 ** 40, 0, 'ERANGE', 'does not belong to this allocator'],
    ['a negative number', -1, 0, 'EINVAL', 'a frame number is an integer of 0 or more, not -1'],
    ['a fraction', 0x28 + 0.5, 0, 'EINVAL', 'a frame number'],
    ['NaN', Number.NaN, 0, 'EINVAL', 'a frame number'],
    ['a string', '40', 0, 'EINVAL', 'a frame number'],
    ['a bigint', 40n, 0, 'EINVAL', 'a frame number'],
    ['a negative order', 0x28, -1, 'EINVAL', 'an order is an integer from 0 to 18, not -1'],
    ['order 19', 0x28, 19, 'EINVAL', 'an order'],
    ['a fractional order', 0x28, 0.5, 'EINVAL', 'an order'],
  ])('for %s', (_, pfn, order, code, message) => {
    const frames = prepared();
    const error = refused(frames, () => frames.free(wrong(pfn), order));
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
  });

  test('for a frame that was freed just now', () => {
    const frames = prepared();
    frames.free(0x28);
    expect(refused(frames, () => frames.free(0x28)).message).toContain('double free');
    frames.free(0x24, 2);
    expect(refused(frames, () => frames.free(0x24, 2)).message).toContain('double free');
  });

  test.each([1, 2, 3, 6])('for every frame inside a block of order %i', (order) => {
    const frames = new FrameAllocator(null, { first: 3, frames: 200 });
    const block = frames.allocate(order);
    for (let pfn = block + 1; pfn < block + 2 ** order; pfn++) {
      const { message } = refused(frames, () => frames.free(pfn));
      expect(message).toContain(
        `inside the block that was allocated at 0x${block.toString(16)} with order ${order}`,
      );
    }
  });

  test('with the address of the frame', () => {
    const frames = new FrameAllocator(null, { pageShift: 16, first: 2, frames: 4 });
    expect(refusal(() => frames.free(3)).address).toBe(0x30000n);
  });
});

describe('freeMany refuses, says why, and changes nothing', () => {
  test.each([
    ['a list with a frame twice', [0x28, 0x29, 0x28], 'EINVAL', 'frame 0x28 is in the list twice'],
    ['a free frame', [0x28, 0x2a], 'EINVAL', 'double free'],
    ['the start of a block', [0x28, 0x24], 'EINVAL', 'frame 0x24 was allocated with order 2, not 0'],
    ['a reserved frame', [0x29, 0x28, 0x20], 'EINVAL', 'reserved'],
    ['a foreign frame', [0x29, 0x28, 0x30], 'ERANGE', 'does not belong to this allocator'],
    ['no number', [0x29, null], 'EINVAL', 'a frame number'],
    ['a string', [0x29, '40'], 'EINVAL', 'a frame number'],
    ['a bigint', [0x29, 40n], 'EINVAL', 'a frame number'],
    ['bigints', BigInt64Array.of(40n, 41n), 'EINVAL', 'a frame number'],
    ['null', null, 'EINVAL', 'needs a list'],
    ['a number', 16, 'EINVAL', 'needs a list'],
    [
      'more frames than there are',
      { length: 3e8 },
      'EINVAL',
      'the list has 300000000 frames, the allocator 32',
    ],
    ['an array that no copy can hold', new Array(2 ** 32 - 1), 'EINVAL', 'the list has 4294967295 frames'],
    ['a negative length', { length: -1 }, 'EINVAL', 'the list has -1 frames'],
    ['no length', { length: Number.NaN }, 'EINVAL', 'the list has NaN frames'],
  ])('for %s', (_, list, code, message) => {
    const frames = prepared();
    const error = refused(frames, () => frames.freeMany(wrong(list)));
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
    frames.freeMany([0x29, 0x28]);
  });
});

test('freeMany names the address of a frame that is in its list twice', () => {
  expect(refusal(() => prepared().freeMany([0x28, 0x28])).address).toBe(0x28000n);
});

test('freeMany takes as many frames as there are', () => {
  const frames = new FrameAllocator(null, { first: 0x10, frames: 5 });
  frames.freeMany(frames.allocateMany(5));
  expect(frames.stats()).toMatchObject({ free: 5, allocated: 0 });
});

test('isAllocated says whether a block of this order begins here', () => {
  const frames = prepared();
  expect([0, 1, 2, 3].map((order) => frames.isAllocated(0x24, order))).toEqual([false, false, true, false]);
  expect([0x25, 0x28, 0x2a, 0x20, 0x0f, 0x30].map((pfn) => frames.isAllocated(pfn))).toEqual([
    ...[false, true, false, false, false, false],
  ]);
});

test.each([
  [1, 0, 'no block of order 0 free: 0 of 1 frames are free'],
  [2, 1, 'no block of order 1 free: 1 of 2 frames are free, the largest free block has order 0'],
])('ENOMEM of %i frames tells what is free', (count, order, message) => {
  const frames = new FrameAllocator(null, { first: 0, frames: count });
  frames.allocate();
  expect(refusal(() => frames.allocate(order)).message).toBe(`ENOMEM: ${message}`);
});

test('freeMany reads the length of its list once', () => {
  const frames = prepared();
  let reads = 0;
  const lying = new Proxy([0x28, 0x29], {
    get: (target, name) => (name === 'length' ? 2 - reads++ : Reflect.get(target, name)),
  });
  frames.freeMany(lying);
  expect([frames.isAllocated(0x28), frames.isAllocated(0x29)]).toEqual([false, false]);
});

test('a reserved range is read once', () => {
  let pfn = 0x10;
  const range = {
    get pfn() {
      return pfn++;
    },
    frames: 1,
  };
  const frames = new FrameAllocator(null, { first: 0x10, frames: 2, reserved: [range] });
  expect([frames.allocate(), pfn]).toEqual([0x11, 0x11]);
});

describe('an allocator whose state was transferred away', () => {
  const calls: [string, (frames: FrameAllocator) => unknown][] = [
    ['allocate', (frames) => frames.allocate()],
    ['allocateMany', (frames) => frames.allocateMany(2)],
    ['free', (frames) => frames.free(0x11)],
    ['freeMany', (frames) => frames.freeMany([0x11])],
    ['stats', (frames) => frames.stats()],
    ['toString', (frames) => String(frames)],
  ];
  test.each(calls)('refuses %s', (_name, call) => {
    for (const scatter of [{}, { scatter: 1 }]) {
      const frames = new FrameAllocator(null, { first: 0x10, frames: 32, ...scatter });
      structuredClone(frames.state, { transfer: [frames.state as ArrayBuffer] });
      const error = refusal(() => call(frames));
      expect(error.message).toMatch(/^EINVAL: the state of the allocator was detached; share it/);
      expect([frames.tryAllocate(), frames.tryAllocateMany(2), frames.isAllocated(0x10)]).toEqual([
        -1,
        null,
        false,
      ]);
    }
  });
});

describe('allocate refuses, and changes nothing', () => {
  test.each([-1, 19, 0.5, Number.NaN, '0', null, 0n])('for the order %s', (order) => {
    const frames = prepared();
    expect(refused(frames, () => frames.allocate(wrong(order))).code).toBe('EINVAL');
    expect(refused(frames, () => frames.tryAllocate(wrong(order))).code).toBe('EINVAL');
  });

  test('when no block is large enough', () => {
    const frames = prepared();
    expect(refused(frames, () => frames.allocate(5)).code).toBe('ENOMEM');
    expect(refused(frames, () => frames.allocateMany(23)).code).toBe('ENOMEM');
    expect(frames.allocateMany(22)).toHaveLength(22);
  });
});
