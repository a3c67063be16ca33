import type { WalkCache } from '../description.js';

/**
 * The walk caches that ChampSim gives every processor, for the option `assume`: nobody published those of Intel's cores, and
 * these numbers are what researchers use.
 *
 * Source: ChampSim @2ff25011 `champsim_config.json`: PSCL5 1 set of 2 ways, PSCL4 1 of 4, PSCL3 2 of 4, PSCL2 4 of 8.
 */
export const CHAMPSIM_WALK_CACHES: readonly WalkCache[] = [
  { name: 'PSCL2', heights: [1], entries: 32, ways: 8, replacement: 'lru' },
  { name: 'PSCL3', heights: [2], entries: 8, ways: 4, replacement: 'lru' },
  { name: 'PSCL4', heights: [3], entries: 4, ways: 4, replacement: 'lru' },
  { name: 'PSCL5', heights: [4], entries: 2, ways: 2, replacement: 'lru' },
];
