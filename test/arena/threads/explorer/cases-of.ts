import {
  type Bundle,
  bundleCases,
  type Replacement,
} from '../../../../packages/core/test/threads/explorer/bundle.js';
import { SMALL_KERNEL } from '../../../../packages/core/test/threads/explorer/cases-of.js';

const kernel = 'packages/arena/src/kernel/';

/** A window of eight pages of 64 bytes and two guards, and few words beside. */
const SMALL_ARENA: readonly Replacement[] = [
  {
    file: `${kernel}geometry.ts`,
    find: 'SPAN_BYTES: number = 2 ** 32',
    replace: 'SPAN_BYTES: number = 2 ** 9',
  },
  { file: `${kernel}geometry.ts`, find: 'REACH = 2 ** 16', replace: 'REACH = 2 ** 7' },
  { file: `${kernel}words.ts`, find: 'MOST_SPANS = 4096', replace: 'MOST_SPANS = 4' },
  { file: `${kernel}words.ts`, find: 'MOST_REGIONS = 4096', replace: 'MOST_REGIONS = 4' },
];

/** The cases over arenas, with what makes them small. */
export function arenaCases(faults: readonly Replacement[] = []): Promise<Bundle> {
  return bundleCases(new URL('./cases.ts', import.meta.url), [...SMALL_KERNEL, ...SMALL_ARENA, ...faults]);
}
