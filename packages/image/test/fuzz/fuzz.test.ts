import { describe, expect, test } from 'vitest';
import { bytesSource, findRoots, openImage } from '../../src/index.js';
import { formats } from '../support/dumps.js';
import { fuzzBases } from './bases.js';
import { type FuzzBase, fuzz } from './fuzz.js';

/** Of each container: the long mode makes 100,000, `npm run fuzz:dumps`. */
const FILES = 2_000;

describe('a changed dump', () => {
  test.each(fuzzBases())('$name is opened or refused, with a VmError and bounded reads', (base) => {
    const report = fuzz(base, FILES, Number(process.env.VMAREA_SEED ?? 1));
    // Both come about: a base that is always refused tests no read, and one that is never refused no check. Of seed 1,
    // 149 to 1,090 files are refused. Raw memory has nothing that could be wrong.
    const least = base.map === undefined ? 0.05 : 0;
    expect(report.refused / report.files).toBeGreaterThanOrEqual(least);
    expect(report.opened / report.files).toBeGreaterThan(0.25);
    if (base.map !== undefined) expect(report.opened / report.files).toBeGreaterThan(0.95);
    // Roots are found in some files of a base that has one.
    expect(report.believed > 0).toBe(hasRoot(base));
    // No read is larger than what is asked for: a page, a run of memory, or a piece of a bitmap.
    expect(report.mostBytes).toBeLessThanOrEqual(2 ** 20);
  });
});

function hasRoot({ file, map }: FuzzBase): boolean {
  const image = openImage(bytesSource(file), map === undefined ? {} : { map });
  return findRoots(image, { formats }).best !== null;
}
