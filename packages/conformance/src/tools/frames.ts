import { attachFrames, type FrameAllocator } from '@vmarea/core';

/** The frames of an allocator that are given out or reserved, in ascending order. Found on a copy: the allocator does not change. */
export function takenFrames(frames: FrameAllocator): Set<number> {
  const taken = new Set<number>();
  for (let i = 0; i < frames.frames; i++) taken.add(frames.first + i);
  const copy = attachFrames(frames.state.slice(0));
  for (let pfn = copy.tryAllocate(); pfn >= 0; pfn = copy.tryAllocate()) taken.delete(pfn);
  return taken;
}
