import type { Model } from './model.js';
import { Refused } from './refused.js';

/** The frames of a mapping call. */
export interface ModelFrames {
  /** The frame of the call's n-th page. */
  at(index: number): number;
  /** True when `pages` frames from the n-th on are adjacent and aligned to their number. */
  isBlock(index: number, pages: number): boolean;
}

/**
 * Maps pages with the largest leaves and runs that address, frames and cap allow, in address order.
 *
 * @throws Refused `EBUSY` at the first slot that is taken; before it tables may have run out.
 */
export function mapInto(
  model: Model,
  first: number,
  pages: number,
  frames: ModelFrames,
  bits: bigint,
  maxLeafShift: number,
): void {
  const fill = (index: number, from: number, to: number): void => {
    const level = model.level(index);
    /** Leaves put into slots that were empty. */
    const fresh = new Set<number>();
    for (let page = from - (from % level.pages); page < to; page += level.pages) {
      const isWhole = page >= from && page + level.pages <= to;
      const mayMap = level.mayMap && (level.shift <= maxLeafShift || index === model.geometry.last);
      if (isWhole && mayMap && frames.isBlock(page - first, level.pages)) {
        if (model.entries.has(page)) throw new Refused('EBUSY');
        if (index === model.geometry.last || !model.hasTable(index + 1, page)) fresh.add(page);
        dropTables(model, index + 1, page);
        model.put(page, { level: index, pfn: frames.at(page - first), bits, isMarked: false });
        continue;
      }
      if (model.entries.get(page)?.level === index) throw new Refused('EBUSY');
      if (!model.hasTable(index + 1, page)) model.addTable(index + 1, page);
      fill(index + 1, Math.max(page, from), Math.min(page + level.pages, to));
    }
    const runPages = level.run * level.pages;
    if (level.run === 0 || level.shift + Math.log2(level.run) > maxLeafShift) return;
    for (const page of fresh) {
      if (page % runPages !== 0 || page + runPages > to || !frames.isBlock(page - first, runPages)) continue;
      const leaves = Array.from({ length: level.run }, (_, i) => page + i * level.pages);
      if (leaves.every((leaf) => fresh.has(leaf)))
        for (const leaf of leaves) model.change(leaf, { isMarked: true });
    }
  };
  fill(0, first, first + pages);
}

/** Removes the empty tables that a larger leaf replaces. */
function dropTables(model: Model, level: number, page: number): void {
  if (level > model.geometry.last || !model.hasTable(level, page)) return;
  const { tablePages } = model.level(level);
  for (let below = model.geometry.last; below > level; below--) {
    for (const start of model.tablesOf(below)) {
      if (start >= page && start < page + tablePages) model.removeTable(below, start);
    }
  }
  model.removeTable(level, page);
}
