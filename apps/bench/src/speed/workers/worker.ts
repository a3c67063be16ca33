import { parentPort } from 'node:worker_threads';
import { CheckError, ExitError } from '@vmarea/cli';
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
import { Lead, leadOf, WORKS, type WorkerFailure, type WorkerJob } from './job.js';
import { openWork, type WorkerRound } from './works.js';

/** How often a worker looks for the others at the start and the end of a round, before it waits for them. */
const SPINS = 100_000;

/** Memory for the tables of one worker alone, in bytes: 65,536 pages take 1 MiB, and pages of 64 KiB more. */
const OWN_TABLE_BYTES = 16 << 20;

/** True for the data of a worker of `speed --workers`. */
export function isWorkerJob(data: unknown): data is WorkerJob {
  return typeof data === 'object' && data !== null && 'vmareaSpeedWorker' in data;
}

/** Does the rounds that the lead asks for, until it ends them. Tells the lead of a mistake. */
export async function runWorker(job: WorkerJob): Promise<void> {
  try {
    await work(job);
  } catch (error) {
    // Node brings any other error to the lead by itself, and it would bring only the text of this one.
    if (!(error instanceof ExitError)) throw error;
    const { message, exitCode } = error;
    parentPort?.postMessage({ failed: { message, exitCode } } satisfies WorkerFailure);
  }
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

function doRounds(
  { index, workers, lead }: WorkerJob['vmareaSpeedWorker'],
  rounds: readonly WorkerRound[],
  threads: Threads,
): void {
  const { words, times } = leadOf(lead);
  for (let done = 0; ; ) {
    // The last worker that is ready wakes the lead.
    if (Atomics.add(words, Lead.ready, 1) + 1 === workers) Atomics.notify(words, Lead.ready);
    while (Atomics.load(words, Lead.round) === done) Atomics.wait(words, Lead.round, done, 50);
    done++;
    const work = Atomics.load(words, Lead.work);
    if (work < 0) return;
    const active = Atomics.load(words, Lead.active);
    if (index >= active) continue;
    const round = rounds[work] as WorkerRound;
    meet(words, Lead.started, active);
    times[2 * index] = Number(process.hrtime.bigint());
    round.run(active);
    times[2 * index + 1] = Number(process.hrtime.bigint());
    // What follows must not slow down a worker that is still in the timed part.
    meet(words, Lead.finished, active);
    round.check(active);
    threads.quiesce();
  }
}

/** Waits until all active workers are here. */
function meet(words: Int32Array, at: number, active: number): void {
  Atomics.add(words, at, 1);
  for (let look = 0; Atomics.load(words, at) < active; look++)
    if (look >= SPINS) Atomics.wait(words, at, Atomics.load(words, at), 1);
}
