import type { Configuration } from '@vmarea/core';
import { median } from 'simple-statistics';
import type { Progress } from '../../progress.js';
import { WORKS, type WorkName } from './job.js';
import { Team } from './team.js';

/** How workers scale in one work and one configuration. */
export interface WorkersRow {
  readonly configuration: string;
  readonly title: string;
  readonly work: WorkName;
  readonly workers: number;
  /** Base pages of each worker in a round. */
  readonly pages: number;
  readonly rounds: number;
  /** Nanoseconds for each page of one worker by itself: the median of all rounds. */
  readonly one: number;
  /** The same for all workers together: the time of a round by the pages of all. */
  readonly all: number;
  /** How many times as many pages in the same time: `one / all`. */
  readonly scaling: number;
}

/** What is measured. */
export interface WorkersPlan {
  readonly workers: number;
  readonly pages: number;
  readonly repeat: number;
  readonly warmUp: number;
  readonly seed: number;
  readonly script: string;
  readonly cwd: string;
}

/** Measures all works in one configuration. One worker and all workers take turns, so that both see the same machine. */
export async function measureWorkers(
  configuration: Configuration,
  plan: WorkersPlan,
  shown: Progress,
): Promise<WorkersRow[]> {
  const { workers, pages, repeat, warmUp } = plan;
  const team = new Team({ configuration, ...plan });
  const rows: WorkersRow[] = [];
  try {
    for (const work of WORKS) {
      await shown.step(`${configuration.name}, ${work}`);
      const one: number[] = [];
      const all: number[] = [];
      for (let round = 0; round < warmUp + repeat; round++) {
        // Workers that stand still in one round would be cold in the next: each warms up.
        const times = { one: await team.round(work, 1), all: await team.round(work, workers) };
        if (round < warmUp) continue;
        one.push(times.one / pages);
        all.push(times.all / (pages * workers));
      }
      const [single, together] = [median(one), median(all)];
      rows.push({
        ...{ configuration: configuration.name, title: configuration.title, work, workers, pages },
        ...{ rounds: repeat, one: single, all: together, scaling: single / together },
      });
    }
  } finally {
    await team.end();
  }
  return rows;
}
