import type { Group } from '../case.js';
import { accessedDirty } from './accessed-dirty.js';
import { addresses } from './addresses.js';
import { breaks } from './breaks.js';
import { controls } from './controls.js';
import { counters } from './counters.js';
import { cuts } from './cuts.js';
import { descriptions } from './descriptions.js';
import { failures } from './failures.js';
import { faults } from './faults.js';
import { flushes } from './flushes.js';
import { operations } from './operations.js';
import { permissions } from './permissions.js';
import { protections } from './protections.js';
import { random } from './random.js';
import { range } from './range.js';
import { runs } from './runs.js';
import { survival } from './survival.js';

/** Every group, in the order in which they run. */
export const ALL_GROUPS: readonly Group[] = [
  protections,
  addresses,
  descriptions,
  operations,
  range,
  permissions,
  cuts,
  controls,
  faults,
  accessedDirty,
  survival,
  runs,
  breaks,
  flushes,
  failures,
  random,
  counters,
];
