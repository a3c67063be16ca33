import type { Trace } from './trace.js';

/** An area whose free is recorded, and whose request is not. */
export interface LostArea {
  /** First page. */
  readonly start: number;
  /** Pages; `null` when unknown. */
  readonly size: number | null;
  /** The number of the row that frees it. */
  readonly freed: number;
}

/**
 * The areas that rows free and no row gave: their requests are lost, or the rows are damaged.
 *
 * With one processor, the waiting pages after two frees in a row tell the size of the second.
 *
 * @param early - first pages of the areas from before the first row.
 */
export function lostAreas({ rows, cpus }: Trace, early: Iterable<number>): LostArea[] {
  const live = new Set(early);
  const lost: LostArea[] = [];
  const offsets = new Map<string, readonly number[]>();
  /** Waiting pages after the last free; `null` when they may have changed since. */
  let waiting: number | null = null;
  for (const [i, { thread, event }] of rows.entries()) {
    if (event.type === 'allocation' && event.start !== null) live.add(event.start);
    else if (event.type === 'percpu entered') offsets.set(thread, event.offsets);
    else if (event.type === 'percpu done' && event.start !== null) {
      const [first = 0, ...others] = offsets.get(thread) ?? [];
      for (const offset of [first, ...others]) live.add(event.start + offset - first);
    } else if (event.type === 'node purged' || event.type === 'purge done') waiting = null;
    else if (event.type === 'free') {
      const size =
        cpus === 1 && waiting !== null && event.lazyPages !== null ? event.lazyPages - waiting : null;
      if (!live.delete(event.start))
        lost.push({ start: event.start, size: (size ?? 0) > 0 ? size : null, freed: i });
      waiting = event.lazyPages;
    }
  }
  return lost;
}
