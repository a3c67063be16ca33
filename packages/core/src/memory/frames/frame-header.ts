import { VmError } from '../../errors.js';
import { MOST_THREADS } from '../../threads/layout.js';
import { isPageShift, PHYSICAL_ADDRESS_BITS } from '../bank.js';
import { isBuffer } from '../host.js';
import { MAGIC, MAX_FRAMES, SCATTER, type Shape, shapeOf, THREADS, VERSION, Word } from './frame-layout.js';

/**
 * Reads and checks what a state's layout follows from. Counters are not checked.
 *
 * @throws VmError `EINVAL` naming the first field that is invalid.
 */
export function readShape(buffer: unknown): Shape {
  if (!isBuffer(buffer)) {
    throw new VmError(
      'EINVAL',
      'the state of a frame allocator must be an ArrayBuffer or a SharedArrayBuffer',
    );
  }
  const length = buffer.byteLength;
  if (length < Word.header * 4 || length % 8 !== 0) badState('length', `${length} bytes`);
  const words = new Int32Array(buffer);
  const word = (at: number): number => words[at] as number;
  if (word(Word.magic) !== MAGIC) badState('magic', `0x${(word(Word.magic) >>> 0).toString(16)}`);
  if (word(Word.version) !== VERSION)
    badState('version', `${word(Word.version)}, this library has ${VERSION}`);
  const pageShift = word(Word.pageShift);
  if (!isPageShift(pageShift)) badState('page shift', `${pageShift}`);
  const flags = word(Word.flags);
  if ((flags & ~(SCATTER | THREADS)) !== 0) badState('flags', `0x${(flags >>> 0).toString(16)}`);
  const frames = word(Word.frames);
  if (frames < 1 || frames > MAX_FRAMES) badState('number of frames', `${frames}`);
  const first = word(Word.firstHigh) * 2 ** 32 + (word(Word.firstLow) >>> 0);
  if (first < 0 || first + frames > 2 ** (PHYSICAL_ADDRESS_BITS - pageShift))
    badState('first frame', `${first}`);
  const ranges = word(Word.reservedRanges);
  if (ranges < 0 || ranges > frames) badState('number of reserved ranges', `${ranges}`);
  const slots = word(Word.slots);
  if (slots < 0 || slots > MOST_THREADS) badState('number of threads', `${slots}`);
  if (((flags & THREADS) !== 0) !== slots > 0)
    badState('flags', `0x${flags.toString(16)} for ${slots} threads`);
  const shape = shapeOf(pageShift, first, frames, ranges, (flags & SCATTER) !== 0, slots);
  if (word(Word.bytes) !== shape.bytes)
    badState('byte count', `${word(Word.bytes)}, expected ${shape.bytes}`);
  if (length !== shape.bytes) badState('length', `${length} bytes, the header says ${shape.bytes}`);
  return shape;
}

/** Refuses a state, with `EINVAL`. */
export function badState(field: string, value: string): never {
  throw new VmError('EINVAL', `this is not the state of a frame allocator: ${field} is ${value}`);
}
