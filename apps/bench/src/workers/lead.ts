import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { CheckError, EXIT_INTERNAL, UsageError } from '@vmarea/cli';
import type { Threads } from '@vmarea/core';

/** What a worker says when it ends by a mistake that is no internal error. */
export interface WorkerFailure {
  readonly failed: { readonly message: string; readonly exitCode: number };
}

/** Words of the lead. */
export const Lead = {
  /** Grows by one for each round. Workers wait on it. */
  round: 0,
  /** The work of the round, by its number; -1 ends the workers. */
  work: 1,
  /** Workers from this index on stand still in this round. */
  active: 2,
  /** Workers that wait for the next round. */
  ready: 3,
  /** Active workers that have come to the start of the round, and to its end. */
  started: 4,
  finished: 5,
  /** Bytes before the times: two doubles for each worker, begin and end in nanoseconds. */
  timesAt: 64,
} as const;

/** The words and times of a lead for some workers. */
export function leadOf(buffer: SharedArrayBuffer): { words: Int32Array; times: Float64Array } {
  return { words: new Int32Array(buffer, 0, 8), times: new Float64Array(buffer, Lead.timesAt) };
}

/** How long the lead waits at once, in milliseconds. Messages of workers arrive in between. */
const LOOK = 1;

/** Starts workers, and leads them through rounds together. */
export class RoundLead {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #times: Float64Array;
  readonly #workers: Worker[] = [];
  readonly #exits: Promise<unknown>[] = [];
  #failure: unknown = null;
  #isOver = false;

  /** @param workers - how many there will be. */
  constructor(workers: number) {
    this.buffer = new SharedArrayBuffer(Lead.timesAt + 16 * workers);
    ({ words: this.#words, times: this.#times } = leadOf(this.buffer));
  }

  /** Starts one more worker. */
  start(script: string, job: unknown): void {
    const index = this.#workers.length;
    const worker = new Worker(script, { workerData: job });
    worker.on('error', (error) => this.#fail(error));
    worker.on('message', ({ failed: { message, exitCode } }: WorkerFailure) =>
      this.#fail(exitCode === EXIT_INTERNAL ? new CheckError(message) : new UsageError(message)),
    );
    worker.on('exit', (code) => {
      if (!this.#isOver) this.#fail(new Error(`worker ${index} ended with code ${code}`));
    });
    this.#workers.push(worker);
    this.#exits.push(new Promise((resolve) => worker.once('exit', resolve)));
  }

  /**
   * Runs one round.
   *
   * @param active - how many workers take part.
   * @returns nanoseconds from the first begin to the last end.
   * @throws what a worker threw.
   */
  async round(work: number, active: number, threads: Threads): Promise<number> {
    await this.#awaitReady(threads);
    this.#next(work, active);
    await this.#awaitReady(threads);
    threads.quiesce();
    const times = [...this.#times.subarray(0, 2 * active)];
    const begin = Math.min(...times.filter((_, i) => i % 2 === 0));
    return Math.max(...times.filter((_, i) => i % 2 === 1)) - begin;
  }

  /** Ends the workers when all rounds are done. @throws what a worker threw. */
  async end(threads: Threads): Promise<void> {
    await this.#awaitReady(threads);
    this.#isOver = true;
    this.#next(-1, 0);
    await Promise.all(this.#exits);
    if (this.#failure !== null) throw this.#failure;
  }

  /** Ends the workers wherever they are. */
  async stop(): Promise<void> {
    this.#isOver = true;
    for (const worker of this.#workers) await worker.terminate();
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
  }

  #next(work: number, active: number): void {
    const words = this.#words;
    for (const word of [Lead.ready, Lead.started, Lead.finished]) Atomics.store(words, word, 0);
    Atomics.store(words, Lead.work, work);
    Atomics.store(words, Lead.active, active);
    Atomics.add(words, Lead.round, 1);
    Atomics.notify(words, Lead.round);
  }

  async #awaitReady(threads: Threads): Promise<void> {
    for (;;) {
      const ready = Atomics.load(this.#words, Lead.ready);
      if (this.#failure !== null) throw this.#failure;
      if (ready === this.#workers.length) return;
      Atomics.wait(this.#words, Lead.ready, ready, LOOK);
      // What workers free waits for the lead, too.
      threads.quiesce();
      await setImmediate();
    }
  }
}
