import {
  type AddressSpace,
  checkAddress,
  flagOption,
  hex,
  optionsOf,
  Process,
  type RegionObject,
  type RegionOperations,
  VmError,
} from '@vmarea/core';
import { type AtomicOperation, Mmu } from '@vmarea/mmu';
import { type AccessBytes, checkedBytes, compareExchange, exchange, load, store } from './data/access.js';
import { type ArenaReport, reportOf } from './data/report.js';
import { ArenaView, type ViewOf } from './data/view.js';
import { BPF_F_NO_USER_CONV, NUMA_NO_NODE } from './flags.js';
import { allocate } from './kernel/allocate.js';
import type { ArenaCore } from './kernel/core.js';
import { destroy } from './kernel/destroy.js';
import type { ArenaFailure } from './kernel/failure.js';
import { type FreeOutcome, free } from './kernel/free.js';
import { castForKernel, castToUser, highOf, lowOf } from './kernel/pointers.js';
import type { ArenaRelease } from './kernel/releases.js';
import { reserve } from './kernel/reserve.js';
import { mapScratch } from './kernel/scratch.js';
import { runWorker } from './kernel/worker.js';
import { type ArenaKfuncs, kfuncsOf } from './kfuncs.js';
import type { CheckedOptions } from './options.js';
import type { ArenaRegions } from './user/regions.js';

/** Options of `Arena.allocPages`. */
export interface AllocOptions {
  /**
   * The user address must be a multiple of so many bytes: a power of two, a page or more, at most 4 GiB. Linux knows no
   * alignment. Default: a page.
   */
  readonly align?: number;
  /** False: the caller may not sleep, so that pages of a failed request are given back by the worker. Default: true. */
  readonly sleepable?: boolean;
}

/** Options of `Arena.freePages`. */
export interface FreeOptions {
  /** False: the caller may not sleep, so the worker frees (bpf_arena_free_pages_non_sleepable). Default: true. */
  readonly sleepable?: boolean;
}

/** Options of `Arena.view`. */
export interface ViewOptions {
  /** Whose accesses it makes; see `ArenaView`. Default: `program`. */
  readonly by?: ViewOf;
  /**
   * The processor. It must translate with the tables of the kernel or of the process, and get the flushes of its sink. A view of a
   * process needs one. Default: one of its own, which forgets what the arena flushes.
   */
  readonly mmu?: Mmu;
}

/** What an interpreter of BPF programs needs of an arena. */
export interface ArenaPort {
  /** Makes the accesses of the program, in kernel mode. */
  readonly mmu: Mmu;
  /** Kernel address of the low half 0. */
  readonly kernVmStart: bigint;
  /** First user address; 0n while it is not known. */
  readonly userVmStart: bigint;
  /** Pages of the arena. */
  readonly pages: number;
  /** Bytes of a page. */
  readonly pageSize: number;
  /** Casts to user space do nothing (BPF_F_NO_USER_CONV). */
  readonly noUserConv: boolean;
}

/** How `Arena.mmap` maps an arena. */
export interface ArenaMmapOptions {
  /** Where. Default: where the arena is; for the first process, anywhere. */
  readonly address?: bigint;
  /** Bytes. Default: all of the arena, which is also the only length that is allowed. */
  readonly length?: number | bigint;
  /** True: at this address, whatever is there now (MAP_FIXED). Default: false. */
  readonly fixed?: boolean;
  /** The process may write. Default: true. */
  readonly write?: boolean;
}

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
export class Arena {
  readonly #core: ArenaCore;
  readonly #regions: ArenaRegions;
  readonly #release: ArenaRelease;
  readonly #report: ((report: ArenaReport) => void) | undefined;
  #view: ArenaView | null = null;

  /** @internal */
  constructor(core: ArenaCore, regions: ArenaRegions, { release, report }: CheckedOptions) {
    this.#core = core;
    this.#regions = regions;
    core.users = regions;
    this.#release = release;
    this.#report = report;
  }

