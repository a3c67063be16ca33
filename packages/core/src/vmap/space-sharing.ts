import type { VmapAreasOptions } from '../area/areas-options.js';
import type { VmapAreas } from '../area/vmap-areas.js';
import type { VmapBlocks, VmapBlocksOptions } from '../area/vmap-blocks.js';
import type { Protection } from '../format/protection.js';
import type { FrameAllocator } from '../memory/frames/frame-allocator.js';
import type { Space } from '../space/space.js';
import type { PageTable } from '../table/page-table.js';
import type { PageTableOptions } from '../table/state/make.js';
import type { ThreadCalls } from '../threads/thread-calls.js';
import type { VmArea } from './areas/vm-area.js';
import type { LazyGrowth, VmStruct } from './areas/vm-struct.js';

/** What a lazy area is made with: `LazyAreaOptions`, checked, with a protection. */
export interface GrowthOptions {
  readonly protection: Protection;
  readonly chunkShift?: number;
  readonly limit?: number | bigint;
  readonly frames?: FrameAllocator;
  readonly populate?: unknown;
}

/**
 * What an address space needs to be used by several threads. `Threads` has it. A program that does not
 * import `Threads` carries none of it.
 */
export interface SpaceSharing {
  /** What is built on the space needs of the threads. */
  readonly calls: ThreadCalls;
  /** Makes the page table of a space, or gives the one that it shares. */
  makeTable(options: PageTableOptions): PageTable;
  /** Called once by the constructor of each `KernelSpace`, when its tables are made and its areas are not. */
  openSpace(space: Space): SpaceThreads;
}

/** One space as one thread sees it. */
export interface SpaceThreads {
  /** True for a space that another thread has made. */
  readonly isAdopted: boolean;
  makeAreas(options: VmapAreasOptions): VmapAreas;
  makeBlocks(options: VmapBlocksOptions): VmapBlocks;
  makeHandle(vm: VmStruct): VmArea;
  /** What populates a lazy area. */
  makeGrowth(vm: VmStruct, options: GrowthOptions): LazyGrowth;
  /** Areas and blocks are made. */
  ready(): void;
  /** Runs a call that changes areas: alone, and all other threads learn of it. */
  change<R>(call: () => R): R;
  /**
   * Runs a call that changes only pages of an area, beside those of other threads.
   *
   * @param find - gives the area. It throws when there is none.
   */
  pages<R>(find: () => VmStruct, call: () => R): R;
  /** Learns what other threads have changed. */
  look(): void;
  /**
   * A call that changes areas is about to free one, or to move its pages. No other thread begins a call in it.
   *
   * @throws VmError `EBUSY` while another thread is in a call on its pages.
   */
  close(vm: VmStruct): void;
  /** @throws VmError `EINVAL` for an area that owns its frames: other threads find them in its tables. */
  requireUnowned(vm: VmStruct): void;
  /** @throws VmError `EBUSY` while other threads are attached. */
  requireAlone(): void;
  /** The space is destroyed. */
  destroyed(): void;
}
