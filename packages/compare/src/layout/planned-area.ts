import type { Area, Protection } from '@vmarea/core';
import type { AreaRequest } from '../areas/workload.js';
import type { Extent } from './kernel.js';

/** The frames of an area. */
export type Source =
  /** Adjacent frames, such as a device's. */
  | { readonly type: 'range'; readonly physical: bigint; readonly firstFrame: number }
  /** `chunks` aligned blocks of `2 ** order` frames, then scattered frames. */
  | { readonly type: 'frames'; readonly order: number; readonly chunks: number };

/** The mapping at the start of an area. */
export interface Mapping {
  /** Base pages of the target. */
  readonly pages: number;
  readonly protection: Protection;
  readonly source: Source;
}

/** An area and its address. */
export interface PlannedArea {
  readonly request: AreaRequest;
  readonly extent: Extent;
  readonly area: Pick<Area, 'address' | 'bytes' | 'guardBytes'>;
  readonly mapping: Mapping | null;
}
