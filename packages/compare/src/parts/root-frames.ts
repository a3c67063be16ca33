import type { PageTableFormat } from '@vmarea/core';

/** The number of frames of a root table: more than one when its entries exceed a page. */
export function rootFrames(format: PageTableFormat): number {
  const bits = format.levels[0]?.bits ?? 0;
  return 2 ** Math.max(0, bits + 3 - format.pageShift);
}
