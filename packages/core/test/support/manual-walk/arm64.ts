import { type Attributes, type Descriptor, type Manual, ones } from './descriptor.js';
import type { Geometry } from './geometry.js';

/*
 * VMSAv8-64 stage 1 descriptors, from the Arm ARM: D8.3.1 (table, block and page descriptors, with the figures for each
 * granule and for 52-bit output addresses), D8.3.2 (lower and upper attributes), D8.4 (permissions), D8.7.1 (contiguous
 * bit). Hardware management of dirty state (FEAT_HAFDBS) is used as Linux does: DBM is the right to write, AP[2] clear
 * says dirty.
 */

const CONTIGUOUS = ones(52, 52);
export const AP1_UNPRIVILEGED = ones(6, 6);
export const AP2_READ_ONLY = ones(7, 7);
const SHAREABILITY = ones(9, 8);
export const ACCESS_FLAG = ones(10, 10);
export const NOT_GLOBAL = ones(11, 11);
export const DIRTY_MODIFIER = ones(51, 51);
export const PRIVILEGED_XN = ones(53, 53);
export const UNPRIVILEGED_XN = ones(54, 54);
export const ATTR_INDEX = ones(4, 2);

/** Moves the bits of a descriptor to their places in the output address, by granule and size. */
function outputAddress(
  granule: 4 | 16 | 64,
  large: boolean,
): { mask: bigint; of: (entry: bigint) => bigint } {
  if (!large) {
    const mask = ones(47, { 4: 12, 16: 14, 64: 16 }[granule]);
    return { mask, of: (entry) => entry & mask };
  }
  if (granule === 64) {
    // OA[51:48] stand in bits 15:12.
    const low = ones(47, 16);
    return { mask: low | ones(15, 12), of: (entry) => (entry & low) | ((entry & ones(15, 12)) << 36n) };
  }
  // DS = 1: OA[51:50] stand in bits 9:8, where the shareability was; OA[49:48] join the field.
  const low = ones(49, granule === 4 ? 12 : 14);
  return { mask: low | SHAREABILITY, of: (entry) => (entry & low) | ((entry & SHAREABILITY) << 42n) };
}

/** How the manual reads a descriptor of these tables. */
export function arm64Manual({ shape, levels, last }: Geometry): Manual {
  const { mask, of } = outputAddress(shape.granule, shape.large);
  /** Bits of the address that lie inside a block are RES0 there. */
  const leafMask = levels.map(({ shift }) => {
    let kept = mask;
    for (let bit = 0; bit < 48; bit++) {
      if (bit < shift && !isMovedField(bit, shape.granule, shape.large)) kept &= ~ones(bit, bit);
    }
    return kept;
  });
  return {
    read(entry, level, _slot): Descriptor {
      if (entry === 0n) return { kind: 'none' };
      if ((entry & 1n) === 0n) return { kind: 'absent', entry };
      const isPageOrTable = (entry & 2n) !== 0n;
      if (isPageOrTable && level < last) return { kind: 'table', pa: of(entry) };
      if (!isPageOrTable && (level === last || levels[level]?.mayMap !== true)) {
        return { kind: 'reserved', entry };
      }
      const address = leafMask[level] as bigint;
      return {
        kind: 'leaf',
        entry,
        pa: of(entry & address),
        isMarked: (entry & CONTIGUOUS) !== 0n,
        bits: entry & ~(address | CONTIGUOUS | 3n),
      };
    },
    withoutAddress: (entry, level) => entry & ~(leafMask[level] as bigint),
    attributes(bits): Attributes {
      const user = (bits & AP1_UNPRIVILEGED) !== 0n;
      const write = (bits & DIRTY_MODIFIER) !== 0n;
      const known =
        AP1_UNPRIVILEGED |
        AP2_READ_ONLY |
        ACCESS_FLAG |
        NOT_GLOBAL |
        DIRTY_MODIFIER |
        PRIVILEGED_XN |
        UNPRIVILEGED_XN |
        ATTR_INDEX |
        SHAREABILITY;
      return {
        read: true,
        write,
        execute: (bits & (user ? UNPRIVILEGED_XN : PRIVILEGED_XN)) === 0n,
        user,
        global: (bits & NOT_GLOBAL) === 0n,
        accessed: (bits & ACCESS_FLAG) !== 0n,
        dirty: write && (bits & AP2_READ_ONLY) === 0n,
        memory: Number((bits & ATTR_INDEX) >> 2n),
        software: bits & ~known,
      };
    },
  };
}

/** True for the low bits that hold the top of a 52-bit address, at every level. */
function isMovedField(bit: number, granule: number, large: boolean): boolean {
  if (!large) return false;
  return granule === 64 ? bit >= 12 && bit <= 15 : bit === 8 || bit === 9;
}
