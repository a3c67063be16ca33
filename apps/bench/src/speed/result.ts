import type { Machine } from '../machine.js';
import type { Skipped } from './schedule.js';
import type { Timing } from './timing.js';
import type { Work } from './work.js';

/** What `vmarea-bench speed --json` prints. The app's README documents the keys. */
export interface SpeedResult {
  readonly command: 'speed';
  /** Increases when a key changes its meaning or is removed. */
  readonly schema: 4;
  readonly machine: Machine;
  /** The C compiler and its options; `null` when nothing was measured in C. */
  readonly compiler: string | null;
  readonly seed: number;
  /** Base pages of the plain workloads. */
  readonly pages: number;
  /** Measured rounds of one process, for workloads of usual size. */
  readonly repeat: number;
  /** The minimum rounds of one process before them, and their minimum time in milliseconds. */
  readonly warmUp: number;
  readonly warmUpMs: number;
  /** New processes for each column. */
  readonly passes: number;
  /** True for a short run that only checks. Its times mean little, and its ratios are `null`. */
  readonly quick: boolean;
  readonly rows: readonly SpeedRow[];
  /** Workloads that formats do not support. */
  readonly skipped: readonly Skipped[];
  /** The comparison with an earlier result; `null` without one. */
  readonly comparison: Comparison | null;
  readonly warnings: readonly string[];
}

/** One workload in one configuration. */
export interface SpeedRow {
  readonly configuration: string;
  readonly title: string;
  readonly pageBytes: number;
  readonly levels: number;
  readonly workload: string;
  readonly description: string;
  /** The unit of the nanoseconds. */
  readonly unit: 'page' | 'leaf' | 'translation' | 'operation';
  /** Units of one round. */
  readonly units: number;
  readonly leafBytes: number;
  /** Measured rounds, warm-up and processes, for this size. */
  readonly rounds: number;
  readonly warmUp: number;
  readonly warmUpMs: number;
  readonly passes: number;
  /** With WebAssembly loops, where the host allows them. */
  readonly wasm: Timing | null;
  /** With array loops. */
  readonly array: Timing | null;
  /** The C reference; `null` also where it has another number of units. */
  readonly c: Timing | null;
  /** The median divided by that of C. */
  readonly ratio: { readonly wasm: number | null; readonly array: number | null };
  /** The exact work of one round; `null` when only C was measured. */
  readonly work: (Work & { readonly bytesWritten: number }) | null;
  /** The columns whose checksums were compared. They are equal, or the run fails. */
  readonly sameResult: readonly ('wasm' | 'array' | 'c')[];
  /** The checksum of all results. It is equal in every row with the same work. */
  readonly checksum: number;
}

/** How a time changed; `unsure` where a result has too few passes to tell its noise. */
export type Verdict = 'faster' | 'slower' | 'same' | 'unsure';

/** The comparison of a result with an earlier one. */
export interface Comparison {
  readonly file: string;
  readonly rows: readonly ComparedRow[];
  /** Rows of this result that the earlier one lacks, or has in another size. */
  readonly unmatched: number;
}

/** A time of both results. */
export interface ComparedRow {
  readonly configuration: string;
  readonly workload: string;
  readonly variant: 'wasm' | 'array';
  /** What is compared: the ratio to C in the same run, or nanoseconds where a result has no C. */
  readonly measure: 'ratio' | 'ns';
  readonly before: number;
  readonly after: number;
  /** `after / before - 1`. */
  readonly change: number;
  /** The largest change that noise can cause. */
  readonly noise: number;
  readonly verdict: Verdict;
}
