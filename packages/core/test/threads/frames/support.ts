import { FrameAllocator, type FrameAllocatorOptions } from '../../../src/memory/frames/frame-allocator.js';
import type { FrameSharing } from '../../../src/memory/frames/frame-sharing.js';
import { adoptFrames, describeFrames } from '../../../src/memory/frames/shared/describe-frames.js';
import { SharedFrames } from '../../../src/memory/frames/shared/shared-frames.js';
import { ThreadGroup } from '../../../src/threads/thread-group.js';

/** What `new FrameAllocator` takes as `threads`. A call of the library is one inside of the sections. */
export function sharingOf(group: ThreadGroup): FrameSharing {
  const sharing: FrameSharing = {
    group,
    get isInCall() {
      return group.sections.isInside;
    },
    framesOf: (state) => new SharedFrames(state, sharing),
  };
  return sharing;
}

/** A thread, as the tests of one real thread see it: none of them may wait for another. */
export interface Member {
  readonly group: ThreadGroup;
  readonly frames: FrameAllocator;
}

/** Threads that share an allocator. */
export function membersOf(options: FrameAllocatorOptions, count: number, slots = count + 1): Member[] {
  const group = ThreadGroup.create(slots);
  const frames = new FrameAllocator(null, { ...options, threads: sharingOf(group) });
  const members: Member[] = [{ group, frames }];
  while (members.length < count) members.push(join(members[0] as Member));
  return members;
}

/** One more thread of the same group. */
export function join(of: Member): Member {
  const group = new ThreadGroup(of.group.buffers, of.group.registry.invite());
  return { group, frames: adoptFrames(describeFrames(of.frames), sharingOf(group)) };
}

/** Notes that a thread died. */
export function die({ group }: Member): void {
  group.registry.declareDead(group.token);
}
