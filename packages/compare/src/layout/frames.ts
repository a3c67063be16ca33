import { FrameAllocator, type FrameStats, VmError } from '@vmarea/core';
import { proveAllReturned } from '../parts/all-returned.js';
import type { Plan } from './plan.js';
import type { Mapping } from './planned-area.js';
import type { FrameBalance } from './result.js';

/** Alignment of a pool's first frame. It aligns every block of the allocator. */
const POOL_ALIGN = 2 ** 18;
/** Frames that are taken between two reports of progress. */
const PART = 2 ** 20;
/** The most frames of one allocator. */
const POOL_LIMIT = 2 ** 30;

/** The frames that a plan maps. They come from two allocators without bytes: one for scattered frames, one for blocks. */
export class FramePools {
  private readonly singles: Watched;
  private readonly blocks: Watched;
  private readonly held: { readonly list: Uint32Array; readonly mapping: Mapping }[] = [];

  constructor(plan: Plan, seed: number) {
    const { pageShift } = plan.configuration.format;
    let singles = 0;
    let inBlocks = 0;
    let largest = 0;
    for (const { mapping } of plan.areas) {
      if (mapping?.source.type !== 'frames') continue;
      const { chunks, order } = mapping.source;
      inBlocks += chunks * 2 ** order;
      singles += mapping.pages - chunks * 2 ** order;
      if (chunks > 0) largest = Math.max(largest, order);
    }
    // Twice as many as needed, so that the last frame is as scattered as the first.
    this.singles = watched(POOL_ALIGN, Math.max(1, 2 * singles), pageShift, seed);
    const block = 2 ** largest;
    const afterSingles = POOL_ALIGN * (1 + Math.ceil(Math.max(1, 2 * singles) / POOL_ALIGN));
    this.blocks = watched(afterSingles, (Math.ceil(inBlocks / block) + 1) * block, pageShift, undefined);
  }

  /**
   * Takes the frames of a mapping, one for each page.
   *
   * @param step - is called before each part of the work, with its number of frames.
   */
  async take(mapping: Mapping, step: (frames: number) => Promise<void>): Promise<Uint32Array> {
    if (mapping.source.type !== 'frames') throw new Error('the mapping has frames of its own');
    const { chunks, order } = mapping.source;
    const list = new Uint32Array(mapping.pages);
    const block = 2 ** order;
    const singles = chunks * block;
    let told = 0;
    for (let page = 0; page < singles; page += block) {
      if (page >= told) {
        await step(Math.min(PART, singles - page));
        told = page + PART;
      }
      const first = this.blocks.allocator.allocate(order);
      for (let i = 0; i < block; i++) list[page + i] = first + i;
    }
    for (let page = singles; page < mapping.pages; page += PART) {
      const pages = Math.min(PART, mapping.pages - page);
      await step(pages);
      list.set(this.singles.allocator.allocateMany(pages), page);
    }
    this.held.push({ list, mapping });
    return list;
  }

  /** Frees every frame, and checks that all came back. */
  release(): FrameBalance {
    const peak = this.singles.allocator.stats().allocated + this.blocks.allocator.stats().allocated;
    for (const { list, mapping } of this.held.splice(0)) {
      if (mapping.source.type !== 'frames') continue;
      const { chunks, order } = mapping.source;
      for (let chunk = 0; chunk < chunks; chunk++) {
        this.blocks.allocator.free(list[chunk * 2 ** order] as number, order);
      }
      this.singles.allocator.freeMany(list.subarray(chunks * 2 ** order));
    }
    const a = proveAllReturned('mapped frames', this.singles.before, this.singles.allocator.stats());
    const b = proveAllReturned('mapped blocks', this.blocks.before, this.blocks.allocator.stats());
    return { before: a.before + b.before, peak, after: a.after + b.after };
  }
}

/** An allocator and its counts when it was new. */
interface Watched {
  readonly allocator: FrameAllocator;
  readonly before: FrameStats;
}

function watched(first: number, frames: number, pageShift: number, scatter: number | undefined): Watched {
  if (frames > POOL_LIMIT || first + frames > 2 ** 32) {
    throw new VmError('E2BIG', 'the input maps more than 2^30 frames, and they cannot be listed');
  }
  const allocator = new FrameAllocator(null, {
    pageShift,
    first,
    frames,
    ...(scatter === undefined ? {} : { scatter }),
  });
  return { allocator, before: allocator.stats() };
}
