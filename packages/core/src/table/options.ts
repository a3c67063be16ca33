import type { FrameList } from '../check/frames.js';
import type { Protection } from '../format/protection.js';
import type { FlushBatch } from './state/flush-batch.js';

/** Choices of one mapping call. */
export interface MapOptions {
  /**
   * Cap on the size of leaves and runs, log2 bytes. The largest that address, frames and this cap allow is used; it is
   * never an error: 12 keeps base pages of 4 KiB single, 16 lets arm64 form runs of 16 of them. Default: no cap.
   */
  readonly maxLeafShift?: number;
  /**
   * Cap on the size of runs with a contiguous hint, log2 bytes: 16 lets arm64 form runs of 16 pages of 4 KiB beside blocks,
   * and not runs of 16 blocks, as Linux does; 0 forms none. Default: `maxLeafShift`.
   */
  readonly maxRunShift?: number;
}

/** The names of `MapOptions`, and of `CollapseOptions` beside `batch`. */
export const MAP_OPTIONS = ['maxLeafShift', 'maxRunShift'] as const;

/** One stretch of a call that maps several: the arguments of `map`. */
export interface MapPiece {
  /** First address in bytes, a multiple of the page size. */
  readonly va: bigint;
  /** One frame for each page. */
  readonly frames: FrameList;
  /** What the pages allow. */
  readonly protection: Protection;
  /** Caps on its leaves and runs. Default none. */
  readonly options?: MapOptions;
}

/** Choices of every call that takes translations away. */
export interface FlushOptions {
  /**
   * Adds the call's flush to this batch and leaves it to `batch.done()`. Where the architecture demands a flush in the
   * middle (break-before-make) the call still makes it at once. Default: the sink is called before the call returns.
   */
  readonly batch?: FlushBatch;
}

/** The names of `FlushOptions`. */
export const FLUSH_OPTIONS = ['batch'] as const;

/** Choices of a call whose range may end inside a leaf larger than a page. */
export interface CutOptions extends FlushOptions {
  /**
   * Whether a block or run that the range covers only in part is split: into leaves of the next size, and on, so that
   * the pieces outside the range stay as large as they can. `false`: the call is refused with `EINVAL`, whether or not it
   * would change anything there. Default true.
   */
  readonly split?: boolean;
}

/** The names of `CutOptions`. */
export const CUT_OPTIONS = ['batch', 'split'] as const;

/** Choices of one unmapping call. */
export interface UnmapOptions extends CutOptions {
  /**
   * Also free the tables in the range that are then empty. Default false: tables stay, as in Linux, until `reclaim` or
   * `destroy`. Not while other roots link to them: a table goes with its owner's call, whoever else points to it.
   */
  readonly reclaim?: boolean;
}

/** The names of `UnmapOptions`. */
export const UNMAP_OPTIONS = ['batch', 'split', 'reclaim'] as const;

/** Choices of one call that makes leaves smaller. */
export interface SplitOptions extends FlushOptions {
  /** log2 bytes of the largest leaf that may remain: a leaf size of the format. Default: the base page. */
  readonly leafShift?: number;
}

/** Choices of one call that makes leaves larger. */
export interface CollapseOptions extends FlushOptions {
  /** Cap on the size of leaves and runs, log2 bytes. Default: no cap. */
  readonly maxLeafShift?: number;
  /**
   * Cap on the size of runs with a contiguous hint, log2 bytes: 16 lets arm64 form runs of 16 pages of 4 KiB beside blocks,
   * and not runs of 16 blocks, as Linux does; 0 forms none. Default: `maxLeafShift`.
   */
  readonly maxRunShift?: number;
}

/** Choices of a call that makes, or counts, tables in advance. */
export interface PrepareOptions {
  /** log2 bytes of the leaves that are going to be mapped: a leaf size of the format. Default: the base page. */
  readonly leafShift?: number;
}

/** The names of `PrepareOptions`. */
export const PREPARE_OPTIONS = ['leafShift'] as const;

/** Choices of one call that visits entries. */
export interface ApplyOptions extends FlushOptions {
  /**
   * What to do with a leaf larger than a page. The leaves of a run of pages are pages: they are visited, and can be set
   * only with `split`, which takes the mark from the whole run first.
   *
   * - `refuse`: throw `EINVAL`, as Linux does. The default.
   * - `visit`: call back with the entry of the block itself. One that the range covers only in part cannot be set.
   * - `split`: split it into pages first, and call back with each of those in the range.
   */
  readonly blocks?: 'refuse' | 'visit' | 'split';
}
