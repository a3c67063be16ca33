import { thrown } from '@vmarea/testkit';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Area } from '../../src/area/area.js';
import type { VmapAreasOptions } from '../../src/area/areas-options.js';
import { IntervalTree } from '../../src/area/interval-tree.js';
import { VmapAreas } from '../../src/area/vmap-areas.js';
import { recorder, X86 } from './support/x86.js';

const PAGE = 0x1000n;

describe('a freed area', () => {
  test('is flushed before its addresses are used again: one flush over all that waits', () => {
    const sink = recorder();
    const areas = new VmapAreas({ ...X86, sink });
    const list = Array.from({ length: 4 }, () => areas.reserve(0x1000));
    for (const i of [2, 0]) areas.free(list[i] as Area);
    expect(sink.flushes).toEqual([]);
    expect(areas.lazyPages).toBe(4);
    expect(areas.purge()).toBe(2);
    expect(sink.flushes).toEqual([[0xffffc90000000000n, 0x6000n]]);
    expect(areas.purge()).toBe(0);
    expect(sink.flushes).toHaveLength(1);
    // Nothing waits, but the range that the caller names is flushed.
    areas.purge({ start: 0x1000n, end: 0x3000n });
    expect(sink.flushes.at(-1)).toEqual([0x1000n, 0x2000n]);
    expect(thrown(() => areas.purge({ start: 0x3000n, end: 0x1000n }))).toMatch(
      /^EINVAL at 0x0000000000003000: the range to flush ends at 0x0000000000001000, before it starts/,
    );
  });

  test('still waits after a flush that failed', () => {
    const sink = recorder();
    const areas = new VmapAreas({ ...X86, sink });
    const area = areas.reserve(0x1000);
    areas.free(area);
    sink.error = new Error('the TLB is on fire');
    expect(() => areas.purge()).toThrow('the TLB is on fire');
    expect(areas.lazyPages).toBe(2);
    expect(areas.reserve(0x1000).address).toBe(0xffffc90000002000n);
    sink.error = null;
    expect(areas.purge()).toBe(1);
    expect(areas.reserve(0x1000).address).toBe(0xffffc90000000000n);
  });

  test('waits together with the ranges that a failed purge was told to flush; the next purge flushes all, once', () => {
    const sink = recorder();
    const areas = new VmapAreas({ ...X86, sink });
    areas.free(areas.reserve(0x1000));
    sink.error = new Error('the TLB is on fire');
    expect(() => areas.purge({ start: 0x1000n, end: 0x3000n })).toThrow('the TLB is on fire');
    expect(() => areas.purge({ start: 0x5000n, end: 0x6000n })).toThrow('the TLB is on fire');
    sink.error = null;
    sink.flushes.length = 0;
    areas.purge();
    expect(sink.flushes).toEqual([[0x1000n, 0xffffc90000002000n - 0x1000n]]);
    areas.free(areas.reserve(0x1000));
    areas.purge();
    expect(sink.flushes[1]).toEqual([0xffffc90000000000n, 0x2000n]);
  });

  test('is purged once more than 32 MiB wait, times the doublings of the number of processors', () => {
    for (const [cpus, pages] of [
      [1, 8192],
      [8, 32768],
      [64, 57344],
    ] as const) {
      const areas = new VmapAreas({ ...X86, cpus });
      expect(areas.lazyMaxPages).toBe(pages);
      // Exactly as much as may wait: 256 areas of a power of two pages, guards included.
      const size = pages / 256;
      const list = Array.from({ length: 257 }, () => areas.reserve((size - 1) * 0x1000));
      for (const area of list.slice(0, 256)) areas.free(area);
      expect(areas.lazyPages).toBe(pages);
      areas.free(list[256] as Area);
      expect(areas.lazyPages).toBe(0);
    }
  });

  test('is purged when a request does not fit, and the request is tried again', () => {
    const sink = recorder();
    const areas = new VmapAreas({ window: { start: 0x10000n, end: 0x20000n }, pageShift: 12, sink });
    const all = areas.reserve(0x10000);
    areas.free(all);
    expect(areas.reserve(0x8000).address).toBe(0x10000n);
    expect(sink.flushes).toEqual([[0x10000n, 0x10000n]]);
    expect(thrown(() => areas.reserve(0x9000))).toMatch(
      /^ENOMEM: no free range for 36864 bytes .*; 1 areas are live and 0 bytes wait for a purge; stats\(\) tells how much is free$/,
    );
    expect(areas.purges).toBe(2);
  });
});

