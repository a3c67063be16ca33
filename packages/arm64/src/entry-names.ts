import type { EntryNames, MemoryType, NamedBits } from '@vmarea/core';
import type { Granule } from './bits.js';

/*
 * The names of the bits of a descriptor. What no name covers is ignored.
 *
 * Source: Arm ARM (DDI 0487), D8.3, "Translation table descriptor formats": the tables of the fields of stage 1 Table,
 * Block and Page descriptors; D8.4, "Hierarchical control" (APTable, PXNTable, UXNTable), "Stage 1 Indirect permissions"
 * (PIIndex, POIndex); D8.5, "The dirty state" (DBM, nDirty); D8.6 (AttrIndx, SH); D8.7, "The Contiguous bit".
 */

type Tells = NonNullable<NamedBits['tells']>;

/** What decides the names. */
export interface NameOptions {
  readonly granule: Granule;
  readonly outputBits: 48 | 52;
  /** The processor has 52-bit addresses, whatever `outputBits` says. */
  readonly lpa: boolean;
  /** Memory type of each index. */
  readonly types: readonly MemoryType[];
  /** Leaves say their rights through PIR_EL1. */
  readonly isIndirect: boolean;
}

function bits(low: number, name: string, says: string, tells: Tells = [], width: number = 1): NamedBits {
  return Object.freeze({
    name,
    low,
    width,
    says: Object.freeze(says.split('|')),
    tells: Object.freeze(tells),
  });
}

/** Bits that should be 0. The MMU ignores them. */
function res0(low: number, end: number, tells: Tells): NamedBits[] {
  return low < end ? [bits(low, 'RES0', 'should be 0', tells, end - low)] : [];
}

/** Together they say what the owner may do. `extra` is the difference to what Linux writes. */
const RIGHTS: Tells = ['read', 'write', 'execute', 'user', 'dirty', 'extra'];
const EXTRA: Tells = ['extra'];
const VALID = bits(0, 'Valid', 'not valid|valid');
const MAY = 'as the leaf says|not allowed';

const TABLE: readonly NamedBits[] = [
  VALID,
  bits(1, 'Type', 'block|table'),
  bits(63, 'NSTable', 'Secure tables below|Non-secure tables below'),
];

/** With indirect permissions, tables forbid nothing, and the MMU ignores these. */
const HIERARCHY: readonly NamedBits[] = [
  bits(59, 'PXNTable', `EL1 executes below: ${MAY}`),
  bits(60, 'UXNTable', `EL0 executes below: ${MAY}`),
  bits(61, 'APTable[0]', `EL0 accesses below: ${MAY}`),
  bits(62, 'APTable[1]', `writes below: ${MAY}`),
];

const DIRECT: readonly NamedBits[] = [
  bits(6, 'AP[1]', 'no access from EL0|EL0 may access', RIGHTS),
  bits(7, 'AP[2]', 'read and write|read-only', RIGHTS),
  bits(51, 'DBM', 'AP[2] forbids writes|writable: hardware may clear AP[2]', RIGHTS),
  bits(53, 'PXN', 'EL1 may execute|EL1 may not execute', RIGHTS),
  bits(54, 'UXN', 'EL0 may execute|EL0 may not execute', RIGHTS),
];

const INDIRECT: readonly NamedBits[] = [
  bits(7, 'nDirty', 'dirty|clean', ['dirty', 'extra']),
  ...[6, 51, 53, 54].map((low, i) =>
    bits(low, `PIIndex[${i}]`, `bit ${i} of the permission index is #`, RIGHTS),
  ),
];

/** What all leaves have. */
const LEAF: readonly NamedBits[] = [
  VALID,
  bits(5, 'NS', 'Secure|Non-secure', EXTRA),
  bits(10, 'AF', 'not accessed|accessed', ['accessed']),
  bits(11, 'nG', 'global|not global', ['global']),
  bits(50, 'GP', 'not guarded|guarded page', EXTRA),
  bits(55, 'ignored', 'for software', ['dirty', 'extra'], 4),
  bits(60, 'POIndex', 'permission overlay #', EXTRA, 3),
];

/** The names of a table descriptor. */
export function tableNames({ granule, outputBits, lpa, isIndirect }: NameOptions): EntryNames {
  const isWide = outputBits === 52 && granule !== 64;
  // With the 64K granule, bits 15:12 are address bits of a processor with LPA.
  const middle = granule === 64 ? (lpa ? 16 : 12) : 12;
  const shift = { 4: 12, 16: 14, 64: 16 }[granule];
  const all = [
    ...TABLE,
    ...(isIndirect ? [] : HIERARCHY),
    ...res0(middle, shift, []),
    ...res0(isWide ? 50 : 48, 51, []),
  ];
  if (outputBits === 48 && granule === 64 && lpa) all.push(beyond('NLTA'));
  return Object.freeze({ address: 'NLTA[#]', bits: Object.freeze(all) });
}

/**
 * The names of a block or page descriptor.
 *
 * @param shift - log2 of the bytes that it maps.
 * @param hasRun - the level has contiguous runs.
 */
export function leafNames(options: NameOptions, shift: number, isPage: boolean, hasRun: boolean): EntryNames {
  const { granule, outputBits, lpa, types, isIndirect } = options;
  const isWide = outputBits === 52 && granule !== 64;
  const middle = granule === 64 && lpa ? 16 : 12;
  const all = [
    ...LEAF,
    ...(isIndirect ? INDIRECT : DIRECT),
    bits(1, 'Type', isPage ? 'reserved|page' : 'block|table'),
    bits(2, 'AttrIndx', types.map((type, i) => `MAIR entry ${i}: ${type}`).join('|'), ['memory', 'extra'], 3),
    bits(
      52,
      hasRun ? 'Contiguous' : 'RES0',
      hasRun ? 'a leaf by itself|part of a run' : 'should be 0',
      EXTRA,
    ),
    ...res0(isWide ? 50 : 48, 50, EXTRA),
  ];
  if (!isWide) all.push(bits(8, 'SH', 'not shareable|reserved|outer shareable|inner shareable', EXTRA, 2));
  if (isPage) all.push(...res0(middle, shift, EXTRA));
  else {
    all.push(...res0(middle, 16, EXTRA), ...res0(17, shift, EXTRA));
    if (shift > 16) all.push(bits(16, 'nT', 'may be cached in a TLB|should not be cached in a TLB', EXTRA));
  }
  if (outputBits === 48 && granule === 64 && lpa) all.push(beyond('OA'));
  return Object.freeze({ address: 'OA[#]', bits: Object.freeze(all) });
}

/** Address bits 51:48 where TCR_EL1.IPS selects shorter addresses: a set bit is an Address size fault. */
function beyond(name: string): NamedBits {
  return bits(12, `${name}[51:48]`, 'address bits above the size that TCR_EL1.IPS selects', [], 4);
}
