import type { Configuration } from '@vmarea/core';
import type { Workload } from './workloads/workload.js';

/** How much is measured. */
export interface Plan {
  /** Base pages of the plain workloads. */
  readonly pages: number;
  readonly seed: number;
  /** Measured rounds of a process, for workloads of usual size. */
  readonly repeat: number;
  /** The minimum number of rounds before them. */
  readonly warmUp: number;
  /** The minimum time of the rounds before them, in milliseconds. */
  readonly warmUpMs: number;
  /** New processes for each column. */
  readonly passes: number;
}

/** Above these units a workload gets fewer rounds, and at most two passes. */
const LARGE = 2 ** 20;
const VERY_LARGE = 2 ** 24;

/** The rounds of one process, and the passes, for a size. They are the same for all columns. */
export interface Rounds {
  readonly rounds: number;
  readonly warmUp: number;
  readonly warmUpMs: number;
  readonly passes: number;
}

/**
 * The rounds for a size. A large round contains many calls of the loops, so fewer rounds are enough, and a run takes
 * minutes.
 *
 * @param units - the units of one round.
 */
export function roundsFor(units: number, { repeat, warmUp, warmUpMs, passes }: Plan): Rounds {
  const fewer = (rounds: number, warmUps: number, mostPasses: number): Rounds => ({
    rounds: Math.min(repeat, rounds),
    warmUp: Math.min(warmUp, warmUps),
    warmUpMs: 0,
    passes: Math.min(passes, mostPasses),
  });
  if (units > VERY_LARGE) return fewer(2, 1, 2);
  if (units > LARGE) return fewer(4, 2, passes);
  return { rounds: repeat, warmUp, warmUpMs, passes };
}

/** A workload of a format that supports it. */
export interface Entry {
  readonly configuration: Configuration;
  readonly workload: Workload;
  readonly units: number;
  readonly leafShift: number;
  readonly rounds: Rounds;
}

/** A workload that a format does not support. */
export interface Skipped {
  readonly configuration: string;
  readonly workload: string;
  readonly reason: string;
}

/** Every workload in every format: what is supported, and what is not. The first format has those that are the same in all. */
export function entriesOf(
  configurations: readonly Configuration[],
  workloads: readonly Workload[],
  plan: Plan,
): { readonly entries: readonly Entry[]; readonly skipped: readonly Skipped[] } {
  const entries: Entry[] = [];
  const skipped: Skipped[] = [];
  for (const configuration of configurations) {
    for (const workload of workloads) {
      if (workload.isSameEverywhere === true && configuration !== configurations[0]) continue;
      const size = workload.size(configuration, plan.pages);
      if ('reason' in size) {
        skipped.push({ configuration: configuration.name, workload: workload.id, reason: size.reason });
      } else {
        const { units, leafShift } = size;
        entries.push({ configuration, workload, units, leafShift, rounds: roundsFor(units, plan) });
      }
    }
  }
  return { entries, skipped };
}

/** One process: workloads of a family, for one column. */
export interface Turn<Column> {
  readonly pass: number;
  readonly column: Column;
  readonly workloads: readonly string[];
  readonly rounds: Rounds;
}

/**
 * The order of all processes. In a pass, the columns of a family follow each other, so that a slow moment of the machine
 * slows all of them. Every other pass is backwards, so that no column is always first.
 *
 * @param roundsOf - the rounds of a workload in a column; `null` when the column does not have it.
 */
export function turns<Column>(
  columns: readonly Column[],
  workloads: readonly Workload[],
  passes: number,
  roundsOf: (column: Column, workload: Workload) => Rounds | null,
): readonly Turn<Column>[] {
  const families = [...new Set(workloads.map(({ family }) => family))];
  const all: Turn<Column>[] = [];
  for (let pass = 0; pass < passes; pass++) {
    for (const family of families) {
      for (const column of pass % 2 === 0 ? columns : columns.toReversed()) {
        const groups = new Map<string, { rounds: Rounds; workloads: string[] }>();
        for (const workload of workloads.filter((one) => one.family === family)) {
          const rounds = roundsOf(column, workload);
          if (rounds === null || pass >= rounds.passes) continue;
          const key = JSON.stringify(rounds);
          const group = groups.get(key) ?? { rounds, workloads: [] };
          group.workloads.push(workload.id);
          groups.set(key, group);
        }
        for (const group of groups.values()) all.push({ pass, column, ...group });
      }
    }
  }
  return all;
}
