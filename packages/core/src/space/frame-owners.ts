import type { FrameArray } from '../check/frames.js';
import { VmError } from '../errors.js';
import type { FrameAllocator } from '../memory/frames/frame-allocator.js';
import type { OwnerMarks } from '../memory/frames/frame-sharing.js';
import { TableRecords } from '../table/state/table-records.js';
import { heldFrames } from './held-frames.js';
import { LocalMarks } from './local-marks.js';

/** Frames that are freed with their area: blocks of `2 ** order` frames. */
export interface OwnedFrames {
  /** First frame of each block. */
  readonly heads: FrameArray;
  /** log2 of the frames of a block. */
  readonly order: number;
}

/**
 * Which frames areas own, one bit each. No frame has two owners, and no frame is freed twice.
 *
 * Linux counts references in struct page for this.
 */
export class FrameOwners {
  readonly #ram: FrameAllocator;
  readonly #records: TableRecords;
  readonly #marks: OwnerMarks;

  /** @param tables - where tables come from: those frames belong to page tables. */
  constructor(ram: FrameAllocator, tables: FrameAllocator) {
    this.#ram = ram;
    this.#records = TableRecords.of(tables);
    this.#marks = ram.calls?.marks ?? LocalMarks.of(ram);
  }

  /**
   * Checks single frames that a caller hands over.
   *
   * @throws VmError `EINVAL` for one that is not allocated as a single frame, is a page table, has an owner,
   *   or is given twice.
   */
  checkGiven(frames: FrameArray): void {
    const seen = new Set<number>();
    for (const pfn of frames) {
      const why = !this.#ram.isAllocated(pfn, 0)
        ? 'is not allocated as a single frame'
        : this.#records.find(pfn) >= 0
          ? 'holds a page table'
          : this.owns(pfn)
            ? 'belongs to another area'
            : seen.has(pfn)
              ? 'is in the list twice'
              : null;
      seen.add(pfn);
      if (why !== null)
        throw new VmError('EINVAL', `frame 0x${pfn.toString(16)} ${why}`, {
          advice: 'pass frames that the allocator of vmalloc memory gave as single frames',
        });
    }
  }

  /**
   * Checks that frames can be freed, before anything of their area is changed.
   *
   * @throws VmError `EINVAL` when somebody else freed one.
   */
  checkAllocated({ heads, order }: OwnedFrames): void {
    for (let i = 0; i < heads.length; i++) {
      const pfn = heads[i] as number;
      if (!this.#ram.isAllocated(pfn, order)) throw freedByOthers(pfn);
    }
  }

  /** True when an area owns the block that begins at a frame. */
  owns(pfn: number): boolean {
    // Counted from the first frame: frame numbers may need more than 32 bits, their count does not.
    return this.#marks.has(pfn - this.#ram.first);
  }

  /** From now on an area owns these frames. */
  take({ heads }: OwnedFrames): void {
    for (let i = 0; i < heads.length; i++) this.#marks.set((heads[i] as number) - this.#ram.first, true);
  }

  /** From now on no area owns these frames. They stay allocated. */
  release({ heads }: OwnedFrames): void {
    for (let i = 0; i < heads.length; i++) this.#marks.set((heads[i] as number) - this.#ram.first, false);
  }

  /**
   * Frees frames, all that are still allocated.
   *
   * A sink may have freed one after `checkAllocated`, during the flush. The others would be lost if they stayed.
   *
   * @returns the errors of those that somebody else freed.
   */
  free(given: OwnedFrames): VmError[] {
    const owned = this.#withoutHeld(given);
    const { heads, order } = owned;
    const { calls } = this.#ram;
    try {
      if (calls !== null) {
        // The marks go in between, so that a death leaves no frame without an owner.
        calls.giveAfter(heads, heads.length, order, () => this.release(owned));
        return [];
      }
    } catch {
      // One is not allocated, so none was freed. They go one by one.
    }
    this.release(owned);
    try {
      if (order === 0) {
        this.#ram.freeMany(heads);
        return [];
      }
    } catch {
      // One is not allocated, so none was freed. They go one by one.
    }
    const errors: VmError[] = [];
    for (let i = 0; i < heads.length; i++) {
      const pfn = heads[i] as number;
      if (this.#ram.isAllocated(pfn, order)) this.#ram.free(pfn, order);
      else errors.push(freedByOthers(pfn));
    }
    return errors;
  }

  /** Those frames that no process maps. The others have no owner from now on: the last process frees them. */
  #withoutHeld(owned: OwnedFrames): OwnedFrames {
    const held = heldFrames.get(this.#ram.state);
    if (held?.isUsed !== true) return owned;
    const { heads, order } = owned;
    const free = heads.filter((pfn) => !this.#ram.isAllocated(pfn, order) || !held.holdsBack(pfn, order));
    return free.length === heads.length ? owned : { heads: free, order };
  }
}

/** The error of a frame of an area that the allocator no longer holds. */
export function freedByOthers(pfn: number): VmError {
  return new VmError('EINVAL', `frame 0x${pfn.toString(16)} of the area was freed by somebody else`, {
    advice: 'only the area may free its frames; allocate the frame again and free the area',
  });
}

/** The frames of an area, one for each page. */
export function listOf({ heads, order }: OwnedFrames): FrameArray {
  if (order === 0) return heads;
  const length = 2 ** order;
  const list =
    heads instanceof Uint32Array
      ? new Uint32Array(heads.length * length)
      : new Float64Array(heads.length * length);
  for (let i = 0; i < list.length; i++) list[i] = (heads[Math.floor(i / length)] as number) + (i % length);
  return list;
}
