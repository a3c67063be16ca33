import { type PageTableFormat, protection } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { Machine } from '../../src/machine.js';
import { watchingBreaks } from '../../src/watching-breaks.js';
import { kestrel } from '../kestrel.js';

const strict: PageTableFormat = { ...kestrel, needsBreak: (before, after) => before.lo !== after.lo };
const VA = 0x20_0000n;
const W = 4n;

/** One page, and a call that changes its entry in a few steps; `null` is a flush of that page. */
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

describe('a valid entry that becomes another one', () => {
  test('is refused when it is written before the flush', () => {
    expect(() => changed([W, null])).toThrow(/without a break/);
  });

  test('is refused when it stays valid through the flush and is written after it', () => {
    expect(() => changed([null, W])).toThrow(/without a break/);
  });

  test('is refused when it was invalid, but in no flush', () => {
    expect(() => changed([0n, W, null])).toThrow(/without a break/);
    expect(() => changed([null, 0n, W])).toThrow(/without a break/);
  });

  test('is refused when the flush was of other addresses', () => {
    expect(() => changed([0n, null, W], strict, VA + 0x1000n)).toThrow(/without a break/);
  });

  test('is right when a flush saw it invalid', () => {
    expect(() => changed([0n, null, W])).not.toThrow();
  });

  test('is right where no break is needed', () => {
    expect(() => changed([null, W], kestrel)).not.toThrow();
  });
});
