import { type Attributes, type Descriptor, type Manual, ones } from './descriptor.js';
import type { Geometry } from './geometry.js';

/*
 * Paging-structure entries of 4-level and 5-level paging, from Intel's SDM vol. 3A, "4-Level Paging and 5-Level Paging": the
 * figure "Formats of CR3 and Paging-Structure Entries", and the tables for entries that map 1 GiB, 2 MiB and 4 KiB.
 */

const PRESENT = ones(0, 0);
export const WRITABLE = ones(1, 1);
export const USER = ones(2, 2);
export const WRITE_THROUGH = ones(3, 3);
export const CACHE_DISABLE = ones(4, 4);
export const ACCESSED = ones(5, 5);
export const DIRTY = ones(6, 6);
/** Page size; in an entry that maps 4 KiB the high bit of the PAT index. */
export const BIT_7 = ones(7, 7);
export const GLOBAL = ones(8, 8);
/** The high bit of the PAT index in an entry that maps more. */
const BIT_12 = ones(12, 12);
export const EXECUTE_DISABLE = ones(63, 63);
/** Ignored (11:9, 58:52), or the protection key, which is ignored with CR4.PKE and CR4.PKS clear. */
const SOFTWARE = ones(11, 9) | ones(62, 52);

/**
 * How the manual reads an entry of these tables.
 *
 * The bits of a leaf are given as in an entry that maps 4 KiB: PAT at bit 7.
 */
export function x86Manual({ levels, last, pageShift, frameLimit }: Geometry): Manual {
  const widest = pageShift + Math.log2(frameLimit);
  const reservedAlways = widest < 52 ? ones(51, widest) : 0n;
  const addressOf = (level: number): bigint => ones(widest - 1, levels[level]?.shift ?? pageShift);
  return {
    read(entry, level, _slot): Descriptor {
      if (entry === 0n) return { kind: 'none' };
      if ((entry & PRESENT) === 0n) return { kind: 'absent', entry };
      const reserved: Descriptor = { kind: 'reserved', entry };
      if ((entry & reservedAlways) !== 0n) return reserved;
      if (level === last) {
        const address = addressOf(level);
        const bits = entry & ~(address | PRESENT);
        return { kind: 'leaf', entry, pa: entry & address, isMarked: false, bits };
      }
      if ((entry & BIT_7) === 0n) return { kind: 'table', pa: entry & ones(widest - 1, pageShift) };
      // PS: "reserved (must be 0)" in PML4 and PML5 entries; 2 MiB and 1 GiB pages below.
      const { shift } = levels[level] as Geometry['levels'][number];
      if (shift > 30 || (entry & ones(shift - 1, 13)) !== 0n) return reserved;
      const address = addressOf(level);
      const bits = entry & ~(address | PRESENT | BIT_7 | BIT_12);
      const high = (entry & BIT_12) === 0n ? 0n : BIT_7;
      return { kind: 'leaf', entry, pa: entry & address, isMarked: false, bits: bits | high };
    },
    withoutAddress: (entry, level) => entry & ~addressOf(level),
    attributes(bits): Attributes {
      const pat = (bits & BIT_7) === 0n ? 0 : 4;
      const disabled = (bits & CACHE_DISABLE) === 0n ? 0 : 2;
      return {
        read: true,
        write: (bits & WRITABLE) !== 0n,
        execute: (bits & EXECUTE_DISABLE) === 0n,
        user: (bits & USER) !== 0n,
        global: (bits & GLOBAL) !== 0n,
        accessed: (bits & ACCESSED) !== 0n,
        dirty: (bits & DIRTY) !== 0n,
        memory: pat + disabled + ((bits & WRITE_THROUGH) === 0n ? 0 : 1),
        software: bits & SOFTWARE,
      };
    },
  };
}
