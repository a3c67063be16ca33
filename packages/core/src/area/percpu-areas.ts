import { type FreeSpace, NOTHING_FITS } from './free-space.js';
import { NIL } from './interval-tree.js';

/** Ranges at fixed distances from one base. */
export interface PercpuRequest {
  /** Offsets from the base, in pages. */
  readonly offsets: readonly number[];
  /** Pages of each. */
  readonly sizes: readonly number[];
  /** Alignment of the base in pages: a power of two. */
  readonly align: number;
  /** First page of the vmalloc window. */
  readonly vstart: number;
  /**
   * End of the vmalloc window in pages, exclusive. It may have half a page more, as for `FreeSpace.take`.
   */
  readonly vend: number;
}

/**
 * Takes ranges for chunks of per-cpu memory: from the top of the window down, all at fixed distances,
 * without guards.
 *
 * Arguments are not checked: this is a part of `VmapAreas`, which checks them, for replays and simulators.
 *
 * Source: Linux 6.12, `mm/vmalloc.c`: pcpu_get_vm_areas, pvm_determine_end_from_reverse.
 *
 * @returns the base in pages; `NOTHING_FITS`.
 */
export function takePercpu(free: FreeSpace, request: PercpuRequest): number {
  const { offsets, sizes, vstart } = request;
  const base = baseOf(free, request);
  if (base < vstart) return NOTHING_FITS;
  for (const [i, offset] of offsets.entries())
    free.clip(free.enclosing(base + offset), base + offset, sizes[i] as number);
  return base;
}

/** The base at which they fit. It is below the window when they do not. */
function baseOf(free: FreeSpace, { offsets, sizes, align, vstart, vend }: PercpuRequest): number {
  const { tree } = free;
  const count = offsets.length;
  const startOf = (area: number): number => offsets[area] as number;
  const endOf = (area: number): number => startOf(area) + (sizes[area] as number);
  // The area with the highest address comes first.
  let area = 0;
  for (let i = 1; i < count; i++) if (startOf(i) > startOf(area)) area = i;
  let last = area;
  let node = free.enclosing(vend);
  const top = Math.floor(vend / align) * align;
  /** The highest aligned end in a free range at or below the current one; 0 when there is none. */
  const reverseEnd = (): number => {
    for (; node !== NIL; node = tree.previous(node)) {
      const end = Math.min(Math.floor((tree.end[node] as number) / align) * align, top);
      if ((tree.start[node] as number) < end) return end;
    }
    return 0;
  };
  let base = reverseEnd() - endOf(area);
  while (base >= vstart && node !== NIL) {
    if (base + endOf(area) > (tree.end[node] as number)) {
      base = reverseEnd() - endOf(area);
      last = area;
    } else if (base + startOf(area) < (tree.start[node] as number)) {
      node = tree.previous(node);
      base = reverseEnd() - endOf(area);
      last = area;
    } else {
      area = (area + count - 1) % count;
      if (area === last) return base;
      node = free.enclosing(base + endOf(area));
    }
  }
  return NOTHING_FITS;
}
