import {
  type Difference,
  type DifferenceSide,
  diffTables,
  type PageTableReader,
  type Protection,
  type Rights,
} from '@vmarea/core';
import { type Region, regionAt } from '../machines/region.js';

/** A range that two roots translate differently, as data. */
export interface DifferenceRow {
  readonly kind: Difference['kind'];
  readonly va: bigint;
  readonly bytes: bigint;
  /** What the first root maps; `null` for nothing, and where nobody knows. */
  readonly here: SideRow | null;
  /** What the other root maps; `null` likewise. */
  readonly there: SideRow | null;
  /** What Linux has there, by the map of the first root; `null` where it has nothing. */
  readonly region: string | null;
}

/** What one root maps at the first byte of a difference, as data. */
export interface SideRow {
  readonly pa: bigint;
  /** Bytes of the leaf that holds it. */
  readonly leafBytes: bigint;
  /** What the leaf says by itself. */
  readonly protection: Protection;
  /** What all levels together allow the side that the page belongs to. */
  readonly rights: Rights;
}

/** What is compared beside addresses and rights. */
export interface CompareOptions {
  /** Whether accessed and dirty count. Default: false. */
  readonly touched?: boolean;
  /** First address in bytes, with `bytes`. */
  readonly va?: bigint;
  readonly bytes?: bigint;
}

/**
 * Compares what two roots translate, and what all levels together allow there: of two dumps, or of one.
 *
 * @param regions - from `kernelLayout`, of the first root.
 * @throws VmError `EINVAL` or `ERANGE` for an invalid range.
 */
export function* compareTables(
  here: PageTableReader,
  there: PageTableReader,
  regions: readonly Region[],
  options: CompareOptions = {},
): IterableIterator<DifferenceRow> {
  for (const { kind, va, bytes, here: a, there: b } of diffTables(here, there, {
    ...options,
    rights: true,
  })) {
    const pa = (a ?? b)?.pa ?? 0n;
    yield {
      kind,
      va,
      bytes,
      here: sideRow(a),
      there: sideRow(b),
      region: regionAt(regions, va, pa).region?.name ?? null,
    };
  }
}

function sideRow(side: DifferenceSide | null): SideRow | null {
  if (side === null) return null;
  const { pa, leafShift, protection, rights } = side;
  return { pa, leafBytes: 1n << BigInt(leafShift), protection, rights: rights as Rights };
}
