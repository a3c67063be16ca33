import {
  type AddressSpace,
  type Configuration,
  FrameAllocator,
  type PageTableFormat,
  PhysicalMemory,
  VmError,
  wasmLoops,
} from '@vmarea/core';
import type { AreaRequest } from '../areas/workload.js';
import { rootFrames } from '../parts/root-frames.js';
import { type Extent, kernelOf, type LeafPolicy, reserveArea } from './kernel.js';
import type { Mapping, PlannedArea, Source } from './planned-area.js';
import { tableFrames } from './table-frames.js';

/** All areas of an input, with their addresses in one configuration and leaf policy. Nothing is mapped yet. */
export interface Plan {
  readonly configuration: Configuration;
  readonly leafPolicy: LeafPolicy;
  readonly areas: readonly PlannedArea[];
  /** Areas that do not fit into the vmalloc window. */
  readonly doesNotFit: readonly AreaRequest[];
  /** Areas that are reserved but not mapped: the format has no such physical addresses. */
  readonly unreachable: readonly AreaRequest[];
  /** All mapped base pages. */
  readonly pages: number;
  /** Frames of tables, or some more. Exact with base leaves. */
  readonly tableFrames: number;
}

/** The largest order of the frame allocator. */
const MAX_ORDER = 18;

/**
 * Reserves every area in the policy's vmalloc window, in the order of the input, and decides how to map it.
 *
 * @param requests - as `readAreas` gives them.
 * @param configuration - a format and Linux's policy for it.
 * @param leafPolicy - which leaves are formed.
 */
export function planLayout(
  requests: readonly AreaRequest[],
  configuration: Configuration,
  leafPolicy: LeafPolicy,
): Plan {
  const { format } = configuration;
  const kernel = placingKernel(configuration, leafPolicy);
  const areas: PlannedArea[] = [];
  const doesNotFit: AreaRequest[] = [];
  const unreachable: AreaRequest[] = [];
  for (const request of requests) {
    const mapping = mappingOf(request, configuration, leafPolicy);
    if (mapping === 'unreachable') unreachable.push(request);
    const usable = mapping === 'unreachable' ? null : mapping;
    const bytes = Math.max(
      roundUp(request.bytes, 2 ** format.pageShift),
      (usable?.pages ?? 0) * 2 ** format.pageShift,
    );
    const extent = { bytes, align: alignmentOf(usable, format) };
    const area = reserve(kernel, request, extent);
    if (area === null) doesNotFit.push(request);
    else areas.push({ request, extent, area, mapping: usable });
  }
  kernel.destroy();
  return {
    configuration,
    leafPolicy,
    areas,
    doesNotFit,
    unreachable: unreachable.filter((request) => !doesNotFit.includes(request)),
    pages: areas.reduce((sum, { mapping }) => sum + (mapping?.pages ?? 0), 0),
    tableFrames: tableFrames(configuration, leafPolicy, areas),
  };
}

/** The frames that a plan lists: those of all areas but physical ranges. */
export function framesOf({ areas }: Plan): number {
  return areas.reduce((sum, { mapping }) => sum + (mapping?.source.type === 'frames' ? mapping.pages : 0), 0);
}

/** A kernel that only reserves areas. Its memory holds the root alone. */
function placingKernel(configuration: Configuration, leafPolicy: LeafPolicy): AddressSpace {
  const { format } = configuration;
  const { pageShift } = format;
  const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 2 * rootFrames(format) * 2 ** pageShift });
  return kernelOf(configuration, leafPolicy, memory, new FrameAllocator(memory, { pageShift }));
}

function reserve(kernel: AddressSpace, request: AreaRequest, extent: Extent): PlannedArea['area'] | null {
  try {
    const { addr, bytes, size } = reserveArea(kernel, request, extent);
    return { address: addr, bytes, guardBytes: Number(size - bytes) };
  } catch (error) {
    if (error instanceof VmError && error.code === 'ENOMEM') return null;
    throw error;
  }
}

function mappingOf(
  request: AreaRequest,
  { format, linux }: Configuration,
  leafPolicy: LeafPolicy,
): Mapping | 'unreachable' | null {
  const { content, kind } = request;
  if (content.type === 'nothing') return null;
  const { pageShift } = format;
  const pageBytes = 2 ** pageShift;
  const protection = kind === 'ioremap' ? linux.protections.IOREMAP : linux.protections.PAGE_KERNEL;

  if (content.type === 'range') {
    // As ioremap does: the pages that the physical range touches.
    const offset = Number(content.physical % BigInt(pageBytes));
    const physical = content.physical - BigInt(offset);
    const bytes = roundUp(offset + content.bytes, pageBytes);
    if (physical + BigInt(bytes) > 1n << BigInt(format.paBits)) return 'unreachable';
    const firstFrame = Number(physical >> BigInt(pageShift));
    const source: Source = { type: 'range', physical, firstFrame };
    return { pages: bytes / pageBytes, protection, source };
  }

  const pages = Math.ceil(content.bytes / pageBytes);
  if (kind === 'vmap' || kind === 'dma-coherent') {
    const source: Source = { type: 'frames', order: 0, chunks: 0 };
    return { pages, protection, source };
  }
  const leaf =
    leafPolicy === 'base' ? pageShift : largestLeaf(linux.leaves.vmalloc, pageShift, content.bytes);
  const order = leaf - pageShift;
  const chunks = order === 0 ? 0 : Math.floor(pages / 2 ** order);
  return { pages, protection, source: { type: 'frames', order, chunks } };
}

/** The largest leaf that the bytes fill at least once; the base page when there is none. */
function largestLeaf(shifts: readonly number[], pageShift: number, bytes: number): number {
  return Math.max(
    pageShift,
    ...shifts.filter((shift) => 2 ** shift <= bytes && shift - pageShift <= MAX_ORDER),
  );
}

/** Linux aligns a huge vmalloc area to its leaf. */
function alignmentOf(mapping: Mapping | null, { pageShift }: PageTableFormat): bigint {
  const order = mapping?.source.type === 'frames' ? mapping.source.order : 0;
  return 1n << BigInt(pageShift + order);
}

function roundUp(bytes: number, unit: number): number {
  return Math.ceil(bytes / unit) * unit;
}
