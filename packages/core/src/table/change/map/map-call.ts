import { hex, VmError } from '../../../errors.js';
import { classify } from '../../../format/classify.js';
import type { LevelPlan } from '../../../format/plan.js';
import type { Protection } from '../../../format/protection.js';
import type { FrameSource } from '../../../loops/run-loops.js';
import { joinWords } from '../../../words.js';
import { addressOf } from '../../page-range.js';
import type { TableContext } from '../../state/context.js';
import { leafFlags } from '../protect/leaf-flags.js';
import type { ChangeSet } from '../set/change-set.js';

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
  /** Leaf bits by level, as words, once the format was asked for them. */
  readonly flagsLo: Int32Array;
  readonly flagsHi: Int32Array;
  readonly hasFlags: Uint8Array;
  readonly changes: ChangeSet;
  /** There were too few frames for several tables at once. */
  areFramesFew: boolean;
}

/** Asks the format for a level's leaf bits, once per call. A call without blocks never asks for theirs. */
export function needFlags(call: MapCall, level: LevelPlan): void {
  const { index } = level;
  if (call.hasFlags[index] === 1) return;
  const flags = leafFlags(call.context.plan, call.protection, level);
  call.flagsLo[index] = flags.lo;
  call.flagsHi[index] = flags.hi;
  call.hasFlags[index] = 1;
}

/** The error of a slot that is not empty. */
export function occupied(
  call: MapCall,
  level: LevelPlan,
  words: Int32Array,
  entry: number,
  at: number,
): VmError {
  const { plan } = call.context;
  const lo = words[entry] as number;
  const hi = words[entry + 1] as number;
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
