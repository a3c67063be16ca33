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
import { rootFrames } from '../parts/root-frames.js';
import { type Step, stepsOf } from './steps.js';
import type { Allocation, AreaStream } from './stream.js';

/** The state of areas and tables at one point of a stream. */
export interface Moment {
  /** Requests and frees so far. */
  readonly events: number;
  readonly areas: number;
  /** Bytes of live areas, and bytes from the window's start to the end of the highest area. */
  readonly busyBytes: number;
  readonly spanBytes: number;
  /** Free ranges: nodes of the free tree. */
  readonly freeRanges: number;
  /** Free bytes of the window, and those of its largest free range. */
  readonly freeBytes: number;
  readonly largestFree: number;
  readonly lazyBytes: number;
  /** Purges so far, calls of the flush sink, and their pages. */
  readonly purges: number;
  readonly flushes: number;
  readonly flushedPages: number;
  /** Bytes of tables. They stay when areas are freed. */
  readonly tableBytes: number;
}

/** Maxima after any request or free. */
export interface Peaks {
  readonly areas: number;
  readonly busyBytes: number;
  readonly freeRanges: number;
}

/** The costs of a recorded stream on a format. */
export interface OverFormat {
  readonly configuration: string;
  readonly pageBytes: number;
  /** Requests that succeeded in the recording and fail here. */
  readonly failing: number;
  /** Areas that are not mapped, since the memory for tables is full. */
  readonly unmapped: number;
  /** Purges, calls of the flush sink, and their pages. A purge of nothing does not flush. */
  readonly purges: number;
  readonly flushes: number;
  readonly flushedPages: number;
  /** Table bytes at the end. */
  readonly tableBytes: number;
  readonly peaks: Peaks;
  readonly moments: readonly Moment[];
}

/** The number of moments. */
const MOMENTS = 60;
/** Larger areas are reserved but not mapped: a stream does not tell the contents of such arenas. */
const MOST_MAPPED = 2 ** 26;
/** The pages of the smallest block of vm_map_ram (VMAP_BBMAP_BITS_MIN). */
const LEAST_BLOCK = 128;
/** The minimum and maximum memory for tables. */
const LEAST_TABLES = 2 ** 26;
const MOST_TABLES = 2 ** 30;
/** A physical address that every format has. The mapped frames have no bytes. */
const FRAMES_AT = 2n ** 30n;

/**
 * Runs the requests and frees of a stream on a format. Each area has its real size, rounded up to the format's pages, and the format's
 * guard. It is mapped with base pages while it lives. All areas are in the format's vmalloc window, also those of other windows (modules).
 * A request that failed makes a full purge here, too. Other purges follow the format's own threshold. Per-cpu chunks are left out.
 *
 * @param stream - the requests and frees.
 * @param configuration - the format, with Linux's policy.
 * @param most - the maximum bytes of memory for tables. Areas that exceed it are counted and not mapped.
 */
export function runOver(
  stream: AreaStream,
  configuration: Configuration,
  most: number = MOST_TABLES,
): OverFormat {
  const { format, linux } = configuration;
  const pageBytes = 2 ** format.pageShift;
  const steps = stepsOf(stream);
  const memory = PhysicalMemory.create({
    bytes: Math.min(most, tableBytesFor(steps, stream, pageBytes)) + 2 * rootFrames(format) * pageBytes,
  });
  const frames = new FrameAllocator(memory, { pageShift: format.pageShift });
  const table = new PageTable({ format, memory, frames });
  const so = { far: 0, failing: 0, unmapped: 0, flushes: 0, flushedPages: 0, busyBytes: 0 };
  const { window, guardBytes, ioremapMaxOrder } = linux;
  const areas = new VmapAreas({
    ...{ window, guardBytes, ioremapMaxOrder },
    pageShift: format.pageShift,
    cpus: stream.nodes,
    onlineCpus: stream.cpus,
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
      // If the area is still live, the recording lost its free.
      release(step.area);
      const area = taken(areas, requestOf(stream, step.request, pageBytes), step.cpu);
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
    // The last step is a moment. In a short stream, each step is one.
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

/** The same request with another page size. */
function requestOf({ pageShift }: AreaStream, { size, align }: Allocation, pageBytes: number): Request {
  const source = 2 ** pageShift;
  // A size includes a guard page of the source, except for a single page and a block of vm_map_ram, which is aligned to its size.
  const hasGuard = size > 1 && !(size >= LEAST_BLOCK && align === size);
  const bytes = (hasGuard ? size - 1 : size) * source;
  return {
    bytes: Math.ceil(bytes / pageBytes) * pageBytes,
    align: BigInt(Math.max(pageBytes, align * source)),
    ...(hasGuard ? {} : { guardBytes: 0 }),
  };
}

/** Reserves the area of a request; `null` when it does not fit. */
function taken(areas: VmapAreas, { bytes, ...options }: Request, cpu: number): Area | null {
  if (!Number.isSafeInteger(bytes)) return null;
  try {
    return areas.reserve(bytes, { ...options, cpu: cpu % areas.cpus });
  } catch (error) {
    if (error instanceof VmError && error.code === 'ENOMEM') return null;
    throw error;
  }
}

/** Maps an area with base pages. Returns false when the memory for tables is full. */
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

/** Memory for the tables of a stream: three times the tables of the most live areas, since tables stay and areas move. */
function tableBytesFor(steps: readonly Step[], stream: AreaStream, pageBytes: number): number {
  const live = new Map<number, number>();
  let now = 0;
  let most = 0;
  for (const step of steps) {
    if (step.type === 'failure') continue;
    now -= live.get(step.area) ?? 0;
    live.delete(step.area);
    if (step.type === 'free') continue;
    const { bytes } = requestOf(stream, step.request, pageBytes);
    if (bytes > MOST_MAPPED) continue;
    live.set(step.area, bytes);
    now += bytes;
    most = Math.max(most, now);
  }
  const tables = Math.ceil((3 * most * 8) / pageBytes / pageBytes) * pageBytes;
  return LEAST_TABLES + tables;
}

/** A window of the first whole page of a window. */
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

/** The share of the span without a live area, 0 to 1: external fragmentation, and waiting areas. */
export function holes({ spanBytes, busyBytes }: Moment): number {
  return spanBytes === 0 ? 0 : 1 - busyBytes / spanBytes;
}

/** The share of free bytes outside the largest free range, 0 to 1: external fragmentation. */
export function fragmented({ freeBytes, largestFree }: Moment): number {
  return freeBytes === 0 ? 0 : 1 - largestFree / freeBytes;
}
