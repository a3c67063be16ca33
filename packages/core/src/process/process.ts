import { checkAddress } from '../check/address.js';
import { optionsOf } from '../check/options.js';
import { VmError } from '../errors.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { counted, printsItself } from '../prints.js';
import type { PageTableReader } from '../table/page-table-reader.js';
import type { FlushSink } from '../table/state/flush-sink.js';
import { destroy } from './destroy.js';
import { handleFault } from './fault.js';
import { fork } from './fork.js';
import { insertAll, insertPage } from './insert.js';
import { mapsText } from './maps-text.js';
import { mmap } from './mmap.js';
import { mprotect } from './mprotect.js';
import { mremap } from './mremap.js';
import { munmap, userPagesOrNone } from './munmap.js';
import {
  type ForkOptions,
  type MmapRequest,
  type MremapOptions,
  PROCESS_OPTIONS,
  type ProcessOptions,
} from './options.js';
import { unmapPages, zapPages } from './pages.js';
import { makeProcess, type ProcessSpace } from './process-space.js';
import { type RegionRights, VM_PFNMAP } from './region-flags.js';
import type { AccessKind, FaultResult, Region, RegionProcess } from './region-operations.js';
import type { RegionRecord } from './region-record.js';

/** The spaces of processes that `fork` made, by the options that it passes to the constructor. */
const handedOver: WeakMap<ProcessOptions, ProcessSpace> = new WeakMap();

/**
 * A process's address space: a root of its own, and regions as Linux's vm_area_struct has them.
 *
 * On x86-64 and riscv64 the root also holds the kernel's half. On arm64 it is the root of TTBR0, and needs
 * `userFormat`.
 *
 * - **Calls name user addresses.** No call reads, maps or removes anything of the kernel's half.
 * - **Nothing is mapped outside a live region.** Pages come by faults, and by `insertPage`.
 * - **All or nothing**: a call that throws leaves regions, tables, frames and references as they were. What `close`
 *   throws is thrown when everything is done.
 * - **Frames are counted** for all processes of a kernel: `PageReferences`.
 * - Addresses are unsigned 64-bit bigints, lengths are bytes, frames are pfns in pages of the format.
 * - A sink or an operation may look. A call in it that changes the process is refused with `EBUSY`.
 * - After `destroy`, every call is refused with `EINVAL`. An address outside 64 bits is `ERANGE` in every call.
 *
 * @example
 * ```ts
 * const kernel = new AddressSpace({ format: x8664(), linux: x8664Linux(), memory, frames });
 * const process = new Process({ kernel });
 * const heap = process.mmap({ length: 1 << 20, read: true, write: true }); // 0x7ffff7eff000n
 * process.handleFault(heap, 'write'); // 'mapped': a page of zeros
 * const child = process.fork();
 * child.handleFault(heap, 'write'); // 'mapped': a copy
 * console.log(child.maps());
 * ```
 */
export class Process implements RegionProcess {
  /** Names it among all processes that its kernel has ever had; in all threads that share it. */
  readonly number: number;
  readonly #space: ProcessSpace;
  readonly #options: ProcessOptions;

  /**
   * The first process of a kernel makes the upper tables of the vmalloc window, and splits leaves in the kernel's root.
   *
   * @throws VmError `EINVAL` when options do not fit together, when the kernel's policy has no `user`,
   *   for `ram` where threads share the kernel, and for an asid that another process of the kernel has; `ENOMEM` for no frame; `EBUSY`
   *   inside a call of the kernel.
   */
  constructor(options: ProcessOptions) {
    const forked = handedOver.get(options);
    const given = (
      forked === undefined ? optionsOf(options, PROCESS_OPTIONS, 'Process') : options
    ) as ProcessOptions;
    const space = forked ?? makeProcess(given);
    this.#space = space;
    this.#options = given;
    space.face = this;
    this.number = space.threads?.number || space.half.list.name(space, this);
    space.threads?.name(this.number);
    space.insertAll = (record, at, frames) => insertAll(space, record, at, frames);
    space.zap = (record, first, end, pfn) => zapPages(space, record, first, end, pfn);
    // A fork opens the child when it is whole.
    if (forked === undefined) space.threads?.open();
    printsItself(new.target.prototype);
  }

  /** What is behind it. @internal */
  static spaceOf(process: Process): ProcessSpace {
    return process.#space;
  }

  /** The kernel that it was made with. @internal */
  static kernelOf(process: Process): ProcessOptions['kernel'] {
    return process.#options.kernel;
  }

  /** A face for a space. @internal */
  static over(space: ProcessSpace, options: ProcessOptions): Process {
    return faceOf(space, options);
  }

