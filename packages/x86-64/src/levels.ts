import { type EntryNames, type Level, mask, type Rule, type Shape, words, ZERO } from '@vmarea/core';
import { INDEX_BITS, PAGE_SHIFT, PMD_SHIFT, PUD_SHIFT, X86_BITS } from './bits.js';
import { x86Names } from './entry-names.js';

const { P, PS, G, NX } = X86_BITS;

/** The options that decide which bits are reserved: `X8664Options` with the defaults filled in. */
export interface ReservedBits {
  readonly paBits: number;
  readonly nxe: boolean;
  readonly page1g: boolean;
  readonly encryptionBit: number | null;
  readonly sharedBit: number | null;
  readonly vendor: 'intel' | 'amd';
}

/**
 * The levels of a walk with the given names, root first. The last has leaves of 4 KiB, the one above leaves of 2 MiB, then
 * 1 GiB. Higher levels have tables only.
 *
 * Source: SDM vol. 3A, Paging, "4-Level Paging and 5-Level Paging".
 */
export function x86Levels(names: readonly string[], reserved: ReservedBits): readonly Level[] {
  return Object.freeze(
    names.map((name, index) => {
      const shift = PAGE_SHIFT + INDEX_BITS * (names.length - 1 - index);
      const mapsLarge = shift === PMD_SHIFT || (shift === PUD_SHIFT && reserved.page1g);
      return Object.freeze({
        name,
        shift,
        bits: INDEX_BITS,
        table: shift === PAGE_SHIFT ? null : tableShape(shift, mapsLarge, reserved),
        leaf: shift === PAGE_SHIFT ? smallLeaf(reserved) : mapsLarge ? largeLeaf(shift, reserved) : null,
        run: null,
      });
    }),
  );
}

/** Where a level has leaves, PS distinguishes them from tables. At other levels it must be 0. */
function tableShape(shift: number, mapsLarge: boolean, reserved: ReservedBits): Shape {
  let zero = alwaysReserved(reserved);
  if (!mapsLarge) zero |= PS;
  // Intel ignores bit 8 here. AMD APM vol. 2, "4-Kbyte Page Translation": must be zero in PML4 and PML5 entries.
  if (reserved.vendor === 'amd' && shift > PUD_SHIFT) zero |= G;
  return shape(mapsLarge ? P | PS : P, P, zero, x86Names({ ...reserved, kind: 'table', mapsLarge }));
}

/** A leaf of 4 KiB: bit 7 is PAT. */
function smallLeaf(reserved: ReservedBits): Shape {
  const names = x86Names({ ...reserved, kind: 'small', mapsLarge: false });
  return shape(P, P, reservedInLeaves(reserved), names);
}

/** A leaf of 2 MiB or 1 GiB: bit 12 is PAT. The bits from 13 to the first address bit are reserved. */
function largeLeaf(shift: number, reserved: ReservedBits): Shape {
  const zero = reservedInLeaves(reserved) | mask(PAT_LARGE_BIT + 1, shift - 1);
  return shape(P | PS, P | PS, zero, x86Names({ ...reserved, kind: 'large', mapsLarge: true }));
}

const PAT_LARGE_BIT = 12;

/**
 * Bits that are reserved in every present entry: from MAXPHYADDR to 51, and 63 without EFER.NXE.
 *
 * Source: SDM vol. 3A, Paging, "Enumeration of Paging Features by CPUID" (MAXPHYADDR) and the notes under
 * the figure "Formats of CR3 and Paging-Structure Entries with 4-Level Paging and 5-Level Paging".
 */
function alwaysReserved({ paBits, nxe, encryptionBit }: ReservedBits): bigint {
  let bits = paBits < 52 ? mask(paBits, 51) : 0n;
  if (encryptionBit !== null) bits &= ~(1n << BigInt(encryptionBit));
  if (!nxe) bits |= NX;
  return bits;
}

/** A leaf may point to memory that a trust domain shares; a table may not be there. */
function reservedInLeaves(reserved: ReservedBits): bigint {
  const { sharedBit } = reserved;
  return alwaysReserved(reserved) & ~(sharedBit === null ? 0n : 1n << BigInt(sharedBit));
}

/** A kind of entry: its match, and the bits that must be 0. */
function shape(matchMask: bigint, matchValue: bigint, zero: bigint, names: EntryNames): Shape {
  const rule: Rule = Object.freeze({
    mask: Object.freeze(words(zero)),
    value: ZERO,
    must: 'equal',
    fault: 'reserved',
  });
  return Object.freeze({
    match: Object.freeze({
      mask: Object.freeze(words(matchMask)),
      value: Object.freeze(words(matchValue)),
    }),
    rules: Object.freeze(zero === 0n ? [] : [rule]),
    names,
  });
}
