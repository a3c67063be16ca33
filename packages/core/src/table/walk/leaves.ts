import { VmError } from '../../errors.js';
import type { MemoryAttributes } from '../../format/memory-attributes.js';
import type { LevelPlan, Plan } from '../../format/plan.js';
import type { Protection } from '../../format/protection.js';
import { joinWords } from '../../words.js';
import { addressOf } from '../page-range.js';
import type { TableContext } from '../state/context.js';
import { noBytes, physical } from '../state/table-banks.js';
import type { JudgedRun, ListFace, UnlistedTable } from './items.js';
import type { JudgedLeaf, Rights } from './rights.js';

/**
 * Adjacent leaves of one size, with equal flags and equal rights, whose addresses and frames both step by that
 * size.
 */
export interface LeafRun {
  /** Tells it from an `UnlistedSpan`. */
  readonly kind: 'leaves';
  /** First address, in bytes. */
  readonly va: bigint;
  /** Length of all leaves, in bytes. */
  readonly bytes: bigint;
  /** Number of leaves. */
  readonly count: number;
  /** log2 of the size of one leaf in bytes, as its level says. A contiguous run is `count` such leaves. */
  readonly leafShift: number;
  /**
   * log2 of the bytes of the run that each leaf is part of, by its contiguous or NAPOT mark; `null` for none. `count`
   * leaves may be several such runs.
   */
  readonly runShift: number | null;
  /** Index into `format.levels`. */
  readonly level: number;
  /** First frame, in base pages. */
  readonly pfn: number;
  /** Physical address of the first byte. */
  readonly pa: bigint;
  /** The entry without its address field; `describeEntry` names its bits. */
  readonly flags: bigint;
  /** What the leaves say by themselves, with their memory type. */
  readonly protection: Protection;
  /** Their memory type and shareability as numbers; `null` where the format's entries say neither. */
  readonly attributes: MemoryAttributes | null;
  /** What the table entries above leave of the protection, under the processor modes of the table or of the call. */
  readonly rights: Rights;
}

/** A table whose leaves a listing does not give at its place. */
export interface UnlistedSpan {
  /**
   * - `missing`: the memory has no bytes of the table, so nobody knows what it maps.
   * - `again`: the table was already listed whole as one of the same level. It has leaves, or tables without bytes.
   */
  readonly kind: 'missing' | 'again';
  /** First address that the table translates, in bytes. */
  readonly va: bigint;
  /** Length of what it translates, in bytes. */
  readonly bytes: bigint;
  /** Level of the table: an index into `format.levels`. */
  readonly level: number;
  /** Frame of the table. */
  readonly pfn: number;
  /** Physical address of the table. */
  readonly pa: bigint;
  /** The entry that points to it. */
  readonly entry: bigint;
  /** Physical address of that entry, in bytes. */
  readonly address: bigint;
  /** The address at which the table was listed; `null` for a missing one. */
  readonly listedAt: bigint | null;
}

/** An item of a listing. */
export type LeafItem = LeafRun | UnlistedSpan;

/** Items as callers see them. */
export function itemFace(context: TableContext): ListFace<LeafItem> {
  return {
    run: (run) => leafRun(context.plan, run, run.judged as JudgedLeaf),
    table: (table) => spanOf(context, table),
  };
}

/** Items of a list that is complete, or ends with an error. */
export function completeFace(context: TableContext): ListFace<LeafRun> {
  return {
    run: (run) => leafRun(context.plan, run, run.judged as JudgedLeaf),
    table: ({ met, pfn, page }) => {
      if (met === null) throw noBytes(context, pfn, page);
      throw new VmError(
        'ELOOP',
        `the table at ${physical(context, pfn)} is met again, too often to list it`,
        {
          address: addressOf(context.plan.format, page),
          advice: 'pass complete: false, or use listLeaves: they name such a table, and go on',
        },
      );
    },
  };
}

/** A run as callers see it. */
export function leafRun(
  { format, pageShift }: Plan,
  { level, page, pfn, flagsLo, flagsHi, count }: JudgedRun,
  { protection, attributes, rights, runShift }: JudgedLeaf,
): LeafRun {
  return {
    kind: 'leaves',
    va: addressOf(format, page),
    bytes: BigInt(count) << BigInt(level.shift),
    count,
    leafShift: level.shift,
    runShift,
    level: level.index,
    pfn,
    pa: BigInt(pfn) << BigInt(pageShift),
    flags: joinWords(flagsLo, flagsHi),
    protection,
    attributes,
    rights,
  };
}

function spanOf({ plan }: TableContext, table: UnlistedTable): UnlistedSpan {
  const { level, page, pfn, met, lo, hi, slot } = table;
  const above = plan.levels[level - 1] as LevelPlan;
  return {
    kind: met === null ? 'missing' : 'again',
    va: addressOf(plan.format, page),
    bytes: BigInt(above.pages) << BigInt(plan.pageShift),
    level,
    pfn,
    pa: BigInt(pfn) << BigInt(plan.pageShift),
    entry: joinWords(lo, hi),
    address: table.above + 8n * BigInt(slot),
    listedAt: met === null ? null : addressOf(plan.format, met.page),
  };
}
