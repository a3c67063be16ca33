import type { Configuration } from '@vmarea/core';
import type { Bed } from '../bed.js';
import type { Size } from '../size.js';
import type { Work } from '../work.js';

/** A timed piece of work: its name, its size in a format, and its rounds. */
export interface Workload {
  /** A short, permanent name, such as `W1.fresh`. `reference/workloads.c` has the same names. */
  readonly id: string;
  /** One process measures all workloads of a family. */
  readonly family: string;
  /** A line for people. */
  readonly description: string;
  /** The unit of the nanoseconds. */
  readonly unit: 'page' | 'leaf' | 'translation' | 'operation';
  /** True when the format does not matter. Then only the first format measures it. */
  readonly isSameEverywhere?: boolean;
  /** True when the C reference does not have it: a processor's fast path in C would be another design. */
  readonly hasNoReference?: boolean;
  /**
   * Its size in a format.
   *
   * @param pages - base pages of the plain workloads. They scale all others.
   * @returns the reason when the format does not support it.
   */
  size(configuration: Configuration, pages: number): Size | { readonly reason: string };
  /** Makes the tables that the rounds start with. Returns the function that runs a round. */
  open(bed: Bed): (isChecked: boolean) => Round;
}

/** The result of a round. */
export interface Round {
  /** The nanoseconds of the timed calls. */
  readonly ns: number;
  /** Their exact work. */
  readonly work: Work;
  /** The checksum of all results, computed outside the timing; `null` when this round was not checked. */
  readonly checksum: number | null;
}
