import { flagOption, integerOption, wrongValue } from '../../check/members.js';
import { optionsOf } from '../../check/options.js';
import { isArray, shown, VmError } from '../../errors.js';
import { printsItself, sizeText } from '../../prints.js';
import { checkCount, checkPageShift, PHYSICAL_ADDRESS_BITS } from '../bank.js';
import type { PhysicalMemory } from '../physical-memory.js';
import { takeScattered } from '../scatter.js';
import { addRange, giveBack, takeLowest, takeMany } from './buddy.js';
import { checkOrder, namedTwice, noFrames, whyNotFree } from './frame-errors.js';
import { MAX_FRAMES, Word } from './frame-layout.js';
import { checkBytes, freeRanges, mergeReserved, rangeOfBank } from './frame-range.js';
import type { FrameCalls, FrameSharing } from './frame-sharing.js';
import { type FrameRange, FrameState } from './frame-state.js';
import { type FrameStats, statsOf } from './frame-stats.js';

/** Options of a `FrameAllocator`. */
export interface FrameAllocatorOptions {
  /** log2 of the frame size in bytes: 12, 14 or 16. Default: 12. */
  readonly pageShift?: number;
  /** First frame number. Default: that of the memory's first bank. */
  readonly first?: number;
  /** Number of frames, 1 to 2^30. Default: all up to the end of the bank. */
  readonly frames?: number;
  /**
   * Frames that are never allocated. They are inside the range, and may overlap each other. Default: none.
   */
  readonly reserved?: readonly FrameRange[];
  /**
   * Seed, 0 to 2^32 - 1. Blocks then come from pseudo-random places, the same for the same seed. Default:
   * none; the lowest free block that fits comes first.
   */
  readonly scatter?: number;
  /**
   * True: the state is in a SharedArrayBuffer, for an allocator over it in another worker. Default: false.
   */
  readonly shared?: boolean;
  /**
   * The threads that may use the allocator at the same time. Its state, and the bytes of its memory, are then
   * shared. Default: none; one thread at a time.
   */
  readonly threads?: FrameSharing;
}

const NAMES = ['pageShift', 'first', 'frames', 'reserved', 'scatter', 'shared', 'threads'] as const;

/** What an allocator is made of: its state, and the calls of this thread where several threads use it. */
export interface FrameParts {
  readonly state: FrameState;
  readonly calls: FrameCalls | null;
}

/** Options of `attachFrames`, and the parts that it hands to the constructor. */
export const handedOver: WeakMap<FrameAllocatorOptions, FrameParts> = new WeakMap();

/** Mark in `heads` during `freeMany`: the list has already named this frame. No order has this value. */
const NAMED = 0xff;

/**
 * Allocates frames: a buddy allocator with blocks of 2^0 to 2^18 frames.
 *
 * A block of order k begins at a frame number that is a multiple of 2^k, wherever the range begins. Without
 * `scatter` a call gives the lowest such frames that are free, so equal calls give equal frames. Allocating
 * and freeing take O(log n) steps. Frames need no bytes behind them.
 *
 * A refused call changes nothing. All state is in `state`, one buffer.
 *
 * With `threads`, any number of threads may call at the same time. Each keeps up to 64 free frames at hand, so
 * which frame a call gives depends on what the others do. `ENOMEM` means that no thread has a frame at hand.
 * `EOWNERDEAD` from any call means that a thread died in the middle of one, and that `recover` must mend it.
 * Without `threads`, several workers may have allocators over one state (`attachFrames`), but only one may be
 * inside a call at a time, and the callers must ensure that.
 *
 * @example
 * ```ts
 * const memory = PhysicalMemory.create({ bytes: 64 * 2 ** 20 });
 * const frames = new FrameAllocator(memory, { reserved: [{ pfn: 0, frames: 256 }] });
 * const table = frames.allocate();    // one frame: 0x100
 * const block = frames.allocate(9);   // 512 frames: 0x200
 * frames.free(block, 9);
 *
 * // 512 GiB of frames that are only mapped, never touched.
 * const targets = new FrameAllocator(null, { first: 0x1000000, frames: 2 ** 27, scatter: 1 });
 * ```
 */
export class FrameAllocator {
  /** log2 of the frame size in bytes. */
  readonly pageShift: number;
  /** The first frame number. */
  readonly first: number;
  /** Number of frames, reserved ones included. */
  readonly frames: number;
  /**
   * The memory in which every frame that is not reserved has bytes. `null` for frames without bytes, or for
   * an allocator over another's state.
   */
  readonly memory: PhysicalMemory | null;
  /**
   * All state of the allocator, for another one over it. About 1.3 bytes per frame; only the parts in use
   * are resident.
   */
  readonly state: ArrayBufferLike;
  readonly #state: FrameState;
  readonly #calls: FrameCalls | null;

