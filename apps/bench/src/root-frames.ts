import type { PageTableFormat } from '@vmarea/core';

/** Frames of the root table: more than one when it has more entries than a page holds. */
export function rootFrames(format: PageTableFormat): number {
  const bits = format.levels[0]?.bits ?? 0;
  return 2 ** Math.max(0, bits + 3 - format.pageShift);
}
