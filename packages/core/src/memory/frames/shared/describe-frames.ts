import { VmError } from '../../../errors.js';
import type { ThreadGroup } from '../../../threads/thread-group.js';
import { isShared } from '../../host.js';
import type { PhysicalMemory } from '../../physical-memory.js';
import { FrameAllocator, type FrameAllocatorOptions, handedOver } from '../frame-allocator.js';
import { badState, readShape } from '../frame-header.js';
import type { FrameSharing } from '../frame-sharing.js';
import { FrameState } from '../frame-state.js';
import { SharedFrames } from './shared-frames.js';

/** An allocator of several threads, as one thread tells another of it. It can be cloned. */
export interface FramesDescription {
  readonly state: SharedArrayBuffer;
}

/** The allocators of this thread, by state and group. */
const known: WeakMap<ArrayBufferLike, WeakMap<ThreadGroup, FrameAllocator>> = new WeakMap();

/**
 * Describes an allocator for another thread of its group.
 *
 * @throws VmError `EINVAL` for an allocator of one thread.
 */
export function describeFrames(frames: FrameAllocator): FramesDescription {
  const { calls } = frames;
  if (!(calls instanceof SharedFrames))
    throw new VmError('EINVAL', 'this allocator is for one thread', {
      advice: 'pass `threads` to new FrameAllocator()',
    });
  remember(frames, calls.group);
  return { state: frames.state as SharedArrayBuffer };
}

/**
 * The allocator of this thread for a description: the same object each time.
 *
 * @param description - what `describeFrames` gave in another thread of the group.
 * @param threads - this thread's view of the group.
 * @param memory - the bytes of the frames as this thread has them; `null` for frames without bytes.
 * @throws VmError `EINVAL` for anything but the state of an allocator that threads share.
 */
export function adoptFrames(
  description: FramesDescription,
  threads: FrameSharing,
  memory: PhysicalMemory | null = null,
): FrameAllocator {
  const { state } = description;
  const found = isShared(state) ? known.get(state)?.get(threads.group) : undefined;
  if (found !== undefined) return found;
  const shape = readShape(state);
  const { slots } = threads.group.registry;
  if (shape.slots !== slots) badState('number of threads', `${shape.slots}, the group has ${slots}`);
  const views = new FrameState(state, shape);
  const options: FrameAllocatorOptions = {};
  handedOver.set(options, { state: views, calls: threads.framesOf(views) });
  const frames = new FrameAllocator(memory, options);
  remember(frames, threads.group);
  return frames;
}

/** Notes the allocator of this thread for its state. */
function remember(frames: FrameAllocator, group: ThreadGroup): void {
  const { state } = frames;
  let byGroup = known.get(state);
  if (byGroup === undefined) {
    byGroup = new WeakMap();
    known.set(state, byGroup);
  }
  byGroup.set(group, frames);
}
