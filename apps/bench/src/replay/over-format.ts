import {
  type Area,
  type Configuration,
  FrameAllocator,
  PageTable,
  PhysicalMemory,
  VmapAreas,
  VmError,
} from '@vmarea/core';
import { rootFrames } from '../root-frames.js';
import type { Allocation, Event, Trace } from './trace.js';

/** The state of areas and tables at one moment of a stream. */
export interface Moment {
  /** Requests and frees so far. */
  readonly events: number;
  readonly areas: number;
  /** Bytes of live areas, and from the window's start to the end of the highest of them. */
  readonly busyBytes: number;
  readonly spanBytes: number;
  /** Free ranges of the window. */
  readonly freeRanges: number;
  readonly lazyBytes: number;
  readonly tableFrames: number;
}

/** What a recorded stream costs on a format. */
export interface OverFormat {
  readonly configuration: string;
  readonly pageBytes: number;
  readonly failing: number;
  /** The sink was called so often, over so many pages. */
  readonly flushes: number;
  readonly flushedPages: number;
  /** Table bytes at the end: tables stay when areas go. */
  readonly tableBytes: number;
  readonly moments: readonly Moment[];
}

/** Moments that are looked at. */
const MOMENTS = 60;
/** Areas above this are reserved and not mapped: arenas, of which a stream does not tell what is in them. */
const MOST_MAPPED = 2 ** 26;
/** Pages of the smallest block of vm_map_ram (VMAP_BBMAP_BITS_MIN). */
const LEAST_BLOCK = 128;
/** Memory for tables: more than any stream takes. */
const TABLE_BYTES = 2 ** 26;
/** A physical address that every format can say; what is mapped is nowhere. */
const FRAMES_AT = 2n ** 30n;

/**
 * Runs the requests and frees of a stream on a format: each area at its real size, rounded up to the format's pages, with the format's
 * guard, mapped with base pages while it lives. All lie in the format's vmalloc window, also those that asked for another (modules). Per-cpu
 * chunks are left out. When to purge is the format's own threshold.
 */
export function runOver(trace: Trace, configuration: Configuration): OverFormat {
  const { format, linux } = configuration;
  const pageBytes = 2 ** format.pageShift;
  const memory = PhysicalMemory.create({ bytes: TABLE_BYTES + 2 * rootFrames(format) * pageBytes });
  const frames = new FrameAllocator(memory, { pageShift: format.pageShift });
  const table = new PageTable({ format, memory, frames });
  let flushes = 0;
  let flushedPages = 0;
  const areas = new VmapAreas({
    ...linux,
    pageShift: format.pageShift,
    cpus: trace.nodes,
    onlineCpus: trace.cpus,
    sink: {
      flush(_va, bytes) {
        flushes++;
        flushedPages += Number(bytes) / pageBytes;
      },
    },
  });
  const live = new Map<number, Area>();
  const moments: Moment[] = [];
  const total = trace.rows.filter(({ event }) => isPart(event)).length;
  let failing = 0;
  let events = 0;
  for (const { cpu, event } of trace.rows) {
    if (!isPart(event)) continue;
    if (event.type === 'allocation' && event.start !== null) {
      const area = reserve(areas, trace, event, cpu, pageBytes);
      if (area === null) failing++;
      else {
        live.set(event.start, area);
        if (area.bytes <= MOST_MAPPED)
          table.mapRange(area.address, FRAMES_AT, area.bytes, linux.protections.PAGE_KERNEL, {
            maxLeafShift: format.pageShift,
          });
      }
    } else if (event.type === 'free') {
      const area = live.get(event.start);
      if (area !== undefined) {
        live.delete(event.start);
        if (area.bytes <= MOST_MAPPED) table.unmap(area.address, area.bytes);
        areas.free(area);
      }
    }
    events++;
    if (events === Math.ceil(((moments.length + 1) * total) / MOMENTS))
      moments.push(momentOf(events, areas, linux.window.start, frames.stats().allocated));
  }
  return {
    ...{ configuration: configuration.name, pageBytes, failing, flushes, flushedPages },
    tableBytes: frames.stats().allocated * pageBytes,
    moments,
  };
}

/** Requests that got a place, and frees. */
function isPart(event: Event): boolean {
  return event.type === 'free' || (event.type === 'allocation' && event.start !== null);
}

/** The same request in other pages; `null` where it does not fit. */
function reserve(
  areas: VmapAreas,
  trace: Trace,
  { size, align }: Allocation,
  cpu: number,
  pageBytes: number,
): Area | null {
  const source = 2 ** trace.pageShift;
  // A size counts a guard page of the source. A block of vm_map_ram has none, and is aligned to itself; nor has one page alone.
  const hasGuard = size > 1 && !(size >= LEAST_BLOCK && align === size);
  const bytes = (hasGuard ? size - 1 : size) * source;
  try {
    return areas.reserve(Math.ceil(bytes / pageBytes) * pageBytes, {
      align: BigInt(Math.max(pageBytes, align * source)),
      ...(hasGuard ? {} : { guardBytes: 0 }),
      cpu: cpu % trace.nodes,
    });
  } catch (error) {
    if (error instanceof VmError && error.code === 'ENOMEM') return null;
    throw error;
  }
}

function momentOf(events: number, areas: VmapAreas, start: bigint, tableFrames: number): Moment {
  const { areas: count, busyBytes, lazyBytes, freeRanges } = areas.stats();
  const last = [...areas].at(-1);
  const end = last === undefined ? start : last.address + last.bytes + BigInt(last.guardBytes);
  return {
    ...{ events, areas: count, freeRanges, tableFrames },
    busyBytes: Number(busyBytes),
    lazyBytes: Number(lazyBytes),
    spanBytes: Number(end - start),
  };
}

/** Share of the span that no live area fills, 0 to 1: external fragmentation, and what waits. */
export function holes({ spanBytes, busyBytes }: Moment): number {
  return spanBytes === 0 ? 0 : 1 - busyBytes / spanBytes;
}
