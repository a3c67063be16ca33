import { setImmediate } from 'node:timers/promises';
import { CheckError, UsageError } from '@vmarea/cli';
import { type Configuration, VmError } from '@vmarea/core';
import { Bed } from './bed.js';
import type { Job, Measured } from './job.js';
import type { Size } from './size.js';
import { workloadOf } from './workloads/registry.js';
import type { Round, Workload } from './workloads/workload.js';

/**
 * Measures the workloads of a job, in this process.
 *
 * @throws CheckError when results are wrong, rounds differ or a table leaked.
 * @throws UsageError when there is not enough memory.
 */
export async function runJob(job: Job, configuration: Configuration): Promise<readonly Measured[]> {
  const all: Measured[] = [];
  for (const id of job.workloads) {
    const workload = workloadOf(id);
    const size = workload.size(configuration, job.pages);
    if ('reason' in size) throw new Error(`${id} was asked of ${configuration.name}: ${size.reason}`);
    all.push(await measure(workload, size, job, configuration));
  }
  return all;
}

async function measure(
  workload: Workload,
  size: Size,
  { seed, variant, rounds, warmUp, warmUpMs }: Job,
  configuration: Configuration,
): Promise<Measured> {
  const who = `${configuration.name}, ${workload.id}`;
  const bed = bedFor(configuration, size, seed, variant);
  const round = workload.open(bed);
  const first = round(true);
  const counted: Round[] = [];
  const start = performance.now();
  if (warmUp === 0) counted.push(first);
  for (let done = 1; counted.length < rounds; done++) {
    // Let V8 install compiled code, and signals run, between the timed calls.
    await setImmediate();
    const isWarm = done >= warmUp && performance.now() - start >= warmUpMs;
    const next = round(isWarm && counted.length === rounds - 1);
    checkEqual(who, first, next);
    if (isWarm) counted.push(next);
  }
  bed.close();
  return {
    workload: workload.id,
    units: size.units,
    loops: bed.loops,
    ns: counted.map(({ ns }) => ns),
    checksum: (first.checksum ?? 0) >>> 0,
    work: first.work,
    tables: first.work.tablesAllocated,
  };
}

function checkEqual(who: string, first: Round, next: Round): void {
  const exact = ({ work, checksum }: Round): string =>
    JSON.stringify([work, next.checksum === null ? null : checksum]);
  if (exact(next) !== exact(first)) {
    throw new CheckError(`${who}: equal rounds did different work: ${exact(first)} and ${exact(next)}`);
  }
}

function bedFor(configuration: Configuration, size: Size, seed: number, variant: Job['variant']): Bed {
  try {
    return new Bed(configuration, size, seed, variant);
  } catch (error) {
    if (error instanceof VmError)
      throw new UsageError(`no memory for the tables of ${configuration.name}: ${error.message}`);
    throw error;
  }
}
