import { describe, expect, test } from 'vitest';
import { fuzzBases } from './bases.js';
import { fuzz } from './fuzz.js';

/** In all: the long mode makes 100,000 of each, `npm run fuzz:dumps`. */
const FILES = 2_000;
const bases = fuzzBases();

describe('a changed dump', () => {
  test.each(bases)('$name is opened or refused, with a VmError and bounded reads', (base) => {
    const report = fuzz(base, Math.ceil(FILES / bases.length), Number(process.env.VMAREA_SEED ?? 1));
    expect(report.refused + report.opened).toBe(report.files);
    expect(report.opened).toBeGreaterThan(0);
    // No read is larger than what is asked for: a page, a run of memory, or a piece of a bitmap.
    expect(report.mostBytes).toBeLessThanOrEqual(2 ** 20);
  });
});
