import type { Variant } from './bed.js';
import type { Work } from './work.js';

/** The work of one process: workloads of one family in one format, with one kind of loops. */
export interface Job {
  /** The name of the configuration. */
  readonly configuration: string;
  readonly variant: Variant;
  /** Their ids, in the order of measuring. */
  readonly workloads: readonly string[];
  readonly pages: number;
  readonly seed: number;
  /** Measured rounds. */
  readonly rounds: number;
  /** The minimum number of rounds before them, for compiler and caches. */
  readonly warmUp: number;
  /** The minimum time of these, in milliseconds. */
  readonly warmUpMs: number;
}

/** What a job measured of one workload. */
export interface Measured {
  readonly workload: string;
  readonly units: number;
  readonly loops: 'wasm' | 'array' | 'c';
  /** The nanoseconds of each round. */
  readonly ns: readonly number[];
  /** Unsigned 32 bits. */
  readonly checksum: number;
  /** The work of one round; `null` from the C reference, which only counts tables. */
  readonly work: Work | null;
  /** Tables that the timed calls of one round allocate. */
  readonly tables: number;
}

/** Runs jobs: in this process, or each in a new one. */
export interface Runner {
  /**
   * @throws CheckError when a result is wrong.
   * @throws UsageError when there is not enough memory.
   */
  run(job: Job): Promise<readonly Measured[]>;
}
