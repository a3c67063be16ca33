import type { PageTableFormat } from '@vmarea/core';
import { rootFrames } from '../parts/root-frames.js';
import { MOVED_SHIFT, type Relocation } from './relocation.js';
import { PART_SHIFT, type TouchedPages } from './touched-pages.js';

/**
 * Counts the frames of the tables that map all touched pages as base pages, the root included. Larger leaves need fewer.
 */
export function tableFramesFor(
  format: PageTableFormat,
  touched: TouchedPages,
  relocation: Relocation,
): number {
  const perPiece = 2 ** (MOVED_SHIFT - PART_SHIFT);
  const parts = touched
    .numbers()
    .map((number) => {
      const piece = Math.floor(number / perPiece);
      return (relocation.target(piece) - piece) * perPiece + number;
    })
    .sort();
  let frames = rootFrames(format);
  for (const { shift } of format.levels.slice(0, -1)) {
    // No table translates less than 2 MiB.
    const scale = 2 ** (shift - PART_SHIFT);
    let last = -1;
    for (const part of parts) {
      const table = Math.floor(part / scale);
      if (table !== last) frames++;
      last = table;
    }
  }
  return frames;
}
