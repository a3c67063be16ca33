import { isInRun } from '../../format/classify.js';
import type { Run } from '../../format/entry.js';
import type { PageTableFormat } from '../../format/page-table-format.js';
import type { LevelPlan, Plan } from '../../format/plan.js';
import { isLeaf } from '../state/entries.js';
import { leafStart } from '../state/leaf-start.js';
import type { TableEntries } from '../walk/read-entry.js';

/**
 * What keeps a run from being whole, for a sentence; `null` when it is whole.
 *
 * @param first - slot of its first leaf.
 * @param marked - slot of a leaf that has the mark.
 */
export function brokenRun(
  plan: Plan,
  level: LevelPlan,
  { bank, word }: TableEntries,
  first: number,
  marked: number,
): string | null {
  const run = level.level.run as Run;
  const { words } = bank;
  const loOf = (slot: number): number => words[word + 2 * slot] as number;
  const hiOf = (slot: number): number => words[word + 2 * slot + 1] as number;
  const frameOf = (slot: number): number => leafStart(plan, level, loOf(slot), hiOf(slot), slot);
  if (first + run.entries > level.entries) return 'which the table has no room for';
  const start = frameOf(marked) - (marked - first) * level.pages;
  if (start < 0 || start % (run.entries * level.pages) !== 0)
    return 'whose frames do not begin at a multiple of its size';
  for (let slot = first; slot < first + run.entries; slot++) {
    const [lo, hi] = [loOf(slot), hiOf(slot)];
    if (!isLeaf(level, lo, hi)) return `whose entry ${slot - first} of ${run.entries} maps nothing`;
    if (!isInRun(run, lo, hi)) return `whose entry ${slot - first} of ${run.entries} has no mark`;
    if (frameOf(slot) !== start + (slot - first) * level.pages)
      return `whose entry ${slot - first} of ${run.entries} has a frame out of order`;
    if (!isAlike(plan.format, level, lo, hi, loOf(marked), hiOf(marked)))
      return `whose entry ${slot - first} of ${run.entries} has other flags`;
  }
  return null;
}

/** True when two leaves say the same beside their frames. Processors set accessed and dirty in any leaf of a run. */
function isAlike(
  format: PageTableFormat,
  level: LevelPlan,
  lo: number,
  hi: number,
  otherLo: number,
  otherHi: number,
): boolean {
  if ((((lo ^ otherLo) & ~level.leafAddressLo) | ((hi ^ otherHi) & ~level.leafAddressHi)) === 0) return true;
  const touched = { accessed: true, dirty: true };
  const one = { ...format.decode({ lo, hi }, level.index), ...touched };
  const other = { ...format.decode({ lo: otherLo, hi: otherHi }, level.index), ...touched };
  return (Object.keys(one) as (keyof typeof one)[]).every((name) => one[name] === other[name]);
}