  /** Where it is, and how much of it is used. */
  toString(): string {
    const core = this.#core;
    const user = core.userPages === 0 ? 'no user address yet' : `users see it at ${hex(core.userStart)}`;
    return [
      `Arena of ${core.maxEntries} pages, as Linux ${this.#release}${core.isDestroyed ? ', destroyed' : ''}`,
      `  window at ${hex(core.window.start)}; ${user}; ${core.mapped} pages are mapped`,
    ].join('\n');
  }

  /** The kernel's address space that it is in. */
  get kernel(): AddressSpace {
    return this.#core.kernel;
  }

  /** Pages of the arena. */
  get maxEntries(): number {
    return this.#core.maxEntries;
  }

  /** BPF_F_ flags. */
  get flags(): number {
    return this.#core.flags;
  }

  /** Which kernel it follows. */
  get release(): ArenaRelease {
    return this.#release;
  }

  /** False once it was destroyed. */
  get isLive(): boolean {
    return !this.#core.isDestroyed;
  }

  /** Kernel address of the low half 0 (bpf_arena_get_kern_vm_start): below it is the lower guard. */
  get kernVmStart(): bigint {
    return this.#core.window.start;
  }

  /** First user address (bpf_arena_get_user_vm_start); 0n before the first mmap of an arena without `mapExtra`. */
  get userVmStart(): bigint {
    return this.#core.userStart;
  }

  /** The user address after the last one; 0n while `userVmStart` is. */
  get userVmEnd(): bigint {
    const { userStart, userPages, geometry } = this.#core;
    return userStart + BigInt(userPages * geometry.pageBytes);
  }

  /** Why the last call that returned `null` or `dropped` did so; `null` after every other call. */
  get lastFailure(): ArenaFailure | null {
    return this.#core.lastFailure;
  }

