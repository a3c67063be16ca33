/**
 * The suite that every page-table format for `@vmarea/core` must pass, and the tools that it judges with, for tests of your own.
 *
 * @packageDocumentation
 */
export type { Case, CaseOptions, Checked, Group, Subject, SuiteOptions, Test } from './case.js';
export { accessedDirty } from './groups/accessed-dirty.js';
export { addresses } from './groups/addresses.js';
export { breaks } from './groups/breaks.js';
export { controls } from './groups/controls.js';
export { counters } from './groups/counters.js';
export { cuts } from './groups/cuts.js';
export { descriptions } from './groups/descriptions.js';
export { failures } from './groups/failures.js';
export { faults } from './groups/faults.js';
export { flushes } from './groups/flushes.js';
export { operations } from './groups/operations.js';
export { permissions } from './groups/permissions.js';
export { protections } from './groups/protections.js';
export { random } from './groups/random.js';
export { range } from './groups/range.js';
export { runs } from './groups/runs.js';
export { survival } from './groups/survival.js';
export type { Change, Manual, ReservedBits, Right, TableBits, Told } from './manual.js';
export { runGroup, suite } from './suite.js';
export { firstAddress, rangeBytes, rootFrames } from './tools/addresses.js';
export { BreakWatch, type FlushedRange, type ReachedTable } from './tools/break-watch.js';
export { addressMask, addressOf, type Kind, kindOf, lastRead, type Read, readsOf } from './tools/entries.js';
export { takenFrames } from './tools/frames.js';
export { SeededRandom } from './tools/seeded-random.js';
