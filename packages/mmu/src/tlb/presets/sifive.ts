import type { TlbDescription } from '../description.js';

/** SiFive P870, a core for RISC-V. */
export const P870: TlbDescription = {
  name: 'p870',
  title: 'SiFive P870',
  architecture: 'riscv64',
  source: 'jiegec/cpu p870.d2',
  notes: 'Whether L2 serves fetches too is not said; it does here.',
  tlbs: [
    { name: 'L1I', level: 1, kinds: ['execute'], arrays: [{ sizes: null, entries: 32, ways: null }] },
    { name: 'L1D', level: 1, kinds: ['read', 'write'], arrays: [{ sizes: null, entries: 64, ways: null }] },
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
  cycles: { l2Hit: null, walk: null },
};
