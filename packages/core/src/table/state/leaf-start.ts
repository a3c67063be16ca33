import { pfnOf } from '../../address-codec.js';
import type { Run } from '../../format/entry.js';
import type { LevelPlan, Plan } from '../../format/plan.js';

/**
 * First frame of a leaf. Bits below its size do not count. The low bits of a NAPOT leaf come from its slot.
 *
 * @param slot - of the entry in its table.
 */
export function leafStart(plan: Plan, level: LevelPlan, lo: number, hi: number, slot: number): number {
  const pfn = pfnOf(plan.address, lo & level.leafAddressLo, hi & level.leafAddressHi);
  if (((lo & level.napotLo) | (hi & level.napotHi)) === 0) return pfn;
  const inside = level.napotInside + 1;
  return pfn - (pfn % inside) + (slot % inside);
}

/**
 * The frame in the entry of a leaf of a run. It is the leaf's own frame. Where all entries of a run are the
 * same (NAPOT), it is the run's first frame, with half the run's size in the bits below.
 *
 * @param start - frame of the run's first leaf.
 * @param index - of the leaf in its run.
 * @param pages - base pages of each leaf.
 */
export function frameInRun({ style, entries }: Run, start: number, index: number, pages: number): number {
  return start + (style === 'napot' ? entries / 2 : index) * pages;
}
