import type { PhysicalMemory } from '@vmarea/core';
import type { Enumeration, FoundEntry } from '../manual-walk/enumerate.js';
import type { RawCall } from './call.js';
import type { Model } from './model.js';

/** The pages from a leaf on that one raw change touches: all of a run, else the leaf alone. */
function extent(model: Model, { op, page }: RawCall): number {
  const entry = model.entries.get(page);
  if (entry === undefined) return 0;
  const { run, pages } = model.level(entry.level);
  return op === 'mark' || entry.isMarked ? run * pages : pages;
}

/** True when the leaves from this page on may become a run, and are none yet. */
export function mayMark(model: Model, page: number): boolean {
  const first = model.entries.get(page);
  if (first === undefined || first.pfn < 0 || first.isMarked) return false;
  const { run, pages } = model.level(first.level);
  if (run === 0 || page % (run * pages) !== 0 || first.pfn % (run * pages) !== 0) return false;
  for (let i = 1; i < run; i++) {
    const entry = model.entries.get(page + i * pages);
    const isNext = entry?.level === first.level && entry.pfn === first.pfn + i * pages && !entry.isMarked;
    if (!isNext || entry.bits !== first.bits) return false;
  }
  return true;
}

/**
 * Changes entries in the bytes and in the model, as others would: an operating system its software bits and runs, the hardware
 * accessed and dirty. The number of entries in use stays the same.
 */
export function writeRaw(model: Model, memory: PhysicalMemory, found: Enumeration, call: RawCall): void {
  const end = call.page + extent(model, call);
  const here = found.entries.filter(({ page }) => page >= call.page && page < end);
  for (const place of here) {
    const entry = model.entries.get(place.page);
    if (entry === undefined) throw new Error(`the model has no entry at page ${place.page}`);
    const written = change(model, place, call);
    memory.write64(place.at, written);
    if (call.op === 'mark') model.change(place.page, { isMarked: true });
    else if (call.op === 'hide') model.change(place.page, { pfn: -1, bits: written, isMarked: false });
    else model.change(place.page, { bits: place.bits ^ place.entry ^ written });
  }
}

function change({ bits }: Model, place: FoundEntry, { op, bit, accessed, dirty }: RawCall): bigint {
  switch (op) {
    case 'mark':
      return bits.mark(place.entry);
    case 'software':
      return place.entry ^ bit;
    case 'use':
      return place.entry ^ place.bits ^ bits.use(place.bits, accessed, dirty);
    default:
      // The MMU ignores the rest of an entry whose valid bit is clear.
      return place.entry & ~1n;
  }
}
