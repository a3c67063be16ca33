import type { Protection } from '@vmarea/core';
import { ones } from '../manual-walk/descriptor.js';
import type { Geometry } from '../manual-walk/geometry.js';
import {
  ACCESSED,
  BIT_7,
  CACHE_DISABLE,
  DIRTY,
  EXECUTE_DISABLE,
  GLOBAL,
  USER,
  WRITABLE,
  WRITE_THROUGH,
} from '../manual-walk/x86.js';
import type { LeafBits } from './leaf-bits.js';

/** PWT, PCD and PAT of an entry that maps 4 KiB, by type: the lowest index of Linux's PAT that has it. */
const TYPES: readonly (readonly [Protection['memory'], bigint])[] = [
  ['normal', 0n],
  ['write-combining', 8n],
  ['device', 16n],
  ['uncached', 24n],
  ['write-protected', 128n + 8n],
  ['write-through', 128n + 24n],
];
const CACHING = BIT_7 | CACHE_DISABLE | WRITE_THROUGH;
/** The bits that a protection decides. */
const OWNED = WRITABLE | USER | GLOBAL | EXECUTE_DISABLE | CACHING;

function rights(p: Omit<Protection, 'extra' | 'accessed' | 'dirty'>): bigint {
  let bits = (TYPES.find(([type]) => type === p.memory) as (typeof TYPES)[number])[1];
  if (p.write) bits |= WRITABLE;
  if (p.user) bits |= USER;
  if (p.global) bits |= GLOBAL;
  if (!p.execute) bits |= EXECUTE_DISABLE;
  return bits;
}

/** x86-64: everything is readable. Dirty goes with the right to write: dirty without it is a shadow stack. */
export function x86Bits({ shape }: Geometry): LeafBits {
  return {
    encode: (p) => rights(p) | (p.accessed ? ACCESSED : 0n) | (p.dirty ? DIRTY : 0n) | p.extra,
    protect(bits, fields) {
      const after = {
        read: true,
        write: (bits & WRITABLE) !== 0n,
        execute: (bits & EXECUTE_DISABLE) === 0n,
        user: (bits & USER) !== 0n,
        global: (bits & GLOBAL) !== 0n,
        memory: (TYPES.find(([, caching]) => caching === (bits & CACHING)) as (typeof TYPES)[number])[0],
        ...fields,
      };
      if (!after.read) return null;
      const isSealed = (bits & WRITABLE) !== 0n && !after.write;
      return ((bits & ~OWNED) | rights(after)) & ~(isSealed ? DIRTY : 0n);
    },
    withoutUse: (bits) => bits & ~(ACCESSED | DIRTY),
    merge: (a, b) => a | (b & (ACCESSED | DIRTY)),
    use: (bits, accessed, dirty) =>
      (bits & ~(ACCESSED | DIRTY)) | (accessed ? ACCESSED : 0n) | (dirty ? DIRTY : 0n),
    // 11:9 and 58:52 are ignored, 62:59 too without protection keys.
    software: [9, 10, 11, 52, 55, 58, 59, 62].map((bit) => ones(bit, bit)),
    mark: (entry) => entry,
    absent: 0x1234_5678_9abc_def0n,
    // With 52 bits of address every present entry of the last level is a leaf; with fewer some are reserved.
    noLeaf: (isLast) => (!isLast ? 0x1_0003n : shape.large ? null : ones(51, 51) | 1n),
  };
}
