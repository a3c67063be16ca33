import type { TlbDescription } from '../description.js';

const SOURCE = "jiegec/blog-source apple-m1.md (measured; Apple's guide agrees on the entries)";

/**
 * The performance core of Apple's M1 (Firestorm). The numbers were measured with pages of 16 KiB: L1 is indexed by
 * VA[18:14], L2 by VA[21:14].
 */
export const APPLE_M1_P: TlbDescription = {
  name: 'apple-m1-p',
  title: 'Apple M1 P (Firestorm)',
  architecture: 'arm64',
  source: SOURCE,
  notes:
    'A load of a chain takes 3 cycles with a hit in L1, 9 in L2, 35 to 36.5 with a walk whose tables are in a cache. Whether L2 serves fetches too is not said; it does here.',
  tlbs: [
    { name: 'L1I', level: 1, kinds: ['execute'], arrays: [{ sizes: null, entries: 192, ways: null }] },
    { name: 'L1D', level: 1, kinds: ['read', 'write'], arrays: [{ sizes: null, entries: 160, ways: 5 }] },
    {
      name: 'L2',
      level: 2,
      kinds: ['read', 'write', 'execute'],
      arrays: [{ sizes: null, entries: 3072, ways: 12 }],
    },
  ],
  walkCaches: null,
  walkers: null,
  dropsOnFault: false,
  cycles: { l2Hit: { low: 6, high: 6 }, walk: { low: 32, high: 33.5 } },
};

/** The efficiency core of Apple's M1 (Icestorm), measured in the same way. */
export const APPLE_M1_E: TlbDescription = {
  name: 'apple-m1-e',
  title: 'Apple M1 E (Icestorm)',
  architecture: 'arm64',
  source: SOURCE,
  notes:
    'L2 has 1, 2 or 4 ways: the measurement does not tell which, so they are taken as unknown. A load of a chain takes 3 cycles with a hit in L1, 10 in L2, 32 to 33 with a walk. Whether L2 serves fetches too is not said; it does here.',
  tlbs: [
    { name: 'L1I', level: 1, kinds: ['execute'], arrays: [{ sizes: null, entries: 128, ways: null }] },
    { name: 'L1D', level: 1, kinds: ['read', 'write'], arrays: [{ sizes: null, entries: 128, ways: 4 }] },
    {
      name: 'L2',
      level: 2,
      kinds: ['read', 'write', 'execute'],
      arrays: [{ sizes: null, entries: 1024, ways: null }],
    },
  ],
  walkCaches: null,
  walkers: null,
  dropsOnFault: false,
  cycles: { l2Hit: { low: 7, high: 7 }, walk: { low: 29, high: 30 } },
};
