import type { TlbArrayDescription, TlbDescription, TlbUnit } from '../description.js';

/** log2 of 4 KiB, 16 KiB, 64 KiB, 2 MiB and 512 MiB: what the data TLBs of large cores hold. */
const DATA_SIZES = [12, 14, 16, 21, 29];

function tlbs(
  l1Instructions: TlbArrayDescription | null,
  l1Data: TlbArrayDescription,
  l2: TlbArrayDescription,
): TlbUnit[] {
  return [
    { name: 'L1I', level: 1, kinds: ['execute'], arrays: l1Instructions === null ? null : [l1Instructions] },
    { name: 'L1D', level: 1, kinds: ['read', 'write'], arrays: [l1Data] },
    { name: 'L2', level: 2, kinds: ['read', 'write', 'execute'], arrays: [l2] },
  ];
}

/** Arm Cortex-A76, and Neoverse N1, which is its sibling for servers. */
export const CORTEX_A76: TlbDescription = {
  name: 'cortex-a76',
  title: 'Arm Cortex-A76 and Neoverse N1',
  architecture: 'arm64',
  source: 'Arm Cortex-A76 TRM A5.2, A6.6; Intel Agilex 5 manual (814346) table 40',
  notes: 'L2 also holds what walks found on the way. An access to L2 "usually" takes 3 cycles.',
  tlbs: tlbs(
    { sizes: [12, 14, 16, 21, 25], entries: 48, ways: 'full' },
    { sizes: DATA_SIZES, entries: 48, ways: 'full' },
    { sizes: [12, 14, 16, 21, 25, 29, 30], entries: 1280, ways: 5, coalesce: 4 },
  ),
  walkCaches: [{ name: 'walks in L2', heights: 'all', entries: { inside: 'L2' } }],
  walkers: null,
  dropsOnFault: false,
  cycles: { l2Hit: { low: 3, high: 3 }, walk: null },
};

/** Arm Neoverse N2. */
export const NEOVERSE_N2: TlbDescription = {
  name: 'neoverse-n2',
  title: 'Arm Neoverse N2',
  architecture: 'arm64',
  source: 'jiegec/cpu neoverse_n2.d2 (Arm)',
  tlbs: tlbs(
    { sizes: null, entries: 48, ways: 'full' },
    { sizes: null, entries: 44, ways: 'full' },
    { sizes: null, entries: 1280, ways: 5 },
  ),
  walkCaches: null,
  walkers: null,
  dropsOnFault: false,
  cycles: { l2Hit: null, walk: null },
};

/** Arm Neoverse V2. */
export const NEOVERSE_V2: TlbDescription = {
  name: 'neoverse-v2',
  title: 'Arm Neoverse V2',
  architecture: 'arm64',
  source: 'jiegec/blog-source arm-neoverse-v2.md (Arm guide, and measured)',
  notes: "A hit in L2 costs 6 cycles by Arm's guide, 5 measured.",
  tlbs: tlbs(null, { sizes: DATA_SIZES, entries: 48, ways: 'full' }, { sizes: null, entries: 2048, ways: 8 }),
  walkCaches: null,
  walkers: null,
  dropsOnFault: false,
  cycles: { l2Hit: { low: 5, high: 6 }, walk: null },
};

/** Arm Neoverse V3. */
export const NEOVERSE_V3: TlbDescription = {
  name: 'neoverse-v3',
  title: 'Arm Neoverse V3',
  architecture: 'arm64',
  source: 'jiegec/blog-source arm-neoverse-v3.md (Arm guide, and measured)',
  tlbs: tlbs(null, { sizes: DATA_SIZES, entries: 96, ways: 'full' }, { sizes: null, entries: 2048, ways: 8 }),
  walkCaches: null,
  walkers: null,
  dropsOnFault: false,
  cycles: { l2Hit: { low: 6, high: 6 }, walk: null },
};

/** Arm Cortex-A55. Its walk cache keeps the result of a walk up to the last level: which last-level table it reads. */
export const CORTEX_A55: TlbDescription = {
  name: 'cortex-a55',
  title: 'Arm Cortex-A55',
  architecture: 'arm64',
  source: 'Intel Agilex 5 manual (814346) table 48; Arm Cortex-A55 TRM, encoding for the L2 TLB',
  notes: 'The cache of stage-2 translations (64 entries in 4 ways) is not modelled.',
  tlbs: tlbs(
    { sizes: null, entries: 15, ways: 'full' },
    { sizes: null, entries: 16, ways: 'full' },
    { sizes: 'all', entries: 1024, ways: 4 },
  ),
  walkCaches: [{ name: 'walk cache', heights: [1], entries: 64, ways: 4 }],
  walkers: null,
  dropsOnFault: false,
  cycles: { l2Hit: null, walk: null },
};
