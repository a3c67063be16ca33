import { CheckError, UsageError } from '@vmarea/cli';
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
import { RoundLead } from '../../workers/lead.js';
import { WORKS, type WorkerJob, type WorkName } from './job.js';

/** Memory for tables, in bytes. Only what is used becomes resident. */
const TABLE_BYTES = 256 << 20;

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
  readonly #lead: RoundLead;

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
    this.#lead = new RoundLead(workers);
    for (let index = 0; index < workers; index++) this.#start(options, index);
  }

  /**
   * Runs one round.
   *
   * @param active - how many workers take part.
   * @returns nanoseconds from the first begin to the last end.
   * @throws what a worker threw.
   */
  round(work: WorkName, active: number): Promise<number> {
    return this.#lead.round(WORKS.indexOf(work), active, this.#threads);
  }

  /**
   * Ends the workers when all rounds are done.
   *
   * @throws what a worker threw; CheckError when tables, areas and frames do not agree, or a frame is lost.
   */
  async end(): Promise<void> {
    await this.#lead.end(this.#threads);
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
  stop(): Promise<void> {
    return this.#lead.stop();
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

  #start({ configuration, script, ...rest }: TeamOptions, index: number): void {
    const job: WorkerJob = {
      vmareaSpeedWorker: {
        ...rest,
        ...{ configuration: configuration.name, lead: this.#lead.buffer, index, shared: this.#shared.addr },
        description: share({ kernel: this.#kernel }),
      },
    };
    this.#lead.start(script, job);
  }
}
