import {
  type AddressField,
  type EntryNames,
  type Level,
  type Rule,
  type Run,
  type Shape,
  words,
  ZERO,
} from '@vmarea/core';
import { ARM64_BITS, type Granule, PAGE_SHIFTS, TYPE_BLOCK, TYPE_TABLE } from './bits.js';
import { leafNames, type NameOptions, tableNames } from './entry-names.js';

/** What decides the levels and their entries. Every member is checked. */
export interface Geometry {
  readonly granule: Granule;
  readonly vaBits: number;
  readonly outputBits: 48 | 52;
  readonly paBits: number;
  readonly contiguous: boolean;
  readonly lpa: boolean;
}

/** Arm's number of the last level. Levels above count down, to −1. */
export const LAST_LEVEL = 3;

/** Linux's names from the last level up. The root is always PGD, since Linux folds missing levels. */
const NAMES = ['PTE', 'PMD', 'PUD', 'P4D', 'PGD'];

/**
 * The levels that have blocks, by granule. The first one of each has them only with wide addresses.
 *
 * Source: Arm ARM, D8.3, "Block descriptor and Page descriptor formats", and the pseudocode AArch64.BlockDescSupported: level 0
 * with the 4K granule and level 1 with the 16K granule need TCR_ELx.DS = 1; level 1 with the 64K granule needs a processor that
 * implements 52 bits (FEAT_LPA), whatever TCR_ELx.IPS says.
 */
const BLOCK_LEVELS: Readonly<Record<Granule, readonly number[]>> = {
  4: [0, 1, 2],
  16: [1, 2],
  64: [1, 2],
};

function isBlockLevel({ granule, outputBits, lpa }: Geometry, level: number): boolean {
  const levels = BLOCK_LEVELS[granule];
  const isWide = granule === 64 ? lpa : outputBits === 52;
  return levels.includes(level) && (isWide || level !== levels[0]);
}

/**
 * Leaves in a contiguous run, by granule and level. At other levels the contiguous bit is RES0.
 *
 * Source: Arm ARM, D8.7, "The Contiguous bit".
 */
const RUN_ENTRIES: Readonly<Record<Granule, Readonly<Record<number, number>>>> = {
  4: { 1: 16, 2: 16, 3: 16 },
  16: { 2: 32, 3: 128 },
  64: { 2: 32, 3: 32 },
};

/**
 * Where the output address is in a descriptor.
 *
 * Source: Arm ARM, D8.3: bits 47:m; with DS = 1 bits 49:m and 51:50 in 9:8; with the 64K granule and 52 bits, 51:48 in
 * 15:12.
 */
export function addressFields({ granule, outputBits }: Geometry): readonly AddressField[] {
  const m = PAGE_SHIFTS[granule];
  const field = (entryBit: number, paBit: number, width: number): AddressField =>
    Object.freeze({ entryBit, paBit, width });
  if (outputBits === 48) return Object.freeze([field(m, m, 48 - m)]);
  if (granule === 64) return Object.freeze([field(m, m, 48 - m), field(12, 48, 4)]);
  return Object.freeze([field(m, m, 50 - m), field(8, 50, 2)]);
}

/**
 * The address bits of a descriptor, including those that can only cause an Address size fault. With the 64K granule bits
 * 15:12 are address bits 51:48 when the processor has LPA, whatever size TCR_ELx.IPS selects.
 *
 * Source: Arm ARM, the pseudocode AArch64.LeafBase and AArch64.NextTableBase.
 */
export function descriptorFields(geometry: Geometry): readonly AddressField[] {
  return addressFields(geometry.granule === 64 && geometry.lpa ? { ...geometry, outputBits: 52 } : geometry);
}

/** The descriptor bits that hold address bits from `paBit` up. */
export function addressMask(fields: readonly AddressField[], paBit: number): bigint {
  let bits = 0n;
  for (const field of fields) {
    for (let i = Math.max(0, paBit - field.paBit); i < field.width; i++)
      bits |= 1n << BigInt(field.entryBit + i);
  }
  return bits;
}

/**
 * The levels of a walk, root first. The root has the bits that are left when all other levels are full.
 *
 * Source: Arm ARM, D8.2, "Translation table walk", the tables of each granule's levels and index bits.
 */
export function arm64Levels(
  geometry: Geometry,
  naming: Pick<NameOptions, 'types' | 'isIndirect'>,
): readonly Level[] {
  const { granule, vaBits } = geometry;
  const pageShift = PAGE_SHIFTS[granule];
  const full = pageShift - 3;
  const count = Math.ceil((vaBits - pageShift) / full);
  const rules = addressRules(geometry);
  const names: NameOptions = { ...geometry, ...naming };
  const table = shape(TYPE_TABLE, rules, tableNames(names));
  return Object.freeze(
    Array.from({ length: count }, (_, index) => {
      const below = count - 1 - index;
      const level = LAST_LEVEL - below;
      const shift = pageShift + full * below;
      const bits = Math.min(full, vaBits - shift);
      const isLast = below === 0;
      const isBlock = isBlockLevel(geometry, level);
      const leaf = leafNames(names, shift, isLast, RUN_ENTRIES[granule][level] !== undefined);
      return Object.freeze({
        name: index === 0 && count > 1 ? 'PGD' : (NAMES[below] as string),
        shift,
        bits,
        table: isLast ? null : table,
        // 0b01 is reserved at level 3: a page there has the type bits of a table.
        leaf: isLast ? shape(TYPE_TABLE, rules, leaf) : isBlock ? shape(TYPE_BLOCK, rules, leaf) : null,
        run: geometry.contiguous ? runOf(granule, level, bits) : null,
      });
    }),
  );
}

/**
 * The run of a level. A root with fewer entries than a run has no runs.
 *
 * Source: Arm ARM, D8.7: a contiguous bit whose block is larger than the input address range is misprogrammed.
 */
function runOf(granule: Granule, level: number, bits: number): Run | null {
  const entries = RUN_ENTRIES[granule][level];
  if (entries === undefined || entries > 2 ** bits) return null;
  return Object.freeze({
    entries,
    style: 'consecutive',
    set: Object.freeze(words(ARM64_BITS.CONTIGUOUS)),
  });
}

/**
 * An output address beyond the physical address size is an Address size fault, in tables and in leaves. No other bit
 * faults: RES0 bits are ignored.
 *
 * Source: Arm ARM, D8.2, "Output address size"; D8.15, "Address size fault".
 */
function addressRules(geometry: Geometry): readonly Rule[] {
  const beyond = addressMask(descriptorFields(geometry), geometry.paBits);
  if (beyond === 0n) return Object.freeze([]);
  const rule: Rule = {
    mask: Object.freeze(words(beyond)),
    value: ZERO,
    must: 'equal',
    fault: 'address-size',
  };
  return Object.freeze([Object.freeze(rule)]);
}

function shape(type: bigint, rules: readonly Rule[], names: EntryNames): Shape {
  const match = Object.freeze({
    mask: Object.freeze(words(ARM64_BITS.TYPE)),
    value: Object.freeze(words(type)),
  });
  return Object.freeze({ match, rules, names });
}
