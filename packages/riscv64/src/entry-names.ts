import type { EntryNames, NamedBits } from '@vmarea/core';
import type { Extensions } from './extensions.js';

/*
 * The names of the bits of an entry. What no name covers is reserved.
 *
 * Source: RISC-V privileged specification, "Sv39: Page-Based 39-bit Virtual-Memory System", figure "Sv39 page table
 * entry"; chapters "Svnapot", "Svpbmt" and "Svrsw60t59b"; for T-Head's bits, the XuanTie C910 manual, "Page table
 * attributes", and Linux, `arch/riscv/include/asm/pgtable-64.h`.
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

const V = bits(0, 'V', 'not valid|valid');
const G = 'not global|global';
const TABLE: readonly NamedBits[] = [
  V,
  bits(1, 'R', 'points to a table'),
  bits(2, 'W', 'points to a table'),
  bits(3, 'X', 'points to a table'),
  bits(5, 'G', G),
];
const LEAF: readonly NamedBits[] = [
  V,
  bits(1, 'R', 'not readable|readable', ['read']),
  bits(2, 'W', 'not writable|writable', ['write']),
  bits(3, 'X', 'not executable|executable', ['execute']),
  bits(4, 'U', 'supervisor|user', ['user']),
  bits(5, 'G', G, ['global']),
  bits(6, 'A', 'not accessed|accessed', ['accessed']),
  bits(7, 'D', 'not dirty|dirty', ['dirty']),
];
const PBMT = 'PMA: as the platform says|NC: not cacheable, idempotent|IO: not cacheable, in order|reserved';
const THEAD = [
  ['Sec', 'not trusted|trusted'],
  ['SH', 'not shareable|shareable'],
  ['B', 'not bufferable|bufferable'],
  ['C', 'not cacheable|cacheable'],
  ['SO', 'not strongly ordered|strongly ordered'],
] as const;

/** @param isLast - level of 4 KiB leaves. */
export function riscvNames(
  kind: 'table' | 'leaf',
  isLast: boolean,
  { svnapot, svpbmt, svrsw60t59b, thead }: Extensions,
): EntryNames {
  const isLeaf = kind === 'leaf';
  const software: Tells = isLeaf ? ['extra'] : [];
  const all = [...(isLeaf ? LEAF : TABLE), bits(8, 'RSW', 'for software', software, 2)];
  if (svrsw60t59b) all.push(bits(59, 'RSW', 'for software', software, 2));
  const type: Tells = isLeaf ? ['memory', 'extra'] : [];
  if (thead) all.push(...THEAD.map(([name, says], i) => bits(59 + i, name, says, type)));
  if (isLeaf && svpbmt) all.push(bits(61, 'PBMT', PBMT, ['memory'], 2));
  if (isLeaf && isLast && svnapot) all.push(bits(63, 'N', 'a leaf by itself|part of a NAPOT run'));
  return Object.freeze({ address: 'PPN', bits: Object.freeze(all) });
}
