import {
  CHAMPSIM_WALK_CACHES,
  CORTEX_A76,
  type TlbDescription,
  TlbModel,
  type TlbModelOptions,
  tlbPreset,
  walkSource,
  ZEN_4,
  ZEN_5,
} from '@vmarea/mmu';
import { codeOf, thrown } from '@vmarea/testkit';
import { x8664 } from '@vmarea/x86-64';
import { describe, expect, test } from 'vitest';
import { cache, describe2, plain, tableWith } from './support/small.js';

const source = walkSource(tableWith(x8664(), [0x1000n]));
const make = (description: unknown, options?: unknown) =>
  new TlbModel(description as TlbDescription, source, options as TlbModelOptions);
const good = describe2([plain(8, 2)], [plain(16)]);
const withArray = (more: object) => describe2([{ ...plain(8), ...more }], null);
const withCache = (more: object) =>
  describe2([plain(8)], [plain(16)], { walkCaches: [{ ...cache('PSC', [1]), ...more }] });
const withTlbs = (...tlbs: object[]) => ({ ...good, tlbs });
const tlb = (name: string, level: number, kinds: string[]) => ({ name, level, kinds, arrays: [plain(4)] });

describe('a description that makes no sense is refused, with the value and its place', () => {
  test.each<[string, unknown, string]>([
    [
      'sets that are no power of two',
      withArray({ entries: 96, ways: 8 }),
      'L1 has 96 entries in 8 ways: 12 sets; the number of sets must be a power of two; the number of ways need not',
    ],
    [
      'sets that are no whole number',
      withArray({ entries: 2048, ways: 12 }),
      'L1 has 2048 entries in 12 ways: 170.66666666666666 sets; the number of sets must be a power of two; the number of ways need not',
    ],
    ['more ways than entries', withArray({ ways: 9 }), 'ways of L1 is 9, expected an integer from 1 to 8'],
    ['no ways', withArray({ ways: 0 }), 'ways of L1 is 0, expected an integer from 1 to 8'],
    ['ways in words', withArray({ ways: 'all' }), "ways of L1 is 'all', expected an integer, 'full' or null"],
    ['no entries', withArray({ entries: 0 }), 'entries of L1 is 0, expected an integer from 1 to 65536'],
    [
      'too many entries',
      withArray({ entries: 65537 }),
      'entries of L1 is 65537, expected an integer from 1 to 65536',
    ],
    [
      'a size below 4 KiB',
      withArray({ sizes: [11] }),
      'sizes of L1[0] is 11, expected an integer from 12 to 63',
    ],
    ['a size twice', withArray({ sizes: [12, 12] }), 'sizes of L1 has 12 twice'],
    ['no sizes', withArray({ sizes: [] }), 'sizes of L1 is an empty array, expected a list of 1 to 16'],
    [
      'sizes left out',
      withArray({ sizes: undefined }),
      "sizes of L1 is undefined, expected a list, 'all' or null",
    ],
    [
      'another replacement',
      withArray({ replacement: 'fifo' }),
      "replacement of L1 is 'fifo', expected lru, tree-plru, random",
    ],
    [
      'a tree over 8 of 5 ways',
      withArray({ entries: 20, ways: 5, replacement: 'tree-plru' }),
      'L1 has tree-plru over 5 ways; a tree needs a power of two of ways: use lru or random',
    ],
    ['a group of 3', withArray({ coalesce: 3 }), 'coalesce of L1 is 3, expected 1, 2, 4, 8, 16'],
    ['runs in words', withArray({ runs: 'yes' }), "runs of L1 is 'yes', expected true or false"],
    ['an unknown member', withArray({ size: [12] }), 'L1 has no member `size`; did you mean `sizes`?'],
    ['a level 3', withTlbs(tlb('L3', 3, ['read'])), 'level of L3 is 3, expected 1, 2'],
    [
      'an unknown kind',
      withTlbs(tlb('L1', 1, ['load'])),
      "kinds of L1[0] is 'load', expected read, write, execute",
    ],
    [
      'a kind without level 1',
      withTlbs(tlb('L1', 1, ['read', 'write'])),
      "no TLB of level 1 serves 'execute'; add it to the kinds of one",
    ],
    [
      'two TLBs for one kind',
      withTlbs(tlb('A', 1, ['read', 'write', 'execute']), tlb('B', 1, ['read'])),
      "A and B both serve 'read' at level 1; make them one TLB with several arrays",
    ],
    [
      'a name twice',
      withTlbs(tlb('A', 1, ['read', 'write', 'execute']), tlb('A', 2, ['read'])),
      "tlbs has 'A' twice",
    ],
    ['no TLB', withTlbs(), 'tlbs is an empty array, expected a list of 1 to 8'],
    [
      'only unknown arrays',
      { ...good, tlbs: [{ name: 'A', level: 1, kinds: ['read', 'write', 'execute'], arrays: null }] },
      'the arrays of A are null, and no other TLB of level 1 has any',
    ],
    [
      'a cache of leaves',
      withCache({ heights: [0] }),
      'heights of PSC[0] is 0, expected an integer from 1 to 4',
    ],
    [
      'a cache inside nothing',
      withCache({ entries: { inside: 'L9' } }),
      "entries of PSC inside is 'L9', expected the name of a TLB of level 2 with one array",
    ],
    [
      'a cache inside level 1',
      withCache({ entries: { inside: 'L1' } }),
      "entries of PSC inside is 'L1', expected the name of a TLB of level 2 with one array",
    ],
    [
      'ways of a cache inside another',
      withCache({ entries: { inside: 'L2' }, replacement: undefined }),
      'ways of PSC is given, but its entries are inside L2; leave it out',
    ],
    [
      'a price that is no number',
      { ...good, cycles: { l2Hit: { low: 1, high: '2' }, walk: null } },
      "l2Hit is '2', expected a number of cycles",
    ],
    [
      'a price whose low is its high',
      { ...good, cycles: { l2Hit: { low: 3, high: 2 }, walk: null } },
      'low of l2Hit is 3, expected at most its high, 2',
    ],
    ['no source', { ...good, source: '' }, "source of a TLB description is '', expected text"],
    ['walkers', { ...good, walkers: 0 }, 'walkers is 0, expected an integer from 1 to 64'],
    ['faults in words', { ...good, dropsOnFault: 1 }, 'dropsOnFault is 1, expected true or false'],
    [
      'an unknown member of it',
      { ...good, tlb: [] },
      'a TLB description has no member `tlb`; did you mean `tlbs`?',
    ],
    [
      'nothing',
      null,
      'the members of a TLB description are null; pass an object with any of name, title, architecture, source, notes, tlbs, walkCaches, walkers, dropsOnFault, cycles',
    ],
  ])('%s', (_, description, message) => {
    expect(thrown(() => make(description))).toBe(`EINVAL: ${message}`);
  });
});

