import { describe, expect, test } from 'vitest';
import { fuzzBases } from './bases.js';
import { fuzz } from './fuzz.js';

/** In all: the long mode makes 100,000 of each, `npm run fuzz:dumps`. */
const FILES = 2_000;
const bases = fuzzBases();

describe('a changed dump', () => {
  test.each(bases)('$name is opened or refused, with a VmError and bounded reads', (base) => {
    const report = fuzz(base, Math.ceil(FILES / bases.length), Number(process.env.VMAREA_SEED ?? 1));
    // Both come about: a base that is always refused tests no read, and one that is never refused no check. Of 143 files of
    // seed 1, 7 to 77 are refused. Raw memory has nothing that could be wrong.
    const least = base.map === undefined ? 0.005 : 0;
    expect(report.refused / report.files).toBeGreaterThanOrEqual(least);
    expect(report.opened / report.files).toBeGreaterThan(0.25);
    if (base.map !== undefined) expect(report.opened / report.files).toBeGreaterThan(0.95);
    // No read is larger than what is asked for: a page, a run of memory, or a piece of a bitmap.
    expect(report.mostBytes).toBeLessThanOrEqual(2 ** 20);
  });
});
