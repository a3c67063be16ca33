import {
  AddressSpace,
  type Check,
  type Configuration,
  check,
  FrameAllocator,
  PageTable,
  parseVmallocinfo,
  PhysicalMemory,
  type Recovery,
  recover,
  share,
  Threads,
  VM_SPARSE,
  type VmArea,
  wasmLoops,
} from '@vmarea/core';
import { programOf, startThread, type Thread } from '../../../packages/core/test/threads/worker.js';
import { callerOf, clearLane, isOfLane } from './operations.js';
import type { Places, Shared, ThreadJob, ThreadReport } from './plan.js';
import { Random } from './random.js';

/** A stress of threads. */
export interface StressOptions {
  readonly configuration: Configuration;
  readonly threads: number;
  /** Operations of all threads together. */
  readonly operations: number;
  readonly seed: number;
  /** How many threads are killed in the middle. Each has a successor in its lane. Default: 0. */
  readonly kills?: number;
  readonly loops?: 'wasm' | 'array';
  /** Told after each kill. */
  readonly onKill?: (kills: number, recovery: Recovery) => void;
}

/** What a stress has found. */
export interface StressResult {
  readonly operations: number;
  readonly kills: number;
  readonly counts: Readonly<Record<string, number>>;
  /** What recoveries did, summed up. */
  readonly recovered: { readonly undone: number; readonly givenBack: number; readonly freedAreas: number; readonly recounted: number; readonly tables: number };
  readonly last: Check;
}

const TABLE_BYTES = 64 << 20;
const FRAMES = 2048;

/** Runs a stress to its end, and throws when anything is wrong. */
export async function stress(options: StressOptions): Promise<StressResult> {
  const machine = new Stress(options);
  try {
    return await machine.run();
  } finally {
    await machine.stop();
  }
}

class Stress {
  readonly #options: StressOptions;
  readonly #threads: Threads;
  readonly #shared: Shared;
  readonly #places: Places;
  readonly #owners: SharedArrayBuffer;
  readonly #done = new SharedArrayBuffer(4);
  readonly #program: string;
  readonly #random: Random;
  readonly #running: (Thread | null)[] = [];
  readonly #counts: Record<string, number> = {};
  readonly #recovered = { undone: 0, givenBack: 0, freedAreas: 0, recounted: 0, tables: 0 };
  #kills = 0;
  #failure: unknown = null;

