import { attach, wasmLoops } from '@vmarea/core';
import { installedFormats } from '../../formats.js';
import { Lead, leadOf, WORKS, type WorkerJob } from './job.js';
import { openWork } from './works.js';

/** True for the data of a worker of `speed --workers`. */
export function isWorkerJob(data: unknown): data is WorkerJob {
  return typeof data === 'object' && data !== null && 'vmareaSpeedWorker' in data;
}

/** Does the rounds that the lead asks for, until it ends them. */
export async function runWorker({ vmareaSpeedWorker: job }: WorkerJob): Promise<void> {
  const { index, workers, lead, pages, seed } = job;
  const { words, times } = leadOf(lead);
  const { configurations } = await installedFormats(job.cwd);
  const found = configurations.find(({ name }) => name === job.configuration);
  if (found === undefined) throw new Error(`no configuration ${job.configuration}`);
  const { kernel } = attach(job.description, {
    formats: [found.format],
    policies: [found.linux],
    loops: wasmLoops,
  });
  const shared = kernel.findVmArea(job.shared);
  if (shared === null) throw new Error('the shared area is not there');
  const rounds = WORKS.map((name) => openWork(name, { kernel, index, pages, seed, shared }));
  try {
    for (let done = 0; ; ) {
      // The last worker that is ready wakes the lead.
      if (Atomics.add(words, Lead.ready, 1) + 1 === workers) Atomics.notify(words, Lead.ready);
      while (Atomics.load(words, Lead.round) === done) Atomics.wait(words, Lead.round, done, 50);
      done++;
      const work = Atomics.load(words, Lead.work);
      if (work < 0) break;
      const active = Atomics.load(words, Lead.active);
      if (index >= active) continue;
      const round = rounds[work] as (typeof rounds)[number];
      times[2 * index] = Number(process.hrtime.bigint());
      round.run(active);
      times[2 * index + 1] = Number(process.hrtime.bigint());
      round.check(active);
      kernel.threads?.quiesce();
    }
  } catch (error) {
    Atomics.store(words, Lead.failed, 1);
    Atomics.notify(words, Lead.ready);
    throw error;
  }
  kernel.threads?.leave();
}
