import type { LevelPlan, Plan } from '../../format/plan.js';
import { ZERO } from '../../words.js';

/** A compare under masks. */
export interface Compare {
  readonly maskLo: number;
  readonly maskHi: number;
  readonly valueLo: number;
  readonly valueHi: number;
}

/**
 * The test "is a plain page, of a frame below 2^32": an entry of the last level that follows no further rules and is in no NAPOT run.
 * Where no mask can tell one, no entry meets it: no entry has a value outside of its mask.
 */
export function plainPage({ levels, last, address }: Plan): Compare {
  const { sureLeaf, napotLo, napotHi } = levels[last] as LevelPlan;
  if (sureLeaf === null) return { maskLo: 0, maskHi: 0, valueLo: 1, valueHi: 0 };
  return {
    maskLo: sureLeaf.maskLo | napotLo | address.highLo,
    maskHi: sureLeaf.maskHi | napotHi | address.highHi,
    valueLo: sureLeaf.valueLo | 0,
    valueHi: sureLeaf.valueHi | 0,
  };
}

/** The test "is a plain page by itself": in no run, so that it can be changed alone. */
export function ownPage(plan: Plan): Compare {
  const { maskLo, maskHi, valueLo, valueHi } = plainPage(plan);
  const mark = (plan.levels[plan.last] as LevelPlan).level.run?.set ?? ZERO;
  return { maskLo: maskLo | mark.lo, maskHi: maskHi | mark.hi, valueLo, valueHi };
}
