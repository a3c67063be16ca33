import type { FrameList } from '../check/frames.js';
import type { Protection } from '../format/protection.js';
import type { FlushBatch } from './state/flush-batch.js';

/** Options of one mapping call. */
export interface MapOptions {
  /**
   * Cap on the size of leaves and runs, log2 bytes. `map` uses the largest size that address, frames and
   * this cap allow. A cap is never an error: 12 keeps base pages of 4 KiB single, 16 lets arm64 form runs of
   * 16 of them. Default: no cap.
   */
  readonly maxLeafShift?: number;
  /**
   * Cap on the size of runs with a contiguous hint, log2 bytes. 16 lets arm64 form runs of 16 pages of 4 KiB
   * beside blocks, but no runs of 16 blocks, as Linux does. 0 forms none. Default: `maxLeafShift`.
   */
  readonly maxRunShift?: number;
}

/** The names of `MapOptions`; with `batch`, those of `CollapseOptions`. */
export const MAP_OPTIONS = ['maxLeafShift', 'maxRunShift'] as const;

/** One piece of a call that maps several: the arguments of `map`. */
export interface MapPiece {
  /** First address in bytes, a multiple of the page size. */
  readonly va: bigint;
  /** One frame for each page. */
  readonly frames: FrameList;
  /** What the pages allow. */
  readonly protection: Protection;
  /** Caps on its leaves and runs. Default: none. */
  readonly options?: MapOptions;
}

/** Options of every call that removes or changes translations. */
export interface FlushOptions {
  /**
   * Adds the call's flush to this batch, for `batch.done()` to make. Where the architecture demands a flush
   * in the middle (break-before-make), the call still makes that one at once. Default: the sink is called
   * before the call returns.
   */
  readonly batch?: FlushBatch;
}

/** The names of `FlushOptions`. */
export const FLUSH_OPTIONS = ['batch'] as const;

/** Options of a call whose range may end inside a leaf larger than a page. */
export interface CutOptions extends FlushOptions {
  /**
   * Whether to split a block or run that the range covers only in part. It becomes leaves of the next size,
   * and so on, so that the pieces outside the range stay as large as they can. With `false` the call is
   * refused with `EINVAL`, even when it would change nothing there. Default: true.
   */
  readonly split?: boolean;
}

/** The names of `CutOptions`. */
export const CUT_OPTIONS = ['batch', 'split'] as const;

/** Options of one unmapping call. */
export interface UnmapOptions extends CutOptions {
  /**
   * Also free the tables in the range that are then empty. Without it, tables stay, as in Linux, until
   * `reclaim` or `destroy`. Do not set it while other roots link to the tables: the owner's call frees a
   * table, whoever else points to it. Default: false.
   */
  readonly reclaim?: boolean;
}

/** The names of `UnmapOptions`. */
export const UNMAP_OPTIONS = ['batch', 'split', 'reclaim'] as const;

/** Options of one call that makes leaves smaller. */
export interface SplitOptions extends FlushOptions {
  /** The largest leaf that may remain, log2 bytes: a leaf size of the format. Default: the base page. */
  readonly leafShift?: number;
}

/** Options of one call that makes leaves larger. */
export interface CollapseOptions extends FlushOptions {
  /** Cap on the size of leaves and runs, log2 bytes. Default: no cap. */
  readonly maxLeafShift?: number;
  /**
   * Cap on the size of runs with a contiguous hint, log2 bytes. 16 lets arm64 form runs of 16 pages of 4 KiB
   * beside blocks, but no runs of 16 blocks, as Linux does. 0 forms none. Default: `maxLeafShift`.
   */
  readonly maxRunShift?: number;
}

/** Options of a call that makes, or counts, tables in advance. */
export interface PrepareOptions {
  /**
   * Size of the leaves that will be mapped, log2 bytes: a leaf size of the format. Default: the base page.
   */
  readonly leafShift?: number;
}

/** The names of `PrepareOptions`. */
export const PREPARE_OPTIONS = ['leafShift'] as const;

/** Options of one call that visits entries. */
export interface ApplyOptions extends FlushOptions {
  /**
   * What to do with a leaf larger than a page. The leaves of a run of pages count as pages. They are
   * visited, but can be set only with `split`, which first takes the mark from the whole run.
   *
   * - `refuse`: throw `EINVAL`, as Linux does.
   * - `visit`: call back with the entry of the block itself. A block that the range covers only in part
   *   cannot be set.
   * - `split`: split the block into pages, and call back with each page in the range.
   *
   * Default: `refuse`.
   */
  readonly blocks?: 'refuse' | 'visit' | 'split';
}
