import type { Configuration } from '@vmarea/core';
import type { Bed } from '../bed.js';
import type { Size } from '../size.js';
import type { Work } from '../work.js';

/** One thing that is timed: what it does, how large it is in a format, and how a round goes. */
export interface Workload {
  /** Short and lasting: `W1.fresh`. `reference/workloads.c` has the same ones. */
  readonly id: string;
  /** Workloads of a family are measured one after another in one process. */
  readonly family: string;
  /** One line for people. */
  readonly description: string;
  /** What the nanoseconds are for. */
  readonly unit: 'page' | 'leaf' | 'translation' | 'operation';
  /** No format has a part in it: it is measured with the first one alone. */
  readonly isSameEverywhere?: boolean;
  /**
   * How large it is in a format.
   *
   * @param pages - base pages of the plain workloads, by which all others are scaled.
   * @returns a reason when the format cannot do it at all.
   */
  size(configuration: Configuration, pages: number): Size | { readonly reason: string };
  /** Makes the tables that the rounds start from; returns what does a round. */
  open(bed: Bed): (isChecked: boolean) => Round;
}

/** What a round came to. */
export interface Round {
  /** Nanoseconds of the timed calls. */
  readonly ns: number;
  /** Their exact work. */
  readonly work: Work;
  /** Of all results, outside of the timing; `null` when this round was not checked. */
  readonly checksum: number | null;
}
