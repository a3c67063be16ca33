/**
 * What a kernel's vm areas cost in each page-table format. Has nothing of Node: it runs in browsers and workers, too.
 *
 * @packageDocumentation
 */
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
