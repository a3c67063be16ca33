import { pfnOf } from '../../format/address-codec.js';
import type { LevelPlan } from '../../format/plan.js';
import type { Bank } from '../../memory/bank.js';
import { joinWords } from '../../words.js';
import { bankOfTable, childPfn, destroyed, isLeaf, isTable, type TableContext } from '../context.js';
import { addressOf, type PageRange } from '../page-range.js';

/** Adjacent leaves of one size whose addresses and frames both step by it and whose flags are equal. */
export interface LeafRun {
  /** First address, in bytes. */
  readonly va: bigint;
  /** Number of leaves. */
  readonly count: number;
  /** log2 of the size of one leaf in bytes, as its level says; a contiguous run is `count` such leaves. */
  readonly leafShift: number;
  /** Index into `format.levels`. */
  readonly level: number;
  /** First frame, in base pages. */
  readonly pfn: number;
  /** Physical address of the first byte. */
  readonly pa: bigint;
  /** The entry without its address field; `format.decode` reads it. */
  readonly flags: bigint;
}

/** A run that may still grow. */
interface OpenRun {
  readonly level: LevelPlan;
  readonly page: number;
  readonly pfn: number;
  readonly flagsLo: number;
  readonly flagsHi: number;
  count: number;
}

/** A table on the way down, and how far it has been read. */
interface Frame {
  readonly bank: Bank;
  readonly word: number;
  /** Index of the first page that the table translates. */
  readonly page: number;
  slot: number;
}

/**
 * Lists the leaves of a range in address order; one visit per table.
 *
 * A leaf that only partly lies in the range is listed whole. Entries that the MMU ignores or refuses are passed
 * over.
 *
 * @throws VmError `EFAULT`, while iterating, when a table has no bytes.
 */
export function* leafRuns(context: TableContext, range: PageRange): Generator<LeafRun, void, undefined> {
  const { plan, counters, root } = context;
  const end = range.first + range.pages;
  const middle = plan.format.range.upper === 'sign' ? plan.pages / 2 : -1;
  let open: OpenRun | null = null;
  const stack: Frame[] = [enter(plan.levels[0] as LevelPlan, root.bank, root.word, 0, range.first)];
  counters.tablesRead++;

  while (stack.length > 0) {
    if (context.isDestroyed) throw destroyed();
    const level = plan.levels[stack.length - 1] as LevelPlan;
    const top = stack[stack.length - 1] as Frame;
    const { slot } = top;
    const page = top.page + slot * level.pages;
    if (slot === level.entries || page >= end) {
      stack.pop();
      continue;
    }
    top.slot++;
    counters.entriesRead++;
    // Taken afresh: between two runs the caller may have made a WebAssembly.Memory grow.
    const { words } = top.bank;
    const lo = words[top.word + 2 * slot] as number;
    const hi = words[top.word + 2 * slot + 1] as number;
    if ((lo | hi) === 0) continue;
    if (isTable(level, lo, hi)) {
      const child = childPfn(context, lo, hi);
      const bank = bankOfTable(context, child, page);
      const below = plan.levels[level.index + 1] as LevelPlan;
      stack.push(enter(below, bank, bank.wordOf(child, plan.pageShift), page, range.first));
      counters.tablesRead++;
      continue;
    }
    if (!isLeaf(level, lo, hi)) continue;
    const flagsLo = lo & ~level.leafAddressLo;
    const flagsHi = hi & ~level.leafAddressHi;
    const pfn = leafStart(context, level, lo, hi, slot);
    if (
      open !== null &&
      open.level === level &&
      open.flagsLo === flagsLo &&
      open.flagsHi === flagsHi &&
      page === open.page + open.count * level.pages &&
      pfn === open.pfn + open.count * level.pages &&
      page !== middle
    ) {
      open.count++;
      continue;
    }
    if (open !== null) yield close(context, open);
    open = { level, page, pfn, flagsLo, flagsHi, count: 1 };
  }
  if (open !== null) yield close(context, open);
}

function enter(level: LevelPlan, bank: Bank, word: number, page: number, first: number): Frame {
  return { bank, word, page, slot: Math.max(0, Math.floor((first - page) / level.pages)) };
}

/** First frame of a leaf: bits below its size do not count; a NAPOT leaf's low bits come from its slot. */
function leafStart(context: TableContext, level: LevelPlan, lo: number, hi: number, slot: number): number {
  const pfn = pfnOf(context.plan.address, lo & level.leafAddressLo, hi & level.leafAddressHi);
  if (((lo & level.napotLo) | (hi & level.napotHi)) === 0) return pfn;
  const inside = level.napotInside + 1;
  return pfn - (pfn % inside) + (slot % inside);
}

function close(context: TableContext, run: OpenRun): LeafRun {
  const { format, pageShift } = context.plan;
  return {
    va: addressOf(format, run.page),
    count: run.count,
    leafShift: run.level.shift,
    level: run.level.index,
    pfn: run.pfn,
    pa: BigInt(run.pfn) << BigInt(pageShift),
    flags: joinWords(run.flagsLo, run.flagsHi),
  };
}
