import { isArray, shown, VmError } from '../errors.js';
import { typedKind, typedLength } from './typed-arrays.js';

/** Frame numbers (pfns) to map, one per base page, in order. A `Uint32Array` is the fast form. */
export type FrameList = readonly number[] | Uint32Array | Float64Array;

/** Frames in a typed array. */
export type FrameArray = Uint32Array | Float64Array;

/** Most elements of a plain array that are copied. A JavaScript array cannot hold many more. */
const MOST_ELEMENTS = 1 << 26;

/**
 * The number of frames in a caller's list. Call it once: a later length does not count.
 *
 * Arrays are recognised by their brand, so those of another realm (an iframe, a `vm` context) are lists too.
 *
 * @throws VmError `EINVAL` for anything that is not a list, or an empty list.
 */
export function frameCount(frames: FrameList): number {
  const length = isTyped(frames) ? typedLength(frames) : isArray(frames) === true ? frames.length : -1;
  // A proxy of an array may say any length, also a text or a fraction.
  if (Number.isInteger(length) && length > 0) return length;
  if (length === 0) throw new VmError('EINVAL', 'the list of frames is empty');
  throw new VmError('EINVAL', `the frames are not an array: ${shown(frames)}`, {
    advice: 'pass a Uint32Array, a Float64Array or an array of numbers',
  });
}

/**
 * Checks every frame of a list. A typed array is returned as it is, a plain array as a copy.
 *
 * Call it after everything else that may run a caller's code: a typed array is not copied.
 *
 * @param count - what `frameCount` returned.
 * @param limit - frames at or above it do not fit the format's physical addresses.
 * @throws VmError `EINVAL` naming the first element that is not a frame, or when a typed array changed its
 *   length; `E2BIG` for a plain array longer than 2^26.
 */
export function checkFrames(frames: FrameList, count: number, limit: number): FrameArray {
  const kind = typedKind(frames);
  if (kind !== 'Uint32Array' && kind !== 'Float64Array')
    return copyArray(frames as readonly number[], count, limit);
  const list = frames as FrameArray;
  const length = typedLength(list);
  if (length !== count)
    throw new VmError('EINVAL', `the list of frames changed its length from ${count} to ${length}`);
  // 32-bit words need no check when all of them fit.
  if (limit < 2 ** 32 || kind === 'Float64Array')
    for (let i = 0; i < count; i++) if (!isFrame(list[i], limit)) throw badFrame(list[i], i, limit);
  return list;
}

/**
 * Copies and checks a list that may change during a call: from another thread, or in a getter.
 *
 * @param count - what `frameCount` returned, after it was found small enough.
 * @param limit - frames at or above it do not fit the format's physical addresses.
 * @throws VmError as `checkFrames`; `EINVAL` when the list changed its length; what a getter throws.
 */
export function copyFrames(frames: FrameList, count: number, limit: number): FrameArray {
  if (!isTyped(frames)) return copyArray(frames, count, limit);
  return checkFrames(copyTyped(frames), count, limit);
}

/** True for a frame number below a limit. A 32-bit number, as most are, needs no floating point. */
export function isFrame(pfn: unknown, limit: number): pfn is number {
  return (
    typeof pfn === 'number' && pfn < limit && (pfn >>> 0 === pfn || (pfn >= 0 && Math.floor(pfn) === pfn))
  );
}

/** The frames as 32-bit words, when all of them fit: those are written faster. */
export function narrowed(frames: Float64Array): FrameArray {
  for (let i = 0; i < frames.length; i++) if ((frames[i] as number) >= 2 ** 32) return frames;
  return new Uint32Array(frames);
}

/** Calls back with each stretch of adjacent frames. */
export function eachStretch(frames: FrameArray, visit: (first: number, count: number) => void): void {
  let start = 0;
  for (let i = 1; i <= frames.length; i++) {
    if (i < frames.length && (frames[i] as number) === (frames[i - 1] as number) + 1) continue;
    visit(frames[start] as number, i - start);
    start = i;
  }
}

function isTyped(frames: FrameList): frames is FrameArray {
  const kind = typedKind(frames);
  return kind === 'Uint32Array' || kind === 'Float64Array';
}

/** Without `slice`, which a caller may have replaced. */
function copyTyped(frames: FrameArray): FrameArray {
  if (typedLength(frames) === 0) return new Uint32Array(0);
  return typedKind(frames) === 'Uint32Array' ? new Uint32Array(frames) : new Float64Array(frames);
}

/**
 * Reads each element once, since it may be a getter. It stops at the first that is not a frame, since a list
 * with holes may have any length.
 */
function copyArray(frames: readonly number[], count: number, limit: number): FrameArray {
  if (count <= MOST_ELEMENTS) {
    const copy = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      const pfn: unknown = frames[i];
      if (!isFrame(pfn, limit)) throw badFrame(pfn, i, limit);
      copy[i] = pfn;
    }
    return narrowed(copy);
  }
  // A list with holes is refused at its first hole, before anything is allocated for its length.
  for (let i = 0; i < MOST_ELEMENTS; i++) if (!isFrame(frames[i], limit)) throw badFrame(frames[i], i, limit);
  throw new VmError('E2BIG', `${count} frames are more than one list holds`, {
    advice: 'pass a Uint32Array',
  });
}

/** The error of an element that is not a frame number of the format. */
export function badFrame(pfn: unknown, index: number, limit: number): VmError {
  const frame =
    typeof pfn === 'number' && Number.isInteger(pfn) && pfn >= 0 ? `0x${pfn.toString(16)}` : shown(pfn);
  return new VmError('EINVAL', `frame ${frame} of page ${index} is not a frame number`, {
    advice: `this format's frames are integers from 0 to 0x${(limit - 1).toString(16)}`,
  });
}
