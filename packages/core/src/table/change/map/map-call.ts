import type { EntryTemplate } from '../../../entry-template.js';
import { hex, VmError } from '../../../errors.js';
import { classify } from '../../../format/classify.js';
import { type LevelPlan, leafTemplate } from '../../../format/plan.js';
import type { Protection } from '../../../format/protection.js';
import type { FrameSource } from '../../../loops/run-loops.js';
import type { Bank } from '../../../memory/bank.js';
import { joinWords, ZERO } from '../../../words.js';
import { addressOf } from '../../page-range.js';
import type { TableContext } from '../../state/context.js';
import { highAt, lowAt } from '../../state/entries.js';
import { leafFlags } from '../protect/leaf-flags.js';
import type { ChangeSet } from '../set/change-set.js';

/** The leaves that one call writes at a level. */
export interface LevelLeaves {
  readonly level: LevelPlan;
  readonly plain: EntryTemplate;
  /** The same with the mark of a run, once one is written. */
  marked: EntryTemplate | null;
  /** Those of the level that was asked for before. */
  readonly others: LevelLeaves | null;
}

/** What one call of `map` passes down the levels. */
export interface MapCall {
  readonly context: TableContext;
  readonly source: FrameSource;
  readonly protection: Protection;
  /** Cap on the leaf size, log2 bytes. */
  readonly maxLeafShift: number;
  /** Cap on the size of runs, log2 bytes. */
  readonly maxRunShift: number;
  /** First page of the call, counted from the start of the root's range. */
  readonly first: number;
  /** Its leaves at the levels that the format was asked for. */
  leaves: LevelLeaves | null;
  readonly changes: ChangeSet;
  /** There were too few frames for several tables at once. */
  areFramesFew: boolean;
  /** Leaves of the last claim that were written, when not all were. */
  written: number;
}

/** The leaves of a level. The format is asked once per call. A call without blocks never asks for theirs. */
export function leavesOf(call: MapCall, level: LevelPlan): LevelLeaves {
  // A chain: few levels have leaves, and an array for each call costs more.
  for (let known = call.leaves; known !== null; known = known.others) {
    if (known.level === level) return known;
  }
  const { plan } = call.context;
  const { lo, hi } = leafFlags(plan, call.protection, level);
  const leaves = { level, plain: leafTemplate(plan, lo, hi), marked: null, others: call.leaves };
  call.leaves = leaves;
  return leaves;
}

/** The leaves of a level with the mark of a run. */
export function markedOf(call: MapCall, level: LevelPlan): EntryTemplate {
  const leaves = leavesOf(call, level);
  const { lo, hi } = leaves.plain;
  const mark = level.level.run?.set ?? ZERO;
  leaves.marked ??= leafTemplate(call.context.plan, lo | mark.lo, hi | mark.hi);
  return leaves.marked;
}

/** The error of a slot that is not empty. */
export function occupied(call: MapCall, level: LevelPlan, bank: Bank, entry: number, at: number): VmError {
  const { plan } = call.context;
  const lo = lowAt(bank, bank.words, entry);
  const hi = highAt(bank, bank.words, entry);
  const kind = classify(plan.format.present, level.level, { lo, hi });
  const article = kind === 'absent' ? 'an' : 'a';
  return new VmError(
    'EBUSY',
    `the ${level.level.name} slot holds ${article} ${kind} entry ${hex(joinWords(lo, hi))}`,
    {
      address: addressOf(plan.format, call.first + at),
      advice: 'unmap the range first',
    },
  );
}
