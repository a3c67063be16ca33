import type { FrameAllocator } from '@vmarea/core';

/**
 * Who is told which frames an allocator hands out and takes back, once for each call and after the fact.
 *
 * @param pfns - the first frame of each block.
 * @param order - log2 of the frames of each.
 * @param isFreed - the blocks came back; else they were handed out.
 */
export type FrameObserver = (pfns: ArrayLike<number>, order: number, isFreed: boolean) => void;

/** The four calls that move frames: all others of the allocator, and the engine, use these. */
type Moving = Pick<FrameAllocator, 'tryAllocate' | 'tryAllocateMany' | 'free' | 'freeMany'>;

/**
 * Tells an observer of every later call of one allocator that moves frames. Other allocators over the same state
 * tell nothing, and neither does a restored snapshot.
 *
 * The allocator gets methods of its own, so allocators that nobody observes pay nothing, and core carries no hook.
 *
 * @returns ends it.
 */
export function observeFrames(frames: FrameAllocator, observer: FrameObserver): () => void {
  let isOn = true;
  const tell: FrameObserver = (pfns, order, isFreed) => {
    if (isOn) observer(pfns, order, isFreed);
  };
  const before: Moving = {
    tryAllocate: frames.tryAllocate,
    tryAllocateMany: frames.tryAllocateMany,
    free: frames.free,
    freeMany: frames.freeMany,
  };
  const own: Moving = {
    tryAllocate: (order = 0) => {
      const pfn = before.tryAllocate.call(frames, order);
      if (pfn >= 0) tell([pfn], order, false);
      return pfn;
    },
    tryAllocateMany: (count) => {
      const pfns = before.tryAllocateMany.call(frames, count);
      if (pfns !== null) tell(pfns, 0, false);
      return pfns;
    },
    free: (pfn, order = 0) => {
      before.free.call(frames, pfn, order);
      tell([pfn], order, true);
    },
    freeMany: (pfns) => {
      // A list may have getters, which are read once.
      const list = ArrayBuffer.isView(pfns) ? pfns : copyOf(pfns);
      before.freeMany.call(frames, list);
      tell(list, 0, true);
    },
  };
  Object.assign(frames, own);
  return () => {
    isOn = false;
    // Somebody else may have put his own methods over these.
    for (const name of Object.keys(own) as (keyof Moving)[])
      if (frames[name] === own[name]) Object.assign(frames, { [name]: before[name] });
  };
}

/** A copy of a list; anything else is handed on, to be refused. */
function copyOf(pfns: ArrayLike<number>): ArrayLike<number> {
  return Array.isArray(pfns) ? [...pfns] : pfns;
}
