import type { Machine } from '../machine.js';
import type { Spread } from '../spread.js';
import type { Work } from './measure.js';

/** What `vmarea-bench speed --json` prints. Keys are documented in the app's README and stay. */
export interface SpeedResult {
  readonly command: 'speed';
  /** Raised when a key changes its meaning or goes away. */
  readonly schema: 1;
  readonly machine: Machine;
  readonly pages: number;
  readonly seed: number;
  readonly repeat: number;
  /** Rounds before the measured ones. */
  readonly warmUp: number;
  readonly rows: readonly SpeedRow[];
  readonly warnings: readonly string[];
}

/** One configuration. Times are nanoseconds per page, or per translation. */
export interface SpeedRow {
  readonly configuration: string;
  readonly title: string;
  readonly pageBytes: number;
  readonly levels: number;
  readonly map: Timed;
  readonly translate: { readonly ns: Spread };
  readonly unmap: Timed;
  /** Of all translated frames; equal in every row, since the work is. */
  readonly checksum: number;
}

/** A call's time and its exact work. */
export interface Timed {
  readonly ns: Spread;
  readonly work: Work;
}
