import type { Configuration, PageTableFormat } from '@vmarea/core';
import { MOVED_SHIFT } from './relocation.js';

/**
 * Which leaves back the pages of a program. `base`: base pages only. `runs`: also runs of base pages (contiguous hint, NAPOT). `huge`: all
 * leaves that Linux's vmalloc policy forms. Larger ones need enough touched pages.
 */
export type LeafChoice = 'base' | 'runs' | 'huge';

/** All choices. */
export const LEAF_CHOICES: readonly LeafChoice[] = ['base', 'runs', 'huge'];

/**
 * The sizes of leaves above a base page that a choice may form: log2 bytes, descending. Of runs, those of base pages.
 *
 * @param format - the one that is mapped with.
 */
export function leafShifts(
  choice: LeafChoice,
  format: PageTableFormat,
  { linux }: Configuration,
): readonly number[] {
  if (choice === 'base') return [];
  const block = format.levels.at(-2)?.shift ?? format.pageShift;
  const most = choice === 'runs' ? block - 1 : MOVED_SHIFT;
  return [...new Set(linux.leaves.vmalloc)]
    .filter((shift) => shift > format.pageShift && shift <= most)
    .sort((a, b) => b - a);
}
