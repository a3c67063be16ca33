import {
  type AddressWindow,
  type Area,
  type Configuration,
  FrameAllocator,
  PageTable,
  PhysicalMemory,
  type ReserveOptions,
  VmapAreas,
  VmError,
} from '@vmarea/core';
import { rootFrames } from '../root-frames.js';
import { type Step, stepsOf } from './steps.js';
import type { Allocation, Trace } from './trace.js';

/** The state of areas and tables at one moment of a stream. */
export interface Moment {
  /** Requests and frees so far. */
  readonly events: number;
  readonly areas: number;
  /** Bytes of live areas, and from the window's start to the end of the highest of them. */
  readonly busyBytes: number;
  readonly spanBytes: number;
  /** Free ranges: nodes of the free tree. */
  readonly freeRanges: number;
  /** Free bytes of the window, and the largest range of them. */
  readonly freeBytes: number;
  readonly largestFree: number;
  readonly lazyBytes: number;
  /** So far: purges, and calls of the sink, over so many pages. */
  readonly purges: number;
  readonly flushes: number;
  readonly flushedPages: number;
  /** Tables stay when areas go. */
  readonly tableBytes: number;
}

/** The most of each, after any request or free. */
interface Peaks {
  readonly areas: number;
  readonly busyBytes: number;
  readonly freeRanges: number;
}

/** What a recorded stream costs on a format. */
export interface OverFormat {
  readonly configuration: string;
  readonly pageBytes: number;
  /** Requests that found a place in the recording, and none here. */
  readonly failing: number;
  /** Areas that were not mapped, since the memory for tables was full. */
  readonly unmapped: number;
  /** Purges, and calls of the sink, over so many pages: a purge that finds nothing calls none. */
  readonly purges: number;
  readonly flushes: number;
  readonly flushedPages: number;
  /** Table bytes at the end. */
  readonly tableBytes: number;
  readonly peaks: Peaks;
  readonly moments: readonly Moment[];
}

/** Moments that are looked at. */
const MOMENTS = 60;
/** Areas above this are reserved and not mapped: arenas, of which a stream does not tell what is in them. */
const MOST_MAPPED = 2 ** 26;
/** Pages of the smallest block of vm_map_ram (VMAP_BBMAP_BITS_MIN). */
const LEAST_BLOCK = 128;
/** Memory for tables, at least and at most: what areas need goes in between. */
const LEAST_TABLES = 2 ** 26;
const MOST_TABLES = 2 ** 30;
/** A physical address that every format can say; what is mapped is nowhere. */
const FRAMES_AT = 2n ** 30n;

/**
 * Runs the requests and frees of a stream on a format: each area at its real size, rounded up to the format's pages, with the format's
 * guard, mapped with base pages while it lives. All lie in the format's vmalloc window, also those that asked for another (modules). A
 * request that failed fails here, too: it has the full purge made that it had. Per-cpu chunks are left out. When else to purge is the
 * format's own threshold.
 *
 * @param most - bytes of memory for tables; areas that do not fit into them are counted and not mapped.
 */
export function runOver(trace: Trace, configuration: Configuration, most = MOST_TABLES): OverFormat {
  const { format, linux } = configuration;
  const pageBytes = 2 ** format.pageShift;
  const steps = stepsOf(trace);
  const memory = PhysicalMemory.create({
    bytes: Math.min(most, tableBytesFor(steps, trace, pageBytes)) + 2 * rootFrames(format) * pageBytes,
  });
  const frames = new FrameAllocator(memory, { pageShift: format.pageShift });
  const table = new PageTable({ format, memory, frames });
  const so = { far: 0, failing: 0, unmapped: 0, flushes: 0, flushedPages: 0, busyBytes: 0 };
  const { window, guardBytes, ioremapMaxOrder } = linux;
  const areas = new VmapAreas({
    ...{ window, guardBytes, ioremapMaxOrder },
    pageShift: format.pageShift,
    cpus: trace.nodes,
    onlineCpus: trace.cpus,
    sink: {
      flush(_va, bytes) {
        so.flushes++;
        so.flushedPages += Number(bytes) / pageBytes;
      },
    },
  });
  const onePage = firstPage(linux.window, pageBytes);
  const live = new Map<number, { readonly area: Area; readonly isMapped: boolean }>();
  const peaks = { areas: 0, busyBytes: 0, freeRanges: areas.freeRanges };
  const moments: Moment[] = [];
  const release = (name: number): void => {
    const known = live.get(name);
    if (known === undefined) return;
    const { area, isMapped } = known;
    live.delete(name);
    if (isMapped) table.unmap(area.address, area.bytes);
    areas.free(area);
    so.busyBytes -= Number(area.bytes) + area.guardBytes;
  };
  for (const step of steps) {
    if (step.type === 'request') {
      // One that is live still: the recording lost its free.
      release(step.area);
      const area = taken(areas, requestOf(trace, step.request, pageBytes), step.cpu);
      if (area === null) so.failing++;
      else {
        const isMapped = area.bytes <= MOST_MAPPED && isMappedNow(table, area, configuration);
        if (!isMapped && area.bytes <= MOST_MAPPED) so.unmapped++;
        live.set(step.area, { area, isMapped });
        so.busyBytes += Number(area.bytes) + area.guardBytes;
      }
    } else if (step.type === 'failure') {
      // Two pages do not fit into a window of one.
      taken(areas, { bytes: pageBytes, guardBytes: pageBytes, window: onePage }, step.cpu);
    } else release(step.area);
    so.far++;
    peaks.areas = Math.max(peaks.areas, areas.count);
    peaks.busyBytes = Math.max(peaks.busyBytes, so.busyBytes);
    peaks.freeRanges = Math.max(peaks.freeRanges, areas.freeRanges);
    // The last is always one. Of a short stream, each is.
    if (so.far * MOMENTS >= (moments.length + 1) * steps.length) {
      const { flushes, flushedPages } = so;
      const tableBytes = frames.stats().allocated * pageBytes;
      moments.push({
        ...momentOf(areas, linux.window.start),
        events: so.far,
        flushes,
        flushedPages,
        tableBytes,
      });
    }
  }
  const { failing, unmapped, flushes, flushedPages } = so;
  return {
    ...{ configuration: configuration.name, pageBytes, failing, unmapped, flushes, flushedPages },
    purges: areas.purges,
    tableBytes: frames.stats().allocated * pageBytes,
    ...{ peaks, moments },
  };
}

