import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { fragmented, holes, type OverFormat, runOver } from '@vmarea/compare';
import type { Configuration } from '@vmarea/core';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { installedFormats } from '../../src/formats.js';
import { replay } from '../../src/replay/command.js';
import { readTrace } from '../../src/replay/read-trace.js';
import { isSame } from '../../src/replay/report.js';
import type { ReplayResult } from '../../src/replay/result.js';
import type { Trace } from '../../src/replay/trace.js';
import { pathOf } from '../support/files.js';

// A recording takes seconds, or many on a busy machine. A smaller one would prove less.
vi.setConfig({ testTimeout: 120_000 });

const known = new Map<string, Trace>();
/** A recording. It is read once, since no test changes it. */
const traceOf = (set: string): Trace => {
  const trace = known.get(set) ?? readTrace(pathOf(`test/data/traces/${set}`));
  known.set(set, trace);
  return trace;
};
const replayed = new Map<string, ReplayResult>();
/** The result of replaying a recording. */
const replayOf = (set: string): ReplayResult => {
  const result = replayed.get(set) ?? replay(traceOf(set));
  replayed.set(set, result);
  return result;
};

const temporary = mkdtempSync(join(tmpdir(), 'vmarea-traces-'));
let made = 0;
afterAll(() => rmSync(temporary, { recursive: true }));

const installed = await installedFormats('/');

describe('a replay of a real kernel', () => {
  it.each([
    // events, placements, without a lock row, failing requests, per-cpu placements, purges, nodes of the last snapshot, areas at the end
    ['x86-1cpu', 217_241, 106_431, 0, 507, 16, 4_016, 73, 176],
    ['arm64-4k-1cpu', 175_029, 85_416, 0, 367, 374, 3_253, 66, 176],
    ['x86-2cpu', 299_115, 147_891, 372, 724, 41, 2_743, 120, 216],
  ])('makes every decision of %s again', (set, ...numbers) => {
    const [events, placements, unordered, failing, percpu, purges, nodes, areas] = numbers;
    const result = replayOf(set);
    expect(isSame(result)).toBe(true);
    expect(result).toMatchObject({
      ...{ events, placements, equal: placements, different: 0, missingSnapshots: ['load'] },
      determined: placements - unordered,
    });
    expect(result.undetermined).toEqual(
      unordered === 0 ? {} : { 'since no row shows when their request held a lock': unordered },
    );
    expect(result.failingRequests).toEqual({ equal: failing, different: 0 });
    expect(result.percpu).toEqual({ equal: percpu, different: 0 });
    expect(result.purges).toEqual({ equal: purges, different: 0 });
    expect(result.flushes.equal).toBeGreaterThan(purges / 2);
    expect(result.lazyMaxPages.equal).toBeGreaterThan(placements * 0.99);
    expect(result.snapshots.map(({ name }) => name)).toEqual(['before-work', 'mid', 'end']);
    expect(result.snapshots.at(-1)).toMatchObject({ nodes, nodesEqual: nodes, first: null });
    expect(result.endState).toMatchObject({ areas, areasEqual: areas, surplus: 0, unpurgedSurplus: 0 });
  });

  it('takes from the pools of several processors', () => {
    expect(replayOf('x86-2cpu').fromPools).toBeGreaterThan(40_000);
  });
});

