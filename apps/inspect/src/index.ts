/**
 * What `vmarea-inspect` shows of memory dumps, as data. It has nothing of Node: a browser can use it.
 *
 * @packageDocumentation
 */
export { AddressReader } from './input/address-reader.js';
export type { KernelLayout, KnownFormat, Machine, Registers } from './machines/machine.js';
export { FORMATS, kernelLayout, MACHINES, machineOf, machineOfFormat } from './machines/machines.js';
export { type Region, regionAt } from './machines/region.js';
export { type ChosenRoot, chooseRoot, type RootRequest } from './roots/choose.js';
export { type CompareOptions, compareTables, type DifferenceRow, type SideRow } from './show/diff.js';
export { type FindFilter, type FoundRow, findRuns } from './show/find.js';
export { describeImage, type ImageInfo, type RootInfo } from './show/info.js';
export { type MergedRow, mergeRuns } from './show/merge.js';
export { listProcesses, type ProcessRow } from './show/processes.js';
export { rightsSoFar } from './show/rights-so-far.js';
export { type LeafRow, leafRow, rowsOf, type UnlistedRow, unlistedRow } from './show/rows.js';
export { type RightsCount, type SizeCount, type TableStats, tableStats } from './show/stats.js';
export { MISSING, type TranslatedBatch, Translations } from './show/translate.js';
export { describeWalk, type WalkedEntry, type WalkRow } from './show/walk.js';
export { type CutTables, cutTables } from './tables/cut.js';
export { type TableFrames, tableFrames } from './tables/tables.js';
