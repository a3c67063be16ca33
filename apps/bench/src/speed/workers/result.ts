import type { Machine } from '../../machine.js';
import type { Spread } from '../../spread.js';
import type { WorkName } from './job.js';

/** What `vmarea-bench speed --workers N --json` prints. The app's README documents the keys. */
export interface WorkersResult {
  readonly command: 'speed --workers';
  /** Increases when a key changes its meaning or is removed. */
  readonly schema: 1;
  readonly machine: Machine;
  readonly seed: number;
  readonly workers: number;
  /** Base pages of each worker. */
  readonly pages: number;
  /** Measured rounds with one worker, and as many with all; and those before them. */
  readonly repeat: number;
  readonly warmUp: number;
  readonly rows: readonly WorkersRow[];
  readonly warnings: readonly string[];
}

/** How workers scale in one work and one configuration. */
export interface WorkersRow {
  readonly configuration: string;
  readonly title: string;
  readonly pageBytes: number;
  readonly work: WorkName;
  /** Base pages that each worker maps in a round. */
  readonly roundPages: number;
  /** Nanoseconds for each page of one worker by itself. */
  readonly one: Spread;
  /** The same for all workers together: the time of a round by the pages of all. */
  readonly all: Spread;
  /** How many times as many pages in the same time: the medians of `one` and `all`. */
  readonly scaling: number;
}
