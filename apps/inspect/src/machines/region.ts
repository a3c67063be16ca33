/** A named range of addresses. */
export interface Region {
  /** What Linux has there: `direct map`, `vmalloc`, `vmemmap`, `modules`, `kernel text`, `fixmap`, `user`. */
  readonly name: string;
  /** First address, in bytes. */
  readonly start: bigint;
  /** The address after the last one; 2^64 at most. */
  readonly end: bigint;
  /** Only where the virtual address minus the physical one is this, modulo 2^64; `null` for all of the range. */
  readonly distance: bigint | null;
}

/** The address after the last one. */
export const TOP: bigint = 1n << 64n;

/** A region over all of a range. */
export function region(name: string, start: bigint, end: bigint): Region {
  return { name, start, end, distance: null };
}

/**
 * Where a mapping lies.
 *
 * @param va - its first address.
 * @param pa - the physical address of that.
 * @returns the region, and the address before which it names what is mapped there; `null` where no region is.
 */
export function regionAt(
  regions: readonly Region[],
  va: bigint,
  pa: bigint,
): { readonly region: Region | null; readonly end: bigint } {
  let end = TOP;
  for (const one of regions) {
    const isHere = one.start <= va && va < one.end;
    const isNear = one.distance === null || BigInt.asUintN(64, va - pa) === one.distance;
    if (isHere && isNear) return { region: one, end: one.end < end ? one.end : end };
    // A region that comes first cuts those behind it.
    if (isNear && one.start > va && one.start < end) end = one.start;
  }
  return { region: null, end };
}

/** The lesser of two addresses. */
export function least(a: bigint, b: bigint): bigint {
  if (a < b) return a;
  return b;
}

/** The greater of two addresses. */
export function greatest(a: bigint, b: bigint): bigint {
  if (a > b) return a;
  return b;
}
