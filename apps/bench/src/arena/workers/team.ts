import { type Arena, createArena } from '@vmarea/arena';
import { CheckError } from '@vmarea/cli';
import {
  AddressSpace,
  type Configuration,
  check,
  type FrameAllocator,
  Process,
  share,
  Threads,
} from '@vmarea/core';
import { RoundLead } from '../../workers/lead.js';
import { USER_START } from '../bed.js';
import { type ArenaWorkerJob, OWN_PAGES, WORKS, type WorkName } from './job.js';
import { machineFor } from './machine.js';

/** Workers with one arena, and a process each. */
export class ArenaTeam {
  readonly #name: string;
  readonly #threads: Threads;
  readonly #ram: FrameAllocator;
  readonly #kernel: AddressSpace;
  readonly #arena: Arena;
  readonly #processes: readonly Process[];
  readonly #lead: RoundLead;

  constructor(configuration: Configuration, workers: number, script: string, cwd: string) {
    const { name, format, linux, userFormat } = configuration;
    this.#name = name;
    const threads = Threads.create({ most: workers + 1 });
    const { memory, tables, ram } = machineFor(format.pageShift, workers, threads);
    this.#ram = ram;
    this.#kernel = new AddressSpace({ format, linux, memory, frames: tables, ram, threads });
    this.#threads = threads;
    this.#arena = createArena(this.#kernel, { maxEntries: workers * OWN_PAGES, mapExtra: USER_START });
    const ofUser = userFormat === undefined ? {} : { userFormat };
    this.#processes = Array.from({ length: workers }, () => new Process({ kernel: this.#kernel, ...ofUser }));
    for (const process of this.#processes) this.#arena.mmap(process);
    this.#lead = new RoundLead(workers);
    for (const [index, process] of this.#processes.entries()) {
      const job: ArenaWorkerJob = {
        vmareaArenaWorker: {
          ...{ configuration: name, cwd, index, workers, lead: this.#lead.buffer },
          arena: this.#arena.share(),
          description: share({ frames: this.#ram, kernel: this.#kernel, process }),
        },
      };
      this.#lead.start(script, job);
    }
  }

  /** Runs one round. @returns nanoseconds from the first begin to the last end. */
  round(work: WorkName, active: number): Promise<number> {
    return this.#lead.round(
      WORKS.findIndex(([name]) => name === work),
      active,
      this.#threads,
    );
  }

  /** Ends the workers. @throws CheckError when something does not agree, or a frame is lost. */
  async end(): Promise<void> {
    await this.#lead.end(this.#threads);
    this.#threads.quiesce();
    const { findings } = check(this.#threads);
    if (findings[0] !== undefined) throw new CheckError(`${this.#name}: ${findings[0].text}`);
    for (const process of this.#processes) process.destroy();
    this.#arena.destroy();
    this.#kernel.destroy();
    this.#threads.quiesce();
    const { allocated } = this.#ram.stats();
    if (allocated !== 0) throw new CheckError(`${this.#name}: ${allocated} page frames leaked`);
    this.#threads.leave();
  }

  /** Ends the workers wherever they are. */
  stop(): Promise<void> {
    return this.#lead.stop();
  }
}
