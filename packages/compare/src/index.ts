/**
 * What a kernel's vm areas and a program's accesses cost in each page-table format. Has nothing of Node: it runs in browsers and workers, too.
 *
 * @packageDocumentation
 */
export {
  ACCESS_KINDS,
  type AccessBatch,
  accessBatch,
  FETCH,
  LOAD,
  MOST_ACCESS_BYTES,
  STORE,
} from './accesses/access-batch.js';
export { AccessCase, type AccessCaseOptions } from './accesses/access-case.js';
export type { AccessRow, Cycles, WalkCacheChoice } from './accesses/access-row.js';
export type { AccessBacking } from './accesses/backing.js';
export {
  imageBacking,
  pagemapBacking,
  type TouchOptions,
  touchBacking,
  userFormat,
} from './accesses/backings.js';
export type { FrameOrder } from './accesses/first-touch.js';
export { type FrameImage, type ImageTable, imageTable } from './accesses/image-table.js';
export { LEAF_CHOICES, type LeafChoice, leafShifts } from './accesses/leaf-choice.js';
export type { LeafCount } from './accesses/leaf-count.js';
export type { PageAccesses } from './accesses/page-stream.js';
export type { Pagemap, PagemapRange } from './accesses/pagemap.js';
export { whyNotMapped } from './accesses/pagemap-table.js';
export type { Reach } from './accesses/reach.js';
export type { Relocation } from './accesses/relocation.js';
export { AccessSimulation } from './accesses/simulation.js';
export { AccessSurvey } from './accesses/survey.js';
export { TableBudget } from './accesses/table-budget.js';
export { TouchedPages } from './accesses/touched-pages.js';
export type { AreaList, AreaSummary, ReadAreasOptions } from './areas/read-areas.js';
export { functionOf, type SkippedLines } from './areas/vmallocinfo.js';
export { type AreaRequest, type Content, KINDS, type Kind, type PageSizeSource } from './areas/workload.js';
export {
  type CompareLayoutOptions,
  compareLayout,
  type LayoutComparison,
  readAreas,
} from './compare-layout.js';
export type { Extent, LeafPolicy } from './layout/kernel.js';
export { type TooLarge, tooLarge } from './layout/limits.js';
export type { CallerCost, PlacedArea } from './layout/places.js';
export { type Plan, planLayout } from './layout/plan.js';
export type { Mapping, PlannedArea, Source } from './layout/planned-area.js';
export { lengthOf, type RebuildOptions, rebuildLayout, warmUpRounds } from './layout/rebuild.js';
export type { FrameBalance, LayoutRow } from './layout/result.js';
export { boxAt, type SpaceBox, type SpaceLayout, spaceLayout } from './layout/space-layout.js';
export { planWarnings } from './layout/warnings.js';
export { pageSizeText } from './page-size-text.js';
export { proveAllReturned } from './parts/all-returned.js';
export { type Random, random } from './parts/random.js';
export { rootFrames } from './parts/root-frames.js';
export { WrongResult } from './parts/wrong-result.js';
export {
  fragmented,
  holes,
  type Moment,
  type OverFormat,
  type Peaks,
  runOver,
} from './stream/over-format.js';
export type { Allocation, AreaStream, Release } from './stream/stream.js';
