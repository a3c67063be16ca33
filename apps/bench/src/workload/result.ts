import type { Machine } from '../machine.js';
import type { Parameters } from './parameters.js';

/** What `vmarea-bench workload --json` prints. The app's README documents the keys. */
export interface WorkloadResult {
  readonly command: 'workload';
  /** Increases when a key changes its meaning or is removed. */
  readonly schema: 1;
  readonly machine: Machine;
  readonly parameters: Parameters;
  /** By configuration, in the order of the cases' runs. */
  readonly rows: readonly WorkloadRow[];
  /** One for each configuration: there is one worker. */
  readonly workers: readonly WorkerRow[];
  readonly warnings: readonly string[];
}

/** One case in one configuration. */
export interface WorkloadRow {
  readonly configuration: string;
  readonly title: string;
  readonly pageBytes: number;
  readonly case: string;
  readonly passed: number;
  readonly failed: number;
  /** Expected failures. */
  readonly xfailed: number;
  readonly repeat: number;
  readonly loops: number;
  /** The mean microseconds of a repetition, rounded down as in the module. */
  readonly avgUsec: number;
  /** Calls that allocate, free, map, unmap or resize. This and the rest are over all repetitions. */
  readonly operations: number;
  readonly operationsPerSecond: number;
  readonly work: {
    readonly tablesRead: number;
    readonly entriesWritten: number;
    readonly flushes: number;
    /** Purges that flushed. */
    readonly purges: number;
  };
  /** The most pages that waited for a purge, with guards. */
  readonly lazyPages: number;
  /** Allocated frames before the case, at its end, and after its kernel was destroyed. */
  readonly leakCheck: {
    readonly tables: { readonly before: number; readonly peak: number; readonly after: number };
    readonly pages: { readonly before: number; readonly after: number };
  };
}

/** All cases of one configuration. */
export interface WorkerRow {
  readonly configuration: string;
  readonly worker: number;
  readonly ns: number;
}
