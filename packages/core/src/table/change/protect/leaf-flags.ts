import { hex, VmError } from '../../../errors.js';
import { type LevelPlan, meets, type Plan } from '../../../format/plan.js';
import { isMade, type Protection } from '../../../format/protection.js';
import { joinWords, type Words, ZERO } from '../../../words.js';

/** Bits of protections that cannot change, by level: to ask the format takes as long as the rest of a short call (0.5 µs). */
const known: WeakMap<LevelPlan, WeakMap<Protection, Words>> = new WeakMap();

/**
 * The checked bits of a leaf without its address.
 *
 * @throws VmError `EINVAL` for a protection that the format cannot express.
 */
export function leafFlags(plan: Plan, protection: Protection, level: LevelPlan): Words {
  let ofLevel = known.get(level);
  const found = ofLevel?.get(protection);
  if (found !== undefined) return found;
  const { lo, hi } = plan.format.encode(protection, level.index);
  checkFlags(plan, level, lo, hi, () => `encodes the protection as ${hex(joinWords(lo, hi))}`);
  const flags = Object.freeze({ lo, hi });
  if (!isMade(protection)) return flags;
  if (ofLevel === undefined) {
    ofLevel = new WeakMap();
    known.set(level, ofLevel);
  }
  ofLevel.set(protection, flags);
  return flags;
}

/**
 * Refuses flags that reach into the address, or that make no leaf.
 *
 * @param address - the address bits beside them, since a rule may involve both.
 * @param what - what the format did, for the message.
 */
export function checkFlags(
  plan: Plan,
  level: LevelPlan,
  lo: number,
  hi: number,
  what: () => string,
  address: Words = ZERO,
): void {
  const inAddress = (lo & level.leafAddressLo) | (hi & level.leafAddressHi);
  if (inAddress === 0 && meets(level.leaf, lo | address.lo, hi | address.hi)) return;
  throw new VmError('EINVAL', `${plan.format.name} ${what()}, no ${level.level.name} leaf`, {
    advice: 'look at `extra`: it must hold no address bits and no bits that the format reserves',
  });
}
