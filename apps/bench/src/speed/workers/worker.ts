import { CheckError } from '@vmarea/cli';
import {
  AddressSpace,
  attach,
  type Configuration,
  FrameAllocator,
  PhysicalMemory,
  Threads,
  wasmLoops,
} from '@vmarea/core';
import { installedFormats } from '../../formats.js';
import { doRounds, tellingFailure } from '../../workers/rounds.js';
import { WORKS, type WorkerJob } from './job.js';
import { openWork } from './works.js';

/** Memory for the tables of one worker alone, in bytes: 65,536 pages take 1 MiB, and pages of 64 KiB more. */
const OWN_TABLE_BYTES = 16 << 20;

/** True for the data of a worker of `speed --workers`. */
export function isWorkerJob(data: unknown): data is WorkerJob {
  return typeof data === 'object' && data !== null && 'vmareaSpeedWorker' in data;
}

/** Does the rounds that the lead asks for, until it ends them. Tells the lead of a mistake. */
export function runWorker(job: WorkerJob): Promise<void> {
  return tellingFailure(() => work(job));
}

async function work({ vmareaSpeedWorker: job }: WorkerJob): Promise<void> {
  const { configurations } = await installedFormats(job.cwd);
  const found = configurations.find(({ name }) => name === job.configuration);
  if (found === undefined) throw new Error(`no configuration ${job.configuration}`);
  const { kernel, threads } = attach(job.description, {
    formats: [found.format],
    policies: [found.linux],
    loops: wasmLoops,
  });
  const shared = kernel.findVmArea(job.shared);
  if (shared === null) throw new Error('the shared area is not there');
  const own = ownSpace(found);
  const rounds = WORKS.map((name) => openWork(name, { ...job, kernel, own, shared }));
  doRounds(job, rounds, threads);
  for (const round of rounds) round.end();
  own.destroy();
  if (!threads.leave()) throw new CheckError('a worker left frames that could not be given back');
}

/** An address space as the one that all workers use, with a memory and a group of threads of its own. */
function ownSpace({ format, linux }: Configuration): AddressSpace {
  const own = Threads.create({ most: 1 });
  const memory = PhysicalMemory.create({ bytes: OWN_TABLE_BYTES, shared: true, loops: wasmLoops });
  const frames = new FrameAllocator(memory, { pageShift: format.pageShift, threads: own });
  return new AddressSpace({ format, linux, memory, frames, threads: own });
}
