import { matches, type Words } from '../words.js';
import type { EntryKind, Level, Match, Rule, Run, Shape } from './entry.js';

/** True when a leaf, given as two words, carries the mark of a run. */
export function isInRun({ set }: Run, lo: number, hi: number): boolean {
  return (lo & set.lo) === set.lo && (hi & set.hi) === set.hi;
}

/** The first rule of a shape that an entry breaks; `null` for none. */
export function brokenRule(shape: Shape, entry: Words): Rule | null {
  for (const rule of shape.rules) {
    if (rule.when !== undefined && !matches(entry, rule.when)) continue;
    if (matches(entry, rule) !== (rule.must === 'equal')) return rule;
  }
  return null;
}

/**
 * The shape of a present entry at a level, before its rules are checked; `null` for neither table nor leaf.
 */
export function shapeOf(level: Level, entry: Words): Shape | null {
  if (level.table !== null && matches(entry, level.table.match)) return level.table;
  if (level.leaf !== null && matches(entry, level.leaf.match)) return level.leaf;
  return null;
}

/**
 * What the MMU makes of an entry at a level.
 *
 * @param present - the format's `present`.
 */
export function classify(present: Match, level: Level, entry: Words): EntryKind {
  if ((entry.lo | entry.hi) === 0) return 'none';
  if (!matches(entry, present)) return 'absent';
  const shape = shapeOf(level, entry);
  if (shape === null || brokenRule(shape, entry) !== null) return 'reserved';
  return shape === level.table ? 'table' : 'leaf';
}
