import type { Configuration } from '@vmarea/core';
import { rootFrames } from '../parts/root-frames.js';
import type { LeafPolicy } from './kernel.js';
import type { PlannedArea } from './planned-area.js';

/** Addresses that are mapped with leaves of at least a size. */
interface Span {
  readonly first: bigint;
  readonly last: bigint;
  /** log2 of the bytes of a leaf. */
  readonly leaf: bigint;
}

/**
 * Counts the tables that the areas need: one of every level for each different prefix of the addresses, down to the
 * leaves. It counts at least as many as are made.
 */
export function tableFrames(
  configuration: Configuration,
  leafPolicy: LeafPolicy,
  areas: readonly PlannedArea[],
): number {
  const { format } = configuration;
  const spans = areas
    .flatMap((area) => spansOf(area, configuration, leafPolicy))
    .sort((a, b) => (a.first < b.first ? -1 : 1));
  let tables = rootFrames(format);
  for (const level of format.levels.slice(0, -1)) {
    const shift = BigInt(level.shift);
    let previous = -1n;
    for (const { first, last, leaf } of spans) {
      // Such a leaf stands in the table of this level, or above it.
      if (leaf >= shift) continue;
      const from = first >> shift;
      const to = last >> shift;
      tables += Number(to - from) + (from === previous ? 0 : 1);
      previous = to;
    }
  }
  return tables;
}

function spansOf(
  { area: { address }, mapping }: PlannedArea,
  { format, linux }: Configuration,
  leafPolicy: LeafPolicy,
): Span[] {
  if (mapping === null) return [];
  const pageShift = BigInt(format.pageShift);
  const end = address + (BigInt(mapping.pages) << pageShift);
  const { source } = mapping;
  if (source.type === 'frames') {
    const leaf = pageShift + BigInt(source.order);
    return cut(address, end, leaf, address + (BigInt(source.chunks) << leaf), pageShift);
  }
  const shifts = leafPolicy === 'base' ? [] : linux.leaves.ioremap;
  // The largest leaf that the range fills, and to which both of its addresses are aligned alike.
  const fitting = shifts.filter((shift) => {
    const leaf = 1n << BigInt(shift);
    const first = roundUp(address, BigInt(shift));
    return (address - source.physical) % leaf === 0n && first + leaf <= end;
  });
  const leaf = BigInt(Math.max(format.pageShift, ...fitting));
  return cut(address, end, leaf, (end >> leaf) << leaf, pageShift);
}

/** A stretch with large leaves up to `largeEnd`, and the pages before and after it. */
function cut(start: bigint, end: bigint, leaf: bigint, largeEnd: bigint, pageShift: bigint): Span[] {
  const largeStart = roundUp(start, leaf);
  return [
    { first: start, end: largeStart, leaf: pageShift },
    { first: largeStart, end: largeEnd, leaf },
    { first: largeEnd, end, leaf: pageShift },
  ]
    .filter((span) => span.end > span.first)
    .map((span) => ({ first: span.first, last: span.end - 1n, leaf: span.leaf }));
}

function roundUp(address: bigint, shift: bigint): bigint {
  const unit = 1n << shift;
  return ((address + unit - 1n) >> shift) << shift;
}
