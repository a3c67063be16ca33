import type { Machine } from '../machine.js';
import type { Parameters } from './parameters.js';

/** What `vmarea-bench workload --json` prints. Keys are documented in the app's README and stay. */
export interface WorkloadResult {
  readonly command: 'workload';
  /** Raised when a key changes its meaning or goes away. */
  readonly schema: 1;
  readonly machine: Machine;
  readonly parameters: Parameters;
  /** By configuration, in the order in which the cases ran. */
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
  /** Failures that were expected. */
  readonly xfailed: number;
  readonly repeat: number;
  readonly loops: number;
  /** Microseconds of one repetition, on average, whole ones as the module counts them. */
  readonly avgUsec: number;
  /** Calls that allocate, free, map, unmap or resize, over all repetitions, as all that follows. */
  readonly operations: number;
  readonly operationsPerSecond: number;
  readonly work: {
    readonly tablesRead: number;
    readonly entriesWritten: number;
    readonly flushes: number;
    /** Purges that flushed. */
    readonly purges: number;
  };
  /** The most pages that waited for a purge, guards included. */
  readonly lazyPages: number;
  /** Allocated frames before the case, at its end, and when its kernel was gone. */
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
