import type { FrameAllocator } from '../frame-allocator.js';
import { readShape } from '../frame-header.js';
import { ORDER_MASK } from '../frame-layout.js';
import { FrameState } from '../frame-state.js';
import { eachHint } from './frame-cache.js';
import { CACHED, IN_CALL, NAMED, tagOf, takerOf } from './head.js';
import { rebuildFree } from './rebuild.js';
import { SharedFrames } from './shared-frames.js';

/** A block that a dead thread had. */
export interface TakenBlock {
  /** Its first frame. */
  readonly pfn: number;
  /** log2 of its frames. */
  readonly order: number;
  /** The slot of the thread. */
  readonly slot: number;
}

/** What a recovery found in an allocator. */
export interface RecoveredFrames {
  /**
   * Blocks that dead threads took in an unfinished call, or were freeing, and that nobody holds. Free now, or
   * once no thread can read them.
   */
  readonly givenBack: readonly TakenBlock[];
  /** Blocks that the dead threads' own code took. They stay allocated: another thread may know them. */
  readonly held: readonly TakenBlock[];
  /** Frames that threads had at hand. They are in free blocks now. */
  readonly cached: number;
}

/** How a recovery decides. */
export interface RecoverFramesOptions {
  /** Slots of the dead threads. Default: all that the group knows to be dead. */
  readonly dead?: readonly number[];
  /**
   * True for a block that a table or an area holds. It is called under the allocator's lock: it may ask
   * `isAllocated`, but neither allocate nor free. Default: nobody holds a block.
   *
   * @param isOfCall - false for a block that the thread's own code took.
   */
  readonly isHeld?: (pfn: number, order: number, isOfCall: boolean) => boolean;
  /** True when the thread of a slot died inside a call. Default: yes. */
  readonly isUnfinished?: (slot: number) => boolean;
  /**
   * Keeps a function until no thread can read the blocks any more: `Quiescence.retire`. The function frees them.
   * Default: they are free at once.
   */
  readonly retire?: Retire;
}

type Retire = (give: () => void) => void;

/**
 * Mends an allocator after threads died: gives back what their unfinished calls took, empties all caches, and
 * makes the bitmaps and counters anew from the words of frames. A recovery that dies itself is repeated.
 *
 * Live threads may allocate and free meanwhile; they wait for the allocator's lock. An allocator of one thread
 * gets new bitmaps and counters.
 *
 * @throws VmError `EINVAL` when the state is not that of an allocator; what `isHeld` throws, and then nothing has
 *   changed.
 */
export function recoverFrames(frames: FrameAllocator, options: RecoverFramesOptions = {}): RecoveredFrames {
  const { calls } = frames;
  if (!(calls instanceof SharedFrames)) {
    rebuildFree(new FrameState(frames.state, readShape(frames.state)));
    return { givenBack: [], held: [], cached: 0 };
  }
  calls.lock.seize();
  try {
    const found = decide(calls, options);
    return apply(calls, found, options.retire);
  } finally {
    calls.lock.release();
  }
}

/** A block, its word, and what becomes of it. */
interface Found extends TakenBlock {
  readonly head: number;
  readonly fate: 'settled' | 'lost' | 'held';
}

/** What happens with the blocks of dead threads. Nothing has changed yet. */
function decide({ state, group }: SharedFrames, options: RecoverFramesOptions): Found[] {
  const { dead = group.dead(), isHeld = () => false, isUnfinished = () => true } = options;
  const slots = new Map(dead.map((slot) => [group.registry.tokenOf(slot), slot]));
  const found: Found[] = [];
  if (slots.size === 0) return found;
  for (let i = 0; i < state.frames; i++) {
    const head = Atomics.load(state.heads, i);
    const mark = head & ORDER_MASK;
    const slot = mark === 0 || mark === CACHED ? undefined : slots.get(takerOf(head));
    if (slot === undefined) continue;
    const pfn = state.first + i;
    const order = mark - 1;
    const isLost = (head & NAMED) !== 0 || ((head & IN_CALL) !== 0 && isUnfinished(slot));
    const fate = isHeld(pfn, order, isLost) ? 'settled' : isLost ? 'lost' : 'held';
    found.push({ pfn, order, slot, head, fate });
  }
  return found;
}

function apply(calls: SharedFrames, found: readonly Found[], retire?: Retire): RecoveredFrames {
  const { state } = calls;
  const heads = state.heads as Int32Array;
  const mine = NAMED | tagOf(calls.group.token, false);
  const givenBack: TakenBlock[] = [];
  const held: TakenBlock[] = [];
  for (const { pfn, order, slot, head, fate } of found) {
    const freed = retire === undefined ? 0 : mine | (order + 1);
    const after = fate === 'lost' ? freed : fate === 'settled' ? head & ~(NAMED | IN_CALL) : head;
    // Another thread may have freed it: then it is none of ours.
    if (Atomics.compareExchange(heads, pfn - state.first, head, after) !== head) continue;
    if (fate === 'lost') givenBack.push({ pfn, order, slot });
    if (fate === 'held') held.push({ pfn, order, slot });
  }
  const cached = emptyCaches(state, heads);
  calls.marks.dropFree(state);
  rebuildFree(state);
  if (givenBack.length > 0) retire?.(() => calls.giveNamed(givenBack));
  return { givenBack, held, cached };
}

/**
 * Frees what is in the caches, and what was on its way into one. The hints go first: a live thread that adds
 * one now has changed the frame's word before, or will find that somebody else did.
 */
function emptyCaches(state: FrameState, heads: Int32Array): number {
  eachHint(state, (at) => Atomics.store(state.words, at, 0));
  let cached = 0;
  for (let i = 0; i < state.frames; i++)
    if (Atomics.load(heads, i) === CACHED && Atomics.compareExchange(heads, i, CACHED, 0) === CACHED)
      cached++;
  return cached;
}