  /** Frees that wait for `runWorker`. */
  get pendingSpans(): number {
    return this.#core.spans.length + this.#core.unfinished.length;
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
    const given = optionsOf<AllocOptions>(options, ['align', 'sleepable'], 'allocPages()');
    const at = hint === null ? 0n : hint;
    checkAddress(at, 'the hint');
    checkInteger(count, 'count', 0, 2 ** 32 - 1);
    checkInteger(node, 'node', -(2 ** 31), 2 ** 31 - 1);
    checkInteger(flags, 'flags', 0, Number.MAX_SAFE_INTEGER);
    const core = this.#core;
    // A literal without spreads: to spread took longer than all the rest of a request for a page.
    const low = allocate(core, {
      hintHigh: highOf(at),
      hintLow: lowOf(at),
      count,
      node,
      flags,
      align: alignOf(given.align, core.geometry.pageBytes),
      isSleepable: flagOption(given, 'sleepable', true),
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
    const given = optionsOf<FreeOptions>(options, ['sleepable'], 'freePages()');
    checkAddress(address);
    checkInteger(count, 'count', 1, 2 ** 32 - 1);
    const isSleepable = flagOption(given, 'sleepable', true);
    const core = this.#core;
    core.enter();
    if (address === 0n) return 'freed';
    return free(core, this.#lowInside(address), count, isSleepable);
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
    checkInteger(count, 'count', 0, 2 ** 32 - 1);
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

  /** Bytes of the pages that the arena has (map_mem_usage); 0n in a release that does not count them. */
  memUsage(): bigint {
    const { rules, mapped, geometry } = this.#core;
    return rules.countsPages ? BigInt(mapped * geometry.pageBytes) : 0n;
  }

  /**
   * The address that a load instruction gets for a byte of the arena (map_direct_value_addr).
   *
   * @param offset - from the first byte, 0 to 2^32 - 1.
   * @throws VmError `ERANGE` beyond the arena, which has no bytes before its user address is known.
   */
  directValueAddress(offset: number): bigint {
    checkInteger(offset, 'offset', 0, 2 ** 32 - 1);
    const { userPages, geometry, rules, userStart } = this.#core;
    const bytes = userPages * geometry.pageBytes;
    if (offset > bytes || (offset === bytes && !rules.directValueAtEnd))
      throw new VmError('ERANGE', `offset ${offset} is not in the arena of ${bytes} bytes`);
    return userStart + BigInt(offset);
  }

  /** The low 32 bits of a pointer: what a program uses in accesses (the cast from address space 1 to 0). */
  castToKernel(address: bigint): bigint {
    checkAddress(address);
    return BigInt(lowOf(address));
  }

  /**
   * The user address of a pointer; 0n when its low half is 0 (the cast from address space 0 to 1). With BPF_F_NO_USER_CONV, only
   * the low half.
   */
  castToUser(address: bigint): bigint {
    checkAddress(address);
    return castToUser(this.#core, address);
  }

  /**
   * The kernel address that a function of the kernel gets for an argument that is an arena pointer.
   *
   * @param isNullable - true for an argument that may be NULL: a low half of 0 gives 0n, whatever is above it. Default: false.
   */
  castForKernel(address: bigint, isNullable: boolean = false): bigint {
    checkAddress(address);
    return castForKernel(this.#core, address, isNullable);
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
    const from = address - core.window.start;
    const offset = Number(from - (((from % this.#page) + this.#page) % this.#page));
    if (!mapScratch(core, offset)) return false;
    this.#report?.(reportOf(core.userAt(0) + BigInt(offset), isWrite));
    return true;
  }

  /**
   * The arena as one processor sees it, for fast accesses. Several views are several processors.
   *
   * @throws VmError `EINVAL` for an invalid option, and for a destroyed arena.
   */
  view(options?: ViewOptions): ArenaView {
    const given = optionsOf<ViewOptions>(options, ['by', 'mmu'], 'view()') as ViewOptions;
    const { by = 'program', mmu } = given;
    const isProcess = by instanceof Process;
    if (by !== 'program' && by !== 'kernel' && !isProcess)
      throw new VmError('EINVAL', "by is neither 'program', 'kernel' nor a Process");
    if (mmu !== undefined && !(mmu instanceof Mmu)) throw new VmError('EINVAL', 'mmu is no Mmu');
    if (isProcess && mmu === undefined)
      throw new VmError('EINVAL', 'a view of a process needs its processor', {
        advice: 'make the Process with `sink: mmu.sink`, and pass the mmu',
      });
    const core = this.#core;
    core.requireLive();
    return new ArenaView(core, mmu === undefined ? this.#processor() : mmu, by, this.#report);
  }

  /**
   * What an interpreter of BPF programs needs of an arena: where it is, and a processor that translates.
   *
   * @param mmu - as the option of `view`.
   */
  port(mmu?: Mmu): ArenaPort {
    const core = this.#core;
    core.requireLive();
    return Object.freeze({
      mmu: mmu === undefined ? this.#processor() : mmu,
      kernVmStart: core.window.start,
      userVmStart: core.userStart,
      pages: core.maxEntries,
      pageSize: core.geometry.pageBytes,
      noUserConv: (core.flags & BPF_F_NO_USER_CONV) !== 0,
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
   * Loads a value as a program does: 0n when the page is not there.
   *
   * @param address - any pointer into the arena; only its low half counts.
   * @param bytes - 1, 2, 4 or 8.
   * @returns it, unsigned.
   */
  load(address: bigint, bytes: AccessBytes): bigint {
    return load(this.#own, this.#lowOf(address), checkedBytes(bytes));
  }

  /** Stores the low bits of a value as a program does. It is dropped when the page is not there. As `load`. */
  store(address: bigint, bytes: AccessBytes, value: bigint): void {
    store(this.#own, this.#lowOf(address), checkedBytes(bytes), value);
  }

  /**
   * Replaces a value by what an operation makes of it, as one atomic access.
   *
   * @param bytes - 4 or 8. The address is a multiple of it.
   * @returns the old value, unsigned; 0n when the page is not there.
   * @throws VmError `EINVAL` for another operation, or an address inside a value.
   */
  atomic(operation: AtomicOperation, address: bigint, bytes: 4 | 8, operand: bigint): bigint {
    return exchange(this.#own, operation, this.#lowOf(address), bytes, operand);
  }

  /** Stores a value if the old one is the expected one. Returns the old one. As `atomic`. */
  compareExchange(address: bigint, bytes: 4 | 8, expected: bigint, value: bigint): bigint {
    return compareExchange(this.#own, this.#lowOf(address), bytes, expected, value);
  }

  /**
   * Loads a value with acquire ordering, as one access (BPF_LOAD_ACQ).
   *
   * @param bytes - 1, 2, 4 or 8. The address is a multiple of it.
   * @returns it, unsigned; 0n when the page is not there.
   */
  loadAcquire(address: bigint, bytes: AccessBytes): bigint {
    const low = this.#aligned(address, bytes);
    if (bytes === 4) return BigInt(this.#own.loadAcquire32(low) >>> 0);
    // One or two bytes are whole in any case.
    return bytes === 8 ? this.#own.loadAcquire64(low) : load(this.#own, low, bytes);
  }

  /** Stores a value with release ordering, as one access (BPF_STORE_REL). Dropped when the page is not there. As `loadAcquire`. */
  storeRelease(address: bigint, bytes: AccessBytes, value: bigint): void {
    const low = this.#aligned(address, bytes);
    // One or two bytes are whole in any case.
    if (bytes === 1 || bytes === 2) store(this.#own, low, bytes, value);
    else exchange(this.#own, 'exchange', low, bytes, value);
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

  get #page(): bigint {
    return BigInt(this.#core.geometry.pageBytes);
  }

  get #own(): ArenaView {
    this.#view ??= this.view();
    return this.#view;
  }

  #lowOf(address: bigint): number {
    checkAddress(address);
    return lowOf(address);
  }

  #aligned(address: bigint, bytes: AccessBytes): number {
    const low = this.#lowOf(address);
    if (low % checkedBytes(bytes) === 0) return low;
    throw new VmError('EINVAL', `the address is not a multiple of ${bytes}`, { address });
  }

  /** Low half of the page of an address, which must be in the arena. */
  #lowInside(address: bigint): number {
    const { userPages, geometry } = this.#core;
    const half = lowOf(address);
    const low = half - (half % geometry.pageBytes);
    if (userPages === 0)
      throw new VmError('EINVAL', 'the arena has no user address yet', {
        advice: 'make it with mapExtra, or map it into a process first',
      });
    if (this.#core.slotAt(low) >= userPages)
      throw new VmError('ERANGE', 'the address is not in the arena', {
        address,
        advice: `it begins at ${hex(this.#core.userStart)} and has ${userPages} pages`,
      });
    return low;
  }

  /** A processor that forgets what the arena flushes. */
  #processor(): Mmu {
    const core = this.#core;
    const { kernel, window, geometry } = core;
    const { format, root } = kernel.table;
    const { controls } = format;
    const mmu = new Mmu({ memory: kernel.memory, tables: { format, root, controls } });
    core.flushed.add((low, count) =>
      mmu.sink.flush(
        window.start + BigInt(low),
        BigInt(count * geometry.pageBytes),
        geometry.pageShift,
        [],
        0,
      ),
    );
    return mmu;
  }
}

const MMAP_NAMES = ['address', 'length', 'fixed', 'write'] as const;

function checkInteger(value: unknown, name: string, least: number, most: number): void {
  if (!Number.isInteger(value) || (value as number) < least || (value as number) > most)
    throw new VmError('EINVAL', `${name} is ${String(value)}, expected a whole number of at least ${least}`);
}

/** Alignment in pages. */
function alignOf(align: unknown, pageBytes: number): number {
  if (align === undefined) return 1;
  const pages = typeof align === 'number' ? align / pageBytes : Number.NaN;
  if (!Number.isInteger(pages) || pages > 2 ** 32 / pageBytes || !Number.isInteger(Math.log2(pages)))
    throw new VmError('EINVAL', `align is ${String(align)}, expected a power of two`, {
      advice: `a page has ${pageBytes} bytes`,
    });
  return pages;
}
