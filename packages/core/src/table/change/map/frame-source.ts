import type { FrameArray } from '../../../check/frames.js';
import { plainFrames } from '../../../check/typed-arrays.js';
import { VmError } from '../../../errors.js';
import type { FrameSource } from '../../../loops/run-loops.js';

/** The frames of a checked list; see `checkFrames`. */
export function scatteredSource(frames: FrameArray): FrameSource {
  // The loops ask the list for its length and its parts.
  const list = plainFrames(frames);
  return list instanceof Uint32Array
    ? { narrow: list, wide: null, start: 0 }
    : { narrow: null, wide: list, start: 0 };
}

/**
 * A range of adjacent frames.
 *
 * @param start - first pfn.
 * @param pages - number of frames.
 * @throws VmError `EINVAL` when the range does not fit below `limit`.
 */
export function linearSource(start: number, pages: number, limit: number): FrameSource {
  if (start + pages > limit) {
    throw new VmError(
      'EINVAL',
      `the physical range of frames 0x${start.toString(16)} to 0x${(start + pages - 1).toString(16)} is too high`,
      { advice: `this format's frames end at 0x${(limit - 1).toString(16)}` },
    );
  }
  return { narrow: null, wide: null, start };
}

/** True when page n of a call is frame n of a range. */
export function isLinear({ narrow, wide }: FrameSource): boolean {
  return narrow === null && wide === null;
}

/** The frame of a page. */
export function frameAt(source: FrameSource, page: number): number {
  if (source.narrow !== null) return source.narrow[page] as number;
  if (source.wide !== null) return source.wide[page] as number;
  return source.start + page;
}

/**
 * True when `pages` frames from `page` on are adjacent and start at a multiple of `pages`: then a block can
 * map them.
 */
export function isBlock(source: FrameSource, page: number, pages: number): boolean {
  const first = frameAt(source, page);
  if (first % pages !== 0) return false;
  const list = source.narrow ?? source.wide;
  if (list === null) return true;
  // The last frame rules out nearly every scattered list without a scan.
  if (list[page + pages - 1] !== first + pages - 1) return false;
  for (let i = 1; i < pages; i++) {
    if (list[page + i] !== first + i) return false;
  }
  return true;
}
