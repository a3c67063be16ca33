import type { Protection } from '@vmarea/core';
import {
  ACCESS_FLAG,
  AP1_UNPRIVILEGED,
  AP2_READ_ONLY,
  ATTR_INDEX,
  DIRTY_MODIFIER,
  NOT_GLOBAL,
  PRIVILEGED_XN,
  UNPRIVILEGED_XN,
} from '../manual-walk/arm64.js';
import { ones } from '../manual-walk/descriptor.js';
import type { Geometry } from '../manual-walk/geometry.js';
import type { LeafBits } from './leaf-bits.js';

/** The bits that a protection decides. */
const OWNED =
  AP1_UNPRIVILEGED |
  AP2_READ_ONLY |
  NOT_GLOBAL |
  DIRTY_MODIFIER |
  PRIVILEGED_XN |
  UNPRIVILEGED_XN |
  ATTR_INDEX;
/** In the order of the MAIR indexes that the format uses. */
const TYPES = ['normal', 'tagged', 'write-combining', 'uncached', 'device'];

const isDirty = (bits: bigint): boolean => (bits & DIRTY_MODIFIER) !== 0n && (bits & AP2_READ_ONLY) === 0n;

function rights(p: Omit<Protection, 'extra' | 'accessed'>): bigint {
  let bits = BigInt(TYPES.indexOf(p.memory)) << 2n;
  if (p.user) bits |= AP1_UNPRIVILEGED;
  if (p.write) bits |= DIRTY_MODIFIER;
  if (!p.write || !p.dirty) bits |= AP2_READ_ONLY;
  if (!p.global) bits |= NOT_GLOBAL;
  if (!p.execute || p.user) bits |= PRIVILEGED_XN;
  if (!p.execute || !p.user) bits |= UNPRIVILEGED_XN;
  return bits;
}

/** arm64: the right to write and dirtiness share two bits, and execution has one bit for each side. */
export function arm64Bits({ shape }: Geometry): LeafBits {
  // With DS = 1 the bits of the shareability are part of the address (Arm ARM D8.3.1).
  const shareable = shape.large && shape.granule !== 64 ? 0n : ones(9, 8);
  return {
    encode: (p) => rights(p) | shareable | (p.accessed ? ACCESS_FLAG : 0n) | p.extra,
    protect(bits, fields) {
      const user = (bits & AP1_UNPRIVILEGED) !== 0n;
      const after = {
        read: true,
        write: (bits & DIRTY_MODIFIER) !== 0n,
        execute: (bits & (user ? UNPRIVILEGED_XN : PRIVILEGED_XN)) === 0n,
        user,
        global: (bits & NOT_GLOBAL) === 0n,
        memory: TYPES[Number((bits & ATTR_INDEX) >> 2n)] as Protection['memory'],
        ...fields,
        dirty: isDirty(bits),
      };
      return (bits & ~OWNED) | rights(after);
    },
    withoutUse: (bits) => bits & ~(ACCESS_FLAG | ((bits & DIRTY_MODIFIER) === 0n ? 0n : AP2_READ_ONLY)),
    merge: (a, b) => (isDirty(b) ? a & ~AP2_READ_ONLY : a) | (b & ACCESS_FLAG),
    use(bits, accessed, dirty) {
      const young = accessed ? bits | ACCESS_FLAG : bits & ~ACCESS_FLAG;
      if ((bits & DIRTY_MODIFIER) === 0n) return young;
      return dirty ? young & ~AP2_READ_ONLY : young | AP2_READ_ONLY;
    },
    // 58:55 are software's; 62:59 are ignored without PBHA; 50 is GP; 5 is NS, which the non-secure state ignores.
    software: [55, 56, 57, 58, 59, 60, 50, 5].map((bit) => ones(bit, bit)),
    mark: (entry) => entry | ones(52, 52),
    absent: 0x1234_5678_9abc_def0n,
    noLeaf: (isLast) => (isLast ? 0x1_0001n : 0x1_0003n),
  };
}
