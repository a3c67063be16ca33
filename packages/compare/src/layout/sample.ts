import type { Random } from '../parts/random.js';

/** Random mapped pages: their addresses as words, and the frame that each must translate to. */
export interface Sample {
  readonly hi: Int32Array;
  readonly lo: Int32Array;
  readonly frame: Float64Array;
}

/** A mapped range: its address, and the frame of each page. */
export interface Stretch {
  readonly address: bigint;
  readonly pages: number;
  readonly frameAt: (page: number) => number;
}

/** Draws mapped pages, each with the same probability, and a byte in each. */
export function samplePages(
  stretches: readonly Stretch[],
  size: number,
  pageShift: number,
  source: Random,
): Sample {
  const starts = new Float64Array(stretches.length);
  let total = 0;
  stretches.forEach((stretch, i) => {
    starts[i] = total;
    total += stretch.pages;
  });
  const draws = total === 0 ? 0 : size;
  const sample = {
    hi: new Int32Array(draws),
    lo: new Int32Array(draws),
    frame: new Float64Array(draws),
  };
  for (let i = 0; i < draws; i++) {
    const drawn = source.next(total);
    const index = lastAtMost(starts, drawn);
    const stretch = stretches[index] as Stretch;
    const page = drawn - (starts[index] as number);
    const address =
      stretch.address + (BigInt(page) << BigInt(pageShift)) + BigInt(source.next(2 ** pageShift));
    sample.hi[i] = Number(BigInt.asIntN(32, address >> 32n));
    sample.lo[i] = Number(BigInt.asIntN(32, address));
    sample.frame[i] = stretch.frameAt(page);
  }
  return sample;
}

/** The index of the last element that is at most a value. The first element is 0. */
function lastAtMost(ascending: Float64Array, value: number): number {
  let low = 0;
  let high = ascending.length;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((ascending[middle] as number) <= value) low = middle;
    else high = middle;
  }
  return low;
}
