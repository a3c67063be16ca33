import type { PlacedArea } from './places.js';

/** An area in the picture of an address space. */
export interface SpaceBox {
  readonly place: PlacedArea;
  /** Left edge, 0 to 1 of the picture. */
  readonly left: number;
  /** Width, 0 to 1 of the picture. */
  readonly width: number;
}

/** The picture of an address space: where its areas are drawn. */
export interface SpaceLayout {
  /** Each area once, in address order. */
  readonly boxes: readonly SpaceBox[];
  /** First address of the first area; 0 without areas. */
  readonly start: bigint;
  /** The address after the last area and its guard; 0 without areas. */
  readonly end: bigint;
}

/**
 * Lays out the areas of a row for a picture: the reports and the explorer draw the same.
 *
 * @param places - the areas, in any order: `LayoutRow.places`.
 * @param scale - `true`: as wide as they are, between the first and the last. `magnified`: by the logarithm of their sizes, one after
 *   another, so that each can be seen. Each doubling of the size adds as much as a page is wide.
 * @example
 * ```ts
 * const { rows } = await compareLayout(text, { formats });
 * const { boxes } = spaceLayout(rows[0].places, 'magnified');
 * boxes[0].left; // 0
 * ```
 */
export function spaceLayout(places: readonly PlacedArea[], scale: 'true' | 'magnified'): SpaceLayout {
  const sorted = [...places].sort((a, b) => (a.address < b.address ? -1 : 1));
  const [first] = sorted;
  const last = sorted.at(-1);
  if (first === undefined || last === undefined) return { boxes: [], start: 0n, end: 0n };
  const start = first.address;
  const end = last.address + BigInt(last.bytes + last.guardBytes);
  const weights = sorted.map(({ bytes }) => 1 + Math.log2(Math.max(1, bytes / 4096)));
  const total = scale === 'true' ? Number(end - start) : weights.reduce((sum, one) => sum + one, 0);
  let at = 0;
  const boxes = sorted.map((place, i) => {
    const width = (scale === 'true' ? place.bytes : (weights[i] ?? 1)) / total;
    const left = scale === 'true' ? Number(place.address - start) / total : at;
    at += width;
    return { place, left, width };
  });
  return { boxes, start, end };
}

/**
 * The box at a place of the picture, or the nearest one.
 *
 * @param x - 0 to 1 from the left edge of the picture.
 * @param distance - how far beside `x` a box may be, in the same measure.
 * @returns the index of the box; `null` when none is so near.
 */
export function boxAt({ boxes }: SpaceLayout, x: number, distance: number): number | null {
  let best: number | null = null;
  let nearest = distance;
  for (const [i, { left, width }] of boxes.entries()) {
    const away = x < left ? left - x : Math.max(0, x - left - width);
    if (away <= nearest) {
      if (away === 0) return i;
      nearest = away;
      best = i;
    }
  }
  return best;
}
