import { shown, VmError } from '../errors.js';
import { badFrame, type FrameList, isFrame, scatteredSource } from '../table/change/frame-source.js';
import { typedKind, typedLength } from './typed-arrays.js';

/** Frames in an array that nobody else has. */
export type OwnFrames = Uint32Array | Float64Array;

/** Most elements of a plain array that are copied: the language holds few more in one. */
const MOST_ELEMENTS = 2 ** 26;

/** Number of frames in a list of a caller. It is read once: what the list says later does not count. */
export function lengthOf(frames: FrameList): number {
  const length: unknown = isTyped(frames)
    ? typedLength(frames)
    : Array.isArray(frames)
      ? frames.length
      : undefined;
  if (typeof length !== 'number')
    throw new VmError('EINVAL', 'the frames are not an array', {
      advice: 'pass a Uint32Array, a Float64Array or an array of numbers',
    });
  if (length === 0) throw new VmError('EINVAL', 'the list of frames is empty');
  return length;
}

/**
 * Copies the frames of a caller, who may change the list while a call looks at it: from another thread, or in a getter.
 *
 * @param length - what `lengthOf` returned, after it was found small enough.
 * @param limit - frames at or above it do not fit the format's physical addresses.
 * @throws VmError `EINVAL` naming the first element that is no frame, `E2BIG` for more than an array holds; whatever a getter throws.
 */
export function copyFrames(frames: FrameList, length: number, limit: number): OwnFrames {
  const copy = isTyped(frames) ? copyTyped(frames) : copyArray(frames as readonly number[], length, limit);
  if (copy.length !== length)
    throw new VmError('EINVAL', 'the list of frames has another length than when the call began');
  const { narrow, wide } = scatteredSource(copy, limit);
  return (narrow ?? wide) as OwnFrames;
}

function isTyped(frames: unknown): frames is OwnFrames {
  const kind = typedKind(frames);
  return kind === 'Uint32Array' || kind === 'Float64Array';
}

/** Not by `slice`, which a caller may have replaced. */
function copyTyped(frames: OwnFrames): OwnFrames {
  if (typedLength(frames) === 0) return new Uint32Array(0);
  return typedKind(frames) === 'Uint32Array' ? new Uint32Array(frames) : new Float64Array(frames);
}

/** Stops at the first element that is no frame: a list with holes may be as long as the language allows. */
function copyArray(frames: readonly number[], length: number, limit: number): number[] {
  const copy: number[] = [];
  for (let i = 0; i < length; i++) {
    if (i === MOST_ELEMENTS)
      throw new VmError('E2BIG', `${length} frames are more than one list holds`, {
        advice: 'pass a Uint32Array',
      });
    const pfn = frames[i];
    if (!isFrame(pfn, limit)) throw badFrame(pfn, i, limit);
    copy.push(pfn);
  }
  return copy;
}

/** Frames as 32-bit words, which are written faster, where all of them fit. */
export function narrowed(frames: Float64Array): OwnFrames {
  for (let i = 0; i < frames.length; i++) if ((frames[i] as number) >= 2 ** 32) return frames;
  return new Uint32Array(frames);
}

/** Calls back with each stretch of adjacent frames. */
export function eachStretch(frames: OwnFrames, visit: (first: number, count: number) => void): void {
  let start = 0;
  for (let i = 1; i <= frames.length; i++) {
    if (i < frames.length && (frames[i] as number) === (frames[i - 1] as number) + 1) continue;
    visit(frames[start] as number, i - start);
    start = i;
  }
}

/**
 * Copies a short list of a caller, element by element: its iterator may be another's, and its holes without end.
 *
 * @throws VmError `EINVAL` for what is no list, or at the first element that is none of them.
 */
export function copyList<T>(list: readonly T[], isOne: (value: unknown) => boolean): T[] {
  if (!Array.isArray(list)) throw new VmError('EINVAL', `the list is ${shown(list)}, expected an array`);
  // Read once: a getter in it may make it longer each time.
  const { length } = list;
  const copy: T[] = [];
  for (let i = 0; i < length; i++) {
    const one: T = list[i];
    if (!isOne(one)) throw new VmError('EINVAL', `element ${i} of the list is ${shown(one)}`);
    copy.push(one);
  }
  return copy;
}
