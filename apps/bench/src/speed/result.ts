import type { Machine } from '../machine.js';
import type { Skipped } from './schedule.js';
import type { Timing } from './timing.js';
import type { Work } from './work.js';

/** What `vmarea-bench speed --json` prints. Keys are documented in the app's README and stay. */
export interface SpeedResult {
  readonly command: 'speed';
  /** Raised when a key changes its meaning or goes away. */
  readonly schema: 4;
  readonly machine: Machine;
  /** The C compiler and its options; `null` when nothing was measured in C. */
  readonly compiler: string | null;
  readonly seed: number;
  /** Base pages of the plain workloads. */
  readonly pages: number;
  /** Rounds of one process that count, for workloads of usual size. */
  readonly repeat: number;
  /** Rounds of one process before them, and milliseconds that they take, at least. */
  readonly warmUp: number;
  readonly warmUpMs: number;
  /** Fresh processes for each variant. */
  readonly passes: number;
  /** A short run that only checks: its times say little, and there are no ratios. */
  readonly quick: boolean;
  readonly rows: readonly SpeedRow[];
  /** What formats cannot do. */
  readonly skipped: readonly Skipped[];
  /** With an earlier result, where one was given. */
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
  /** What the nanoseconds are for. */
  readonly unit: 'page' | 'leaf' | 'translation' | 'operation';
  /** How many of them one round times. */
  readonly units: number;
  readonly leafBytes: number;
  /** Rounds of one process that count, what comes before them, and processes, for this size. */
  readonly rounds: number;
  readonly warmUp: number;
  readonly warmUpMs: number;
  readonly passes: number;
  /** With WebAssembly loops, where the host allows them. */
  readonly wasm: Timing | null;
  /** With array loops. */
  readonly array: Timing | null;
  /** The C reference; `null` also where it did another number of units. */
  readonly c: Timing | null;
  /** Of the medians: how many times as long as C. */
  readonly ratio: { readonly wasm: number | null; readonly array: number | null };
  /** Exact work of one round; `null` when only C was measured. */
  readonly work: (Work & { readonly bytesWritten: number }) | null;
  /** Columns whose checksums were compared, and are equal. */
  readonly sameResult: readonly ('wasm' | 'array' | 'c')[];
  /** Of all results: equal in every row that does the same. */
  readonly checksum: number;
}

/** What became of a time; `unsure` where a result has too few passes to know its noise. */
export type Verdict = 'faster' | 'slower' | 'same' | 'unsure';

/** This result and an earlier one. */
export interface Comparison {
  readonly file: string;
  readonly rows: readonly ComparedRow[];
  /** Rows of this result that the earlier one does not have, or has in another size. */
  readonly unmatched: number;
}

/** One time of both results. */
export interface ComparedRow {
  readonly configuration: string;
  readonly workload: string;
  readonly variant: 'wasm' | 'array';
  /** What is compared: the ratio to C of the same run, or nanoseconds where one of the results has no C. */
  readonly measure: 'ratio' | 'ns';
  readonly before: number;
  readonly after: number;
  /** `after / before - 1`. */
  readonly change: number;
  /** The change that noise alone may make. */
  readonly noise: number;
  readonly verdict: Verdict;
}
