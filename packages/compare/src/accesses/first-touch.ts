import {
  FrameAllocator,
  type FrameStats,
  PageTable,
  type PageTableFormat,
  PhysicalMemory,
  protection,
  VmError,
} from '@vmarea/core';
import { type WalkLevel, type WalkRecord, type WalkSource, walkSource } from '@vmarea/mmu';
import { proveAllReturned } from '../parts/all-returned.js';
import { count } from '../parts/text.js';
import { type LeafCount, leafCounts } from './leaf-count.js';
import { MOVED_SHIFT, type Relocation } from './relocation.js';
import type { TableBudget } from './table-budget.js';
import { tableFramesFor } from './table-count.js';
import type { TouchedPages } from './touched-pages.js';

/** Where the frames of pages are. `adjacent`: in the order of first touches. `scattered`: at random, by the seed. */
export type FrameOrder = 'adjacent' | 'scattered';

/** How pages are backed on their first touch. */
export interface FirstTouchOptions {
  readonly format: PageTableFormat;
  readonly touched: TouchedPages;
  readonly relocation: Relocation;
  /** Sizes of leaves above a base page: log2 bytes, descending. */
  readonly leafShifts: readonly number[];
  /** The share of an aligned block's pages, in percent, that the trace must touch for the block to be one leaf. */
  readonly dense: number;
  readonly frames: FrameOrder;
  readonly seed: number;
  /** What the tables may take. */
  readonly budget: TableBudget;
}

/** One protection for all pages: a trace does not tell what they allow. */
const USER = protection({ write: true, execute: true, user: true });
/** The most frames of one allocator. */
const MOST_FRAMES = 2 ** 30;
/** Alignment of the first frame of pages: that of the largest leaf. */
const ALIGN_SHIFT = MOVED_SHIFT;

/**
 * Real page tables that map a page when a walk first meets it. An address that a TLB holds was walked before, so nothing is asked on a hit.
 *
 * The page faults of first touches are not simulated: the walk that needs the page finds it.
 */
export class FirstTouch implements WalkSource {
  readonly pageShift: number;
  readonly levels: readonly WalkLevel[];
  readonly table: PageTable;
  readonly #options: FirstTouchOptions;
  readonly #inner: WalkSource;
  readonly #tableFrames: FrameAllocator;
  readonly #emptyTables: FrameStats;
  readonly #pages: FrameAllocator;
  readonly #blocks: FrameAllocator;
  /** Whether aligned blocks are dense: for each size, by the number of the block. */
  readonly #dense: readonly Map<number, boolean>[];
  readonly #leaves: Map<number, number> = new Map();

  constructor(options: FirstTouchOptions) {
    const { format, touched, relocation, leafShifts, dense, frames, seed, budget } = options;
    const { pageShift } = format;
    this.#options = options;
    this.pageShift = pageShift;
    const tables = tableFramesFor(format, touched, relocation);
    budget.take(tables * 2 ** pageShift, format.name);
    const memory = PhysicalMemory.create({ bytes: tables * 2 ** pageShift });
    this.#tableFrames = new FrameAllocator(memory, { pageShift });
    this.#emptyTables = this.#tableFrames.stats();
    this.table = new PageTable({ format, memory, frames: this.#tableFrames });
    this.#inner = walkSource(this.table);
    this.levels = this.#inner.levels;
    this.#dense = leafShifts.map(() => new Map());

    const pages = touched.count(pageShift);
    const first = 2 ** (ALIGN_SHIFT - pageShift);
    // Twice as many, so that the last scattered frame is as scattered as the first.
    const singles = roundUp(Math.max(2 * pages, 1), first);
    const largest = 2 ** ((leafShifts[0] ?? pageShift) - pageShift);
    const inBlocks = leafShifts.length === 0 ? 1 : (Math.ceil((pages * 100) / dense / largest) + 2) * largest;
    if (singles + inBlocks > MOST_FRAMES)
      throw new VmError(
        'E2BIG',
        `the accesses touch ${count(pages)} pages; leaves that are ${dense} percent full take more than 2^30 frames`,
      );
    const scatter = frames === 'scattered' ? { scatter: seed } : {};
    this.#pages = new FrameAllocator(null, { pageShift, first, frames: singles, ...scatter });
    this.#blocks = new FrameAllocator(null, { pageShift, first: first + singles, frames: inBlocks });
  }

  walk(vaHi: number, vaLo: number, record: WalkRecord): boolean {
    if (this.#inner.walk(vaHi, vaLo, record)) return true;
    this.#touch(vaHi >>> 0, vaLo >>> 0);
    return this.#inner.walk(vaHi, vaLo, record);
  }

  groupMask(pages: number): number {
    return this.#inner.groupMask(pages);
  }

  /** The leaves so far, by size: ascending. */
  get leaves(): readonly LeafCount[] {
    return leafCounts(this.#options.format, this.#leaves);
  }

  /** Frames of tables, the root included. */
  get tables(): number {
    return this.#tableFrames.stats().allocated - this.#emptyTables.allocated;
  }

  /**
   * Takes all down.
   *
   * @throws WrongResult when a frame of a table did not come back.
   */
  destroy(): void {
    this.table.destroy();
    proveAllReturned('page tables', this.#emptyTables, this.#tableFrames.stats());
  }

  /** Maps the leaf that an address gets. */
  #touch(hi: number, lo: number): void {
    const { leafShifts } = this.#options;
    for (const [i, shift] of leafShifts.entries()) {
      if (!this.#isDense(i, shift, hi, lo)) continue;
      this.#count(shift);
      const va = ((BigInt(hi) << 32n) | BigInt(lo)) & -(1n << BigInt(shift));
      const pfn = this.#blocks.allocate(shift - this.pageShift);
      this.table.mapRange(va, BigInt(pfn) << BigInt(this.pageShift), 2 ** shift, USER, {
        maxLeafShift: shift,
      });
      return;
    }
    this.#count(this.pageShift);
    this.table.mapWords(hi, (lo & -(2 ** this.pageShift)) >>> 0, this.#pages.allocate(0), USER);
  }

  #count(shift: number): void {
    this.#leaves.set(shift, (this.#leaves.get(shift) ?? 0) + 1);
  }

  /** Whether the aligned block around an address has enough touched pages. */
  #isDense(index: number, shift: number, hi: number, lo: number): boolean {
    const { touched, relocation, dense } = this.#options;
    const known = this.#dense[index] as Map<number, boolean>;
    const block = Math.floor((hi * 2 ** 32 + lo) / 2 ** shift);
    const answer = known.get(block);
    if (answer !== undefined) return answer;
    const piece = Math.floor((hi * 2 ** 32 + lo) / 2 ** MOVED_SHIFT);
    const address =
      relocation.source(piece) * 2 ** MOVED_SHIFT + (lo & (2 ** MOVED_SHIFT - 1) & -(2 ** shift));
    const pages = touched.countBlock(address, shift, this.pageShift);
    const isDense = pages * 100 >= dense * 2 ** (shift - this.pageShift);
    known.set(block, isDense);
    return isDense;
  }
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
