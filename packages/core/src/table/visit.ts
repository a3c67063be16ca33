import type { LevelPlan } from '../format/plan.js';
import { bankOfTable, childPfn, isTable, type TableContext } from './context.js';
import type { PageRange } from './page-range.js';

/** Called for each table of a range, a table before those below it. */
export type TableVisitor = (pfn: number, level: number) => void;

/**
 * Visits the tables that translate a range, each once, the root first.
 *
 * @throws VmError `EFAULT` when a table has no bytes.
 */
export function visitTables(context: TableContext, range: PageRange, visitor: TableVisitor): void {
  const { root } = context;
  visitor(root.pfn, 0);
  visit(context, 0, root.bank.words, root.word, range.first, range.first, range.pages, visitor);
}

function visit(
  context: TableContext,
  levelIndex: number,
  words: Int32Array,
  word: number,
  offset: number,
  page: number,
  pages: number,
  visitor: TableVisitor,
): void {
  const { plan, counters } = context;
  if (levelIndex === plan.last) return;
  const level = plan.levels[levelIndex] as LevelPlan;
  counters.tablesRead++;
  let slot = Math.floor(offset / level.pages);
  let inside = offset - slot * level.pages;
  let at = page;
  for (let left = pages; left > 0; slot++, inside = 0) {
    const here = Math.min(level.pages - inside, left);
    const lo = words[word + 2 * slot] as number;
    const hi = words[word + 2 * slot + 1] as number;
    counters.entriesRead++;
    if ((lo | hi) !== 0 && isTable(level, lo, hi)) {
      const child = childPfn(context, lo, hi);
      const bank = bankOfTable(context, child, at);
      visitor(child, levelIndex + 1);
      visit(
        context,
        levelIndex + 1,
        bank.words,
        bank.wordOf(child, plan.pageShift),
        inside,
        at,
        here,
        visitor,
      );
    }
    at += here;
    left -= here;
  }
}
