import type { Allocation } from '@vmarea/compare';
import { type Area, VmapAreas, type VmError } from '@vmarea/core';
import { expect, it, vi } from 'vitest';
import { earlyAreas } from '../../src/replay/end-state.js';
import { readTrace } from '../../src/replay/read-trace.js';
import { pathOf } from '../support/files.js';

vi.setConfig({ testTimeout: 120_000 });

/**
 * Runs a stream of one processor through `VmapAreas`. The replay uses its parts, since a purge of several processors has many steps. Here
 * the class itself finds the windows, purges when nothing fits, and keeps what waits.
 */
it.each(['x86-1cpu', 'arm64-4k-1cpu'])('VmapAreas has every address of the kernel (%s)', (set) => {
  const trace = readTrace(pathOf(`test/data/traces/${set}`));
  const { pageShift, windows, rows } = trace;
  const bytes = (page: number): bigint =>
    page % 1 === 0 ? BigInt(page) << BigInt(pageShift) : (BigInt(page + 0.5) << BigInt(pageShift)) - 1n;
  const ranges = windows.map(({ vstart, vend }) => ({ start: bytes(vstart), end: bytes(vend) }));
  const flushed = { calls: 0 };
  const areas = new VmapAreas({
    window: ranges[0] as { start: bigint; end: bigint },
    pageShift,
    autoPurge: false,
    early: earlyAreas(trace).map(({ start, size }) => ({ address: bytes(start), bytes: bytes(size) })),
    sink: { flush: () => flushed.calls++ },
  });
  const live = new Map<number, Area>();
  const seen = { placements: 0, failing: 0, percpu: 0, purges: 0, full: 0, due: 0 };
  const reserve = ({ size, align, window }: Allocation): Area | null => {
    try {
      const range = ranges[window] as { start: bigint; end: bigint };
      return areas.reserve(bytes(size), { align: bytes(align), window: range });
    } catch (error) {
      expect((error as VmError).code).toBe('ENOMEM');
      return null;
    }
  };
  /** Requests that failed once, by thread: they find nothing, wait for their turn, purge and try again, which `reserve` does at once. */
  const failed = new Map<string, Allocation>();
  const again = new Map<string, Area | null>();
  let percpu: readonly Area[] = [];
  for (const { event, thread, line } of rows) {
    switch (event.type) {
      case 'allocation': {
        const isSecond = again.has(thread);
        if (!isSecond && event.start === null) {
          failed.set(thread, event);
          break;
        }
        const area = isSecond ? (again.get(thread) as Area | null) : reserve(event);
        again.delete(thread);
        if (area?.address !== (event.start === null ? undefined : bytes(event.start)))
          throw new Error(`${area?.address.toString(16)}, recorded ${event.start?.toString(16)}`);
        if (area === null || event.start === null) seen.failing++;
        else {
          seen.placements++;
          live.set(event.start, area);
        }
        break;
      }
      case 'free':
        areas.free(live.get(event.start) as Area);
        live.delete(event.start);
        if (areas.lazyPages !== event.lazyPages)
          throw new Error(`line ${line}: ${areas.lazyPages} pages wait, not ${event.lazyPages}`);
        if (areas.isPurgeDue) seen.due++;
        break;
      case 'purge entered': {
        const request = failed.get(thread);
        if (!event.isFull || request === undefined) break;
        again.set(thread, reserve(request));
        seen.full++;
        if (areas.lazyPages > 0) throw new Error(`line ${line}: something fitted before the purge`);
        break;
      }
      case 'purge done':
        // A full one is part of the request that found nothing.
        if (failed.delete(thread)) break;
        seen.purges++;
        if (areas.purge() !== event.areas)
          throw new Error(`line ${line}: a purge of ${event.areas} areas differs`);
        break;
      case 'percpu entered':
        percpu = areas.reservePercpu(
          event.offsets.map((page) => Number(bytes(page))),
          event.sizes.map((page) => Number(bytes(page))),
          bytes(event.align),
        );
        break;
      case 'percpu done':
        expect(percpu[0]?.address).toBe(bytes(event.start as number));
        live.set(event.start as number, percpu[0] as Area);
        seen.percpu++;
        break;
      default:
    }
  }
  expect(areas.lazyMaxPages).toBe(8192);
  expect(seen).toEqual(
    set === 'x86-1cpu'
      ? { placements: 106_431, failing: 251, percpu: 16, purges: 3_760, full: 256, due: 3_489 }
      : { placements: 85_416, failing: 183, percpu: 374, purges: 3_069, full: 184, due: 3_607 },
  );
  expect(flushed.calls).toBe(set === 'x86-1cpu' ? 3_095 : 2_372);
});
