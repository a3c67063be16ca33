import type { TlbArrayDescription, TlbDescription, TlbUnit } from '@vmarea/mmu';
import type { LeafCount } from './leaf-count.js';

/** Bytes that the TLBs for loads cover when they are full; `l2` is `null` without a second level. */
export interface Reach {
  readonly l1: number;
  readonly l2: number | null;
}

/**
 * The reach of the TLBs for loads with the leaves of a run. Each array is full of the leaves that it holds, in the mix in which they are
 * mapped. A leaf that an array cannot hold whole counts in pieces, and a run in pages where the array knows no runs.
 *
 * @param assumeRuns - whether arrays that do not say it know runs.
 */
export function reachOf({ tlbs }: TlbDescription, leaves: readonly LeafCount[], assumeRuns = false): Reach {
  const unit = (level: 1 | 2): TlbUnit | undefined =>
    tlbs.find((one) => one.level === level && one.kinds.includes('read'));
  const l2 = unit(2);
  const of = (one: TlbUnit | undefined): number => reachOfUnit(one, leaves, assumeRuns);
  return { l1: of(unit(1)), l2: l2 === undefined ? null : of(l2) };
}

function reachOfUnit(unit: TlbUnit | undefined, leaves: readonly LeafCount[], assumeRuns: boolean): number {
  const held = (unit?.arrays ?? []).map(({ entries }) => ({ entries, bytes: 0, used: 0 }));
  for (const leaf of leaves) {
    const pieces = (unit?.arrays ?? []).map((array) => pieceIn(array, leaf, assumeRuns));
    const piece = Math.max(0, ...pieces);
    const array = held[pieces.indexOf(piece)];
    if (piece === 0 || array === undefined) continue;
    array.bytes += leaf.count * leaf.bytes;
    array.used += (leaf.count * leaf.bytes) / piece;
  }
  return held.reduce((sum, { entries, bytes, used }) => sum + (used === 0 ? 0 : (entries * bytes) / used), 0);
}

/** The bytes of a leaf that one entry of an array covers; 0 when it does not hold such leaves. */
function pieceIn(
  { sizes, runs }: TlbArrayDescription,
  { bytes, entryBytes }: LeafCount,
  assumeRuns: boolean,
): number {
  const most = (runs ?? assumeRuns) ? bytes : entryBytes;
  if (sizes === null || sizes === 'all') return most;
  return Math.max(0, ...sizes.map((size) => 2 ** size).filter((size) => size <= most));
}
