import type { LevelPlan, Plan } from '../../../format/plan.js';
import { plainPage } from '../plain-page.js';
import { slotOf, testOf, turned } from './expressions.js';

/**
 * The source of a cursor for roots of one format: the body of a function that gets `FlatCursor` and returns a class of it. It is made of the
 * numbers of the plan alone.
 */
export function cursorSource(plan: Plan): string {
  const { address, levels, last } = plan;
  const level = levels[last] as LevelPlan;
  const covered = level.shift + Math.log2(level.entries);
  const shared = covered >= 32 ? 0 : -1 << covered;
  const slot = slotOf(level);
  return [
    "'use strict';",
    'return class GeneratedCursor extends FlatCursor {',
    'translateWords(high, low) {',
    `if (high ^ this.hi | (low ^ this.lo) & ${shared} | this.generation ^ this.context.generation) return this.walkTo(high, low);`,
    `const words = this.words, at = this.table | ${slot}, lo = words[at], hi = words[at | 1];`,
    `if (${testOf(plainPage(plan))}) return this.walkTo(high, low);`,
    `return (${turned(address.lowLo, address.lowHi, address.lowRotate)}) >>> 0;`,
    '}',
    '};',
  ].join('\n');
}
