import { optionsOf, VmError } from '@vmarea/core';
import { allDiffer, choice, flag, integer, list, refused } from './check-values.js';
import type { Replacement, TlbArrayDescription, WalkCache } from './description.js';
import type { ArrayShape } from './resolved.js';

/** Entries of the largest array that is modelled. The largest known one has 8,192. */
const MOST_ENTRIES = 65536;
const ARRAY = ['sizes', 'entries', 'ways', 'replacement', 'coalesce', 'runs', 'refillsLeaf'] as const;
const REPLACEMENTS = ['lru', 'tree-plru', 'random'] as const;

/** Collects what a description lacks. */
export type Assume = (sentence: string) => void;

/**
 * Checks an array of a TLB, and fills in what is unknown.
 *
 * @param runs - what to take where `runs` is unknown.
 * @throws VmError `EINVAL` naming the value.
 */
export function resolveArray(
  where: string,
  given: unknown,
  level: 1 | 2,
  runs: boolean,
  assume: Assume,
): ArrayShape {
  const array = optionsOf(given as TlbArrayDescription, ARRAY, where, 'member');
  const { coalesce = null } = array;
  const sizes = sizesOf(`sizes of ${where}`, array.sizes, () =>
    assume(`${where}: which sizes it holds is unknown; modelled as all sizes, each leaf whole`),
  );
  if (coalesce === null)
    assume(`${where}: whether an entry can cover several pages is unknown; modelled as one`);
  if ((array.runs ?? null) === null) {
    assume(
      `${where}: whether a contiguous or NAPOT run is one entry is unknown; modelled as ${runs ? 'one entry' : 'one for each leaf'}`,
    );
  }
  const refillsLeaf = refillOf(where, array.refillsLeaf ?? null, level === 2 && sizes !== null, assume);
  return {
    ...resolveShape(where, array, assume),
    sizes,
    refillsLeaf,
    coalesce: coalesce === null ? 1 : choice(`coalesce of ${where}`, coalesce, [1, 2, 4, 8, 16]),
    runs: (array.runs ?? null) === null ? runs : flag(`runs of ${where}`, array.runs),
  };
}

/** @param isOpen - whether the array is of level 2 and may have pieces. */
function refillOf(where: string, given: unknown, isOpen: boolean, assume: Assume): boolean {
  if (given !== null) return flag(`refillsLeaf of ${where}`, given);
  if (isOpen)
    assume(`${where}: what level 1 gets of a leaf held in pieces is unknown; modelled as the piece`);
  return false;
}

/** What arrays of TLBs and walk caches have in common: entries, ways, replacement. */
export function resolveShape(
  where: string,
  given: { readonly [Name in keyof Pick<WalkCache, 'entries' | 'ways' | 'replacement'>]?: unknown },
  assume: Assume,
): ArrayShape {
  const entries = integer(`entries of ${where}`, given.entries, 1, MOST_ENTRIES);
  const unknownWays = (given.ways ?? null) === null;
  if (unknownWays) assume(`${where}: the number of ways is unknown; modelled as fully associative`);
  const ways =
    unknownWays || given.ways === 'full' ? entries : waysOf(`ways of ${where}`, given.ways, entries);
  const sets = entries / ways;
  if (!Number.isInteger(Math.log2(sets)))
    throw new VmError('EINVAL', `${where} has ${entries} entries in ${ways} ways: ${sets} sets`, {
      advice: 'the number of sets must be a power of two; the number of ways need not',
    });
  return {
    entries,
    ways,
    sets,
    replacement: ruleOf(where, given.replacement ?? null, ways, assume),
    sizes: null,
    coalesce: 1,
    runs: false,
    refillsLeaf: false,
  };
}

function waysOf(where: string, value: unknown, entries: number): number {
  if (!Number.isInteger(value)) throw refused(where, value, "an integer, 'full' or null");
  return integer(where, value, 1, entries);
}

function ruleOf(where: string, given: unknown, ways: number, assume: Assume): Replacement {
  if (given === null) {
    if (ways > 1) assume(`${where}: the replacement is unknown; modelled as LRU`);
    return 'lru';
  }
  const rule = choice(`replacement of ${where}`, given, REPLACEMENTS);
  if (rule === 'tree-plru' && !Number.isInteger(Math.log2(ways)))
    throw new VmError('EINVAL', `${where} has tree-plru over ${ways} ways`, {
      advice: 'a tree needs a power of two of ways: use lru or random',
    });
  return rule;
}

function sizesOf(where: string, given: unknown, unknown: () => void): readonly number[] | null {
  if (given === null) unknown();
  if (given === null || given === 'all') return null;
  if (given === undefined) throw refused(where, given, "a list, 'all' or null");
  const sizes = list(where, given, 16, (at, one) => integer(at, one, 12, 63));
  allDiffer(where, sizes);
  return sizes.sort((a, b) => a - b);
}
