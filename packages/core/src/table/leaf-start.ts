import { pfnOf } from '../address-codec.js';
import type { LevelPlan, Plan } from '../format/plan.js';

/**
 * First frame of a leaf: bits below its size do not count; a NAPOT leaf's low bits come from its slot.
 *
 * @param slot - of the entry in its table.
 */
export function leafStart(plan: Plan, level: LevelPlan, lo: number, hi: number, slot: number): number {
  const pfn = pfnOf(plan.address, lo & level.leafAddressLo, hi & level.leafAddressHi);
  if (((lo & level.napotLo) | (hi & level.napotHi)) === 0) return pfn;
  const inside = level.napotInside + 1;
  return pfn - (pfn % inside) + (slot % inside);
}
