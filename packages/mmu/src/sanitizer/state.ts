import type { PhysicalMemory } from '@vmarea/core';
import type { ReportList } from './report-list.js';
import type { StaleSet } from './stale-set.js';
import type { WatchedRoot } from './watched-root.js';

/** What the rules of a sanitizer share. */
export interface State {
  readonly memory: PhysicalMemory;
  /** Numbers of the processors; 0 alone stands for all when none is registered. */
  readonly processors: readonly number[];
  readonly roots: WatchedRoot[];
  readonly stale: StaleSet;
  readonly reports: ReportList;
  /** Number of the event that is running, counted from 1. */
  event: number;
  /** True while `unwatched` runs a call. */
  isBlind: boolean;
  /** True when a table may have been linked since the last look at all tables. */
  isBehind: boolean;
  /** Uses of old translations whose flush was requested or left to a batch: every shootdown has them. */
  inFlightUses: number;
}
