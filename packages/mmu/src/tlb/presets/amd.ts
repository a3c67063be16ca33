import type { TlbArrayDescription, TlbDescription, TlbUnit } from '../description.js';

/** AMD's cores have a TLB of their own for instructions at level 2 too. */
function tlbs(
  l1Instructions: TlbArrayDescription,
  l2Instructions: TlbArrayDescription,
  l1Data: TlbArrayDescription,
  l2Data: TlbArrayDescription,
): TlbUnit[] {
  return [
    { name: 'L1I', level: 1, kinds: ['execute'], arrays: [l1Instructions] },
    { name: 'L2I', level: 2, kinds: ['execute'], arrays: [l2Instructions] },
    { name: 'L1D', level: 1, kinds: ['read', 'write'], arrays: [l1Data] },
    { name: 'L2D', level: 2, kinds: ['read', 'write'], arrays: [l2Data] },
  ];
}

/** AMD Zen 2. */
export const ZEN_2: TlbDescription = {
  name: 'zen-2',
  title: 'AMD Zen 2',
  architecture: 'x86-64',
  source: 'WikiChip zen_2; 7-cpu.com Zen2',
  notes:
    'The sources give L2D 12 ways, but 2,048 entries in 12 ways make no whole number of sets: the ways are taken as unknown. L2D also holds PDEs. Other walk caches are unknown, and modelled as none.',
  tlbs: tlbs(
    { sizes: 'all', entries: 64, ways: 'full' },
    { sizes: [12, 21], entries: 512, ways: 8 },
    { sizes: [12, 21, 30], entries: 64, ways: 'full' },
    { sizes: [12, 21], entries: 2048, ways: null, refillsLeaf: true },
  ),
  walkCaches: [{ name: 'PDE', heights: [1], entries: { inside: 'L2D' } }],
  walkers: 2,
  dropsOnFault: true,
  cycles: { l2Hit: null, walk: null },
};

/** AMD Zen 3. */
export const ZEN_3: TlbDescription = {
  name: 'zen-3',
  title: 'AMD Zen 3',
  architecture: 'x86-64',
  source: 'jiegec/cpu zen3.d2',
  tlbs: tlbs(
    { sizes: null, entries: 64, ways: null },
    { sizes: null, entries: 512, ways: null },
    { sizes: null, entries: 64, ways: null },
    { sizes: null, entries: 2048, ways: null },
  ),
  walkCaches: null,
  walkers: 6,
  dropsOnFault: true,
  cycles: { l2Hit: null, walk: null },
};

/** AMD Zen 4. */
export const ZEN_4: TlbDescription = {
  name: 'zen-4',
  title: 'AMD Zen 4',
  architecture: 'x86-64',
  source: 'jiegec/cpu zen4.d2',
  tlbs: tlbs(
    { sizes: null, entries: 64, ways: null },
    { sizes: null, entries: 512, ways: null },
    { sizes: null, entries: 72, ways: null },
    { sizes: null, entries: 3072, ways: null },
  ),
  walkCaches: null,
  walkers: null,
  dropsOnFault: true,
  cycles: { l2Hit: null, walk: null },
};

/** AMD Zen 5. */
export const ZEN_5: TlbDescription = {
  name: 'zen-5',
  title: 'AMD Zen 5',
  architecture: 'x86-64',
  source: 'jiegec/blog-source amd_zen5.md @a6885b4e (AMD Software Optimization Guide 58455)',
  tlbs: tlbs(
    { sizes: null, entries: 64, ways: 'full' },
    { sizes: null, entries: 2048, ways: 8 },
    { sizes: null, entries: 96, ways: 'full' },
    { sizes: null, entries: 4096, ways: 16 },
  ),
  walkCaches: null,
  walkers: null,
  dropsOnFault: true,
  cycles: { l2Hit: null, walk: null },
};
