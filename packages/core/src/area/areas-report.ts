import { counted, sizeText } from '../prints.js';
import type { AreaInfo } from './area.js';
import type { BusyAreas } from './busy-areas.js';
import type { FreeSpace } from './free-space.js';
import { NIL } from './interval-tree.js';
import type { AddressWindow, PageUnits, PageWindow } from './page-units.js';
import { linux612 } from './print-line.js';
import type { VmallocinfoLine } from './vmallocinfo-line.js';
import type { VmapNodes } from './vmap-nodes.js';

/** How the space is used, in bytes. */
export interface AreaStats {
  /** Live areas. */
  readonly areas: number;
  /** Bytes of live areas, guards included. */
  readonly busyBytes: bigint;
  /** Bytes that were freed and wait for a purge. */
  readonly lazyBytes: bigint;
  /** Bytes of the ranges in pools. */
  readonly pooledBytes: bigint;
  /** Number of ranges in pools. */
  readonly pooledRanges: number;
  /** Free bytes of the window. */
  readonly freeBytes: bigint;
  /** Number of the free ranges of the window. */
  readonly freeRanges: number;
  /** Bytes of the largest free range of the window. */
  readonly largestFree: bigint;
}

/** What purges did, and what they still owe. */
export interface PurgeLedger {
  /** What a purge still had to flush when its sink threw. */
  owed: AddressWindow | undefined;
  purges: number;
}

/** The parts of `VmapAreas` that its reports and checkpoints read. */
export interface AreasParts {
  readonly units: PageUnits;
  /** The window in pages. */
  readonly window: PageWindow;
  readonly free: FreeSpace;
  readonly nodes: VmapNodes;
  readonly busy: BusyAreas;
  readonly ledger: PurgeLedger;
}

/** How the space is used. It looks at every free range of the window. */
export function statsOf({ units, window, free, nodes, busy }: AreasParts): AreaStats {
  const { tree } = free;
  const { vstart, vend } = window;
  let pages = 0;
  let largest = 0;
  let ranges = 0;
  for (let node = free.enclosing(vend); node !== NIL; node = tree.previous(node)) {
    const length =
      Math.floor(Math.min(tree.end[node] as number, vend)) -
      Math.ceil(Math.max(tree.start[node] as number, vstart));
    if ((tree.end[node] as number) <= vstart) break;
    if (length <= 0) continue;
    pages += length;
    largest = Math.max(largest, length);
    ranges++;
  }
  let used = 0;
  for (const { size } of busy) used += size;
  return {
    areas: busy.count,
    busyBytes: units.bytes(used),
    lazyBytes: units.bytes(nodes.lazyPages),
    pooledBytes: units.bytes(nodes.pooledPages),
    pooledRanges: nodes.pooled,
    freeBytes: units.bytes(pages),
    freeRanges: ranges,
    largestFree: units.bytes(largest),
  };
}

/** How a space is used, in one line. */
export function usageText({ areas, busyBytes, lazyBytes, largestFree }: AreaStats): string {
  return `${counted(areas, 'area')} of ${sizeText(busyBytes)}, ${sizeText(lazyBytes)} wait for a purge, ${sizeText(largestFree)} free in one piece`;
}

/** The text of /proc/vmallocinfo in Linux's order: areas by node and address, then what waits. */
export function vmallocinfoText({ units, nodes, busy }: AreasParts): string {
  const waiting = Array.from({ length: nodes.count }, (_, node) => nodes.state(node).lazy).flat();
  let text = '';
  let lines = 0;
  for (const { area, start, size } of busy) {
    const { info } = area;
    const type = info.isRam === true ? 'vm_map_ram' : 'area';
    text += `${linux612(lineOf(units, type, start, size, info), lines++)}\n`;
  }
  for (const { start, size } of waiting)
    text += `${linux612(lineOf(units, 'unpurged', start, size, NOTHING), lines++)}\n`;
  return text;
}

const NOTHING: AreaInfo = Object.freeze({});

/** A line for pages, the guard included. */
function lineOf(
  units: PageUnits,
  type: VmallocinfoLine['type'],
  first: number,
  pages: number,
  info: AreaInfo,
): VmallocinfoLine {
  const start = units.bytes(first);
  const bytes = units.bytes(pages);
  return { type, start, end: start + bytes, bytes, info };
}
