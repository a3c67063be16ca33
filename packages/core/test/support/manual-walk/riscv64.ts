import { type Attributes, type Descriptor, type Manual, ones } from './descriptor.js';
import type { Geometry } from './geometry.js';

/*
 * Page-table entries of Sv39, Sv48 and Sv57, from the RISC-V privileged specification: "Sv39", virtual address translation
 * process, steps 3 to 5; chapters "Svnapot" and "Svpbmt".
 */

const VALID = 1n;
export const READ = 2n;
export const WRITE = 4n;
export const EXECUTE = 8n;
export const USER = 16n;
export const GLOBAL = 32n;
export const ACCESSED = 64n;
export const DIRTY = 128n;
const SOFTWARE = ones(9, 8);
const FRAME = ones(53, 10);
const RESERVED = ones(60, 54);
const MEMORY_TYPE = ones(62, 61);
const NAPOT = ones(63, 63);

/** How the specification reads an entry of these tables. */
export function riscv64Manual({ levels, last }: Geometry): Manual {
  return {
    read(entry, level, slot): Descriptor {
      if (entry === 0n) return { kind: 'none' };
      if ((entry & VALID) === 0n) return { kind: 'absent', entry };
      const reserved: Descriptor = { kind: 'reserved', entry };
      if ((entry & RESERVED) !== 0n || (entry & MEMORY_TYPE) === MEMORY_TYPE) return reserved;
      if ((entry & (READ | WRITE)) === WRITE) return reserved;
      let frame = (entry & FRAME) >> 10n;
      if ((entry & (READ | EXECUTE)) === 0n) {
        const mustBeZero = DIRTY | ACCESSED | USER | MEMORY_TYPE | NAPOT;
        if (level === last || (entry & mustBeZero) !== 0n) return reserved;
        return { kind: 'table', pa: frame << 12n };
      }
      const inside = BigInt((levels[level]?.pages ?? 1) - 1);
      if ((frame & inside) !== 0n) return reserved;
      const isMarked = (entry & NAPOT) !== 0n;
      if (isMarked) {
        // The low frame bits 1000 say 64 KiB; what they stand for comes from the address.
        if (level !== last || (frame & 15n) !== 8n) return reserved;
        frame = frame - 8n + BigInt(slot % 16);
      }
      return {
        kind: 'leaf',
        entry,
        pa: frame << 12n,
        isMarked,
        bits: entry & ~(FRAME | NAPOT | VALID),
      };
    },
    withoutAddress: (entry, _level) => entry & ~FRAME,
    attributes(bits): Attributes {
      return {
        read: (bits & READ) !== 0n,
        write: (bits & WRITE) !== 0n,
        execute: (bits & EXECUTE) !== 0n,
        user: (bits & USER) !== 0n,
        global: (bits & GLOBAL) !== 0n,
        accessed: (bits & ACCESSED) !== 0n,
        dirty: (bits & DIRTY) !== 0n,
        memory: Number((bits & MEMORY_TYPE) >> 61n),
        software: bits & SOFTWARE,
      };
    },
  };
}
