import type { PageTableFormat } from '@vmarea/core';
import type { LevelView } from './calls.js';

/** The levels of a format, as the page needs them. */
export function levelsOf({ levels }: PageTableFormat): readonly LevelView[] {
  return levels.map(({ name, shift, bits, leaf }) => ({ name, shift, bits, hasLeaves: leaf !== null }));
}