  /**
   * An allocator with all frames free, except the reserved ones.
   *
   * @param memory - the bytes of the frames. Every frame that is not reserved must be in a writable bank.
   *   `null` for frames without bytes; then `first` and `frames` must be given.
   * @param options - the range, and how to choose from it.
   * @throws VmError `EINVAL` for an invalid option; `ERANGE` for a reserved range that is not inside;
   *   `EFAULT` for a frame that the memory has no bytes for; `EPERM` when they are read-only; `ENOMEM` when
   *   the host has too little memory for the state. With `threads`, `EINVAL` for a memory that is not shared.
   */
  constructor(memory: PhysicalMemory | null, options?: FrameAllocatorOptions) {
    const parts = handedOver.get(options as FrameAllocatorOptions) ?? create(memory, options);
    this.#state = parts.state;
    this.#calls = parts.calls;
    printsItself(new.target.prototype);
    this.pageShift = this.#state.pageShift;
    this.first = this.#state.first;
    this.frames = this.#state.frames;
    this.memory = memory;
    this.state = this.#state.buffer;
  }

  /**
   * The calls of this thread where several threads use the state. `null` for an allocator of one thread.
   *
   * @internal
   */
  get calls(): FrameCalls | null {
    return this.#calls;
  }

  /**
   * Allocates a block.
   *
   * @param order - log2 of its frames: 0 to 18. Default: 0.
   * @returns its first frame number, a multiple of `2 ** order`.
   * @throws VmError `ENOMEM` when no block is large enough; `EINVAL` for an invalid order.
   */
  allocate(order: number = 0): number {
    const pfn = this.tryAllocate(order);
    if (pfn < 0) throw noFrames(this.#state, `block of order ${order}`);
    return pfn;
  }

  /**
   * True when an allocated block of this order begins at this frame. Changes nothing.
   *
   * @param pfn - any number.
   * @param order - log2 of its frames: 0 to 18. Default: 0.
   * @throws VmError `EINVAL` for an invalid order.
   */
  isAllocated(pfn: number, order: number = 0): boolean {
    checkOrder(order);
    if (this.#calls !== null) return this.#calls.isAllocated(pfn, order);
    return headOf(this.#state, pfn) === order + 1;
  }

  /**
   * Allocates a block, or returns -1 when no block is large enough.
   *
   * @param order - log2 of its frames: 0 to 18. Default: 0.
   * @throws VmError `EINVAL` for an invalid order.
   */
  tryAllocate(order: number = 0): number {
    checkOrder(order);
    if (this.#calls !== null) return this.#calls.take(order);
    const state = this.#state;
    const index = state.scattered ? takeScattered(state, order) : takeLowest(state, order);
    return index < 0 ? -1 : state.origin + index;
  }

  /**
   * Allocates single frames, all or none: the same as repeated calls of `allocate`.
   *
   * @param count - how many, 0 or more.
   * @returns their numbers, in the order in which they were chosen.
   * @throws VmError `ENOMEM` when fewer are free; `EINVAL` for an invalid count.
   */
  allocateMany(count: number): Float64Array {
    const pfns = this.tryAllocateMany(count);
    if (pfns === null) throw noFrames(this.#state, `${count} frames`);
    return pfns;
  }

  /**
   * Allocates single frames as `allocateMany` does, or returns `null` when fewer are free.
   *
   * @param count - how many, 0 or more.
   * @throws VmError `EINVAL` for an invalid count.
   */
  tryAllocateMany(count: number): Float64Array | null {
    checkCount(count, 'count');
    if (this.#calls !== null) return this.#calls.takeMany(count);
    const state = this.#state;
    // Not `>`: a state that was transferred away has no count.
    if (!(count <= (state.words[Word.free] as number))) return null;
    const pfns = new Float64Array(count);
    if (state.scattered) {
      for (let i = 0; i < count; i++) pfns[i] = state.origin + takeScattered(state, 0);
    } else {
      takeMany(state, pfns);
    }
    return pfns;
  }

  /**
   * Frees a block.
   *
   * @param pfn - its first frame number, as `allocate` returned it.
   * @param order - the order it was allocated with. Default: 0.
   * @throws VmError `EINVAL` when the frame is free already, reserved, inside a block or of another order;
   *   `ERANGE` when it does not belong to this allocator. The message says which, and the order it was
   *   allocated with.
   */
  free(pfn: number, order: number = 0): void {
    checkOrder(order);
    if (this.#calls !== null) {
      this.#calls.give(pfn, order);
      return;
    }
    const state = this.#state;
    if (headOf(state, pfn) !== order + 1) throw whyNotFree(state, pfn, order);
    giveBack(state, pfn - state.origin, order);
  }

  /**
   * Frees single frames, all or none.
   *
   * @param pfns - their numbers, in any order.
   * @throws VmError as `free`; `EINVAL` when the list names a frame twice, or has more elements than there are
   *   frames.
   */
  freeMany(pfns: ArrayLike<number>): void {
    const state = this.#state;
    const { heads, first } = state;
    // Read once: it may be a getter.
    const length: unknown = isArray(pfns) === undefined ? undefined : pfns?.length;
    if (typeof length !== 'number') throw new VmError('EINVAL', 'freeMany needs a list of frame numbers');
    // Before it is copied: a few characters can name a list that no memory holds.
    if (!(length >= 0 && length <= this.frames))
      throw new VmError('EINVAL', `the list has ${shown(length)} frames, the allocator ${this.frames}`);
    // A typed array gives the same numbers the second time. Anything else is copied.
    const list = ArrayBuffer.isView(pfns) ? pfns : Array.from({ length }, (_, i) => pfns[i] as number);
    if (this.#calls !== null) {
      this.#calls.giveMany(list, length);
      return;
    }
    for (let i = 0; i < length; i++) {
      const pfn = list[i] as number;
      const head = headOf(state, pfn);
      if (head === 1) {
        heads[pfn - first] = NAMED;
        continue;
      }
      for (let k = 0; k < i; k++) heads[(list[k] as number) - first] = 1;
      throw head === NAMED ? namedTwice(state, pfn) : whyNotFree(state, pfn, 0);
    }
    for (let i = 0; i < length; i++) giveBack(state, (list[i] as number) - state.origin, 0);
  }

  /** Which frames it has, and how many of them are free. */
  toString(): string {
    const { total, free, allocated, reserved } = this.stats();
    const range = `0x${this.first.toString(16)}-0x${(this.first + total - 1).toString(16)}`;
    return [
      `FrameAllocator of ${total} frames of ${sizeText(2 ** this.pageShift)}: ${range}`,
      `  ${free} free, ${allocated} allocated, ${reserved} reserved`,
    ].join('\n');
  }

  /** Counts frames and free blocks, without a look at every frame. */
  stats(): FrameStats {
    return this.#calls?.stats() ?? statsOf(this.#state);
  }
}

function create(memory: PhysicalMemory | null, options: FrameAllocatorOptions | undefined): FrameParts {
  const o = optionsOf(options, NAMES, 'FrameAllocator') as FrameAllocatorOptions;
  if (memory !== null && (isArray(memory) !== false || typeof memory?.bankOf !== 'function'))
    throw wrongValue('memory', memory, 'a PhysicalMemory, or null for frames without bytes');
  const { pageShift = 12, reserved = [] } = o;
  checkPageShift(pageShift);
  const scatter = o.scatter === undefined ? null : integerOption(o, 'scatter', 0, 2 ** 32 - 1);
  const { threads } = o;
  if (threads !== undefined && typeof threads?.framesOf !== 'function')
    throw wrongValue('threads', threads, 'what Threads.create() or attach() returned');
  const shared = flagOption(o, 'shared', threads !== undefined);
  if (threads !== undefined && !shared)
    throw new VmError('EINVAL', 'threads use an allocator whose state is not shared', {
      advice: 'leave out shared',
    });
  const { pfn: first, frames } = rangeOf(memory, pageShift, o);
  const merged = mergeReserved(reserved, { pfn: first, frames }, pageShift);
  const free = freeRanges(merged, { pfn: first, frames });
  if (memory !== null) for (const range of free) checkBytes(memory, range, pageShift, threads !== undefined);
  const slots = threads?.group.registry.slots ?? 0;
  const state = FrameState.create({ pageShift, first, frames, reserved: merged, scatter, shared, slots });
  for (const range of free) addRange(state, range.pfn - state.origin, range.frames);
  return { state, calls: threads?.framesOf(state) ?? null };
}

function rangeOf(memory: PhysicalMemory | null, pageShift: number, o: FrameAllocatorOptions): FrameRange {
  if (memory === null && (o.first === undefined || o.frames === undefined)) {
    throw new VmError('EINVAL', 'an allocator without memory needs first and frames');
  }
  const given = o.first !== undefined && o.frames !== undefined;
  const bank = memory === null || given ? null : rangeOfBank(memory, pageShift, o.first);
  const { first = (bank as FrameRange).pfn, frames = (bank as FrameRange).frames } = o;
  checkCount(first, 'first');
  checkCount(frames, 'frames');
  if (frames < 1 || frames > MAX_FRAMES) {
    throw new VmError('EINVAL', `an allocator has 1 to 2^30 frames, not ${frames}`);
  }
  const bits = PHYSICAL_ADDRESS_BITS - pageShift;
  if (first + frames > 2 ** bits) {
    throw new VmError(
      'EINVAL',
      `${frames} frames from 0x${first.toString(16)} on end beyond 2^${bits}, the last frame`,
    );
  }
  return { pfn: first, frames };
}

/** The mark of a frame; `undefined` for a number outside the range. */
function headOf(state: FrameState, pfn: number): number | undefined {
  return Number.isInteger(pfn) ? state.heads[pfn - state.first] : undefined;
}
