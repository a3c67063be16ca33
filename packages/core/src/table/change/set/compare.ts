import type { TableContext } from '../../state/context.js';
import { isPresent } from '../../state/entries.js';
import { refuseOwed } from '../../state/flush.js';
import type { Span } from '../look/span.js';
import { BreakTest } from './break-test.js';

/** What happens when a run of entries gets new words. */
interface Comparison {
  /** Entries that change. */
  readonly written: number;
  /** The change in the number of entries that are not 0. */
  readonly grew: number;
  /** The words until the flush, with 0 where an entry must be broken; `null` when none must. */
  readonly during: Int32Array | null;
  /**
   * The entries that change and that the MMU used before: the first, and the one after the last; 0 for none.
   */
  readonly first: number;
  readonly end: number;
}

/**
 * Compares a run of entries before and after a change.
 *
 * @throws VmError `EBUSY` when an entry would become valid for which a batch owes a flush.
 */
export function compare(
  context: TableContext,
  { level, count, page }: Span,
  before: Int32Array,
  after: Int32Array,
): Comparison {
  const { mask, value } = context.plan.format.present;
  const test = new BreakTest(context, level);
  let during: Int32Array | null = null;
  let first = 0;
  let end = 0;
  let written = 0;
  let grew = 0;
  for (let i = 0; i < 2 * count; i += 2) {
    const lo = before[i] as number;
    const hi = before[i | 1] as number;
    const newLo = after[i] as number;
    const newHi = after[i | 1] as number;
    if (((lo ^ newLo) | (hi ^ newHi)) === 0) continue;
    written++;
    if ((lo | hi) === 0) grew++;
    else if ((newLo | newHi) === 0) grew--;
    if ((((lo & mask.lo) ^ value.lo) | ((hi & mask.hi) ^ value.hi)) !== 0) {
      if (context.owed.size > 0 && isPresent(context, newLo, newHi)) {
        refuseOwed(context, { first: page + (i / 2) * level.pages, pages: level.pages });
      }
      continue;
    }
    if (end === 0) first = i / 2;
    end = i / 2 + 1;
    if (test.isNeeded(lo, hi, newLo, newHi)) {
      during ??= after.slice();
      during[i] = 0;
      during[i | 1] = 0;
    }
  }
  return { written, grew, during, first, end };
}
