import { type Contents, readAdjacent } from './contents.js';

/** Bytes that are looked at together. */
const RUN = 2 ** 16;

/** Bytes of memory that follow each other. */
export interface MemoryRun {
  /** Physical address of the first one. */
  readonly address: number;
  /** Whole frames. Valid until the next run is asked for. */
  readonly bytes: Uint8Array;
}

/**
 * All memory whose bytes a dump has, in runs of whole frames, ascending.
 *
 * @param size - bytes of a frame: a power of two.
 * @param progress - told how far the loop is: an address, and that of the end.
 */
export function* memoryRuns(
  contents: Contents,
  size: number,
  progress?: (address: number, end: number) => void,
): IterableIterator<MemoryRun> {
  const buffer = new Uint8Array(RUN);
  const words = new Int32Array(buffer.buffer);
  let reported = 0;
  for (let address = contents.nextPresent(0); address >= 0; ) {
    const start = Math.ceil(address / size) * size;
    // Runs end at multiples of their size, so that no larger frame is in two of them.
    const most = RUN - (start % RUN);
    const done = readAdjacent(contents, start, buffer.subarray(0, most));
    const whole = done - (done % size);
    if (whole > 0 && !isZero(words, whole / 4)) yield { address: start, bytes: buffer.subarray(0, whole) };
    const next = start + Math.max(done, done < most ? size : 0);
    if (next - reported >= 64 * RUN) {
      reported = next;
      progress?.(next, contents.end);
    }
    address = next >= contents.end ? -1 : contents.nextPresent(next);
  }
}

function isZero(words: Int32Array, count: number): boolean {
  for (let i = 0; i < count; i++) if (words[i] !== 0) return false;
  return true;
}
