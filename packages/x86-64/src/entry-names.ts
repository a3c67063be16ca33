import type { EntryNames, NamedBits } from '@vmarea/core';

/*
 * The names of the bits of an entry. What no name covers is ignored, or reserved by a rule.
 *
 * Source: SDM vol. 3A, Paging, "Format of a PML4 Entry that References a Page-Directory-Pointer Table" and the tables
 * that follow it down to "Format of a Page-Table Entry that Maps a 4-KByte Page"; for the C-bit, AMD APM vol. 2, "Secure
 * Encrypted Virtualization"; for the shared bit, the TDX module's specification, "Shared EPT and private EPT".
 */

type Tells = NonNullable<NamedBits['tells']>;

function bits(low: number, name: string, says: string, tells: Tells = [], width: number = 1): NamedBits {
  return Object.freeze({
    name,
    low,
    width,
    says: Object.freeze(says.split('|')),
    tells: Object.freeze(tells),
  });
}

const MEMORY: Tells = ['memory', 'extra'];
const RW = 'read-only|writable';
const US = 'supervisor|user';
const A = bits(5, 'A', 'not accessed|accessed', ['accessed']);
const XD = bits(63, 'XD', 'executable|not executable', ['execute']);
const P = bits(0, 'P', 'not present|present');

const TABLE: readonly NamedBits[] = [
  P,
  bits(1, 'R/W', RW),
  bits(2, 'U/S', US),
  bits(3, 'PWT', 'bit 0 of the PAT index of the table is #'),
  bits(4, 'PCD', 'bit 1 of the PAT index of the table is #'),
  bits(5, 'A', 'not accessed|accessed'),
];
const XD_TABLE = bits(63, 'XD', 'executable|not executable');

const LEAF: readonly NamedBits[] = [
  P,
  bits(1, 'R/W', RW, ['write']),
  bits(2, 'U/S', US, ['user']),
  bits(3, 'PWT', 'bit 0 of the PAT index is #', MEMORY),
  bits(4, 'PCD', 'bit 1 of the PAT index is #', MEMORY),
  A,
  bits(6, 'D', 'not dirty|dirty', ['dirty']),
  bits(8, 'G', 'not global|global', ['global']),
  bits(59, 'Protection key', 'key #', ['extra'], 4),
];
const PAT = 'bit 2 of the PAT index is #';
const PS = bits(7, 'PS', 'points to a table|maps a page');

/** What decides the names of a kind of entry. */
export interface NameOptions {
  readonly kind: 'table' | 'small' | 'large';
  /** The level has leaves beside tables, so that PS tells them apart. */
  readonly mapsLarge: boolean;
  readonly nxe: boolean;
  /** Position of AMD's C-bit; `null` for none. */
  readonly encryptionBit: number | null;
  /** Position of the shared bit of a trust domain; `null` for none. */
  readonly sharedBit: number | null;
}

export function x86Names({ kind, mapsLarge, nxe, encryptionBit, sharedBit }: NameOptions): EntryNames {
  const isLeaf = kind !== 'table';
  const all = [...(isLeaf ? LEAF : TABLE)];
  if (mapsLarge) all.push(PS);
  if (isLeaf) all.push(bits(kind === 'small' ? 7 : 12, 'PAT', PAT, MEMORY));
  if (nxe) all.push(isLeaf ? XD : XD_TABLE);
  const own: Tells = isLeaf ? ['extra'] : [];
  if (encryptionBit !== null) all.push(bits(encryptionBit, 'C', 'not encrypted|encrypted', own));
  if (sharedBit !== null && isLeaf) all.push(bits(sharedBit, 'SHARED', 'private memory|shared memory', own));
  return Object.freeze({ address: 'Address', bits: Object.freeze(all) });
}
