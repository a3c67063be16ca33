import { FrameAllocator, type Threads } from '../../../../src/index.js';
import type { ThreadCase } from '../thread-case.js';
import { codeOr } from './group.js';
import { type RoomsBody, roomsCase } from './rooms.js';

/** An allocator of a few frames. */
function some(count: number): (threads: Threads) => { frames: FrameAllocator } {
  return (threads) => ({
    frames: new FrameAllocator(null, { pageShift: 6, first: 0, frames: count, threads }),
  });
}

/** Takes frames, and says which it has. */
function taking(count: number): RoomsBody {
  return ({ frames }) =>
    () =>
      codeOr(() => {
        const taken: string[] = [];
        for (let i = 0; i < count; i++) {
          const pfn = frames.tryAllocate();
          taken.push(pfn < 0 ? 'none' : `has ${pfn}`);
        }
        return taken.join(' ');
      });
}

/** Gives frames back that it has had from the beginning. */
function giving(count: number): RoomsBody {
  return ({ frames }) => {
    const pfns = frames.allocateMany(count);
    return () =>
      codeOr(() => {
        for (const pfn of pfns) frames.free(pfn);
        return 'given';
      });
  };
}

/** Gives several frames at once. */
function givingMany(count: number): RoomsBody {
  return ({ frames }) => {
    const pfns = frames.allocateMany(count);
    return () =>
      codeOr(() => {
        frames.freeMany(pfns);
        return 'given';
      });
  };
}

/** Has a frame at hand, and then takes one and gives it back. */
function takingAndGiving(rounds: number): RoomsBody {
  return ({ frames }) => {
    frames.free(frames.allocate());
    return () =>
      codeOr(() => {
        for (let round = 0; round < rounds; round++) {
          const pfn = frames.tryAllocate();
          if (pfn < 0) return 'none';
          frames.free(pfn);
        }
        return 'given';
      });
  };
}

/** Takes a block: the caches of all are emptied for it. */
function takingBlock(order: number): RoomsBody {
  return ({ frames }) =>
    () =>
      codeOr(() => {
        const pfn = frames.tryAllocate(order);
        if (pfn < 0) return 'none';
        frames.free(pfn, order);
        return 'given';
      });
}

export const cases: Record<string, ThreadCase> = {
  'two take frames, and refill their caches': roomsCase({ make: some(8), bodies: [taking(1), taking(1)] }),
  'two take frames, and refill their caches, and one dies': roomsCase({
    make: some(8),
    bodies: [taking(1), taking(1)],
    mortal: [0],
  }),
  'two take the last frame': roomsCase({ make: some(1), bodies: [taking(1), taking(1)] }),
  'two take the last frame, and one dies': roomsCase({
    make: some(1),
    bodies: [taking(1), taking(1)],
    mortal: [0, 1],
  }),
  'one takes what another has at hand': roomsCase({ make: some(1), bodies: [takingAndGiving(1), taking(1)] }),
  'one takes what another has at hand, and one dies': roomsCase({
    make: some(1),
    bodies: [takingAndGiving(1), taking(1)],
    mortal: [0, 1],
  }),
  'one gives the last frame, one takes it': roomsCase({ make: some(1), bodies: [giving(1), taking(1)] }),
  'one gives the last frame and dies, one takes it': roomsCase({
    make: some(1),
    bodies: [giving(1), taking(1)],
    mortal: [0],
  }),
  'one gives a list of frames, one takes a block of them': roomsCase({
    make: some(2),
    bodies: [givingMany(2), takingBlock(1)],
  }),
  'one takes and gives what it has at hand, one takes a block with it': roomsCase({
    make: some(2),
    bodies: [takingAndGiving(1), takingBlock(1)],
  }),
  'three take the last two frames': roomsCase({
    make: some(2),
    bodies: [taking(1), taking(1), taking(1)],
    isLong: true,
  }),
};