describe('a replay of a changed recording', () => {
  const set = traceOf('x86-1cpu');
  const changed = (change: (rows: Trace['rows'][number][]) => void): Trace => {
    const rows = [...set.rows];
    change(rows);
    return { ...set, rows };
  };

  it('shows the first placement that differs, and the free ranges around it', () => {
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

  it.each(
    ['x86-1cpu', 'arm64-4k-1cpu', 'x86-2cpu'].flatMap((set) => [
      [set, 'of the boot', 10],
      [set, 'halfway', null],
    ]) as [string, string, number | null][],
  )(
    'has one difference for one changed answer (%s, %s), since no answer of the replay depends on it',
    (name, _, early) => {
      const trace = traceOf(name);
      // Areas of the boot that live to its end, of which the start state tells, too.
      const placed = trace.rows.flatMap(({ event }, i) =>
        event.type === 'allocation' && event.start !== null ? [i] : [],
      );
      const freed = new Set(trace.rows.map(({ event }) => (event.type === 'free' ? event.start : null)));
      const at = early ?? placed.length >> 1;
      const found = placed.slice(at).find((i) => {
        const { event } = trace.rows[i] as Trace['rows'][number];
        return at > 10 || (event.type === 'allocation' && !freed.has(event.start));
      });
      const rows = trace.rows.map((row, i) =>
        i === found && row.event.type === 'allocation'
          ? { ...row, event: { ...row.event, start: (row.event.start as number) + 2 ** 30 } }
          : row,
      );
      expect(found).toBeDefined();
      const result = replay({ ...trace, rows });
      expect(result.different).toBe(1);
      expect(result.determined).toBeGreaterThan(result.placements - 400);
      expect(result.firstDifference[0]).toContain(`line ${trace.rows[found as number]?.line}:`);
      // Its free has the right address: only the answer is damaged, and nothing else hides it.
      expect(result.damage.count).toBe(0);
      expect(Object.keys(result.undetermined).join()).not.toMatch(/before the recording/);
    },
  );

  it('does not take a failed request for an earlier area', () => {
    const at = set.rows.findIndex(({ event }, i) => i > 5000 && event.type === 'allocation');
    const result = replay(
      changed((rows) => {
        const { event, ...row } = rows[at] as Trace['rows'][number];
        if (event.type === 'allocation') rows[at] = { ...row, event: { ...event, size: 2 ** 51 } };
      }),
    );
    expect(result).toMatchObject({ undetermined: {}, determined: 106_431 });
    expect(result.different).toBeGreaterThan(0);
    expect(isSame(result)).toBe(false);
  });

  it('finds a recorded failure that succeeds here, also at the end', () => {
    const at = set.rows.findIndex(({ event }, i) => i > 5000 && event.type === 'allocation');
    const result = replay(
      changed((rows) => {
        const { event, ...row } = rows[at] as Trace['rows'][number];
        if (event.type === 'allocation') rows.splice(at, 0, { ...row, event: { ...event, start: null } });
      }),
    );
    expect(result.failingRequests.different).toBeGreaterThan(0);
    expect(result.endState?.surplus).toBeGreaterThan(0);
  });

  it.each([
    ['tree-end.txt.gz', /^l /, 'snapshots'],
    ['tree-end.txt.gz', /^f [0-9a-f]+ ffffffffffffffff /, 'snapshots'],
    ['vmallocinfo-end.txt.gz', /unpurged vm_area/, 'unpurgedSurplus'],
    ['vmallocinfo-end.txt.gz', /vmalloc N0=4/, 'surplus'],
  ])('finds a line that %s lacks (%s, %s)', (file, line, what) => {
    const folder = join(temporary, String(made++));
    cpSync(pathOf('test/data/traces/x86-1cpu'), folder, { recursive: true });
    const lines = gunzipSync(readFileSync(join(folder, file)))
      .toString('latin1')
      .split('\n');
    const at = lines.findIndex((one) => line.test(one));
    expect(at).toBeGreaterThanOrEqual(0);
    lines.splice(at, 1);
    writeFileSync(join(folder, file), gzipSync(lines.join('\n')));
    const result = replay({ ...set, folder });
    expect(isSame(result)).toBe(false);
    expect(result.different).toBe(0);
    if (what === 'snapshots') expect(result.snapshots.at(-1)?.first).toMatch(/^recorded '/);
    else expect(result.endState).toMatchObject({ [what]: 1 });
  });

  it.each(['longest', 'colour'])('finds a single node with another %s', (what) => {
    const folder = join(temporary, String(made++));
    cpSync(pathOf('test/data/traces/x86-1cpu'), folder, { recursive: true });
    const path = join(folder, 'tree-mid.txt.gz');
    const text = gunzipSync(readFileSync(path)).toString('latin1');
    const wrong =
      what === 'colour'
        ? text.replace(/^(f .*) R /m, '$1 B ')
        : text.replace(
            /^(f \S+ \S+) (\S+)/m,
            (_line, range, size) => `${range} ${(BigInt(`0x${size}`) + 4096n).toString(16)}`,
          );
    expect(wrong).not.toBe(text);
    writeFileSync(path, gzipSync(wrong));
    const [, mid] = replay({ ...set, folder }).snapshots;
    expect(mid).toMatchObject({ nodes: 63, nodesEqual: 62 });
  });

  it('finds a missing purge by the waiting pages and the next purge', () => {
    const at = set.rows.findIndex(({ event }, i) => i > 5000 && event.type === 'purge entered');
    const result = replay(changed((rows) => rows.splice(at, 4)));
    expect(result.lazyPages.different).toBeGreaterThan(0);
    expect(isSame(result)).toBe(false);
  });

  it('finds missing early areas by the tree', () => {
    const arm = traceOf('arm64-4k-1cpu');
    const result = replay({ ...arm, folder: null });
    expect(result.different).toBeGreaterThan(0);
    expect(result.snapshots).toEqual([]);
    expect(result.endState).toBeNull();
  });

  it('determines nothing of several processors without lock rows', () => {
    const two = traceOf('x86-2cpu');
    // A part of the stream: without locks, every placement is tried in several ways.
    const rows = two.rows.slice(0, 60_000).filter(({ event }) => event.type !== 'lock');
    const result = replay({ ...two, rows, hasLocks: false });
    expect(result.determined).toBe(0);
    expect(Object.values(result.undetermined)).toEqual([result.placements]);
    expect(result.placements).toBe(10_909);
  });
});

describe('the first difference of two processors', () => {
  const two = traceOf('x86-2cpu');
  /** The stream with another place for one answer, and for what frees it. */
  const moved = (at: number): Trace => {
    const { event } = two.rows[at] as Trace['rows'][number];
    const old = 'start' in event ? event.start : null;
    const freed = two.rows.findIndex(
      (row, i) => i > at && row.event.type === 'free' && row.event.start === old,
    );
    const rows = two.rows.map((row, i) =>
      i === at || i === freed
        ? { ...row, event: { ...row.event, start: (old as number) + 2 ** 30 } as typeof event }
        : row,
    );
    return { ...two, rows };
  };

  it.each([0, 1, 2])('may be a placement from a pool (%d)', (which) => {
    // The last lock that a request held was that of a pool: it asked the tree for nothing.
    const last = new Map<string, string>();
    const places: number[] = [];
    for (const [i, { thread, event }] of two.rows.entries()) {
      if (event.type === 'lock') last.set(thread, event.lock);
      else if (i > 600_000 && event.type === 'allocation' && last.get(thread) === 'pool') places.push(i);
    }
    const at = places[which] as number;
    const result = replay(moved(at));
    expect(result.different).toBe(1);
    expect(result.firstDifference[0]).toContain(`First difference, line ${two.rows[at]?.line}: `);
  });

  it('may be a per-cpu chunk', () => {
    const at = two.rows.findIndex(({ event }) => event.type === 'percpu done' && event.start !== null);
    const result = replay(moved(at));
    expect(result.percpu.different).toBe(1);
    expect(result.firstDifference[0]).toMatch(
      new RegExp(`^First difference, line ${two.rows[at]?.line}: per-cpu chunks, \\d+ ranges? aligned to `),
    );
  });

  it('does not count a placement without lock rows', () => {
    const at = two.rows.findIndex(({ event }, i) => i > 700_000 && event.type === 'allocation');
    const { thread } = two.rows[at] as Trace['rows'][number];
    let from = at;
    while (two.rows[from - 1]?.thread !== thread || two.rows[from - 1]?.event.type === 'lock') from--;
    const rows = two.rows.filter(
      (row, i) => i < from || i >= at || row.thread !== thread || row.event.type !== 'lock',
    );
    expect(rows.length).toBeLessThan(two.rows.length);
    expect(replay({ ...two, rows }).determined).toBe(147_519 - 1);
  });
});

describe('the same stream on another format', () => {
  const { configurations } = installed;
  const on = (name: string): OverFormat =>
    runOver(set, configurations.find((one) => one.name === name) as Configuration);
  const set = traceOf('arm64-4k-1cpu');
  const [small, large] = [on('x86-64'), on('arm64-64k-48')];

  it('fits, and flushes fewer and larger pages', () => {
    for (const { failing, moments } of [small, large]) {
      expect(failing).toBe(0);
      expect(moments).toHaveLength(60);
      // 183 requests failed twice, one once.
      const parts = set.rows.filter(({ event: { type } }) => type === 'free' || type === 'allocation');
      expect(moments.at(-1)?.events).toBe(parts.length - 183);
    }
    expect(small.pageBytes).toBe(4096);
    expect(large.pageBytes).toBe(65536);
    expect(large.flushedPages).toBeLessThan(small.flushedPages / 8);
    // Tables of 64 KiB, but far fewer of them.
    expect(large.tableBytes).toBeLessThan(small.tableBytes / 2);
  });

  it('has moments with what is free, purged and flushed so far', () => {
    for (const one of [small, large]) {
      const { moments, peaks } = one;
      expect(moments.at(-1)).toMatchObject({
        ...{ flushes: one.flushes, flushedPages: one.flushedPages, purges: one.purges },
        tableBytes: one.tableBytes,
      });
      for (const [i, moment] of moments.entries()) {
        for (const key of ['purges', 'flushes', 'flushedPages', 'tableBytes'] as const)
          expect(moment[key]).toBeGreaterThanOrEqual(moments[i - 1]?.[key] ?? 0);
        expect(moment.largestFree).toBeLessThanOrEqual(moment.freeBytes);
        expect(fragmented(moment)).toBeGreaterThanOrEqual(0);
        expect(fragmented(moment)).toBeLessThan(1);
        for (const key of ['areas', 'busyBytes', 'freeRanges'] as const)
          expect(peaks[key]).toBeGreaterThanOrEqual(moment[key]);
      }
      // A failure has a full purge made, also where nothing waits.
      expect(one.purges).toBeGreaterThanOrEqual(184);
    }
  });

  it('has areas that are not smaller, and spans that contain them', () => {
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

describe('a short stream on another format', () => {
  const [x86] = installed.configurations.filter(({ name }) => name === 'x86-64') as [Configuration];
  const FIRST = 0xffffc90000000;
  const HEAD: Omit<Trace, 'rows'> = {
    ...{ name: 'short', source: 'stream', folder: null, pageShift: 12, nodes: 1, cpus: 1, hasLocks: false },
    windows: [{ vstart: FIRST, vend: 0xffffe8fffffff + 0.5 }],
    ...{ lostEvents: 0, otherLines: 0, damagedLines: 0 },
  };
  const streamOf = (events: Trace['rows'][number]['event'][], thread = '0'): Trace => ({
    ...HEAD,
    rows: events.map((event, i) => ({ cpu: 0, thread, line: i + 1, event })),
  });
  const take = (start: number | null, size: number) =>
    ({ type: 'allocation', start, size, align: 1, window: 0 }) as const;
  const free = (start: number) => ({ type: 'free', start, lazyPages: 0, lazyMaxPages: null }) as const;

  it.each([
    [1, 1],
    [10, 10],
    [59, 59],
    [60, 60],
    [61, 60],
    [119, 60],
  ])('of %d events has %d moments, the last at its end', (length, moments) => {
    const stream = streamOf(Array.from({ length }, (_, i) => take(FIRST + 5 * i, 5)));
    const result = runOver(stream, x86);
    expect(result.moments).toHaveLength(moments);
    expect(result.moments.at(-1)).toMatchObject({ events: length, areas: length });
  });

  it('has peaks between its moments', () => {
    const pair = [take(FIRST, 5), free(FIRST)];
    const all = Array.from({ length: 120 }, () => pair).flat();
    const { peaks, moments } = runOver(streamOf(all), x86);
    expect(moments.every(({ areas }) => areas === 0)).toBe(true);
    expect(peaks).toEqual({ areas: 1, busyBytes: 5 * 4096, freeRanges: 2 });
  });

  it('makes a full purge for each failed request, tried once or twice', () => {
    const failed = take(null, 7);
    const stream = streamOf([take(FIRST, 5), free(FIRST), failed, failed, failed, take(FIRST, 7), failed]);
    const result = runOver(stream, x86);
    expect(result).toMatchObject({ purges: 3, flushes: 1, flushedPages: 5, failing: 0, peaks: { areas: 1 } });
    expect(result.moments.at(-1)?.events).toBe(6);
  });

  it('counts requests that exceed every window as failing', () => {
    expect(runOver(streamOf([take(FIRST, 2 ** 51)]), x86)).toMatchObject({ failing: 1 });
  });

  it('maps areas with more than 64 MiB of tables, and counts those that exceed the maximum', () => {
    const size = 60 * 256 + 1;
    const stream = streamOf(Array.from({ length: 700 }, (_, i) => take(FIRST + i * size, size)));
    const all = runOver(stream, x86);
    expect(all.unmapped).toBe(0);
    expect(all.tableBytes).toBeGreaterThan(700 * 60 * 256 * 8);
    const some = runOver(stream, x86, 2 ** 23);
    expect(some.unmapped).toBeGreaterThan(500);
    expect(some.unmapped).toBeLessThan(700);
    expect(some.moments.at(-1)?.areas).toBe(700);
  });
});
