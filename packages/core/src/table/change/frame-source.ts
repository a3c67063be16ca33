import { shown, VmError } from '../../errors.js';
import type { FrameSource } from '../../kernel/run-kernels.js';

/** Frame numbers (pfns) to map, one per base page, in order. A `Uint32Array` is the fast form. */
export type FrameList = readonly number[] | Uint32Array | Float64Array;

/**
 * Checks a list of frames.
 *
 * @param limit - frames at or above it do not fit the format's physical addresses.
 * @throws VmError `EINVAL` naming the first bad element.
 */
export function scatteredSource(frames: FrameList, limit: number): FrameSource {
  if (frames instanceof Uint32Array) {
    if (limit < 4294967296) {
      for (let i = 0; i < frames.length; i++) {
        if ((frames[i] as number) >= limit) throw badFrame(frames[i], i, limit);
      }
    }
    return { narrow: frames, wide: null, start: 0 };
  }
  if (frames instanceof Float64Array) {
    for (let i = 0; i < frames.length; i++) {
      if (!isFrame(frames[i], limit)) throw badFrame(frames[i], i, limit);
    }
    return { narrow: null, wide: frames, start: 0 };
  }
  // A plain array is copied: its elements may be anything, and may change while they are read.
  const narrow = narrowCopy(frames, limit);
  if (narrow !== null) return { narrow, wide: null, start: 0 };
  const copy = new Float64Array(frames.length);
  for (let i = 0; i < copy.length; i++) {
    const pfn: unknown = frames[i];
    if (!isFrame(pfn, limit)) throw badFrame(pfn, i, limit);
    copy[i] = pfn;
  }
  return { narrow: null, wide: copy, start: 0 };
}

/** A copy as 32-bit words, which are written faster; `null` when an element is no frame or does not fit. */
function narrowCopy(frames: readonly number[], limit: number): Uint32Array | null {
  const copy = new Uint32Array(frames.length);
  for (let i = 0; i < copy.length; i++) {
    const pfn: unknown = frames[i];
    if (typeof pfn !== 'number' || pfn >>> 0 !== pfn || pfn >= limit) return null;
    copy[i] = pfn;
  }
  return copy;
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

/** True when `pages` frames from `page` on are adjacent and start at a multiple of `pages`: a block can map them. */
export function isBlock(source: FrameSource, page: number, pages: number): boolean {
  const first = frameAt(source, page);
  if (first % pages !== 0) return false;
  const list = source.narrow ?? source.wide;
  if (list === null) return true;
  // The last frame refuses nearly every scattered list without a scan.
  if (list[page + pages - 1] !== first + pages - 1) return false;
  for (let i = 1; i < pages; i++) {
    if (list[page + i] !== first + i) return false;
  }
  return true;
}

/** True for a frame number below a limit. One of 32 bits, as most are, is told without floating point. */
export function isFrame(pfn: unknown, limit: number): pfn is number {
  return (
    typeof pfn === 'number' && pfn < limit && (pfn >>> 0 === pfn || (pfn >= 0 && Math.floor(pfn) === pfn))
  );
}

/** The error of an element that is no frame number of the format. */
export function badFrame(pfn: unknown, index: number, limit: number): VmError {
  const frame =
    typeof pfn === 'number' && Number.isInteger(pfn) && pfn >= 0 ? `0x${pfn.toString(16)}` : shown(pfn);
  return new VmError('EINVAL', `frame ${frame} of page ${index} is not a frame number`, {
    advice: `this format's frames are integers from 0 to 0x${(limit - 1).toString(16)}`,
  });
}
