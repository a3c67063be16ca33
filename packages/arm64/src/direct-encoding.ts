import { VmError } from '@vmarea/core';
import { ARM64_BITS } from './bits.js';
import { isDirty, linuxBits, type RightsEncoding } from './rights-encoding.js';

const { AP_USER, AP_READ_ONLY, DBM, PXN, UXN } = ARM64_BITS;

/**
 * Rights in AP, PXN, UXN and DBM.
 *
 * Source: Arm ARM, D8.4, "Stage 1 Direct permissions".
 */
export const directEncoding: RightsEncoding = Object.freeze<RightsEncoding>({
  bitsOf(wanted) {
    if (!wanted.read && !(wanted.user && wanted.execute && !wanted.write)) throw this.refusal(wanted);
    return linuxBits(wanted);
  },
  rightsOf(bits) {
    const has = (bit: bigint): boolean => (bits & bit) !== 0n;
    const write = has(DBM) || !has(AP_READ_ONLY);
    // Linux's PAGE_EXECONLY: EL0 may only fetch.
    const isExecuteOnly = !has(AP_USER) && !has(UXN) && has(PXN) && !write;
    const user = has(AP_USER) || isExecuteOnly;
    return {
      read: !isExecuteOnly,
      write,
      execute: user ? !has(UXN) : !has(PXN),
      user,
      dirty: isDirty(bits, write),
    };
  },
  refusal: () =>
    new VmError('EINVAL', 'read is false, but the owner of a page can always read it', {
      advice: 'only a user page that is executable and not writable can be unreadable',
    }),
  variants: [DBM, PXN | UXN],
});
