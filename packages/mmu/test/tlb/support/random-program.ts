import type { Invalidation } from '@vmarea/core';
import type { AccessKind, TlbArrayDescription, TlbDescription } from '@vmarea/mmu';
import fc from 'fast-check';

/** Places of a program, a third of them in each part of the address space. */
export const PLACES = 24;

/** One thing that a random program does. Places are numbers that the test makes addresses of. */
export type Step =
  | { op: 'access'; kind: AccessKind; place: number; times: number; rounds: number }
  | { op: 'map'; place: number; pages: number; isLinear: boolean; isGlobal: boolean; size: number }
  | { op: 'unmap' | 'protect'; place: number; pages: number }
  | { op: 'asid'; asid: number }
  | { op: 'invalidate'; invalidation: Invalidation; place: number; pages: number; asid: number };

const place = fc.nat(PLACES - 1);
const asid = fc.nat(2);
const kind = fc.constantFrom<AccessKind>('read', 'write', 'execute');

const invalidation = fc
  .record({
    addresses: fc.constantFrom('page' as const, 'range' as const, 'all' as const),
    asids: fc.constantFrom('given' as const, 'current' as const, 'all' as const),
    globals: fc.boolean(),
    tables: fc.constantFrom('none' as const, 'addresses' as const, 'all' as const),
  })
  .map((one): Invalidation => ({ ...one, name: 'a random one', broadcast: false }));

const map = fc.record({
  op: fc.constant('map' as const),
  place,
  pages: fc.integer({ min: 1, max: 40 }),
  isLinear: fc.boolean(),
  isGlobal: fc.boolean(),
  size: fc.nat(3),
});

/** Enough mappings for most accesses. */
export const firstMaps: fc.Arbitrary<Step[]> = fc.array(map, { minLength: 12, maxLength: 20 });

export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({
        op: fc.constant('access' as const),
        kind,
        place,
        times: fc.integer({ min: 1, max: 8 }),
        rounds: fc.integer({ min: 1, max: 3 }),
      }),
    },
    { weight: 3, arbitrary: map },
    {
      weight: 2,
      arbitrary: fc.record({
        op: fc.constantFrom('unmap' as const, 'protect' as const),
        place,
        pages: fc.integer({ min: 1, max: 20 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ op: fc.constant('asid' as const), asid }) },
    {
      weight: 3,
      arbitrary: fc.record({
        op: fc.constant('invalidate' as const),
        ...{ invalidation, place, asid },
        pages: fc.integer({ min: 1, max: 20 }),
      }),
    },
  ),
  { minLength: 40, maxLength: 120 },
);

/** Entries and ways of a small array, so that it is full soon. */
const shape = fc.constantFrom<{ entries: number; ways: number | 'full' }>(
  { entries: 1, ways: 'full' },
  { entries: 5, ways: 'full' },
  { entries: 8, ways: 'full' },
  { entries: 8, ways: 1 },
  { entries: 6, ways: 3 },
  { entries: 20, ways: 5 },
);

const array = (sizes: readonly (readonly number[] | 'all')[]) =>
  fc
    .record({
      shape,
      sizes: fc.constantFrom(...sizes),
      coalesce: fc.constantFrom<1 | 2 | 4 | 8 | 16>(1, 1, 2, 4, 8, 16),
      runs: fc.boolean(),
      refillsLeaf: fc.boolean(),
    })
    .map(({ shape: one, ...rest }): TlbArrayDescription => ({ ...one, ...rest, replacement: 'lru' }));

/** Random TLBs, walk caches among them, of a processor with such leaf sizes. */
export function descriptions(sizes: readonly (readonly number[] | 'all')[]): fc.Arbitrary<TlbDescription> {
  const arrays = fc.array(array(sizes), { minLength: 1, maxLength: 3 });
  return fc
    .record({
      ...{ code: arrays, data: arrays, hasStores: fc.boolean(), stores: arrays },
      l2: fc.option(fc.array(array(sizes), { minLength: 1, maxLength: 2 }), { freq: 4 }),
      ...{ own: shape, caches: fc.nat(3), dropsOnFault: fc.boolean() },
    })
    .map(({ code, data, hasStores, stores, l2, own, caches, dropsOnFault }): TlbDescription => {
      const shared = l2?.length === 1 && caches === 2;
      return {
        ...{ name: 'random', title: 'Random', source: 'fast-check', walkers: null, dropsOnFault },
        tlbs: [
          { name: 'L1I', level: 1, kinds: ['execute'], arrays: code },
          { name: 'L1D', level: 1, kinds: hasStores ? ['read'] : ['read', 'write'], arrays: data },
          ...(hasStores ? [{ name: 'L1S', level: 1, kinds: ['write'], arrays: stores } as const] : []),
          ...(l2 === null
            ? []
            : [{ name: 'L2', level: 2, kinds: ['read', 'write', 'execute'], arrays: l2 } as const]),
        ],
        walkCaches: [
          ...(caches === 1
            ? [{ name: 'all', heights: 'all' as const, ...own, replacement: 'lru' as const }]
            : []),
          ...(shared ? [{ name: 'shared', heights: 'all' as const, entries: { inside: 'L2' } }] : []),
          ...(caches === 3
            ? [
                { name: 'upper', heights: [2, 3], ...own, replacement: 'lru' as const },
                { name: 'lower', heights: [1], ...own, replacement: 'lru' as const },
              ]
            : []),
        ],
        cycles: { l2Hit: null, walk: null },
      };
    });
}