/** A request in the pages of a format. */
type Request = ReserveOptions & { readonly bytes: number };

/** The same request in other pages. */
function requestOf({ pageShift }: Trace, { size, align }: Allocation, pageBytes: number): Request {
  const source = 2 ** pageShift;
  // A size counts a guard page of the source. A block of vm_map_ram has none, and is aligned to itself; nor has one page alone.
  const hasGuard = size > 1 && !(size >= LEAST_BLOCK && align === size);
  const bytes = (hasGuard ? size - 1 : size) * source;
  return {
    bytes: Math.ceil(bytes / pageBytes) * pageBytes,
    align: BigInt(Math.max(pageBytes, align * source)),
    ...(hasGuard ? {} : { guardBytes: 0 }),
  };
}

/** The area that a request gets; `null` where it does not fit. */
function taken(areas: VmapAreas, { bytes, ...options }: Request, cpu: number): Area | null {
  if (!Number.isSafeInteger(bytes)) return null;
  try {
    return areas.reserve(bytes, { ...options, cpu: cpu % areas.cpus });
  } catch (error) {
    if (error instanceof VmError && error.code === 'ENOMEM') return null;
    throw error;
  }
}

/** Maps an area with base pages; false when the memory for tables is full. */
function isMappedNow(table: PageTable, { address, bytes }: Area, { format, linux }: Configuration): boolean {
  try {
    table.mapRange(address, FRAMES_AT, bytes, linux.protections.PAGE_KERNEL, {
      maxLeafShift: format.pageShift,
    });
    return true;
  } catch (error) {
    if (error instanceof VmError && error.code === 'ENOMEM') return false;
    throw error;
  }
}

/** Memory for the tables of a stream: thrice what the most that is live at once takes, as tables stay and areas move. */
function tableBytesFor(steps: readonly Step[], trace: Trace, pageBytes: number): number {
  const live = new Map<number, number>();
  let now = 0;
  let most = 0;
  for (const step of steps) {
    if (step.type === 'failure') continue;
    now -= live.get(step.area) ?? 0;
    live.delete(step.area);
    if (step.type === 'free') continue;
    const { bytes } = requestOf(trace, step.request, pageBytes);
    if (bytes > MOST_MAPPED) continue;
    live.set(step.area, bytes);
    now += bytes;
    most = Math.max(most, now);
  }
  const tables = Math.ceil((3 * most * 8) / pageBytes / pageBytes) * pageBytes;
  return LEAST_TABLES + tables;
}

/** The first whole page of a window. */
function firstPage({ start }: AddressWindow, pageBytes: number): AddressWindow {
  const bytes = BigInt(pageBytes);
  const first = ((start + bytes - 1n) / bytes) * bytes;
  return { start: first, end: first + bytes };
}

function momentOf(
  areas: VmapAreas,
  start: bigint,
): Omit<Moment, 'events' | 'flushes' | 'flushedPages' | 'tableBytes'> {
  const { areas: count, busyBytes, lazyBytes, freeBytes, largestFree } = areas.stats();
  const last = [...areas].at(-1);
  const end = last === undefined ? start : last.address + last.bytes + BigInt(last.guardBytes);
  return {
    ...{ areas: count, freeRanges: areas.freeRanges, purges: areas.purges },
    busyBytes: Number(busyBytes),
    lazyBytes: Number(lazyBytes),
    freeBytes: Number(freeBytes),
    largestFree: Number(largestFree),
    spanBytes: Number(end - start),
  };
}

/** Share of the span that no live area fills, 0 to 1: external fragmentation, and what waits. */
export function holes({ spanBytes, busyBytes }: Moment): number {
  return spanBytes === 0 ? 0 : 1 - busyBytes / spanBytes;
}

/** Share of the window's free bytes outside its largest free range, 0 to 1: external fragmentation of what is free. */
export function fragmented({ freeBytes, largestFree }: Moment): number {
  return freeBytes === 0 ? 0 : 1 - largestFree / freeBytes;
}
