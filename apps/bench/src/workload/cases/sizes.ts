import type { Configuration } from '@vmarea/core';
import { type Context, type TestCase, vmallocFrames } from '../case.js';
import type { Parameters } from '../parameters.js';

/** Allocates the same number of pages again and again. */
export const fixSize: TestCase = {
  name: 'fix_size_alloc_test',
  isExpectedToFail: false,
  frames: fixedFrames,
  test({ run, parameters: { testLoopCount, nrPages, useHuge } }) {
    for (let i = 0; i < testLoopCount; i++) {
      const address = useHuge ? run.vmallocHuge(nrPages) : run.vmalloc(nrPages);
      if (address === 0n) return false;
      run.store(address, 0);
      run.vfree(address);
    }
    return true;
  },
};

const MOST_PAGES = 100;

/** Allocates 1 to 100 pages. */
export const randomSize: TestCase = {
  name: 'random_size_alloc_test',
  isExpectedToFail: false,
  frames: (_parameters, { format }) => vmallocFrames(MOST_PAGES, 2 ** format.pageShift),
  test({ run, parameters: { testLoopCount }, random }) {
    for (let i = 0; i < testLoopCount; i++) {
      const address = run.vmalloc(1 + random.next(MOST_PAGES));
      if (address === 0n) return false;
      run.store(address, 1);
      run.vfree(address);
    }
    return true;
  },
};

/** Allocates without waiting: a request that finds no addresses does not purge. */
export const noBlock: TestCase = {
  name: 'no_block_alloc_test',
  isExpectedToFail: true,
  frames: fixedFrames,
  test({ run, parameters: { testLoopCount, nrPages }, random }: Context) {
    for (let i = 0; i < testLoopCount; i++) {
      // GFP_ATOMIC or GFP_NOWAIT: they differ only in the page allocator's reserves, and this one has none.
      random.next(2);
      const address = run.vmalloc(nrPages, { mayPurge: false });
      if (address === 0n) return false;
      run.store(address, 0);
      run.vfree(address);
    }
    return true;
  },
};

/** A huge allocation is rounded up to a leaf, and its block is aligned in RAM, too. */
function fixedFrames({ nrPages, useHuge }: Parameters, { format, linux }: Configuration): number {
  const pageBytes = 2 ** format.pageShift;
  const leaf = useHuge
    ? Math.max(
        1,
        ...linux.leaves.vmalloc
          .map((shift) => 2 ** (shift - format.pageShift))
          .filter((pages) => pages <= nrPages),
      )
    : 1;
  return vmallocFrames(Math.ceil(nrPages / leaf) * leaf, pageBytes) + (leaf === 1 ? 0 : leaf);
}
