import { VmError } from '../errors.js';
import type { FrameAllocator } from '../memory/frames/frame-allocator.js';
import type { OwnerMarks } from '../memory/frames/frame-sharing.js';
import { isShared, makeBuffer } from '../memory/host.js';
import { type HeldFrames, heldFrames } from '../space/held-frames.js';
import { LocalMarks } from '../space/local-marks.js';
import { TableRecords } from '../table/state/table-records.js';

/** Bit of a count: the page is anonymous, so it belongs to processes alone (PageAnon). */
const ANONYMOUS = 2 ** 30;

/** log2 of the frames of the largest block. */
const MAX_ORDER = 18;

/** A frame with who counts it. */
export interface Counted {
  readonly pfn: number;
  readonly counts: PageReferences;
}

/** A block of frames that its area has freed while processes map some of them. */
interface Orphan {
  readonly head: number;
  readonly order: number;
  /** Frames of it that processes map. */
  left: number;
}

/**
 * How many users each frame of an allocator has: one count for all processes (struct page's _refcount). A frame goes
 * back to the allocator when its last user lets go, unless an area owns it.
 *
 * Whoever gives a frame to processes and keeps it takes a reference of its own. The counts are in one Int32Array. It
 * is shared, and changed by atomics, when the state of the allocator is.
 *
 * @example
 * ```ts
 * const references = PageReferences.of(frames);
 * const pfn = frames.allocate();
 * references.take(pfn); // ours
 * process.insertPage(region, region.start, pfn); // and the process's
 * references.put(pfn); // the process keeps it
 * process.destroy(); // now it is free
 * ```
 */
export class PageReferences implements HeldFrames {
  readonly #ram: FrameAllocator;
  readonly #counts: Int32Array;
  readonly #marks: OwnerMarks;
  readonly #orphans: Map<number, Orphan> = new Map();

  private constructor(ram: FrameAllocator) {
    this.#ram = ram;
    this.#marks = ram.calls?.marks ?? LocalMarks.of(ram);
    const what = `the references of ${ram.frames} frames`;
    this.#counts = new Int32Array(makeBuffer(4 * ram.frames, isShared(ram.state), what));
  }

  /**
   * Those of an allocator: one object for all that use its state.
   *
   * @throws VmError `ENOMEM` when the host has too little memory: 4 bytes a frame.
   */
  static of(ram: FrameAllocator): PageReferences {
    let references = byState.get(ram.state);
    if (references === undefined) {
      references = new this(ram);
      byState.set(ram.state, references);
      heldFrames.set(ram.state, references);
    }
    return references;
  }

  /** True for a frame of the allocator. */
  covers(pfn: number): boolean {
    const { first, frames } = this.#ram;
    return Number.isInteger(pfn) && pfn >= first && pfn < first + frames;
  }

  /** Users of a frame; 0 for a frame of another allocator. */
  count(pfn: number): number {
    return this.covers(pfn) ? Atomics.load(this.#counts, pfn - this.#ram.first) & (ANONYMOUS - 1) : 0;
  }

  /** True for a page that belongs to processes alone, and to no object (PageAnon). */
  isAnonymous(pfn: number): boolean {
    return this.covers(pfn) && Atomics.load(this.#counts, pfn - this.#ram.first) >= ANONYMOUS;
  }

  /**
   * As validate_page_before_insert in `mm/memory.c` (Linux 6.12).
   *
   * @throws VmError `EINVAL` for a frame that is free, anonymous, or that holds a page table. @internal
   */
  requireInsertable(pfn: number): void {
    if (this.isAnonymous(pfn))
      throw new VmError(
        'EINVAL',
        `frame 0x${pfn.toString(16)} is an anonymous page, which only fork shares`,
        {
          advice: 'use shared memory',
        },
      );
    const isTable = TableRecords.of(this.#ram).find(pfn) >= 0;
    if (!isTable && (this.count(pfn) > 0 || this.#marks.has(this.#at(pfn)) || this.#isAllocated(pfn))) return;
    throw new VmError('EINVAL', `frame 0x${pfn.toString(16)} ${isTable ? 'holds a page table' : 'is free'}`, {
      advice: 'allocate it first',
    });
  }

  /** Notes the first user of a frame that was just allocated. @internal */
  start(pfn: number, isAnonymous: boolean): void {
    Atomics.store(this.#counts, pfn - this.#ram.first, isAnonymous ? ANONYMOUS + 1 : 1);
  }

  /**
   * Notes one more user of a frame (get_page).
   *
   * @throws VmError `ERANGE` for a frame of another allocator.
   */
  take(pfn: number): void {
    Atomics.add(this.#counts, this.#at(pfn), 1);
  }

  /**
   * Notes that a user lets go of a frame (put_page). The last one frees it, unless an area owns it.
   *
   * @throws VmError `ERANGE` for a frame of another allocator; `EINVAL` when it has no user.
   */
  put(pfn: number): void {
    const at = this.#at(pfn);
    const was = Atomics.load(this.#counts, at);
    if ((was & (ANONYMOUS - 1)) === 0)
      throw new VmError('EINVAL', `frame 0x${pfn.toString(16)} has no reference to give back`);
    if ((was & (ANONYMOUS - 1)) > 1) {
      Atomics.sub(this.#counts, at, 1);
      return;
    }
    Atomics.store(this.#counts, at, 0);
    const orphan = this.#orphans.get(pfn);
    if (orphan !== undefined) {
      this.#orphans.delete(pfn);
      orphan.left--;
      if (orphan.left === 0) this.#ram.free(orphan.head, orphan.order);
    } else if (!this.#marks.has(at) && this.#ram.isAllocated(pfn)) {
      this.#ram.free(pfn);
    }
  }

  /** @internal */
  holdsBack(head: number, order: number): boolean {
    const used: number[] = [];
    for (let pfn = head; pfn < head + 2 ** order; pfn++) if (this.count(pfn) > 0) used.push(pfn);
    if (used.length === 0) return false;
    if (order > 0) {
      const orphan = { head, order, left: used.length };
      for (const pfn of used) this.#orphans.set(pfn, orphan);
    }
    return true;
  }

  /** True for a frame that is allocated, by itself or in a block. */
  #isAllocated(pfn: number): boolean {
    for (let order = 0; order <= MAX_ORDER; order++)
      if (this.#ram.isAllocated(pfn - (pfn % 2 ** order), order)) return true;
    return false;
  }

  #at(pfn: number): number {
    if (this.covers(pfn)) return pfn - this.#ram.first;
    throw new VmError('ERANGE', `frame ${String(pfn)} is none of the allocator`);
  }
}

const byState: WeakMap<ArrayBufferLike, PageReferences> = new WeakMap();
