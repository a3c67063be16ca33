import {
  checkAddress,
  flagOption,
  optionsOf,
  Process,
  type RegionObject,
  type RegionOperations,
  VmError,
} from '@vmarea/core';
import { Mmu, processorOf } from '@vmarea/mmu';
import { ArenaFacts } from './arena-facts.js';
import { alignOf, lowInside, requireWhole } from './arguments.js';
import type { AllocOptions, ArenaMmapOptions, ArenaPort, FreeOptions, ViewOptions } from './call-options.js';
import type { ArenaReport } from './data/report.js';
import { serveKernelFault } from './data/scratch-fault.js';
import { ArenaView } from './data/view.js';
import { type ArenaDescription, describeArena } from './description.js';
import { BPF_F_NO_USER_CONV, NUMA_NO_NODE } from './flags.js';
import { allocate } from './kernel/allocate.js';
import type { ArenaCore } from './kernel/core.js';
import { destroy } from './kernel/destroy.js';
import { type FreeOutcome, free } from './kernel/free.js';
import { highOf, lowOf } from './kernel/pointers.js';
import type { ArenaRelease } from './kernel/releases.js';
import { reserve } from './kernel/reserve.js';
import { runWorker } from './kernel/worker.js';
import { type ArenaKfuncs, kfuncsOf } from './kfuncs.js';
import type { CheckedOptions } from './options.js';
import type { ArenaRegions } from './user/regions.js';

/**
 * A BPF arena: up to 4 GiB of pages that come and go, which a BPF program, the kernel and processes see at once
 * (`kernel/bpf/arena.c`). `createArena` makes one.
 *
 * Its pointers are user addresses. All have the same upper half, so that the low 32 bits say everything: the kernel finds
 * the page at `kernVmStart` + these 32 bits.
 *
 * - Where a kfunc returns NULL, a method returns `null`, and `lastFailure` says why.
 * - What Linux does silently or wrongly is refused with a `VmError` (`docs/linux-differences.md`).
 *
 * @example
 * ```ts
 * const arena = createArena(kernel, { maxEntries: 1000, mapExtra: 1n << 44n });
 * const page = arena.allocPages(null, 1);
 * if (page === null) throw new Error(arena.lastFailure?.reason);
 * arena.store(page + 8n, 4, 42n);
 * arena.load(page + 8n, 4); // 42n
 * arena.freePages(page, 1);
 * arena.load(page + 8n, 4); // 0n
 * ```
 */
export class Arena extends ArenaFacts {
  readonly #core: ArenaCore;
  readonly #regions: ArenaRegions;
  readonly #release: ArenaRelease;
  readonly #report: ((report: ArenaReport) => void) | undefined;
  #view: ArenaView | null = null;
  /** The arena's own processor. */
  #mmu: Mmu | null = null;
  readonly #processors: WeakMap<Process, Mmu> = new WeakMap();

  /** @internal */
  constructor(
    core: ArenaCore,
    regions: ArenaRegions,
    { release, report }: Pick<CheckedOptions, 'release' | 'report'>,
  ) {
    super(core, release);
    this.#core = core;
    this.#regions = regions;
    this.#release = release;
    this.#report = report;
  }

  /**
   * Allocates zeroed pages (bpf_arena_alloc_pages).
   *
   * @param hint - user address of the first page; only its low half counts. `null` or 0n: anywhere. A hint is a demand: when
   *   one of the pages is taken, the call comes to nothing.
   * @param count - pages, 0 to 2^32 - 1.
   * @param node - memory node. Default: NUMA_NO_NODE.
   * @param flags - must be 0. Default: 0.
   * @returns the user address of the first page; `null` for Linux's NULL: `lastFailure` says why.
   * @throws VmError `EINVAL` for values of the wrong type and an invalid option; `EBUSY` in a flush sink; what a sink throws.
   */
  allocPages(
    hint: bigint | null,
    count: number,
    node: number = NUMA_NO_NODE,
    flags: number = 0,
    options?: AllocOptions,
  ): bigint | null {
    const given =
      options === undefined
        ? NO_OPTIONS
        : optionsOf<AllocOptions>(options, ['align', 'sleepable'], 'allocPages()');
    if (hint !== null) checkAddress(hint, 'the hint');
    requireWhole(count, 'count', 0, 2 ** 32 - 1);
    requireWhole(node, 'node', -(2 ** 31), 2 ** 31 - 1);
    requireWhole(flags, 'flags', 0, Number.MAX_SAFE_INTEGER);
    const core = this.#core;
    // A literal without spreads: to spread took longer than all the rest of a request for a page.
    const low = allocate(core, {
      hintHigh: hint === null ? 0 : highOf(hint),
      hintLow: hint === null ? 0 : lowOf(hint),
      count,
      node,
      flags,
      align: given === NO_OPTIONS ? 1 : alignOf(given.align, core.geometry.pageBytes),
      isSleepable: given === NO_OPTIONS || flagOption(given, 'sleepable', true),
    });
    return low === null ? null : core.userAt(low);
  }

