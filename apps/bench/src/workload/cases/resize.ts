import type { TestCase } from '../case.js';
import type { Run } from '../run.js';

const LETTER = 0x61;

/** Memory grows and shrinks, and keeps its contents. */
export const vrealloc: TestCase = {
  name: 'vrealloc_test',
  isExpectedToFail: false,
  // To grow is to move: for a moment both areas exist.
  frames: () => 5,
  test({ run, parameters: { testLoopCount } }) {
    for (let i = 0; i < testLoopCount; i++) if (!once(run)) return false;
    return true;
  },
};

function once(run: Run): boolean {
  const page = run.pageBytes;
  let address = run.vrealloc(0n, page);
  if (address === 0n) return false;
  run.store(address, LETTER);
  let isIntact = true;
  // It moves, frees its tail, shrinks within the page, and grows within it.
  for (const bytes of [4 * page, page, page / 2, page]) {
    const moved = run.vrealloc(address, bytes);
    if (moved !== 0n) address = moved;
    isIntact = moved !== 0n && run.load(address) === LETTER;
    if (!isIntact) break;
  }
  run.vfree(address);
  return isIntact;
}
