import type { Invalidation } from '@vmarea/core';
import { EVERY_ASID, firstUnit, type TlbArray } from './tlb-array.js';

/** Addresses in units of 4 KiB, the smallest piece that an entry covers. Exact as numbers. */
export interface Units {
  readonly first: number;
  readonly end: number;
}

/** What one invalidation names. */
export interface Doomed {
  readonly addresses: Units;
  /** The address space; `null` for all. */
  readonly asid: number | null;
  readonly globals: boolean;
  readonly tables: Invalidation['tables'];
}

/** Drops the entries of one array that an invalidation names. @returns how many it dropped, or took a page from. */
export function dropFrom(array: TlbArray, doomed: Doomed): number {
  let dropped = 0;
  for (let slot = 0; slot < array.valid.length; slot++) {
    if (array.valid[slot] === 0) continue;
    const doomedPages = array.classAt(slot).isTable
      ? dropsTable(array, slot, doomed)
      : pagesOf(array, slot, doomed);
    if (doomedPages === 0) continue;
    const left = (array.valid[slot] as number) & ~doomedPages;
    if (left === 0) array.drop(slot);
    else array.valid[slot] = left;
    dropped++;
  }
  return dropped;
}

/** An entry of a walk cache: 1 when it goes. Global or not plays no part. */
function dropsTable(array: TlbArray, slot: number, { addresses, asid, tables }: Doomed): number {
  if (tables === 'none' || (asid !== null && array.asid[slot] !== asid)) return 0;
  if (tables === 'all') return 1;
  const { shift } = array.classAt(slot);
  const first = firstUnit(array, slot, shift);
  return meets(addresses, first, 2 ** (shift - 12)) ? 1 : 0;
}

/** The valid bits of a translation that go. */
function pagesOf(array: TlbArray, slot: number, { addresses, asid, globals }: Doomed): number {
  const owner = array.asid[slot];
  if (owner === EVERY_ASID ? !globals : asid !== null && owner !== asid) return 0;
  const { shift, pageShift, pageMask } = array.classAt(slot);
  const first = firstUnit(array, slot, shift);
  if (pageMask !== 0) return groupPages(addresses, first, 2 ** (pageShift - 12), array.valid[slot] as number);
  // A piece of a larger leaf goes when any byte of the leaf does.
  const size = 2 ** (Math.max(shift, array.leafShift[slot] as number) - 12);
  return meets(addresses, first - (first % size), size) ? 1 : 0;
}

function groupPages(addresses: Units, first: number, page: number, valid: number): number {
  let pages = 0;
  for (let i = 0; valid >> i !== 0; i++) if (meets(addresses, first + i * page, page)) pages |= 1 << i;
  return pages & valid;
}

function meets({ first, end }: Units, start: number, size: number): boolean {
  return start < end && first < start + size;
}