  /**
   * Frees pages, and takes them from every process that maps them (bpf_arena_free_pages). Reserved pages are no longer reserved.
   * What reaches beyond the end of the arena is left out.
   *
   * @param address - of the first page, or of a byte of it. Only the low half counts. 0n frees nothing.
   * @param count - pages, 1 to 2^32 - 1.
   * @throws VmError `EINVAL` for values of the wrong type and before the user address is known; `ERANGE` for an address outside
   *   the arena, where Linux does nothing, or up to 7.2 frees other slots; `EBUSY` in a flush sink. What a sink throws: the pages are no
   *   longer mapped then, and `runWorker` does the rest.
   */
  freePages(address: bigint, count: number, options?: FreeOptions): FreeOutcome {
    const isSleepable =
      options === undefined ||
      flagOption(optionsOf<FreeOptions>(options, ['sleepable'], 'freePages()'), 'sleepable', true);
    checkAddress(address);
    requireWhole(count, 'count', 1, 2 ** 32 - 1);
    const core = this.#core;
    core.enter();
    if (address === 0n) return 'freed';
    return free(core, lowInside(core, address), count, isSleepable);
  }

  /**
   * Keeps pages from being allocated (bpf_arena_reserve_pages, since 7.1). They stay unmapped. `freePages` ends it. A user's access
   * still populates them, as in Linux.
   *
   * @param address - of the first page. Only the low half counts.
   * @param count - pages, 0 to 2^32 - 1. 0 reserves nothing.
   * @throws VmError `EOPNOTSUPP` in a release without it; `EINVAL` for an address inside a page, which Linux ignores, and beyond
   *   the end; `EBUSY` when a page is taken; `EAGAIN` when one is being freed; `ENOMEM`.
   */
  reservePages(address: bigint, count: number): void {
    checkAddress(address);
    requireWhole(count, 'count', 0, 2 ** 32 - 1);
    const core = this.#core;
    core.enter();
    if (!core.rules.isAnyContext)
      throw new VmError('EOPNOTSUPP', `Linux ${this.#release} does not reserve pages`, {
        advice: "make the arena with release '7.1' or later",
      });
    if (count === 0) return;
    const low = lowOf(address);
    if (low % core.geometry.pageBytes !== 0)
      throw new VmError('EINVAL', 'the address is not on a page', {
        address,
        advice: 'Linux would return 0 and reserve nothing',
      });
    reserve(core, low, count);
  }

