import type { Configuration } from '@vmarea/core';
import { describe, expect, it } from 'vitest';
import { installedFormats } from '../../src/formats.js';
import { replay } from '../../src/replay/command.js';
import { holes, type OverFormat, runOver } from '../../src/replay/over-format.js';
import { readTrace } from '../../src/replay/read-trace.js';
import { isSame } from '../../src/replay/report.js';
import type { Trace } from '../../src/replay/trace.js';
import { pathOf } from '../support/files.js';

const traceOf = (set: string): Trace => readTrace(pathOf(`test/data/traces/${set}`));

const installed = await installedFormats('/');

describe('a replay of a real kernel', () => {
  it.each([
    // placements, failing requests, per-cpu placements, purges, nodes of the last photograph, areas at the end
    ['x86-1cpu', 106_431, 507, 16, 4_016, 73, 176],
    ['arm64-4k-1cpu', 85_416, 367, 374, 3_253, 66, 176],
    ['x86-2cpu', 147_891, 724, 41, 2_743, 120, 216],
  ])('%s: every decision is the same', (set, placements, failing, percpu, purges, nodes, areas) => {
    const result = replay(traceOf(set));
    expect(isSame(result)).toBe(true);
    expect(result).toMatchObject({
      placements,
      determined: placements,
      equal: placements,
      different: 0,
      undetermined: {},
    });
    expect(result.failingRequests).toEqual({ equal: failing, different: 0 });
    expect(result.percpu).toEqual({ equal: percpu, different: 0 });
    expect(result.purges).toEqual({ equal: purges, different: 0 });
    expect(result.photographs.map(({ name }) => name)).toEqual(['before-work', 'mid', 'end']);
    expect(result.photographs.at(-1)).toMatchObject({ nodes, nodesEqual: nodes, first: null });
    expect(result.endState).toMatchObject({ areas, areasEqual: areas, surplus: 0 });
  });

  it('several processors take from their pools', () => {
    expect(replay(traceOf('x86-2cpu')).fromPools).toBeGreaterThan(40_000);
  });
});

describe('a replay that is not the same', () => {
  const set = traceOf('x86-1cpu');
  const changed = (change: (rows: Trace['rows'][number][]) => void): Trace => {
    const rows = [...set.rows];
    change(rows);
    return { ...set, rows };
  };

  it('tells the first placement that differs, and what was free around', () => {
    // A request that never was: from here on addresses shift, until they are freed.
    const at = set.rows.findIndex(({ event }, i) => i > 5000 && event.type === 'allocation');
    const result = replay(
      changed((rows) => {
        const { event, ...row } = rows[at] as Trace['rows'][number];
        if (event.type === 'allocation') rows[at] = { ...row, event: { ...event, size: event.size + 1 } };
      }),
    );
    expect(isSame(result)).toBe(false);
    expect(result.different).toBeGreaterThan(0);
    expect(result.equal + result.different).toBe(106_431);
    expect(result.firstDifference[0]).toMatch(
      /^First difference, line \d+: \d+ pages aligned to \d+ in window 0: recorded 0x/,
    );
    expect(result.firstDifference.length).toBeGreaterThan(2);
  });

  it('a purge less is seen in what waits and in the next purge', () => {
    const at = set.rows.findIndex(({ event }, i) => i > 5000 && event.type === 'purge entered');
    const result = replay(changed((rows) => rows.splice(at, 4)));
    expect(result.lazyPages.different).toBeGreaterThan(0);
    expect(isSame(result)).toBe(false);
  });

  it('an early area that is forgotten is seen in the tree', () => {
    const arm = traceOf('arm64-4k-1cpu');
    const result = replay({ ...arm, folder: null });
    expect(result.different).toBeGreaterThan(0);
    expect(result.photographs).toEqual([]);
    expect(result.endState).toBeNull();
  });

  it('without lock rows the order of several processors is not determined', () => {
    const two = traceOf('x86-2cpu');
    const rows = two.rows.filter(({ event }) => event.type !== 'lock');
    const result = replay({ ...two, rows, hasLocks: false });
    expect(result.determined).toBe(0);
    expect(Object.values(result.undetermined)).toEqual([147_891]);
  });
});

describe('the same stream on another format', () => {
  const { configurations } = installed;
  const on = (name: string): OverFormat =>
    runOver(set, configurations.find((one) => one.name === name) as Configuration);
  const set = traceOf('arm64-4k-1cpu');
  const [small, large] = [on('x86-64'), on('arm64-64k-48')];

  it('fits, and leaves fewer and larger pages', () => {
    for (const { failing, moments } of [small, large]) {
      expect(failing).toBe(0);
      expect(moments).toHaveLength(60);
      expect(moments.at(-1)?.events).toBe(
        set.rows.filter(
          ({ event: { type, ...event } }) =>
            type === 'free' || (type === 'allocation' && 'start' in event && event.start !== null),
        ).length,
      );
    }
    expect(small.pageBytes).toBe(4096);
    expect(large.pageBytes).toBe(65536);
    expect(large.flushedPages).toBeLessThan(small.flushedPages / 8);
    // Tables of 64 KiB, but far fewer of them.
    expect(large.tableBytes).toBeLessThan(small.tableBytes / 2);
  });

  it('has areas that are not smaller, and spans that hold them', () => {
    for (const [i, moment] of small.moments.entries()) {
      const other = large.moments[i] as (typeof large.moments)[number];
      expect(other.areas).toBe(moment.areas);
      expect(other.busyBytes).toBeGreaterThanOrEqual(moment.busyBytes);
      for (const one of [moment, other]) {
        expect(one.spanBytes).toBeGreaterThanOrEqual(one.busyBytes);
        expect(holes(one)).toBeGreaterThanOrEqual(0);
      }
    }
  });
});
