import { type Bundle, bundleCases, type Replacement } from './bundle.js';

/** A ring of two entries laps soon. */
const SMALL_RING: Replacement = {
  file: 'packages/core/src/threads/layout.ts',
  find: 'RING: number = 1024',
  replace: 'RING: number = 2',
};

/** The cases of one file in `cases/`, with what makes them small. */
export function casesOf(file: string, faults: readonly Replacement[] = []): Promise<Bundle> {
  const smaller = file === 'flush-ring' ? [SMALL_RING] : [];
  return bundleCases(new URL(`./cases/${file}.ts`, import.meta.url), [...smaller, ...faults]);
}