describe('options that make no sense are refused', () => {
  test.each<[string, object, string]>([
    ['a seed below 0', { seed: -1 }, 'seed is -1, expected an integer from 0 to 4294967295'],
    ['an ASID of 17 bits', { asid: 65536 }, 'asid is 65536, expected an integer from 0 to 65535'],
    [
      'a cache of 3 sets',
      { tableCache: { sets: 3, ways: 1 } },
      'sets of tableCache is 3, expected a power of two from 1 to 1048576',
    ],
    [
      'a cache without ways',
      { tableCache: { sets: 4 } },
      'ways of tableCache is undefined, expected an integer from 1 to 262144',
    ],
    [
      'a line of 4 bytes',
      { tableCache: { sets: 4, ways: 1, lineBytes: 4 } },
      'lineBytes of tableCache is 4, expected an integer from 8 to 4096',
    ],
    ['an assumption in words', { assume: { runs: 'yes' } }, "assume.runs is 'yes', expected true or false"],
    ['an unknown assumption', { assume: { run: true } }, 'assume has no member `run`; did you mean `runs`?'],
    ['an unknown option', { sead: 1 }, 'TlbModel has no option `sead`; did you mean `seed`?'],
    [
      'an invalidation that is none',
      { flushWith: { name: 'X' } },
      'addresses of X is undefined, expected page, range, all',
    ],
  ])('%s', (_, options, message) => {
    expect(thrown(() => make(good, options))).toBe(`EINVAL: ${message}`);
  });

  test('and so is a source that is none, and a kind of access that is none', () => {
    expect(thrown(() => new TlbModel(good, {} as never))).toBe(
      'EINVAL: the source is not a WalkSource; pass walkSource(table)',
    );
    expect(thrown(() => make(good).access('load' as never, 0, 0))).toBe(
      "EINVAL: the kind of access is 'load', expected 'read', 'write' or 'execute'",
    );
  });

  test('and so is a preset that nobody knows', () => {
    expect(tlbPreset('zen-5')).toBe(ZEN_5);
    expect(codeOf(() => tlbPreset('zen-9'))).toBe('EINVAL');
    expect(thrown(() => tlbPreset('zen-9'))).toMatch(
      /^EINVAL: there is no TLB preset 'zen-9'; there are golden-cove, zen-2,/,
    );
  });
});

describe('what a description does not say', () => {
  test('is assumed, and a sentence says how', () => {
    expect(make(ZEN_4).assumptions.slice(0, 5)).toEqual([
      'L1I: which sizes it holds is unknown; modelled as all sizes, each leaf whole.',
      'L1I: whether an entry can cover several pages is unknown; modelled as one.',
      'L1I: whether a contiguous or NAPOT run is one entry is unknown; modelled as one for each leaf.',
      'L1I: the number of ways is unknown; modelled as fully associative.',
      'L1I: the replacement is unknown; modelled as LRU.',
    ]);
    expect(make(ZEN_4).assumptions.at(-1)).toBe('Walk caches are unknown; modelled as none.');
  });

  test('is nothing where it says all', () => {
    expect(make(good).assumptions).toEqual([]);
  });

  test('may be given by the caller; what it says stays', () => {
    const caches = { assume: { walkCaches: CHAMPSIM_WALK_CACHES } };
    expect(make(ZEN_4, caches).stats.walkCaches.map(({ name }) => name)).toEqual([
      'PSCL2',
      'PSCL3',
      'PSCL4',
      'PSCL5',
    ]);
    expect(make(ZEN_4, caches).assumptions.at(-1)).toBe(
      'Walk caches are unknown; modelled as those that the caller gave.',
    );
    expect(make(CORTEX_A76, caches).stats.walkCaches.map(({ name }) => name)).toEqual(['walks in L2']);
  });

  test('of a whole TLB is taken from the other one of its level', () => {
    const unknown = {
      ...good,
      tlbs: [{ name: 'L1I', level: 1, kinds: ['execute'], arrays: null }, tlb('L1D', 1, ['read', 'write'])],
    };
    const model = make(unknown);
    expect(model.assumptions).toEqual(['L1I: nothing is known; modelled as another L1D.']);
    model.access('read', 0, 0x1000);
    expect(model.access('execute', 0, 0x1000)).toBe(3);
  });
});
