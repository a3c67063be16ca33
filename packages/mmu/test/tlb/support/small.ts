import { type PageTable, type PageTableFormat, protection } from '@vmarea/core';
import type { AccessKind, TlbArrayDescription, TlbDescription, TlbModel, WalkCache } from '@vmarea/mmu';
import { machine } from '@vmarea/testkit';

/** A description with everything said, whose members a test replaces. One TLB serves all kinds at each level. */
export function describe2(
  l1: readonly TlbArrayDescription[],
  l2: readonly TlbArrayDescription[] | null,
  more: Partial<TlbDescription> = {},
): TlbDescription {
  const kinds: readonly AccessKind[] = ['read', 'write', 'execute'];
  return {
    ...{ name: 'small', title: 'A small one', source: 'the test', walkers: 1, dropsOnFault: false },
    walkCaches: [],
    cycles: { l2Hit: null, walk: null },
    tlbs: [
      { name: 'L1', level: 1, kinds, arrays: l1 },
      ...(l2 === null ? [] : [{ name: 'L2', level: 2 as const, kinds, arrays: l2 }]),
    ],
    ...more,
  };
}

/** An array with everything said. */
export const plain = (
  entries: number,
  ways: number | 'full' = 'full',
  more: Partial<TlbArrayDescription> = {},
): TlbArrayDescription => ({
  ...{ sizes: 'all', entries, ways, replacement: 'lru', coalesce: 1, runs: false, refillsLeaf: false },
  ...more,
});

/** A walk cache with everything said. */
export const cache = (name: string, heights: WalkCache['heights'], entries = 8): WalkCache => ({
  ...{ name, heights, entries, ways: 'full', replacement: 'lru' },
});

export const RIGHTS = protection({ write: true, execute: true });

/**
 * A table with single pages, whose frames are in no order that a leaf or a group could use.
 *
 * @param tableFrames - frames for tables.
 */
export function tableWith(
  format: PageTableFormat,
  addresses: readonly bigint[],
  tableFrames = 64,
): PageTable {
  const { table } = machine(format, tableFrames);
  addresses.forEach((va, i) => {
    table.map(va, [2 ** 22 + 33 * i], RIGHTS);
  });
  return table;
}

/** An access to a bigint. */
export function touch(model: TlbModel, va: bigint, kind: AccessKind = 'read'): number {
  return model.access(kind, Number(va >> 32n), Number(va & 0xffff_ffffn));
}
