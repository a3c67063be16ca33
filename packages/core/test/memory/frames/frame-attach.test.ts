import { refusal } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { attachFrames } from '../../../src/memory/frames/attach-frames.js';
import { FrameAllocator } from '../../../src/memory/frames/frame-allocator.js';
import { Word } from '../../../src/memory/frames/frame-layout.js';
import { snapshot, wrong } from '../support.js';

const options = {
  pageShift: 14,
  first: 2 ** 33 + 5,
  frames: 100,
  reserved: [{ pfn: 2 ** 33 + 50, frames: 3 }],
};

describe('attachFrames', () => {
  test.each([undefined, 3])(
    'shares one state: two allocators in turns do what one does (scatter %s)',
    (scatter) => {
      const all = { ...options, shared: true, ...(scatter && { scatter }) };
      const alone = new FrameAllocator(null, all);
      const first = new FrameAllocator(null, all);
      expect(first.state).toBeInstanceOf(SharedArrayBuffer);
      first.free(first.allocate(2), 2);
      alone.free(alone.allocate(2), 2);
      const second = attachFrames(first.state);
      expect(second).toMatchObject({ pageShift: 14, first: 2 ** 33 + 5, frames: 100 });
      for (let i = 0; i < 20; i++) {
        const pfn = alone.allocate(i % 3);
        expect((i % 2 === 0 ? first : second).allocate(i % 3)).toBe(pfn);
        if (i % 5 === 0) {
          alone.free(pfn, i % 3);
          (i % 2 === 0 ? second : first).free(pfn, i % 3);
        }
        expect(second.stats()).toEqual(alone.stats());
      }
      expect(snapshot(second.state)).toEqual(snapshot(alone.state));
    },
  );

  test('makes an allocator of a copy of the bytes', () => {
    const frames = new FrameAllocator(null, options);
    const block = frames.allocate(3);
    const copy = attachFrames(snapshot(frames.state).buffer);
    expect(refusal(() => copy.free(block)).message).toContain('allocated with order 3');
    expect(refusal(() => copy.free(2 ** 33 + 51)).message).toContain('reserved');
    expect(copy.allocate()).toBe(frames.allocate());
  });

  test.each([
    ['magic', Word.magic, 0],
    ['version', Word.version, 2],
    ['page shift', Word.pageShift, 13],
    ['flags', Word.flags, 2],
    ['number of frames', Word.frames, 0],
    ['number of frames', Word.frames, 2 ** 30 + 1],
    ['byte count', Word.frames, 300],
    ['first frame', Word.firstHigh, -1],
    ['first frame', Word.firstHigh, 2 ** 8],
    ['byte count', Word.bytes, 8],
    ['number of reserved ranges', Word.reservedRanges, -1],
    ['number of reserved ranges', Word.reservedRanges, 2 ** 30],
    ['byte count', Word.reservedRanges, 40],
    ['reserved count', Word.reserved, 2],
    ['free count', Word.free, 98],
    ['free count', Word.free, -1],
    ['free block counts', Word.free, 96],
    ['free block count ', Word.freeBlocks, -1],
    ['free block count ', Word.freeBlocks + 18, 1],
    ['mask of orders', Word.orders, 0],
    ['lowest free block of order 0', Word.lowest, 4],
    ['lowest free block of order 0', Word.lowest, 0x7fff_ffff],
    ['lowest free block of order 18', Word.lowest + 18, 0],
    ['reserved range', Word.header, -1],
    ['reserved range', Word.header, 98],
    ['reserved range', Word.header + 1, 0],
    ['reserved count', Word.header + 1, 4],
  ])('refuses a state with a wrong %s, and names it (word %i)', (field, word, value) => {
    const state = snapshot(new FrameAllocator(null, options).state).buffer;
    attachFrames(state);
    new Int32Array(state)[word] = value;
    const error = refusal(() => attachFrames(state));
    expect(error.code).toBe('EINVAL');
    expect(error.message).toContain(`this is not the state of a frame allocator: ${field}`);
  });

  test('refuses a state of another length', () => {
    const { state } = new FrameAllocator(null, options);
    for (const length of [0, 8, state.byteLength - 8, state.byteLength + 8, state.byteLength + 1]) {
      const other = new Uint8Array(length);
      other.set(new Uint8Array(state).subarray(0, length));
      expect(refusal(() => attachFrames(other.buffer)).message).toContain('length');
    }
  });

  test.each([
    ['whose frames are the last below 2^52', { pageShift: 12, first: 2 ** 40 - 64, frames: 64 }],
    ['whose first frame is free', { first: 2 ** 20, frames: 64 }],
    ['whose last frame is reserved', { frames: 64, reserved: [{ pfn: 63, frames: 1 }] }],
    ['whose frames are all reserved', { frames: 64, reserved: [{ pfn: 0, frames: 64 }] }],
    [
      'with reserved ranges one frame apart',
      { frames: 9, reserved: [3, 5].map((pfn) => ({ pfn, frames: 1 })) },
    ],
    ['of a single frame', { frames: 1 }],
  ])('takes a state %s', (_, given) => {
    const frames = new FrameAllocator(null, { first: 0, ...given });
    expect(attachFrames(frames.state).stats()).toEqual(frames.stats());
    while (frames.stats().free > 0) frames.allocate();
    expect(attachFrames(frames.state).stats()).toEqual(frames.stats());
  });

  test.each([
    [
      'begins inside the range before it',
      Word.header + 2,
      47,
      /reserved range is 1, 2 frames at distance 47$/,
    ],
    ['ends after the last frame', Word.header + 3, 41, /reserved range is 1, 41 frames at distance 60$/],
  ])('refuses a state whose second reserved range %s', (_, word, value, message) => {
    const reserved = [...options.reserved, { pfn: options.first + 60, frames: 2 }];
    const state = snapshot(new FrameAllocator(null, { ...options, reserved }).state).buffer;
    attachFrames(state);
    new Int32Array(state)[word] = value;
    expect(() => attachFrames(state)).toThrow(message);
  });

  test.each([null, undefined, {}, new Uint8Array(400)])('refuses %s, which is no buffer', (value) => {
    expect(refusal(() => attachFrames(wrong(value))).code).toBe('EINVAL');
  });
});
