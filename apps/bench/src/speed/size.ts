import { count } from '@vmarea/cli';
import type { Configuration, PageTableFormat } from '@vmarea/core';

/** The first mapped frame. Any number would do. */
export const FIRST_FRAME = 2 ** 18;

/** The size of a workload in one format. */
export interface Size {
  /** Pages, leaves or translations of one round. */
  readonly units: number;
  /** Base pages of the range of addresses. */
  readonly rangePages: number;
  /** Frames in the mapped list; 0 for linear ranges. */
  readonly frames: number;
  /** log2 bytes of the leaves. */
  readonly leafShift: number;
}

/** A size, or the reason why a format does not support it. */
type SizeOrReason = Size | { readonly reason: string };

/**
 * The size of a mapping of base pages to scattered frames.
 *
 * @param units - units of a round.
 * @param pages - mapped base pages.
 * @param rangePages - base pages of the range around them.
 */
export function scatteredSize(
  configuration: Configuration,
  units: number,
  pages: number = units,
  rangePages: number = pages,
): SizeOrReason {
  const { format } = configuration;
  const room = roomFor(configuration, format.pageShift);
  if (room < rangePages) return { reason: `its vmalloc window has room for ${count(room)} pages` };
  if (FIRST_FRAME + 2 * pages > 2 ** (format.paBits - format.pageShift)) {
    return { reason: `its ${format.paBits} bits of physical addresses have too few frames` };
  }
  return { units, rangePages, frames: pages, leafShift: format.pageShift };
}

/**
 * The size of a mapping of leaves to adjacent frames: as many as wanted, or the largest power of two that the window and
 * the physical addresses allow.
 *
 * @param up - levels above the last one.
 */
export function linearSize(configuration: Configuration, up: number, wanted: number): SizeOrReason {
  const { format } = configuration;
  const level = format.levels[format.levels.length - 1 - up];
  if (level === undefined || level.leaf === null) return { reason: 'it has no leaves at that level' };
  const leafPages = 2 ** (level.shift - format.pageShift);
  const frames = 2 ** (format.paBits - format.pageShift) - firstLinearFrame(format, level.shift);
  const room = Math.min(roomFor(configuration, level.shift), Math.floor(frames / leafPages));
  if (room < 1) return { reason: 'its vmalloc window or physical addresses have no room for a leaf' };
  const units = room >= wanted ? wanted : 2 ** Math.floor(Math.log2(room));
  return { units, rangePages: units * leafPages, frames: 0, leafShift: level.shift };
}

/** The first frame of a linear range, aligned to the leaves. */
export function firstLinearFrame({ pageShift }: PageTableFormat, leafShift: number): number {
  return Math.max(FIRST_FRAME, 2 ** (leafShift - pageShift));
}

/** The whole leaves of 2 ** shift bytes in the vmalloc window. */
function roomFor({ linux: { window } }: Configuration, shift: number): number {
  return Math.max(0, Number((window.end - alignUp(window.start, shift)) >> BigInt(shift)));
}

/** The next multiple of 2 ** shift. */
export function alignUp(address: bigint, shift: number): bigint {
  const bytes = 1n << BigInt(shift);
  return ((address + bytes - 1n) / bytes) * bytes;
}
