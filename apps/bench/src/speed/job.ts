import type { Variant } from './bed.js';
import type { Work } from './work.js';

/** Workloads of one family in one format, with one kind of loops: what a process of its own measures. */
export interface Job {
  /** Name of the configuration. */
  readonly configuration: string;
  readonly variant: Variant;
  /** Ids, in the order in which they are measured. */
  readonly workloads: readonly string[];
  readonly pages: number;
  readonly seed: number;
  /** Rounds that count. */
  readonly rounds: number;
  /** Rounds before them, for the compiler and the caches: so many at least. */
  readonly warmUp: number;
  /** Milliseconds that these take at least. */
  readonly warmUpMs: number;
}

/** What a job found for one workload. */
export interface Measured {
  readonly workload: string;
  readonly units: number;
  readonly loops: 'wasm' | 'array' | 'c';
  /** Nanoseconds of each round. */
  readonly ns: readonly number[];
  /** Unsigned 32 bits. */
  readonly checksum: number;
  /** Work of one round; `null` from the C reference, which counts tables alone. */
  readonly work: Work | null;
  /** Tables that the timed calls of one round make. */
  readonly tables: number;
}

/** Runs jobs: in this process, or each in a fresh one. */
export interface Runner {
  /**
   * @throws CheckError when a result is wrong.
   * @throws UsageError when there is not enough memory.
   */
  run(job: Job): Promise<readonly Measured[]>;
}