describe('a sink that calls the areas inside a purge', () => {
  /** Areas whose sink calls what is set. */
  function reentrant(options: Partial<VmapAreasOptions> = {}) {
    const flushes: [start: bigint, end: bigint][] = [];
    const hook: { inside: (() => void) | null } = { inside: null };
    const areas = new VmapAreas({
      ...{ ...X86, ...options },
      sink: {
        flush(va, bytes) {
          flushes.push([va, va + bytes]);
          const { inside } = hook;
          hook.inside = null;
          inside?.();
        },
      },
    });
    return { areas, flushes, hook };
  }

  test('may free: the area waits for the next purge, since this one did not flush it', () => {
    const { areas, flushes, hook } = reentrant();
    const [first, victim] = [areas.reserve(0x1000), areas.reserve(0x1000)];
    areas.free(first);
    hook.inside = () => areas.free(victim);
    expect(areas.purge()).toBe(1);
    expect(flushes).toEqual([[first.address, first.address + 0x2000n]]);
    expect(areas.lazyPages).toBe(2);
    // The first is usable again; the area that the sink freed is not.
    expect(areas.reserve(0x1000).address).toBe(first.address);
    expect(areas.reserve(0x1000).address).toBe(victim.address + 0x2000n);
    expect(areas.purge()).toBe(1);
    expect(flushes.at(-1)).toEqual([victim.address, victim.address + 0x2000n]);
  });

  test('may free so much that a purge is due: the next call purges', () => {
    const { areas, flushes, hook } = reentrant();
    const [first, large, last] = [areas.reserve(0x1000), areas.reserve(2 ** 26), areas.reserve(0x1000)];
    areas.free(first);
    hook.inside = () => areas.free(large);
    areas.purge();
    expect(areas.isPurgeDue).toBe(true);
    expect(flushes).toHaveLength(1);
    areas.free(last);
    expect(flushes).toHaveLength(2);
    expect(areas.lazyPages).toBe(0);
  });

  test('may not purge, nor reserve what fits only after a purge', () => {
    const { areas, hook } = reentrant({ window: { start: 0x10000n, end: 0x20000n }, guardBytes: 0 });
    const refused: string[] = [];
    areas.free(areas.reserve(0x8000));
    hook.inside = () => {
      refused.push(
        thrown(() => areas.purge()),
        thrown(() => areas.reserve(0x9000)),
      );
      expect(areas.reserve(0x1000).address).toBe(0x18000n);
    };
    expect(areas.purge()).toBe(1);
    for (const message of refused)
      expect(message).toMatch(/^EBUSY: these areas are in the middle of a purge; a flush sink may free/);
    expect(areas.reserve(0x1000).address).toBe(0x10000n);
  });

  test('may throw: the same ranges wait in the same order', () => {
    const { areas, hook } = reentrant({ cpus: 3 });
    const list = [2, 0, 1, 2].map((cpu) => areas.reserve(0x3000, { cpu }));
    for (const area of list.toReversed()) areas.free(area);
    const text = areas.vmallocinfo();
    hook.inside = () => {
      expect(areas.vmallocinfo()).not.toContain('unpurged');
      throw new Error('no');
    };
    expect(() => areas.purge()).toThrow('no');
    expect(areas.vmallocinfo()).toBe(text);
    expect(areas.purge()).toBe(4);
    expect(areas.stats().pooledRanges).toBe(4);
  });
});

describe('VmapAreas without autoPurge', () => {
  test('purges when the caller says so, or when a request does not fit', () => {
    const sink = recorder();
    const areas = new VmapAreas({ ...X86, sink, autoPurge: false });
    const list = [areas.reserve(2 ** 26), areas.reserve(2 ** 26)];
    for (const area of list) areas.free(area);
    expect(areas.isPurgeDue).toBe(true);
    expect(sink.flushes).toEqual([]);
    expect(areas.purge()).toBe(2);
    expect(areas.isPurgeDue).toBe(false);
    const rest = areas.stats().freeBytes;
    areas.free(areas.reserve(rest - 0x1000n));
    expect(areas.reserve(0x1000).address).toBe(X86.window.start);
  });
});

describe('a request that fails', () => {
  afterEach(() => void vi.restoreAllMocks());

  test('does not walk the list of free ranges, however many there are', () => {
    const areas = new VmapAreas(X86);
    for (let i = 0; i < 300; i++) areas.reserve(0x1000, { align: 0x4000n });
    const walks = (['next', 'previous'] as const).map((step) => vi.spyOn(IntervalTree.prototype, step));
    const window = { start: X86.window.start, end: X86.window.start + 0x10000n };
    expect(thrown(() => areas.reserve(0x10000, { window, mayPurge: false }))).toMatch(/^ENOMEM/);
    for (const walk of walks) expect(walk).not.toHaveBeenCalled();
  });

  test('purges nothing when it must not wait', () => {
    const sink = recorder();
    const areas = new VmapAreas({ window: { start: 0x10000n, end: 0x20000n }, pageShift: 12, sink });
    areas.free(areas.reserve(0x9000));
    expect(thrown(() => areas.reserve(0x8000, { mayPurge: false }))).toMatch(
      /0 areas are live and 36864 bytes wait for a purge/,
    );
    expect([areas.purges, areas.lazyPages, sink.flushes]).toEqual([0, 9, []]);
    expect(areas.reserve(0x7000, { mayPurge: false }).address).toBe(0x19000n);
    expect(areas.reserve(0x8000).address).toBe(0x10000n);
    expect(areas.purges).toBe(1);
  });
});

test('a purge tells its sink the range and the page size, no tables and no address space', () => {
  const flush = vi.fn();
  const window = { start: 0x1000_0000n, end: 0x1000_0000n + 64n * PAGE };
  const areas = new VmapAreas({ window, pageShift: 12, sink: { flush } });
  areas.free(areas.reserve(0x3000));
  areas.purge();
  areas.purge({ start: 0x2000n, end: 0x5000n });
  expect(flush.mock.calls).toEqual([
    [window.start, 0x3000n, 12, [], 0],
    [0x2000n, 0x3000n, 12, [], 0],
  ]);
});
