import { VmError } from '../errors.js';
import { type FrameList, scatteredSource } from '../table/change/frame-source.js';

/** Frames in an array that nobody else has. */
export type OwnFrames = Uint32Array | Float64Array;

/** Number of frames in a list of a caller. It is read once: what the list says later does not count. */
export function lengthOf(frames: FrameList): number {
  const isList = frames instanceof Uint32Array || frames instanceof Float64Array || Array.isArray(frames);
  const length: unknown = isList ? frames.length : undefined;
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
 * @throws VmError `EINVAL` naming the first element that is no frame; whatever a getter throws.
 */
export function copyFrames(frames: FrameList, length: number, limit: number): OwnFrames {
  const copy = Array.isArray(frames) ? copyArray(frames, length) : (frames as OwnFrames).slice(0, length);
  if (copy.length !== length)
    throw new VmError('EINVAL', 'the list of frames became shorter during the call');
  const { narrow, wide } = scatteredSource(copy, limit);
  return (narrow ?? wide) as OwnFrames;
}

function copyArray(frames: readonly number[], length: number): number[] {
  const copy: number[] = [];
  for (let i = 0; i < length; i++) copy.push(frames[i] as number);
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
