import type { LevelPlan } from '../../format/plan.js';
import type { Words } from '../../words.js';
import type { TableContext } from '../state/context.js';

/**
 * A leaf with what the MMU has noted in another: accessed and dirty. Nothing is taken away.
 *
 * @param lo - the leaf.
 * @param byLo - the other one, which the MMU has used.
 */
export function touched(
  context: TableContext,
  level: LevelPlan,
  lo: number,
  hi: number,
  byLo: number,
  byHi: number,
): Words {
  const { format } = context.plan;
  const plain = { lo: lo & ~level.leafAddressLo, hi: hi & ~level.leafAddressHi };
  const used = { lo: byLo & ~level.leafAddressLo, hi: byHi & ~level.leafAddressHi };
  if (plain.lo === used.lo && plain.hi === used.hi) return { lo, hi };
  const is = format.decode(plain, level.index);
  const was = format.decode(used, level.index);
  const accessed = is.accessed || was.accessed;
  const dirty = is.dirty || was.dirty;
  if (accessed === is.accessed && dirty === is.dirty) return { lo, hi };
  // The difference alone is taken over: bits that a protection does not tell stay.
  const from = format.encode(is, level.index);
  const to = format.encode({ ...is, accessed, dirty }, level.index);
  return { lo: lo ^ from.lo ^ to.lo, hi: hi ^ from.hi ^ to.hi };
}
