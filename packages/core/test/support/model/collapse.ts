import type { Model } from './model.js';

/**
 * Makes blocks of full tables that lie in the range whole, from the bottom up, and then runs of what is there; returns how
 * many blocks and runs there are in the end that were not before.
 */
export function collapseInto(model: Model, first: number, end: number, maxLeafShift: number): number {
  const made = new Set<number>();
  for (let index = model.geometry.last; index > 0; index--) {
    const { mayMap, shift } = model.level(index - 1);
    if (!mayMap || shift > maxLeafShift) continue;
    const { tablePages } = model.level(index);
    for (const start of model.tablesOf(index)) {
      if (start < first || start + tablePages > end || !collapseTable(model, index, start)) continue;
      // The blocks that became part of this one are gone.
      for (const page of made) if (page >= start && page < start + tablePages) made.delete(page);
      made.add(start);
    }
  }
  for (const { run, pages, shift, mayMap } of model.geometry.levels) {
    if (!mayMap || run === 0 || shift + Math.log2(run) > maxLeafShift) continue;
    const runPages = run * pages;
    for (const [page] of model.within(first, end)) {
      if (page % runPages !== 0 || page < first || page + runPages > end) continue;
      if (!makeRun(model, page, run, pages)) continue;
      for (let leaf = page; leaf < page + runPages; leaf += pages) made.delete(leaf);
      made.add(page);
    }
  }
  return made.size;
}

/** Marks adjacent leaves as a run; false when they differ, or are a run already. */
function makeRun(model: Model, start: number, run: number, pages: number): boolean {
  const leaves = Array.from(
    { length: run },
    (_, i) => [start + i * pages, model.entries.get(start + i * pages)] as const,
  );
  const pfn = leaves[0]?.[1]?.pfn ?? -1;
  if (pfn < 0 || pfn % (run * pages) !== 0) return false;
  const { bits: rules } = model;
  let bits: bigint | null = null;
  for (const [page, entry] of leaves) {
    if (entry === undefined || model.level(entry.level).pages !== pages || entry.pfn !== pfn + page - start)
      return false;
    if (bits !== null && rules.withoutUse(bits) !== rules.withoutUse(entry.bits)) return false;
    bits = bits === null ? entry.bits : rules.merge(bits, entry.bits);
  }
  if (leaves.every(([, entry]) => entry?.isMarked === true && entry.bits === bits)) return false;
  for (const [page] of leaves) model.change(page, { bits: bits as bigint, isMarked: true });
  return true;
}

/** Makes one block of a table; false when its leaves differ. */
function collapseTable(model: Model, index: number, start: number): boolean {
  const { tablePages, pages } = model.level(index);
  if (model.live(index, start) !== tablePages / pages) return false;
  const pfn = model.entries.get(start)?.pfn ?? -1;
  if (pfn < 0 || pfn % tablePages !== 0) return false;
  const { bits: rules } = model;
  let bits: bigint | null = null;
  for (let inside = 0; inside < tablePages; inside += pages) {
    const entry = model.entries.get(start + inside);
    if (entry?.level !== index || entry.pfn !== pfn + inside) return false;
    if (bits !== null && rules.withoutUse(bits) !== rules.withoutUse(entry.bits)) return false;
    bits = bits === null ? entry.bits : rules.merge(bits, entry.bits);
  }
  for (let inside = 0; inside < tablePages; inside += pages) model.remove(start + inside);
  model.removeTable(index, start);
  model.put(start, { level: index - 1, pfn, bits: bits as bigint, isMarked: false });
  return true;
}
