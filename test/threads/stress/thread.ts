import { parentPort, workerData } from 'node:worker_threads';
import { attach, VmError, wasmLoops } from '@vmarea/core';
import { configurations as arm64 } from '@vmarea/arm64';
import { configurations as riscv64 } from '@vmarea/riscv64';
import { configurations as x8664 } from '@vmarea/x86-64';
import { Holdings, OPERATIONS, tidy } from './operations.js';
import type { ThreadJob, ThreadReport } from './plan.js';
import { Random } from './random.js';

/** What a thread of a stress runs. */

/** Operations between two quiescent points. */
const BETWEEN = 16;

const job = workerData as ThreadJob;
const found = [...x8664, ...arm64, ...riscv64].find(({ name }) => name === job.configuration);
if (found === undefined) throw new Error(`no configuration ${job.configuration}`);
const { format, linux } = found;
const shared = attach(job.description, { formats: [format], policies: [linux], loops: wasmLoops });
const random = new Random(job.seed);
const own = new Holdings(shared, job, random);
const done = new Int32Array(job.done);
const counts: Record<string, number> = {};
const names = Object.entries(OPERATIONS).flatMap(([name, { weight }]) => Array<string>(weight).fill(name));

for (let i = 0; i < job.operations; i++) {
  const name = random.pick(names);
  const { run, refusals = [] } = OPERATIONS[name] as (typeof OPERATIONS)[string];
  try {
    run(own);
    count(name);
  } catch (error) {
    if (!(error instanceof VmError) || !(refusals.includes(error.code) || error.code === 'EOWNERDEAD'))
      throw new Error(`lane ${job.lane}, operation ${i}, ${name}, seed ${job.seed}`, { cause: error });
    count(`${name} ${error.code}`);
  }
  Atomics.add(done, 0, 1);
  if (i % BETWEEN === 0) shared.threads.quiesce();
}
for (let isTidy = !job.tidies; !isTidy; ) {
  try {
    tidy(own);
    isTidy = true;
  } catch (error) {
    // Another thread died: its recovery comes.
    if (!(error instanceof VmError) || error.code !== 'EOWNERDEAD') throw error;
  }
}
shared.threads.quiesce();
const report: ThreadReport = { counts };
parentPort?.postMessage(report);
if (job.tidies) shared.threads.leave();

function count(name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}
