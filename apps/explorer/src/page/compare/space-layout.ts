import type { PlacedArea } from '@vmarea/compare';

/** A rectangle of the picture: left edge and width, 0 to 1. */
interface SpaceBox {
  readonly place: PlacedArea;
  readonly left: number;
  readonly width: number;
}

/** Where areas are, in address order. */
export interface SpaceLayout {
  readonly boxes: readonly SpaceBox[];
  readonly start: bigint;
  readonly end: bigint;
}

/**
 * Lays out areas.
 *
 * @param scale - `true`: as wide as they are, between the first and the last. `magnified`: by the logarithm of their sizes, one after
 *   another, so that each can be seen.
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

/** The box at a place of the picture, or the nearest one within a distance; `null` for none. */
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
