import type { TlbDescription } from '../description.js';

/**
 * Intel Golden Cove: the performance core of Alder Lake and Sapphire Rapids.
 *
 * 4 MiB pages share the arrays of 2 MiB, but exist only in 32-bit paging.
 */
export const GOLDEN_COVE: TlbDescription = {
  name: 'golden-cove',
  title: 'Intel Golden Cove',
  architecture: 'x86-64',
  source:
    'jiegec/blog-source intel-golden-cove.md (Intel guide, and measured); ways and the instruction TLB: reading notes on Hennessy and Patterson, 7th edition',
  notes:
    'The measured knee of L2 is near 1,600 pages, not 2,048. Nobody published the sizes of its paging-structure caches.',
  tlbs: [
    {
      name: 'L1I',
      level: 1,
      kinds: ['execute'],
      arrays: [
        { sizes: [12], entries: 256, ways: 8 },
        { sizes: [21], entries: 32, ways: null },
      ],
    },
    {
      name: 'L1D loads',
      level: 1,
      kinds: ['read'],
      arrays: [
        { sizes: [12], entries: 96, ways: 6 },
        { sizes: [21], entries: 32, ways: 4 },
        { sizes: [30], entries: 8, ways: null },
      ],
    },
    {
      name: 'L1D stores',
      level: 1,
      kinds: ['write'],
      arrays: [{ sizes: 'all', entries: 16, ways: null }],
    },
    {
      name: 'L2',
      level: 2,
      kinds: ['read', 'write', 'execute'],
      arrays: [{ sizes: null, entries: 2048, ways: 16 }],
    },
  ],
  walkCaches: null,
  walkers: 4,
  dropsOnFault: true,
  cycles: { l2Hit: { low: 7, high: 7 }, walk: null },
};
