import type { Progress } from '@vmarea/cli';
import type { Configuration } from '@vmarea/core';
import { type Spread, spread } from '../../spread.js';
import { pagesOfRound, WORKS, type WorkName } from './job.js';
import type { WorkersRow } from './result.js';
import { Team, type TeamOptions } from './team.js';

/** What is measured. */
export interface WorkersPlan extends Omit<TeamOptions, 'configuration'> {
  readonly repeat: number;
  readonly warmUp: number;
}

/**
 * Measures all works in one configuration.
 *
 * @throws what a worker threw; CheckError when a page is wrong or a frame is lost.
 */
export async function measureWorkers(
  configuration: Configuration,
  plan: WorkersPlan,
  shown: Progress,
): Promise<WorkersRow[]> {
  const team = new Team({ configuration, ...plan });
  const rows: WorkersRow[] = [];
  try {
    for (const work of WORKS) {
      await shown.step(`${configuration.name}, ${work}`);
      rows.push(await measureWork(team, work, configuration, plan));
    }
    await team.end();
  } finally {
    await team.stop();
  }
  return rows;
}

/** One worker and all workers take turns, so that both see the same machine. */
async function measureWork(
  team: Team,
  work: WorkName,
  { name, title, format }: Configuration,
  { workers, pages, repeat, warmUp }: WorkersPlan,
): Promise<WorkersRow> {
  const roundPages = pagesOfRound(work, pages);
  const one: number[] = [];
  const all: number[] = [];
  for (let round = 0; round < warmUp + repeat; round++) {
    const single = await team.round(work, 1);
    const together = await team.round(work, workers);
    if (round < warmUp) continue;
    one.push(single / roundPages);
    all.push(together / (roundPages * workers));
  }
  const times = { one: spread(one) as Spread, all: spread(all) as Spread };
  return {
    ...{ configuration: name, title, pageBytes: 2 ** format.pageShift, work, roundPages },
    ...{ ...times, scaling: times.one.median / times.all.median },
  };
}
