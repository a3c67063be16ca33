import type { AreaView } from '../../try/calls.js';

/** A box of a picture: an area, or the addresses between two. */
export interface AreaBox {
  readonly area: AreaView | null;
  /** Bytes that it stands for. */
  readonly bytes: bigint;
  /** Left edge and width, 0 to 1. */
  readonly left: number;
  readonly width: number;
}

/** Narrower boxes could not be seen. Share of the width. */
const NARROWEST = 0.012;

/**
 * Lays out areas in address order. Widths follow the logarithm of the sizes, so that a page is seen beside terabytes. Addresses between areas
 * are narrow.
 */
export function areaBoxes(areas: readonly AreaView[]): AreaBox[] {
  const sorted = [...areas].sort((a, b) => (a.start < b.start ? -1 : 1));
  const boxes: { area: AreaView | null; bytes: bigint; weight: number }[] = [];
  for (const [i, area] of sorted.entries()) {
    const end = sorted[i - 1]?.end ?? area.start;
    if (area.start > end) boxes.push({ area: null, bytes: area.start - end, weight: 0.6 });
    const pages = Number((area.end - area.start) / 4096n);
    boxes.push({ area, bytes: area.end - area.start, weight: 1 + Math.log2(Math.max(1, pages)) });
  }
  const total = boxes.reduce((sum, { weight }) => sum + weight, 0);
  const wide = boxes.map((box) => ({ ...box, width: Math.max(NARROWEST, box.weight / Math.max(total, 1)) }));
  const sum = wide.reduce((all, { width }) => all + width, 0);
  let left = 0;
  return wide.map(({ area, bytes, width }) => {
    const box = { area, bytes, left, width: width / sum };
    left += box.width;
    return box;
  });
}

/** What an area is, by the words of /proc/vmallocinfo. */
export function kindOf({ text, isWaiting }: AreaView): string {
  if (isWaiting) return 'waits for a purge';
  return /\b(vmalloc|vmap|ioremap|sparse|user|vm_map_ram|vpages)\b/.exec(text)?.[1] ?? 'reserved';
}
