import { entryHi, entryLo, pfnOf } from '../../address-codec.js';
import type { EntryTemplate } from '../../entry-template.js';
import { type LevelPlan, meets } from '../../format/plan.js';
import type { TableContext } from './context.js';

/** True when an entry of a level points to a table. */
export function isTable(level: LevelPlan, lo: number, hi: number): boolean {
  return meets(level.table, lo, hi);
}

/** True when an entry of a level maps. */
export function isLeaf(level: LevelPlan, lo: number, hi: number): boolean {
  return meets(level.leaf, lo, hi);
}

/** The frame that a table entry points to. */
export function childPfn(context: TableContext, lo: number, hi: number): number {
  return pfnOf(context.plan.address, lo, hi);
}

/** True when the MMU takes an entry into account. */
export function isPresent(context: TableContext, lo: number, hi: number): boolean {
  const { mask, value } = context.plan.format.present;
  return (((lo & mask.lo) ^ value.lo) | ((hi & mask.hi) ^ value.hi)) === 0;
}

/** Writes an entry that points to a table. The caller counts it. */
export function writeTableEntry(link: EntryTemplate, words: Int32Array, at: number, pfn: number): void {
  words[at] = link.lo | entryLo(link.address, pfn);
  words[at + 1] = link.hi | entryHi(link.address, pfn);
}
