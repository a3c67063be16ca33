import { AddressSpace } from '@vmarea/core';
import type { LogCounts } from '../../../packages/core/src/vmap/shared/area-log.js';
import { faultsOf, type SpaceFault } from '../../../packages/core/src/vmap/shared/faults.js';
import { mendSpace, type SpaceMend } from '../../../packages/core/src/vmap/shared/mend.js';
import { type SharedSpace, sharedPartOf } from '../../../packages/core/src/vmap/shared/shared-space.js';

function sharedOf(kernel: AddressSpace): SharedSpace {
  const shared = sharedPartOf(AddressSpace.spaceOf(kernel));
  if (shared === null) throw new Error('the address space was made for one thread');
  return shared;
}

/** What is wrong between the areas and the leaves of a space. */
export function faultsIn(kernel: AddressSpace): readonly SpaceFault[] {
  const space = AddressSpace.spaceOf(kernel);
  space.look();
  return faultsOf(space);
}

/** The part of a recovery that mends areas alone: the tables and frames of a team belong to one thread. */
export function mendAreas(kernel: AddressSpace): SpaceMend {
  return sharedOf(kernel).recovering(() => mendSpace(AddressSpace.spaceOf(kernel)));
}

/** Records, bytes and checkpoints of the area log so far. */
export function logCounts(kernel: AddressSpace): LogCounts {
  return sharedOf(kernel).log.counts;
}