  constructor(options: StressOptions) {
    const { configuration, threads: lanes, seed, loops = 'wasm' } = options;
    const { format, linux } = configuration;
    const { pageShift } = format;
    this.#options = options;
    this.#random = new Random(seed);
    this.#threads = Threads.create({ most: lanes + 2, logBytes: 256 << 10 });
    const threads = this.#threads;
    const memory = PhysicalMemory.create({
      bytes: TABLE_BYTES * 2 ** (pageShift - 12),
      shared: true,
      ...(loops === 'wasm' ? { loops: wasmLoops } : {}),
    });
    const bank = memory.banks[0] as { readonly base: bigint; readonly bytes: number };
    const all = bank.bytes / 2 ** pageShift;
    const tables = new FrameAllocator(memory, { pageShift, first: 0, frames: all - FRAMES, threads });
    const frames = new FrameAllocator(memory, { pageShift, first: all - FRAMES, frames: FRAMES, threads });
    const kernel = new AddressSpace({ format, linux, memory, frames: tables, ram: frames, threads, cpus: 2 });
    const table = new PageTable({ format, memory, frames: tables, threads });
    this.#shared = { frames, tables, kernel, table };
    const pageBytes = 2 ** pageShift;
    this.#places = {
      sparse: kernel.getVmArea(3000 * pageBytes, VM_SPARSE).addr,
      contested: kernel.getVmArea(24 * pageBytes, VM_SPARSE).addr,
      lazy: kernel.getLazyArea(64 * pageBytes).area.addr,
      lanes,
    };
    this.#owners = new SharedArrayBuffer(4 * FRAMES);
    this.#program = programOf(new URL('./thread.ts', import.meta.url));
  }

  async run(): Promise<StressResult> {
    const { threads, operations, kills = 0 } = this.#options;
    const each = Math.ceil(operations / threads);
    for (let lane = 0; lane < threads; lane++) this.#start(lane, each);
    while (this.#kills < kills) await this.#kill(each);
    await Promise.all(this.#running.map((thread) => thread?.ended));
    if (this.#failure !== null) throw this.#failure;
    // A thread that leaves while another holds what it freed leaves that to a recovery.
    this.#recover();
    const last = this.#account();
    const done = Atomics.load(new Int32Array(this.#done), 0);
    return { operations: done, kills: this.#kills, counts: this.#counts, recovered: this.#recovered, last };
  }

  async stop(): Promise<void> {
    for (const thread of this.#running) await thread?.worker.terminate();
  }

  #start(lane: number, operations: number): void {
    const description = share(this.#shared);
    const job: ThreadJob = {
      description,
      configuration: this.#options.configuration.name,
      ...{ places: this.#places, lane, operations, owners: this.#owners, done: this.#done },
      seed: this.#random.below(2 ** 31),
      tidies: true,
    };
    const thread = startThread(this.#program, job);
    this.#running[lane] = thread;
    thread.ended.then(
      (report) => {
        this.#threads.declareDead(description.thread);
        if (this.#running[lane] === thread && report === undefined)
          this.#failure ??= new Error(`lane ${lane} ended without a report`);
        for (const [name, count] of Object.entries((report as ThreadReport | undefined)?.counts ?? {}))
          this.#counts[name] = (this.#counts[name] ?? 0) + count;
      },
      (error) => {
        this.#threads.declareDead(description.thread);
        this.#failure ??= error;
      },
    );
  }

  /** Kills a thread at a random moment, mends what it left, and starts another in its lane. */
  async #kill(operations: number): Promise<void> {
    const lane = this.#random.below(this.#running.length);
    const done = new Int32Array(this.#done);
    const from = Atomics.load(done, 0);
    const until = from + 20 + this.#random.below(400);
    while (Atomics.load(done, 0) < until && this.#failure === null)
      await new Promise((resolve) => setTimeout(resolve, this.#random.below(3)));
    if (this.#failure !== null) throw this.#failure;
    const thread = this.#running[lane] as Thread;
    this.#running[lane] = null;
    await thread.kill();
    await thread.ended.catch(() => undefined);
    this.#kills++;
    this.#clean(lane, this.#recover());
    this.#start(lane, operations);
  }

  #recover(): Recovery {
    const recovery = recover(this.#threads);
    this.#recovered.undone += recovery.tables.undone.length;
    this.#recovered.givenBack += recovery.givenBack.length;
    this.#recovered.recounted += recovery.tables.recounted;
    this.#recovered.tables += recovery.tables.freed.length;
    this.#recovered.freedAreas += recovery.spaces.reduce((sum, { freed }) => sum + freed.length, 0);
    this.#options.onKill?.(this.#kills, recovery);
    return recovery;
  }

  /** Gives back what finished calls of a killed thread had. */
  #clean(lane: number, { held, givenBack }: Recovery): void {
    const { frames, kernel, table } = this.#shared;
    const { sparse, contested, lanes } = this.#places;
    const owners = new Int32Array(this.#owners);
    for (const { pfn, order } of [...held, ...givenBack])
      for (let i = 0; i < 2 ** order; i++)
        if (pfn >= frames.first) Atomics.store(owners, pfn + i - frames.first, 0);
    for (const { pfn, order } of held) frames.free(pfn, order);
    for (const { info, start } of parseVmallocinfo(kernel.vmallocinfo())) {
      if (info.caller !== callerOf(lane) || start === null) continue;
      const { words = [] } = info;
      if (words.includes('ioremap')) kernel.iounmap(start);
      else if (words.includes('sparse')) kernel.freeVmArea(kernel.findVmArea(start) as VmArea);
      else kernel.vfree(start);
    }
    const shared = kernel.findVmArea(sparse) as VmArea;
    for (let page = lane; page < shared.pages; page += lanes)
      if (shared.frameAt(page) >= 0) shared.unmap(page);
    const all = kernel.findVmArea(contested) as VmArea;
    for (let page = 0; page < all.pages; page++) if (isOfLane(all.frameAt(page), lane)) all.unmap(page);
    clearLane({ table, lane, lanes, pageBytes: 2 ** table.format.pageShift });
  }

  /** Every frame has one owner, every entry is valid, counts are those of a recount. */
  #account(): Check {
    const { kernel, frames, tables, table } = this.#shared;
    kernel.vfree(this.#places.lazy);
    const before = check(this.#threads);
    if (before.findings.length > 0)
      throw new Error(`check: ${before.findings.slice(0, 5).map(({ text }) => text).join('; ')}`);
    kernel.vmUnmapAliases();
    const last = before;
    const { allocated } = frames.stats();
    if (allocated !== 0) throw new Error(`${allocated} frames are still allocated`);
    for (const place of [this.#places.sparse, this.#places.contested]) {
      const area = kernel.findVmArea(place);
      if (area === null) throw new Error('a shared area is gone');
      if (area.populated().pages !== 0) throw new Error(`${area.populated().pages} pages are still mapped`);
      kernel.freeVmArea(area);
    }
    table.reclaim();
    table.destroy();
    kernel.destroy();
    this.#threads.quiesce();
    if (tables.stats().allocated !== 0) throw new Error(`${tables.stats().allocated} tables are still allocated`);
    return last;
  }
}
