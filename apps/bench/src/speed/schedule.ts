import type { Configuration } from '@vmarea/core';
import type { Workload } from './workloads/workload.js';

/** How much is measured. */
export interface Plan {
  /** Base pages of the plain workloads. */
  readonly pages: number;
  readonly seed: number;
  /** Rounds of a process that count, for workloads of usual size. */
  readonly repeat: number;
  /** Rounds before them, at least. */
  readonly warmUp: number;
  /** Milliseconds that the rounds before them take, at least. */
  readonly warmUpMs: number;
  /** Fresh processes for each variant. */
  readonly passes: number;
}

/** Units beyond which a workload gets fewer rounds, and beyond which it gets no more than two passes. */
const LARGE = 2 ** 20;
const VERY_LARGE = 2 ** 24;

/** Rounds of one process and passes, by the size of a workload: the same for all variants. */
export interface Rounds {
  readonly rounds: number;
  readonly warmUp: number;
  readonly warmUpMs: number;
  readonly passes: number;
}

/**
 * Rounds for a size: a large one says as much in fewer rounds, since each is itself many calls of the loops, and a run
 * stays within minutes.
 *
 * @param units - of one round.
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

/** One workload of a format that can do it. */
export interface Entry {
  readonly configuration: Configuration;
  readonly workload: Workload;
  readonly units: number;
  readonly leafShift: number;
  readonly rounds: Rounds;
}

/** A workload that a format cannot do. */
export interface Skipped {
  readonly configuration: string;
  readonly workload: string;
  readonly reason: string;
}

/** Every workload in every format: what can be done, and what cannot. What is the same in all stands with the first. */
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

/** One process: a family of workloads for one column of the tables. */
export interface Turn<Column> {
  readonly pass: number;
  readonly column: Column;
  readonly workloads: readonly string[];
  readonly rounds: Rounds;
}

/**
 * The order of all processes. Within a pass, the columns of one family follow each other at once, so that a slow spell of
 * the machine meets all of them; every other pass goes through them backwards, so that none is always first.
 *
 * @param columns - configuration and variant, or the C reference; `rounds` tells what a column measures of a workload,
 *   `null` when it does not.
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
