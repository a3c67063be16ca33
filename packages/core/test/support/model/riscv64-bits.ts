import type { Protection } from '@vmarea/core';
import { ones } from '../manual-walk/descriptor.js';
import { ACCESSED, DIRTY, EXECUTE, GLOBAL, READ, USER, WRITE } from '../manual-walk/riscv64.js';
import type { LeafBits } from './leaf-bits.js';

/** In the order of the PBMT values. */
const TYPES = ['normal', 'write-combining', 'device'];
/** The bits that a protection decides. */
const OWNED = READ | WRITE | EXECUTE | USER | GLOBAL | ones(62, 61);

function rights(p: Omit<Protection, 'extra' | 'accessed' | 'dirty'>): bigint {
  let bits = BigInt(TYPES.indexOf(p.memory)) << 61n;
  if (p.read) bits |= READ;
  if (p.write) bits |= WRITE;
  if (p.execute) bits |= EXECUTE;
  if (p.user) bits |= USER;
  if (p.global) bits |= GLOBAL;
  return bits;
}

/** riscv64: one bit for each right; accessed and dirty stand apart. */
export function riscv64Bits(): LeafBits {
  return {
    encode: (p) => rights(p) | (p.accessed ? ACCESSED : 0n) | (p.dirty ? DIRTY : 0n) | p.extra,
    protect(bits, fields) {
      const after = {
        read: (bits & READ) !== 0n,
        write: (bits & WRITE) !== 0n,
        execute: (bits & EXECUTE) !== 0n,
        user: (bits & USER) !== 0n,
        global: (bits & GLOBAL) !== 0n,
        memory: TYPES[Number(bits >> 61n) & 3] as Protection['memory'],
        ...fields,
      };
      // Writing without reading is reserved; without any right an entry is a pointer.
      if (!after.read && (after.write || !after.execute)) return null;
      return (bits & ~OWNED) | rights(after);
    },
    withoutUse: (bits) => bits & ~(ACCESSED | DIRTY),
    merge: (a, b) => a | (b & (ACCESSED | DIRTY)),
    use: (bits, accessed, dirty) =>
      (bits & ~(ACCESSED | DIRTY)) | (accessed ? ACCESSED : 0n) | (dirty ? DIRTY : 0n),
    software: [ones(8, 8), ones(9, 9)],
    // 64 KiB: the low frame bits are 1000.
    mark: (entry) => (entry & ~ones(13, 10)) | ones(13, 13) | ones(63, 63),
    absent: 0x1234_5678_9abc_def0n,
    noLeaf: () => 0x401n,
  };
}
