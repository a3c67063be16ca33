import { type PageTableFormat, protection } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { Machine } from '../../src/machine.js';
import { BreakWatch } from '../../src/tools/break-watch.js';
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

describe('BreakWatch on tables that it is shown', () => {
  const flags = 0xffn;
  /** A break is needed where bit 2 changes, and nowhere else. */
  const format: PageTableFormat = {
    ...kestrel,
    needsBreak: (before, after) => ((before.lo ^ after.lo) & 4) !== 0,
  };

  function watched() {
    const machine = new Machine(format);
    machine.table.map(VA, [7], protection({ write: true }));
    const { address, entry } = machine.last(VA);
    const pfn = Number(address >> 12n);
    const watch = new BreakWatch(format, machine.memory);
    const tables = [{ pfn, level: 2, va: VA }];
    const write = (bits: bigint) => machine.memory.write64(address, (entry & ~flags) | bits);
    watch.look(tables);
    return { watch, tables, write, entry: entry & flags };
  }

  test('remembers older values that a cache may hold still', () => {
    const { watch, tables, write, entry } = watched();
    // From here to there by two changes, of which each seems to need no break by itself.
    const chained: PageTableFormat = {
      ...format,
      needsBreak: (before, after) => ((before.lo ^ after.lo) & 0x60) === 0x60,
    };
    const machine = new Machine(chained);
    machine.table.map(VA, [7], protection({ write: true }));
    const read = machine.last(VA);
    const other = new BreakWatch(chained, machine.memory);
    const shown = [{ pfn: Number(read.address >> 12n), level: 2, va: VA }];
    other.look(shown);
    machine.memory.write64(read.address, read.entry ^ 0x20n);
    other.look(shown);
    machine.memory.write64(read.address, read.entry ^ 0x60n);
    expect(() => other.look(shown)).toThrow(/without a break/);
    write(entry ^ 4n);
    expect(() => watch.look(tables)).toThrow(/without a break/);
  });

  test('forgets a table that is out of the tree at a flush of its addresses', () => {
    for (const [flushed, isForgotten] of [
      [{ va: VA, bytes: 0x1000n }, true],
      [{ va: 2n * VA, bytes: 0x1000n }, false],
    ] as const) {
      const { watch, tables, write, entry } = watched();
      watch.look([], flushed);
      write(entry ^ 4n);
      const look = () => watch.look(tables);
      if (isForgotten) expect(look).not.toThrow();
      else expect(look).toThrow(/without a break/);
    }
  });

  test('forgets a table whose frame is free, one that moved, and all by clear', () => {
    const forgetting: ((made: ReturnType<typeof watched>) => void)[] = [
      ({ watch }) => watch.keep(new Set()),
      ({ watch, tables }) => watch.look(tables.map((one) => ({ ...one, va: 2n * VA }))),
      ({ watch }) => watch.clear(),
    ];
    for (const forget of forgetting) {
      const made = watched();
      forget(made);
      made.write(made.entry ^ 4n);
      expect(() => made.watch.look(made.tables)).not.toThrow();
    }
  });
});
