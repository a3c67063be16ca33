import { VmError, words } from '@vmarea/core';
import { ARM64_BITS } from './bits.js';
import { type IndexRights, indexOf, PI_INDEX } from './indirect-permissions.js';
import { combined } from './overlays.js';
import { isDirty, type LeafRights, linuxBits, type RightsEncoding } from './rights-encoding.js';

const { AP_USER, AP_READ_ONLY, DBM, PXN, UXN } = ARM64_BITS;

/** What an index says, and whether it allows no more than that. */
interface Index {
  readonly bits: bigint;
  readonly rights: Omit<LeafRights, 'dirty'>;
  readonly isSound: boolean;
}

/**
 * Rights in PIIndex, and dirtiness in nDirty.
 *
 * A page is the user's when the user may do anything with it. Rights are those without overlays. Of the indexes that say what is
 * wanted, the first choice is the one that Linux uses, then the lowest. An index is never chosen that lets the kernel write what
 * the user may not, or execute what is the user's, or that allows a guarded control stack. `extra` keeps those.
 *
 * Source: Arm ARM, D8.4, "Stage 1 Indirect permissions"; D8.5, "The dirty state".
 *
 * @param indexes - what each PIIndex allows.
 */
export function indirectEncoding(indexes: readonly IndexRights[]): RightsEncoding {
  const all = indexes.map(indexFor);
  const says = ({ rights }: Index, wanted: LeafRights): boolean =>
    (['read', 'write', 'execute', 'user'] as const).every((one) => rights[one] === wanted[one]);
  const at = (bits: bigint): Index => all[indexOf(words(bits))] as Index;
  const chosen = (wanted: LeafRights): bigint => {
    const sound = [at(linuxBits(wanted)), ...all].find((one) => one.isSound && says(one, wanted));
    // Where there is none, the bits say something else: so a leaf that says it has an `extra` that tells it apart.
    return (sound ?? all.find((one) => !says(one, wanted)) ?? at(0n)).bits;
  };
  return Object.freeze<RightsEncoding>({
    bitsOf: (wanted) => (linuxBits(wanted) & ~PI_INDEX) | chosen(wanted),
    rightsOf(bits) {
      const { rights } = at(bits);
      return { ...rights, dirty: isDirty(bits, rights.write) };
    },
    refusal: ({ read, write, execute, user }) => {
      const parts = Object.entries({ read, write, execute }).map(([name, has]) => `${name} ${has}`);
      return new VmError(
        'EINVAL',
        `no index of PIR_EL1 and PIRE0_EL1 stands for a page of the ${user ? 'user' : 'kernel'} with ${parts.join(', ')}`,
        { advice: 'the options pir and pire0 say what a page can be' },
      );
    },
    variants: [PI_INDEX, AP_READ_ONLY],
  });
}

function indexFor({ kernel, user, isStack }: IndexRights, index: number): Index {
  const [ofKernel, ofUser] = [combined(kernel, null), combined(user, null)];
  const isUser = ofUser.read || ofUser.write || ofUser.execute;
  const bit = (at: number, mask: bigint): bigint => (((index >> at) & 1) === 0 ? 0n : mask);
  return {
    bits: bit(3, UXN) | bit(2, PXN) | bit(1, DBM) | bit(0, AP_USER),
    rights: { ...(isUser ? ofUser : ofKernel), user: isUser },
    isSound: !isStack && (!isUser || (!ofKernel.execute && (ofUser.write || !ofKernel.write))),
  };
}
