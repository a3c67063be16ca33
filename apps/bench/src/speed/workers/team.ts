import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import {
  AddressSpace,
  type Configuration,
  FrameAllocator,
  PhysicalMemory,
  share,
  Threads,
  VM_SPARSE,
  wasmLoops,
} from '@vmarea/core';
import { Lead, leadOf, WORKS, type WorkerJob, type WorkName } from './job.js';

/** Memory for tables, in bytes. Only what is used becomes resident. */
const TABLE_BYTES = 256 << 20;
/** How long the lead waits at once, in milliseconds. Signals run in between. */
const LOOK = 5;

/** What a team works on. */
export interface TeamOptions {
  readonly configuration: Configuration;
  /** The app's own file, which the workers run. */
  readonly script: string;
  readonly cwd: string;
  readonly workers: number;
  /** Base pages of each worker in a round: a multiple of 64. */
  readonly pages: number;
  readonly seed: number;
}

/** Workers over one address space, which do rounds together. */
export class Team {
  readonly #kernel: AddressSpace;
  readonly #threads: Threads;
  readonly #workers: Worker[];
  readonly #words: Int32Array;
  readonly #times: Float64Array;
  #failure: unknown = null;

  constructor({ configuration, script, cwd, workers, pages, seed }: TeamOptions) {
    const { format, linux } = configuration;
    const { pageShift } = format;
    const threads = Threads.create({ most: workers + 1 });
    const memory = PhysicalMemory.create({ bytes: TABLE_BYTES, shared: true, loops: wasmLoops });
    const frames = new FrameAllocator(memory, { pageShift, threads });
    const kernel = new AddressSpace({ format, linux, memory, frames, threads });
    // The list of frames names pages that are not memory of the machine.
    const shared = kernel.getVmArea(pages * workers * 2 ** pageShift, VM_SPARSE);
    const lead = new SharedArrayBuffer(Lead.timesAt + 16 * workers);
    ({ words: this.#words, times: this.#times } = leadOf(lead));
    this.#kernel = kernel;
    this.#threads = threads;
    this.#workers = Array.from({ length: workers }, (_, index) => {
      const job: WorkerJob = {
        vmareaSpeedWorker: {
          configuration: configuration.name,
          ...{ cwd, lead, index, workers, pages, seed, shared: shared.addr },
          description: share({ kernel }),
        },
      };
      const worker = new Worker(script, { workerData: job });
      worker.on('error', (error) => {
        this.#failure = error;
      });
      return worker;
    });
  }

  /**
   * Runs one round.
   *
   * @param active - how many workers take part.
   * @returns nanoseconds from the first begin to the last end.
   * @throws what a worker threw.
   */
  async round(work: WorkName, active: number): Promise<number> {
    await this.#awaitReady();
    Atomics.store(this.#words, Lead.ready, 0);
    Atomics.store(this.#words, Lead.work, WORKS.indexOf(work));
    Atomics.store(this.#words, Lead.active, active);
    this.#next();
    await this.#awaitReady();
    this.#threads.quiesce();
    const times = [...this.#times.subarray(0, 2 * active)];
    const begin = Math.min(...times.filter((_, i) => i % 2 === 0));
    return Math.max(...times.filter((_, i) => i % 2 === 1)) - begin;
  }

  /** Ends the workers. */
  async end(): Promise<void> {
    const ended = this.#workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve)));
    if (this.#failure === null) {
      Atomics.store(this.#words, Lead.work, -1);
      this.#next();
    } else for (const worker of this.#workers) await worker.terminate();
    await Promise.all(ended);
    if (this.#failure === null) this.#kernel.destroy();
  }

  #next(): void {
    Atomics.add(this.#words, Lead.round, 1);
    Atomics.notify(this.#words, Lead.round);
  }

  async #awaitReady(): Promise<void> {
    for (;;) {
      const ready = Atomics.load(this.#words, Lead.ready);
      if (this.#failure !== null) throw this.#failure;
      if (ready === this.#workers.length) return;
      Atomics.wait(this.#words, Lead.ready, ready, LOOK);
      await setImmediate();
    }
  }
}
