import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { CheckError, EXIT_INTERNAL, UsageError } from '@vmarea/cli';
import {
  AddressSpace,
  type Configuration,
  check,
  FrameAllocator,
  PhysicalMemory,
  share,
  Threads,
  VM_SPARSE,
  type VmArea,
  VmError,
  wasmLoops,
} from '@vmarea/core';
import { Lead, leadOf, WORKS, type WorkerFailure, type WorkerJob, type WorkName } from './job.js';

/** Memory for tables, in bytes. Only what is used becomes resident. */
const TABLE_BYTES = 256 << 20;
/** How long the lead waits at once, in milliseconds. Messages of workers arrive in between. */
const LOOK = 5;

/** What a team works on. */
export interface TeamOptions {
  readonly configuration: Configuration;
  /** The app's own file, which the workers run. */
  readonly script: string;
  readonly cwd: string;
  readonly workers: number;
  /** Base pages of each worker: a multiple of 64. */
  readonly pages: number;
  readonly seed: number;
}

/** Workers over one address space, which do rounds together. */
export class Team {
  readonly #name: string;
  readonly #threads: Threads;
  readonly #frames: FrameAllocator;
  readonly #kernel: AddressSpace;
  readonly #shared: VmArea;
  readonly #workers: readonly Worker[];
  readonly #exits: readonly Promise<unknown>[];
  readonly #words: Int32Array;
  readonly #times: Float64Array;
  #failure: unknown = null;
  #isOver = false;

  constructor(options: TeamOptions) {
    const { configuration, workers } = options;
    this.#name = configuration.name;
    const { format, linux } = configuration;
    const { pageShift } = format;
    const threads = Threads.create({ most: workers + 1 });
    const memory = PhysicalMemory.create({ bytes: TABLE_BYTES, shared: true, loops: wasmLoops });
    this.#frames = new FrameAllocator(memory, { pageShift, threads });
    this.#kernel = new AddressSpace({ format, linux, memory, frames: this.#frames, threads });
    this.#threads = threads;
    this.#shared = this.#reserve(options.pages * workers * 2 ** pageShift);
    const lead = new SharedArrayBuffer(Lead.timesAt + 16 * workers);
    ({ words: this.#words, times: this.#times } = leadOf(lead));
    this.#workers = Array.from({ length: workers }, (_, index) => this.#start(options, lead, index));
    this.#exits = this.#workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve)));
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
    this.#next(WORKS.indexOf(work), active);
    await this.#awaitReady();
    this.#threads.quiesce();
    const times = [...this.#times.subarray(0, 2 * active)];
    const begin = Math.min(...times.filter((_, i) => i % 2 === 0));
    return Math.max(...times.filter((_, i) => i % 2 === 1)) - begin;
  }

  /**
   * Ends the workers when all rounds are done.
   *
   * @throws what a worker threw; CheckError when tables, areas and frames do not agree, or a frame is lost.
   */
  async end(): Promise<void> {
    await this.#awaitReady();
    this.#isOver = true;
    this.#next(-1, 0);
    await Promise.all(this.#exits);
    if (this.#failure !== null) throw this.#failure;
    const { findings } = check(this.#threads);
    if (findings[0] !== undefined) throw new CheckError(`${this.#name}: ${findings[0].text}`);
    this.#kernel.freeVmArea(this.#shared);
    this.#kernel.destroy();
    this.#threads.quiesce();
    const { allocated } = this.#frames.stats();
    if (allocated !== 0) throw new CheckError(`${this.#name}: ${allocated} table frames leaked`);
    this.#threads.leave();
  }

  /** Ends the workers wherever they are. */
  async stop(): Promise<void> {
    this.#isOver = true;
    for (const worker of this.#workers) await worker.terminate();
  }

  #reserve(bytes: number): VmArea {
    try {
      // The frames that it maps are not memory of the machine.
      return this.#kernel.getVmArea(bytes, VM_SPARSE);
    } catch (error) {
      if (!(error instanceof VmError)) throw error;
      throw new UsageError(`no room for the pages of all workers in ${this.#name}: ${error.message}`);
    }
  }

  #start({ configuration, script, ...rest }: TeamOptions, lead: SharedArrayBuffer, index: number): Worker {
    const job: WorkerJob = {
      vmareaSpeedWorker: {
        ...rest,
        ...{ configuration: configuration.name, lead, index, shared: this.#shared.addr },
        description: share({ kernel: this.#kernel }),
      },
    };
    const worker = new Worker(script, { workerData: job });
    worker.on('error', (error) => this.#fail(error));
    worker.on('message', ({ failed: { message, exitCode } }: WorkerFailure) =>
      this.#fail(exitCode === EXIT_INTERNAL ? new CheckError(message) : new UsageError(message)),
    );
    worker.on('exit', (code) => {
      if (!this.#isOver) this.#fail(new Error(`worker ${index} ended with code ${code}`));
    });
    return worker;
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
