import { UsageError, unknown } from '@vmarea/cli';
import { AREAS } from './areas.js';
import { API_CALLS } from './calls.js';
import { LINEAR } from './linear.js';
import { MAP, MAP_LARGE } from './map.js';
import { PROCESSOR } from './processor.js';
import { PROTECT } from './protect.js';
import { SINGLE_PAGES } from './single-pages.js';
import { TRANSLATE } from './translate.js';
import { UNMAP } from './unmap.js';
import type { Workload } from './workload.js';

/** All workloads, in the order of the tables. */
export const WORKLOADS: readonly Workload[] = [
  ...MAP,
  ...LINEAR,
  ...UNMAP,
  ...TRANSLATE,
  ...SINGLE_PAGES,
  ...PROTECT,
  ...AREAS,
  ...MAP_LARGE,
  ...PROCESSOR,
  ...API_CALLS,
];

/** The workload of a known id. */
export function workloadOf(id: string): Workload {
  const found = WORKLOADS.find((one) => one.id === id);
  if (found === undefined) throw new Error(`there is no workload ${id}`);
  return found;
}

/**
 * The workloads that `--workload` names, in the order of the tables; all when the option is absent.
 *
 * A name is an id, or the part of an id before its dot: `W4` means `W4.random`, `W4.cursor` and so on.
 *
 * @throws UsageError for an unknown name.
 */
export function chooseWorkloads(names: string | undefined): readonly Workload[] {
  if (names === undefined) return WORKLOADS;
  const wanted = names.split(',').map((name) => name.trim());
  for (const name of wanted) {
    if (name === '') throw new UsageError('--workload has an empty name');
    if (!WORKLOADS.some(({ id }) => isNamed(id, name))) {
      throw unknown(
        'workload',
        name,
        WORKLOADS.map(({ id }) => id),
      );
    }
  }
  return WORKLOADS.filter(({ id }) => wanted.some((name) => isNamed(id, name)));
}

function isNamed(id: string, name: string): boolean {
  const lower = name.toLowerCase();
  return id.toLowerCase() === lower || id.toLowerCase().startsWith(`${lower}.`);
}
