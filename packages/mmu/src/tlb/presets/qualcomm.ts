import type { TlbDescription } from '../description.js';

/** Qualcomm Oryon. */
export const ORYON: TlbDescription = {
  name: 'oryon',
  title: 'Qualcomm Oryon',
  architecture: 'arm64',
  source: 'jiegec/blog-source qualcomm-oryon.md; jiegec/cpu oryon.d2',
  notes: 'A look-up in L1 takes 1 cycle. Whether L2 serves fetches too is not said; it does here.',
  tlbs: [
    { name: 'L1I', level: 1, kinds: ['execute'], arrays: [{ sizes: null, entries: 256, ways: 8 }] },
    {
      name: 'L1D',
      level: 1,
      kinds: ['read', 'write'],
      arrays: [{ sizes: [12, 16], entries: 224, ways: 7 }],
    },
    {
      name: 'L2',
      level: 2,
      kinds: ['read', 'write', 'execute'],
      arrays: [{ sizes: null, entries: 8192, ways: 8 }],
    },
  ],
  walkCaches: null,
  walkers: null,
  dropsOnFault: false,
  cycles: { l2Hit: null, walk: null },
};
