import type { TestCase } from '../case.js';

/** THREAD_ALIGN << 1 of x86-64. All formats use it, since they say nothing of stacks. */
const STACK_ALIGN = 2 ** 15;

/** Allocates 5 zeroed pages with the alignment of two stacks. */
export const fixAlign: TestCase = {
  name: 'fix_align_alloc_test',
  isExpectedToFail: false,
  frames: () => 5,
  test({ run, parameters: { testLoopCount } }) {
    // At least two pages, so that it aligns large pages too.
    const align = BigInt(Math.max(STACK_ALIGN, 2 * run.pageBytes));
    for (let i = 0; i < testLoopCount; i++) {
      const address = run.vmalloc(5, { align, zero: true });
      if (address === 0n) return false;
      run.vfree(address);
    }
    return true;
  },
};

/** Allocates 1 to 10 zeroed pages, aligned to up to 4 MiB. One random number decides both, as in the module. */
export const randomSizeAlign: TestCase = {
  name: 'random_size_align_alloc_test',
  isExpectedToFail: false,
  frames: () => 10,
  test({ run, parameters: { testLoopCount }, random }) {
    for (let i = 0; i < testLoopCount; i++) {
      const drawn = random.next(256);
      const address = run.vmalloc((drawn % 10) + 1, { align: 1n << BigInt(drawn % 23), zero: true });
      if (address === 0n) return false;
      run.vfree(address);
    }
    return true;
  },
};

/** Tries every power of two as alignment, until the window has none. */
export const alignShift: TestCase = {
  name: 'align_shift_alloc_test',
  isExpectedToFail: true,
  frames: () => 1,
  test({ run }) {
    for (let shift = 0n; shift < 64n; shift++) {
      const address = run.vmalloc(1, { align: 1n << shift, zero: true });
      if (address === 0n) return false;
      run.vfree(address);
    }
    return true;
  },
};