  /** The tables of its root, for reading. On x86-64 and riscv64 the kernel's half is part of it. */
  get table(): PageTableReader {
    return this.#space.view;
  }

  /** Address-space id of its flushes. */
  get asid(): number {
    return this.#space.asid;
  }

  /** The memory of its tables and pages. */
  get memory(): PhysicalMemory {
    return this.#space.memory;
  }

  /**
   * Tells one more sink of flushes, also of those that other threads ask for: another processor uses the tables.
   *
   * @returns what ends it.
   * @throws VmError `EINVAL` for what is no sink.
   * @example
   * ```ts
   * const end = process.addSink(mmu.sink);
   * ```
   */
  addSink(sink: FlushSink): () => void {
    return this.#space.addSink(sink);
  }

  /** Its format, its asid, and how many regions it has. */
  toString(): string {
    const { list, lock, format, asid } = this.#space;
    if (!lock.isDestroyed && !lock.isBusy) this.#space.threads?.look();
    const what = `Process ${format.name}, asid ${asid}`;
    return lock.isDestroyed ? `${what}, destroyed` : `${what}, ${counted(list.all.length, 'region')}`;
  }

  /**
   * Maps a new region (mmap). Nothing is mapped until it is used.
   *
   * Without an address, it lies as high as possible below `LinuxUser.mmapBase`. A neighbour of the same kind takes it in.
   *
   * @returns its first address.
   * @throws VmError in Linux's order: `EINVAL` for a length of 0; `ENOMEM` for one above all user addresses;
   *   `EOVERFLOW` for the offset; `ENOMEM` for too many regions, or when nothing fits; with `fixed`, `ENOMEM` for
   *   addresses that are not the user's, `EINVAL` for one that is not on a page; `EPERM` below the lowest address
   *   (vm.mmap_min_addr); `EEXIST` with `noReplace`; `EACCES` for rights that the marks forbid; what operations and the sink
   *   throw. `ERANGE` for an address outside 64 bits.
   */
  mmap(request: MmapRequest): bigint {
    return mmap(this.#space, request);
  }

  /**
   * Removes the regions of a range (munmap), with one flush. A region that reaches beyond it is split. Holes are
   * allowed.
   *
   * @param length - bytes, rounded up to whole pages.
   * @throws VmError `EINVAL` for an address that is not on a page, a length of 0, and addresses that are not the
   *   user's; `ENOMEM` when a split makes too many regions; what operations and the sink throw.
   */
  munmap(address: bigint, length: number | bigint): void {
    munmap(this.#space, address, length);
  }

  /**
   * Changes the rights of a range (mprotect), with one flush.
   *
   * @param length - bytes, rounded up to whole pages. 0 changes nothing.
   * @throws VmError `EINVAL` for an address that is not on a page; `ENOMEM` for addresses that are not the user's; from the
   *   lowest address on, `ENOMEM` where no region is, `EACCES` where marks of a region forbid the rights; `ENOMEM` for too
   *   many regions; what operations and the sink throw.
   */
  mprotect(address: bigint, length: number | bigint, rights: RegionRights): void {
    mprotect(this.#space, address, length, rights);
  }

  /**
   * Makes a part of a region shorter or longer, or moves it with its pages (mremap).
   *
   * @param oldLength - bytes, rounded up to whole pages; 0 maps a shared region a second time.
   * @param newLength - bytes, rounded up to whole pages.
   * @returns its first address.
   * @throws VmError in Linux's order: `EINVAL` for `fixed` without `mayMove`, for addresses that are not on a page, and
   *   for lengths that are none; `EFAULT` for no region; with `fixed`, `EINVAL` for a place that overlaps or is not the
   *   user's, and `ENOMEM` for too many regions; `EINVAL` for an old range that is not the user's; `EFAULT` for more pages
   *   than the region has, or a region that may not grow; `EPERM` below the lowest address; `ENOMEM` for no room, and for
   *   a region with special marks that would grow in its place; what operations and the sink throw.
   */
  mremap(
    address: bigint,
    oldLength: number | bigint,
    newLength: number | bigint,
    options?: MremapOptions,
  ): bigint {
    return mremap(this.#space, address, oldLength, newLength, options);
  }

  /**
   * Lets go of the pages of a range (MADV_DONTNEED). The next access finds zeros, or the page of the object. Holes are
   * skipped.
   *
   * @param length - bytes, rounded up to whole pages. 0 changes nothing.
   * @throws VmError `EINVAL` for an address that is not on a page, and for a region with `pfnMap`; `ENOMEM` for addresses
   *   that are not the user's, and for a hole, when the rest is done; what the sink throws.
   */
  madviseDontNeed(address: bigint, length: number | bigint): void {
    const space = this.#space;
    const range = userPagesOrNone(space, address, length);
    space.lock.change(() => {
      if (range === null) return;
      const { first, end } = range;
      const regions = space.list.within(first, end);
      space.requireKnown(regions);
      const special = regions.find(({ bits }) => (bits & VM_PFNMAP) !== 0);
      if (special !== undefined)
        throw new VmError('EINVAL', 'the frames of the region belong to somebody else', {
          address: space.addressOf(special.first),
        });
      if (regions.length > 0) unmapPages(space, regions, first, end, false);
      const pages = regions.reduce(
        (sum, region) => sum + Math.min(end, region.end) - Math.max(first, region.first),
        0,
      );
      if (pages < end - first) throw new VmError('ENOMEM', 'a part of the range has no region', { address });
    });
  }

  /**
   * Makes a process with the same regions (fork), except those with `dontCopy`. Both share the private pages until one
   * writes. Shared regions stay shared.
   *
   * @throws VmError `ENOMEM` for no frame; `EINVAL` as the constructor; what `open` and the sink throw.
   */
  fork(options?: ForkOptions): Process {
    return fork(this.#space, this.#options, options, faceOf);
  }

  /**
   * The region that holds an address (vma_lookup); `null` for none.
   *
   * @throws VmError `EINVAL` for anything but a bigint; `ERANGE` for an address outside 64 bits.
   */
  findRegion(address: bigint): Region | null {
    const space = this.#live;
    checkAddress(address);
    const record = space.list.at(space.pageOf(address));
    return record === null ? null : space.handleOf(record);
  }

  /** All regions, ascending. */
  regions(): Region[] {
    const space = this.#live;
    return space.list.all.map((record) => space.handleOf(record));
  }

  /** The text of /proc/PID/maps. */
  maps(): string {
    return mapsText(this.#live);
  }

  /**
   * Serves the fault of an access by user mode, whether or not there was one.
   *
   * @param address - any 64-bit address.
   * @param kind - what the access does.
   * @returns `mapped` when the access can be made again; `SEGV` outside of regions, and for rights that the region does not
   *   have; what the region's operation said; `OOM` for no frame.
   * @throws VmError `EINVAL`, `ERANGE` for an address or a kind that is none; `EINVAL` when the operation returns
   *   something else; what the operation and the sink throw.
   * @example
   * ```ts
   * const { fault } = mmu.access(va, 'write', true);
   * if (fault !== null && process.handleFault(va, 'write') === 'mapped') mmu.access(va, 'write', true);
   * ```
   */
  handleFault(address: bigint, kind: AccessKind): FaultResult {
    return handleFault(this.#space, address, kind);
  }

  /**
   * Maps a frame at an empty page of a region (vm_insert_page; vmf_insert_pfn in a region with `pfnMap`). The page gets a
   * reference, as with `RegionFault.mapFrame`.
   *
   * @param region - of this process.
   * @param address - a page of it.
   * @param pfn - in base pages of the user's format.
   * @throws VmError `EINVAL` for a region that is gone or another process's, an address that is not on a page, and a frame
   *   that is none, free or anonymous; `EFAULT` outside of the region; `EBUSY` when the page is mapped; `ENOMEM` for no table.
   */
  insertPage(region: Region, address: bigint, pfn: number): void {
    insertPage(this.#space, this.#recordOf(region), address, pfn);
  }

  /**
   * Ends the process (exit_mmap): one flush, then every frame goes back that nobody else has, and `close` is called for
   * each region.
   *
   * @throws VmError `EBUSY` inside one of its calls; what the sink throws: nothing has then changed, but where threads share the process,
   *   its regions may be gone, and a second call ends it, also after `EOWNERDEAD`. What `close` throws,
   *   when all is done.
   */
  destroy(): void {
    destroy(this.#space);
  }

  get #live(): ProcessSpace {
    this.#space.look();
    return this.#space;
  }

  /** The record of a region of this process. */
  #recordOf(region: Region): RegionRecord {
    this.#space.look();
    const record = this.#space.list.all.find(({ handle }) => handle === region);
    if (record !== undefined) return record;
    throw new VmError('EINVAL', 'the region is gone, or none of this process', {
      advice: 'findRegion() has the regions that there are',
    });
  }
}

/** What callers hold of a space that `fork` made. Outside of the class: bundlers rename one that names itself. */
function faceOf(child: ProcessSpace, options: ProcessOptions): Process {
  handedOver.set(options, child);
  return new Process(options);
}
