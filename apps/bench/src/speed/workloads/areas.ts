import { CheckError } from '@vmarea/cli';
import { FreeSpace } from '@vmarea/core';
import { timed } from '../../timed.js';
import type { Bed } from '../bed.js';
import { fold } from '../fold.js';
import { NO_WORK } from '../work.js';
import type { Round, Workload } from './workload.js';

/** The pages of the largest area. */
const MOST_PAGES = 64;
/** The first page of the window. It is the same for all formats. */
const FIRST_PAGE = 2 ** 20;
/** The minimum pages of the window: 64 GiB in pages of 4 KiB. More areas need more. */
const LEAST_WINDOW = 2 ** 24;
/** Operations of a round for each page of the command line: 100,000 for 262,144. */
const OPERATIONS = 100_000 / 262_144;

/** Marsaglia's xorshift, as in reference/workloads.c. */
class Draws {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** An integer below a limit. */
  below(limit: number): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return (state >>> 0) % limit;
  }
}

/** Each round starts with the same live areas, half of them in holes of freed ones. */
function open(live: number) {
  return ({ seed, size: { units } }: Bed): (() => Round) => {
    const vend = FIRST_PAGE + Math.max(LEAST_WINDOW, 2 * live * MOST_PAGES);
    const atStart = new FreeSpace(2 ** 52);
    const starts = new Float64Array(live);
    const sizes = new Int32Array(live);
    const draws = new Draws(seed | 1);
    const take = (i: number): void => {
      sizes[i] = 1 + draws.below(MOST_PAGES);
      starts[i] = atStart.take(sizes[i] as number, 1, FIRST_PAGE, vend);
    };
    for (let i = 0; i < live; i++) take(i);
    for (let i = 0; i < live; i += 2)
      atStart.give(starts[i] as number, (starts[i] as number) + (sizes[i] as number));
    for (let i = 0; i < live; i += 2) take(i);
    const space = new FreeSpace(2 ** 52);
    const [now, nowSizes] = [new Float64Array(live), new Int32Array(live)];
    const found = new Int32Array(Math.floor(units / 2));
    return () => {
      space.copyFrom(atStart);
      now.set(starts);
      nowSizes.set(sizes);
      const order = new Draws(~seed | 1);
      const ns = timed(() => replaceEach(space, now, nowSizes, found, order, vend));
      let checksum = 0;
      for (const start of found) {
        if (start < 0) throw new CheckError('an area did not fit');
        checksum = fold(checksum, start);
      }
      return { ns, work: NO_WORK, checksum };
    };
  };
}

/** Frees one area after another, and takes a new one for each. */
function replaceEach(
  space: FreeSpace,
  starts: Float64Array,
  sizes: Int32Array,
  found: Int32Array,
  draws: Draws,
  vend: number,
): void {
  for (let i = 0; i < found.length; i++) {
    const which = draws.below(starts.length);
    const size = 1 + draws.below(MOST_PAGES);
    const old = starts[which] as number;
    space.give(old, old + (sizes[which] as number));
    const start = space.take(size, 1, FIRST_PAGE, vend);
    starts[which] = start;
    sizes[which] = size;
    found[i] = start - FIRST_PAGE;
  }
}

/** W7: takes and frees areas of 1 to 64 pages. */
export const AREAS: readonly Workload[] = (
  [
    ['W7.10k', 'a tenth as many live', (units: number) => Math.floor(units / 10) + 1],
    ['W7.1M', 'ten times as many live', (units: number) => 10 * units],
  ] as const
).map(([id, how, live]) => ({
  id,
  family: 'W7',
  description: `free and take random areas of 1 to ${MOST_PAGES} pages at Linux's addresses: ${how}`,
  unit: 'operation',
  isSameEverywhere: true,
  size({ format }, pages) {
    return { units: Math.floor(pages * OPERATIONS), rangePages: 512, frames: 0, leafShift: format.pageShift };
  },
  open: (bed) => open(live(bed.size.units))(bed),
}));
