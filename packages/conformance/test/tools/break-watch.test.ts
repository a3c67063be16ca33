import { type PageTableFormat, protection } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { Machine } from '../../src/machine.js';
import { watchingBreaks } from '../../src/watching-breaks.js';
import { kestrel } from '../kestrel.js';

const strict: PageTableFormat = { ...kestrel, needsBreak: (before, after) => before.lo !== after.lo };
const VA = 0x20_0000n;
const W = 4n;

/** Maps a page and watches a call that changes its entry step by step; `null` is a flush of that page. */
function changed(steps: readonly (bigint | null)[], format: PageTableFormat = strict, flushed = VA): void {
  const machine = new Machine(format);
  machine.table.map(VA, [7], protection({ write: true }));
  const { address, entry } = machine.last(VA);
  watchingBreaks(machine, [VA], () => {
    for (const step of steps) {
      if (step !== null) machine.memory.write64(address, step === 0n ? 0n : entry & ~step);
      else machine.onFlush({ va: flushed, bytes: machine.page, leafShift: 12, tablesFreed: [] });
    }
  });
}

describe('BreakWatch', () => {
  test('refuses an entry that is written before the flush', () => {
    expect(() => changed([W, null])).toThrow(/without a break/);
  });

  test('refuses an entry that is valid during the flush and written after it', () => {
    expect(() => changed([null, W])).toThrow(/without a break/);
  });

  test('refuses an entry that was invalid, but in no flush', () => {
    expect(() => changed([0n, W, null])).toThrow(/without a break/);
    expect(() => changed([null, 0n, W])).toThrow(/without a break/);
  });

  test('refuses an entry that was invalid in a flush of other addresses', () => {
    expect(() => changed([0n, null, W], strict, VA + 0x1000n)).toThrow(/without a break/);
  });

  test('accepts an entry that was invalid in a flush', () => {
    expect(() => changed([0n, null, W])).not.toThrow();
  });

  test('accepts a change that needs no break', () => {
    expect(() => changed([null, W], kestrel)).not.toThrow();
  });
});
