import type { Protection } from '@vmarea/core';
import { ones } from '../manual-walk/descriptor.js';
import type { Geometry } from '../manual-walk/geometry.js';
import type { LeafBits } from './leaf-bits.js';

const USER = ones(6, 6);
const READ_ONLY = ones(7, 7);
const ACCESSED = ones(10, 10);
const LOCAL = ones(11, 11);
const MAY_WRITE = ones(51, 51);
const KERNEL_XN = ones(53, 53);
const USER_XN = ones(54, 54);
const MEMORY = ones(4, 2);
/** The bits that a protection decides. */
const OWNED = USER | READ_ONLY | LOCAL | MAY_WRITE | KERNEL_XN | USER_XN | MEMORY;
/** In the order of the MAIR indexes that the format uses. */
const TYPES = ['normal', 'tagged', 'write-combining', 'uncached', 'device'];

const isDirty = (bits: bigint): boolean => (bits & MAY_WRITE) !== 0n && (bits & READ_ONLY) === 0n;

function rights(p: Omit<Protection, 'extra' | 'accessed'>): bigint {
  let bits = BigInt(TYPES.indexOf(p.memory)) << 2n;
  if (p.user) bits |= USER;
  if (p.write) bits |= MAY_WRITE;
  if (!p.write || !p.dirty) bits |= READ_ONLY;
  if (!p.global) bits |= LOCAL;
  if (!p.execute || p.user) bits |= KERNEL_XN;
  if (!p.execute || !p.user) bits |= USER_XN;
  return bits;
}

/** arm64: the right to write and dirtiness share two bits, and execution has one bit for each side. */
export function arm64Bits({ shape }: Geometry): LeafBits {
  // With DS = 1 the place of the shareability belongs to the address (Arm ARM D8.3.1).
  const shareable = shape.large && shape.granule !== 64 ? 0n : ones(9, 8);
  return {
    encode: (p) => rights(p) | shareable | (p.accessed ? ACCESSED : 0n) | p.extra,
    protect(bits, fields) {
      const user = (bits & USER) !== 0n;
      const after = {
        read: true,
        write: (bits & MAY_WRITE) !== 0n,
        execute: (bits & (user ? USER_XN : KERNEL_XN)) === 0n,
        user,
        global: (bits & LOCAL) === 0n,
        memory: TYPES[Number((bits & MEMORY) >> 2n)] as Protection['memory'],
        ...fields,
        dirty: isDirty(bits),
      };
      return (bits & ~OWNED) | rights(after);
    },
    withoutUse: (bits) => bits & ~(ACCESSED | ((bits & MAY_WRITE) === 0n ? 0n : READ_ONLY)),
    merge: (a, b) => (isDirty(b) ? a & ~READ_ONLY : a) | (b & ACCESSED),
    use(bits, accessed, dirty) {
      const young = accessed ? bits | ACCESSED : bits & ~ACCESSED;
      if ((bits & MAY_WRITE) === 0n) return young;
      return dirty ? young & ~READ_ONLY : young | READ_ONLY;
    },
    // 58:55 are software's; 62:59 are ignored without PBHA; 50 is GP; 5 is NS, which the non-secure state ignores.
    software: [55, 56, 57, 58, 59, 60, 50, 5].map((bit) => ones(bit, bit)),
    mark: (entry) => entry | ones(52, 52),
    absent: 0x1234_5678_9abc_def0n,
    noLeaf: (isLast) => (isLast ? 0x1_0001n : 0x1_0003n),
  };
}
