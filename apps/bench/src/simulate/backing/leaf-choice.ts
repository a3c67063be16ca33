import { oneOf, UsageError } from '@vmarea/cli';
import type { Configuration, PageTableFormat } from '@vmarea/core';
import { MOVED_SHIFT } from './relocation.js';

/**
 * Which leaves back the pages of a program. `base`: base pages only. `runs`: also runs of base pages (contiguous hint, NAPOT). `huge`: all
 * leaves that Linux's vmalloc policy forms. Larger ones need enough touched pages.
 */
export type LeafChoice = 'base' | 'runs' | 'huge';

const LEAF_CHOICES: readonly LeafChoice[] = ['base', 'runs', 'huge'];

/**
 * Reads the option `--leaves`. Default: `base` and `huge`.
 *
 * @throws UsageError for an unknown word.
 */
export function leafChoices(value: string | undefined): readonly LeafChoice[] {
  if (value === undefined) return ['base', 'huge'];
  const words = value.split(',').map((one) => one.trim());
  if (words.includes(''))
    throw new UsageError(`--leaves has an empty word; known: ${LEAF_CHOICES.join(', ')}`);
  const wanted = new Set(words.map((one) => oneOf('--leaves', one, LEAF_CHOICES, 'base')));
  return LEAF_CHOICES.filter((one) => wanted.has(one));
}

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
