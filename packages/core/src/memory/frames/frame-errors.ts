import { shown, VmError } from '../../errors.js';
import { freeOrderAt } from './buddy.js';
import { MAX_ORDER, ORDER_MASK, Word } from './frame-layout.js';
import type { FrameState } from './frame-state.js';

/** Refuses an invalid order, with `EINVAL`. */
export function checkOrder(order: unknown): void {
  if (!Number.isInteger(order) || (order as number) < 0 || (order as number) > MAX_ORDER) {
    throw new VmError('EINVAL', `an order is an integer from 0 to ${MAX_ORDER}, not ${shown(order)}`);
  }
}

/** @throws VmError `EINVAL` when the state was transferred to another thread, or detached in another way. */
export function requireState({ words }: FrameState): void {
  if (words.length === 0)
    throw new VmError('EINVAL', 'the state of the allocator was detached', {
      advice: 'share it: pass `shared: true`',
    });
}

/** The error of an allocation that found nothing. */
export function noFrames(state: FrameState, wanted: string): VmError {
  requireState(state);
  const free = state.words[Word.free] as number;
  const largest = 31 - Math.clz32(state.words[Word.orders] as number);
  const best = largest < 0 ? '' : `, the largest free block has order ${largest}`;
  return new VmError('ENOMEM', `no ${wanted} free: ${free} of ${state.frames} frames are free${best}`);
}

/** The error that says why a block cannot be freed. Call it only when the block cannot be. */
export function whyNotFree(state: FrameState, pfn: unknown, order: number): VmError {
  if (!Number.isSafeInteger(pfn) || (pfn as number) < 0) {
    return new VmError('EINVAL', `a frame number is an integer of 0 or more, not ${shown(pfn)}`);
  }
  requireState(state);
  const frame = pfn as number;
  const details = { address: BigInt(frame) << BigInt(state.pageShift) };
  const name = `frame 0x${frame.toString(16)}`;
  const index = frame - state.origin;
  if (frame < state.first || frame >= state.first + state.frames) {
    const last = state.first + state.frames - 1;
    return new VmError(
      'ERANGE',
      `${name} does not belong to this allocator, which has frames 0x${state.first.toString(16)} to 0x${last.toString(16)}`,
      details,
    );
  }
  const head = (state.heads[index - state.lead] as number) & ORDER_MASK;
  // Threads free frames into their caches.
  const isCached = head === ORDER_MASK;
  if (head === order + 1)
    return new VmError('EINVAL', `${name} is being freed by another thread (double free)`, details);
  if (head !== 0 && !isCached) {
    const advice = `free it with order ${head - 1}`;
    return new VmError('EINVAL', `${name} was allocated with order ${head - 1}, not ${order}`, {
      ...details,
      advice,
    });
  }
  if (state.reservedRanges().some((range) => frame >= range.pfn && frame < range.pfn + range.frames)) {
    return new VmError('EINVAL', `${name} is reserved: it was never allocated`, details);
  }
  const free = freeOrderAt(state, index);
  if (free >= 0 || isCached) {
    const place = isCached ? 'the cache of a thread' : `a free block of order ${free}`;
    return new VmError('EINVAL', `${name} is free already, in ${place} (double free)`, details);
  }
  return insideOf(state, index, name, details);
}

/** The error of a list that names a frame twice. */
export function namedTwice(state: FrameState, pfn: number): VmError {
  return new VmError('EINVAL', `frame 0x${pfn.toString(16)} is in the list twice (double free)`, {
    address: BigInt(pfn) << BigInt(state.pageShift),
  });
}

function insideOf(state: FrameState, index: number, name: string, details: { address: bigint }): VmError {
  for (let k = 1; k <= state.topOrder; k++) {
    const start = (index >>> k) << k;
    if (start >= state.lead && ((state.heads[start - state.lead] as number) & ORDER_MASK) === k + 1) {
      const block = `0x${(state.origin + start).toString(16)}`;
      return new VmError(
        'EINVAL',
        `${name} lies inside the block that was allocated at ${block} with order ${k}`,
        {
          ...details,
          advice: 'free the block by its first frame',
        },
      );
    }
  }
  const why = state.slots === 0 ? ': the state was damaged' : '; another thread is freeing it';
  return new VmError('EINVAL', `${name} is in no block${why}`, details);
}
