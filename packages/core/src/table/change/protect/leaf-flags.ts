import { hex, VmError } from '../../../errors.js';
import { type LevelPlan, meets, type Plan } from '../../../format/plan.js';
import type { Protection } from '../../../format/protection.js';
import { toBigint, type Words } from '../../../words.js';

/**
 * The checked bits of a leaf without its address.
 *
 * @throws VmError `EINVAL` for a protection that the format cannot express.
 */
export function leafFlags(plan: Plan, protection: Protection, level: LevelPlan): Words {
  const { format } = plan;
  const flags = format.encode(protection, level.index);
  checkFlags(plan, level, flags, 0, 0, `encodes the protection as ${hex(toBigint(flags))}`);
  return flags;
}

/**
 * Refuses flags that reach into the address, or that make no leaf.
 *
 * @param addressLo - the address bits beside them, since a rule may involve both.
 */
export function checkFlags(
  plan: Plan,
  level: LevelPlan,
  flags: Words,
  addressLo: number,
  addressHi: number,
  what: string,
): void {
  const inAddress = (flags.lo & level.leafAddressLo) | (flags.hi & level.leafAddressHi);
  if (inAddress !== 0 || !meets(level.leaf, flags.lo | addressLo, flags.hi | addressHi)) {
    throw new VmError('EINVAL', `${plan.format.name} ${what}, no ${level.level.name} leaf`, {
      advice: 'look at `extra`: it must hold no address bits and no bits that the format reserves',
    });
  }
}
