import { isInRun } from '../../../format/classify.js';
import type { PageRange } from '../../page-range.js';
import { highAt, isLeaf, isTable, lowAt } from '../../state/entries.js';
import type { Span } from './span.js';

/** Receives the parts of a span, in order. */
export interface RunParts {
  /** Entries that may be changed as they are. */
  span(span: Span): void;
  /**
   * A run that must not stay whole.
   *
   * @param group - the whole run.
   * @param from - first page of the part in the span.
   * @param to - the page after it.
   */
  cut(group: Span, from: number, to: number): void;
}

/** True when one of the entries is a leaf that carries the mark of a run. */
function hasMark({ level, bank, at, count }: Span): boolean {
  const { run } = level.level;
  if (run === null) return false;
  const { words } = bank;
  for (let entry = at; entry < at + 2 * count; entry += 2) {
    const lo = lowAt(bank, words, entry);
    const hi = highAt(bank, words, entry);
    if (isInRun(run, lo, hi) && isLeaf(level, lo, hi)) return true;
  }
  return false;
}

/**
 * The entries of a run that must change together with some of its entries.
 *
 * Above the last level it ends at an empty entry or a table, which no sound run contains. What is beyond may
 * be met and changed by itself.
 *
 * @param part - adjacent entries of one aligned run.
 * @param slot - of the first in its table.
 */
function runAround(part: Span, slot: number): Span {
  const { level, bank, at, count, page } = part;
  const entries = level.level.run?.entries ?? 1;
  const { words } = bank;
  const isApart = (entry: number): boolean => {
    const lo = lowAt(bank, words, entry);
    const hi = highAt(bank, words, entry);
    return level.level.table !== null && ((lo | hi) === 0 || isTable(level, lo, hi));
  };
  const room = slot % entries;
  let before = 0;
  while (before < room && !isApart(at - 2 * (before + 1))) before++;
  let end = count;
  while (room + end < entries && !isApart(at + 2 * end)) end++;
  return { ...part, at: at - 2 * before, count: before + end, page: page - before * level.pages };
}

/**
 * What must change together with a block: its run, when a leaf of the run carries a mark, or else the block
 * alone.
 */
export function wholeOf(block: Span, slot: number): Span {
  if (block.level.level.run === null) return block;
  const group = runAround(block, slot);
  return hasMark(group) ? group : block;
}

/**
 * Splits a span of leaves at the runs that a call must not leave whole. These are runs that reach beyond the
 * call's range, and runs larger than the call wants.
 *
 * @param slot - of the span's first entry in its table.
 * @param range - of the whole call; `null` when runs may reach beyond it.
 * @param maxShift - log2 of the largest run, in bytes, that may stay.
 */
export function partAtRuns(
  span: Span,
  slot: number,
  range: PageRange | null,
  maxShift: number,
  parts: RunParts,
): void {
  const { level, at, count, page } = span;
  const { run } = level.level;
  if (run === null) {
    parts.span(span);
    return;
  }
  const isOversize = level.runShift > maxShift;
  let open = 0;
  const close = (to: number): void => {
    if (to === open) return;
    parts.span({ ...span, at: at + 2 * open, count: to - open, page: page + open * level.pages });
  };
  for (let i = 0, next = 0; i < count; i = next) {
    const start = i - ((slot + i) % run.entries);
    next = Math.min(count, start + run.entries);
    const startPage = page + start * level.pages;
    const isInside = range === null || isWithin(range, startPage, run.entries * level.pages);
    if (isInside && !isOversize) continue;
    const part: Span = { ...span, at: at + 2 * i, count: next - i, page: page + i * level.pages };
    const group = runAround(part, slot + i);
    if (!hasMark(group)) continue;
    close(i);
    open = next;
    parts.cut(group, part.page, page + next * level.pages);
  }
  close(count);
}

function isWithin(range: PageRange, first: number, pages: number): boolean {
  return first >= range.first && first + pages <= range.first + range.pages;
}
