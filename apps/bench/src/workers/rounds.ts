import { parentPort } from 'node:worker_threads';
import { ExitError } from '@vmarea/cli';
import type { Threads } from '@vmarea/core';
import { Lead, leadOf, type WorkerFailure } from './lead.js';

/** How often a worker looks for the others at the start and the end of a round, before it waits for them. */
const SPINS = 100_000;

/** Longest rest of a worker without a quiescent point, in milliseconds. */
const REST = 1;

/** A round of one worker: the timed part, and what follows it without being timed. */
export interface WorkerRound {
  run(active: number): void;
  /** @throws CheckError when something is not as it must be. */
  check(active: number): void;
  /** No round follows. */
  end(): void;
}

/** Runs a worker, and tells the lead of a mistake. */
export async function tellingFailure(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    // Node brings any other error to the lead by itself, and it would bring only the text of this one.
    if (!(error instanceof ExitError)) throw error;
    const { message, exitCode } = error;
    parentPort?.postMessage({ failed: { message, exitCode } } satisfies WorkerFailure);
  }
}

/** Does the rounds that the lead asks for, until it ends them. */
export function doRounds(
  {
    index,
    workers,
    lead,
  }: { readonly index: number; readonly workers: number; readonly lead: SharedArrayBuffer },
  rounds: readonly WorkerRound[],
  threads: Threads,
): void {
  const { words, times } = leadOf(lead);
  for (let done = 0; ; ) {
    // The last worker that is ready wakes the lead.
    if (Atomics.add(words, Lead.ready, 1) + 1 === workers) Atomics.notify(words, Lead.ready);
    // What the others free waits for this worker, too.
    while (Atomics.load(words, Lead.round) === done) {
      Atomics.wait(words, Lead.round, done, REST);
      threads.quiesce();
    }
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