  /**
   * Finishes the frees that wait (arena_free_worker).
   *
   * @returns the number of frees that it took up. Those that meet a slot in use are dropped, as in Linux: `lastFailure` then
   *   says so.
   * @throws VmError `EBUSY` in a flush sink; what a sink throws: the rest still waits.
   */
  runWorker(): number {
    return runWorker(this.#core);
  }

  /** What a process maps (the file of the map). `mmap` does it with the usual arguments. */
  get object(): RegionObject {
    return this.#regions.object;
  }

  /** What its regions do in their own way. */
  get operations(): RegionOperations {
    return this.#regions.operations;
  }

  /**
   * Maps the arena into a process. Its pages come when they are used. The first process decides the user address of an arena
   * without `mapExtra`, for the arena's life. All others map it at the same address.
   *
   * @returns the first user address.
   * @throws VmError in Linux's order: `EINVAL` for another length than before, or another address; `E2BIG` for more than the
   *   arena has; `ENOMEM` when twice its length is not free; `EBUSY` for another address, `ENOMEM`; what `Process.mmap` throws.
   * @example
   * ```ts
   * const start = arena.mmap(process);
   * process.handleFault(start, 'write'); // 'mapped': a page of zeros, for the program, too
   * ```
   */
  mmap(process: Process, options?: ArenaMmapOptions): bigint {
    const given = optionsOf<ArenaMmapOptions>(options, MMAP_NAMES, 'mmap()') as ArenaMmapOptions;
    if (!(process instanceof Process)) throw new VmError('EINVAL', 'mmap() needs a Process');
    const core = this.#core;
    core.requireLive();
    const { address = core.userStart, length = core.maxEntries * core.geometry.pageBytes } = given;
    return process.mmap({
      ...{ address, length, shared: true, read: true, write: flagOption(given, 'write', true) },
      fixed: flagOption(given, 'fixed', false) ? 'replace' : false,
      ...{ object: this.object, operations: this.operations },
    });
  }

  /**
   * Serves a fault of kernel code at an address of the window (bpf_arena_handle_page_fault, since 7.2): maps the scratch page and
   * reports the access.
   *
   * @param address - of the kernel.
   * @returns true when the access can be made again; false when the fault is not the arena's: outside, in the lower guard, or
   *   in a release without the scratch page.
   */
  handleKernelFault(address: bigint, isWrite: boolean): boolean {
    checkAddress(address);
    const core = this.#core;
    core.requireLive();
    return serveKernelFault(core, Number(address - core.window.start), isWrite, this.#report);
  }

  /**
   * The arena as one processor sees it, for fast accesses. Views with different processors are different processors.
   *
   * @throws VmError `EINVAL` for an invalid option, and for a destroyed arena.
   * @example
   * ```ts
   * const user = arena.view({ by: process });
   * user.store32(Number(page & 0xffffffffn), 0, 7);
   * ```
   */
  view(options?: ViewOptions): ArenaView {
    const given = optionsOf<ViewOptions>(options, ['by', 'mmu'], 'view()') as ViewOptions;
    const { by = 'program', mmu } = given;
    if (by !== 'program' && by !== 'kernel' && !(by instanceof Process))
      throw new VmError('EINVAL', "by is neither 'program', 'kernel' nor a Process");
    const core = this.#core;
    core.requireLive();
    const processor =
      mmu === undefined && by instanceof Process ? this.#processorOf(by) : this.#processor(mmu);
    return new ArenaView(core, processor, by, this.#report);
  }

  /**
   * What an interpreter of BPF programs needs of an arena: where it is, and a processor that translates.
   *
   * @param mmu - as the option of `view`. Default: the arena's own.
   * @throws VmError `EINVAL` for what is no `Mmu`, and for a destroyed arena.
   */
  port(mmu?: Mmu): ArenaPort {
    const core = this.#core;
    core.requireLive();
    return Object.freeze({
      mmu: this.#processor(mmu),
      kernVmStart: core.window.start,
      userVmStart: core.userStart,
      pages: core.maxEntries,
      pageSize: core.geometry.pageBytes,
      noUserConv: (core.flags & BPF_F_NO_USER_CONV) !== 0,
      threads: core.kernel.threads,
    });
  }

  /**
   * The kfuncs of the arena, for an interpreter. They return what Linux returns, also where methods refuse a call.
   *
   * @param sleepable - whether the program may sleep: the verifier chooses one of two variants. Default: true.
   */
  kfuncs(sleepable: boolean = true): ArenaKfuncs {
    return kfuncsOf(this.#core, flagOption({ sleepable }, 'sleepable'));
  }

  /**
   * Describes the arena for other threads, each of which makes the same one by `attachArena`. Its kernel was made with `threads`, and is
   * shared by `share` of `@vmarea/core`.
   *
   * @throws VmError `EINVAL` for an arena of one thread, and for a destroyed one.
   * @example
   * ```ts
   * new Worker(url, { workerData: { parts: share({ kernel }), arena: arena.share() } });
   * ```
   */
  share(): ArenaDescription {
    return describeArena(this, this.#core);
  }

  /**
   * Ends the arena (arena_map_free): its pages go back to the allocator, its window to the kernel. Afterwards every call that
   * would change or read pages is refused with `EINVAL`.
   *
   * @throws VmError `EBUSY` while a process maps it. Nothing is then changed.
   */
  destroy(): void {
    destroy(this.#core);
  }

  /** A processor that a caller has given, or the arena's own. */
  #processor(mmu: Mmu | undefined): Mmu {
    if (mmu !== undefined) {
      if (mmu instanceof Mmu) return mmu;
      throw new VmError('EINVAL', 'mmu is no Mmu', { advice: 'make one by processorOf() of @vmarea/mmu' });
    }
    if (this.#mmu === null) {
      const core = this.#core;
      const { kernel } = core;
      const { format, root } = kernel.table;
      this.#mmu = new Mmu({ memory: kernel.memory, tables: { format, root, controls: format.controls } });
      const end = kernel.addSink(this.#mmu.sink);
      const { onEnd } = core;
      core.onEnd = () => {
        end();
        onEnd?.();
      };
    }
    return this.#mmu;
  }

  /** The processor of all views of a process that were given none. */
  #processorOf(process: Process): Mmu {
    let mmu = this.#processors.get(process);
    if (mmu === undefined) {
      mmu = processorOf(process);
      this.#processors.set(process, mmu);
    }
    return mmu;
  }

  /** @internal */
  protected override get own(): ArenaView {
    this.#view ??= this.view();
    return this.#view;
  }
}

const MMAP_NAMES = ['address', 'length', 'fixed', 'write'] as const;

const NO_OPTIONS: AllocOptions & FreeOptions = Object.freeze({});
