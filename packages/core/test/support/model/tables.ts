import type { Model } from './model.js';

/** Makes the tables for leaves of a level, wherever the slot above is empty; returns their number. */
export function prepareTables(model: Model, first: number, end: number, level: number): number {
  let made = 0;
  for (let index = 1; index <= level; index++) {
    const { tablePages } = model.level(index);
    for (let start = model.tableStart(index, first); start < end; start += tablePages) {
      const isTableAbove = model.hasTable(index - 1, start);
      if (!isTableAbove || model.hasTable(index, start) || model.entries.get(start)?.level === index - 1) {
        continue;
      }
      model.addTable(index, start);
      made++;
    }
  }
  return made;
}

/** Frees the empty tables that a range meets, from the bottom up; returns their number. */
export function reclaimTables(model: Model, first: number, end: number): number {
  let freed = 0;
  for (let index = model.geometry.last; index > 0; index--) {
    const { tablePages } = model.level(index);
    for (const start of model.tablesOf(index)) {
      if (start >= end || start + tablePages <= first || model.live(index, start) > 0) continue;
      model.removeTable(index, start);
      freed++;
    }
  }
  return freed;
}
