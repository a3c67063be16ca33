import { entryHi, entryLo, pfnOf } from '../../address-codec.js';
import type { EntryTemplate } from '../../entry-template.js';
import { type LevelPlan, meets } from '../../format/plan.js';
import { type Bank, loopsOf } from '../../memory/bank.js';
import type { Words } from '../../words.js';
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

/** Writes an entry that points to a table into words of a call's own. The caller counts it. */
export function writeTableEntry(link: EntryTemplate, words: Int32Array, at: number, pfn: number): void {
  words[at] = link.lo | entryLo(link.address, pfn);
  words[at + 1] = link.hi | entryHi(link.address, pfn);
}

/** The words of an entry that points to a table. */
export function linkWords(link: EntryTemplate, pfn: number): Words {
  return { lo: link.lo | entryLo(link.address, pfn), hi: link.hi | entryHi(link.address, pfn) };
}

/** Writes an entry that points to a table. The caller counts it. */
export function linkTableEntry(link: EntryTemplate, bank: Bank, at: number, pfn: number): void {
  loopsOf(bank).store64(at, link.lo | entryLo(link.address, pfn), link.hi | entryHi(link.address, pfn));
}

/*
 * An entry is read by its low word first: on shared memory that is one atomic for both words, and `highAt`
 * then gives the other. `words` are the bank's, taken before a loop.
 */

/** The low word of an entry in a bank. */
export function lowAt({ loops }: Bank, words: Int32Array, at: number): number {
  return loops?.isShared === true ? loops.load64(at) : (words[at] as number);
}

/** The high word of the entry that `lowAt` read last. */
export function highAt({ loops }: Bank, words: Int32Array, at: number): number {
  return loops?.isShared === true ? loops.high : (words[at + 1] as number);
}

/** A copy of a run of entries. */
export function copyOut(bank: Bank, at: number, count: number): Int32Array {
  const { words } = bank;
  if (bank.loops?.isShared !== true) return words.slice(at, at + 2 * count);
  const copy = new Int32Array(2 * count);
  bank.loops.get(at, count, copy, 0);
  return copy;
}
