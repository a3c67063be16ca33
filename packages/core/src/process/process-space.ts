import { integerOption } from '../check/members.js';
import { checkSink } from '../check/sink.js';
import { VmError } from '../errors.js';
import type { LinuxUser } from '../format/linux-policy.js';
import { type Protection, protection } from '../format/protection.js';
import type { FrameAllocator } from '../memory/frames/frame-allocator.js';
import { kernelBehind, registerRegion } from '../space/faces.js';
import { Space } from '../space/space.js';
import type { PageTable } from '../table/page-table.js';
import type { PageTableOptions } from '../table/state/make.js';
import { KernelHalf } from './kernel-half.js';
import type { ProcessOptions } from './options.js';
import { PageReferences } from './page-references.js';
import type { ProcessThreads } from './process-list.js';
import { ACCESS, VM_PFNMAP, VM_SHARED } from './region-flags.js';
import { RegionHandle } from './region-handle.js';
import { RegionChanges, RegionList } from './region-list.js';
import type { Region, RegionProcess } from './region-operations.js';
import type { RegionRecord, RegionSpace } from './region-record.js';

/** How a page is mapped, besides what its region allows. */
export interface PageMode {
  /** It may be written. */
  readonly write: boolean;
  /** It has been written. */
  readonly dirty: boolean;
  /** Nobody counts its frame (pte_mkspecial). */
  readonly special: boolean;
}

/** What one call does beside its return value. */
export interface RegionCall {
  readonly changes: RegionChanges;
  /** Regions for which `open` was called, or whose `mmap` succeeded: an undo calls their `close`. */
  readonly opened: RegionRecord[];
  /** Regions that go: their `close` is called at the end. */
  readonly closing: RegionRecord[];
}

/** What a thread needs for the process of another one. */
export interface AdoptProcess {
  /** Physical address of its root in bytes. */
  readonly root: bigint;
  makeTable(options: PageTableOptions): PageTable;
  open(space: ProcessSpace): ProcessThreads;
}

/** The user half of an address space: a root with regions. The calls of `Process` work on one. */
export class ProcessSpace extends Space implements RegionSpace {
  readonly half: KernelHalf;
  readonly user: LinuxUser;
  readonly mostRegions: number;
  /** References of the pages that it takes. */
  readonly references: PageReferences;
  readonly list: RegionList = new RegionList();
  /** What callers hold of it. */
  face: RegionProcess | null = null;
  /** Pages of user addresses. */
  readonly taskPages: number;
  readonly #protections: Map<number, Protection> = new Map();

  /** How other threads use it, too; `null` for one thread. */
  readonly threads: ProcessThreads | null;
  /** Its root holds the kernel's half. */
  readonly hasKernelHalf: boolean;

  /** @param adopt - takes over the process of another thread; `null` for a new one. */
  constructor(options: ProcessOptions, half: KernelHalf, adopt: AdoptProcess | null) {
    const { kernel, sink } = options;
    checkSink(sink);
    const { space: base, user, list } = half;
    const { format } = base;
    const userFormat = options.userFormat ?? format;
    const hasKernelHalf = half.isSharedBy(userFormat);
    const asid = options.asid === undefined ? half.freeAsid() : integerOption(options, 'asid', 0, 65535);
    if (adopt === null) half.requireFree(asid);
    const mostRegions = integerOption(options, 'mostRegions', 1, 2 ** 31 - 1, 65530);
    const threads = list.threads;
    const makeTable = adopt?.makeTable ?? threads?.makeTable.bind(threads);
    if (threads !== null && options.ram !== undefined && options.ram.state !== base.machine.ram.state)
      throw new VmError(
        'EINVAL',
        'a process that threads share takes its pages from the allocator of the kernel',
        {
          advice: 'leave out `ram`',
        },
      );
    super({
      format: userFormat,
      memory: base.memory,
      frames: base.machine.tables,
      ram: options.ram ?? base.machine.ram,
      totalRamPages: undefined,
      root: adopt?.root,
      tableEntry: user.tableEntry,
      asid,
      controls: undefined,
      sink,
      ...{ makeTable, lock: threads?.makeLock() },
    });
    this.half = half;
    this.user = user;
    this.mostRegions = mostRegions;
    this.hasKernelHalf = hasKernelHalf;
    this.taskPages = Number(user.taskSize >> BigInt(this.pageShift));
    try {
      this.references = PageReferences.of(this.machine.ram);
      if (adopt === null) {
        half.prepare(hasKernelHalf, kernelBehind(kernel).linux.window);
        half.add(this);
      }
      threads?.noteFormat(userFormat);
      this.threads = (adopt?.open ?? threads?.openProcess.bind(threads))?.(this) ?? null;
    } catch (error) {
      if (adopt === null) {
        this.abandon();
        half.list.remove(this);
        half.settle();
      }
      throw error;
    }
  }

  /** Calls that only look: learns what other threads have changed. */
  look(): void {
    this.lock.requireLive();
    if (!this.lock.isBusy) this.threads?.look();
  }

  /**
   * Requires that this thread knows what regions do.
   *
   * @throws VmError `EINVAL` for one whose operations this thread has not registered.
   */
  requireKnown(regions: readonly RegionRecord[]): void {
    if (this.threads === null) return;
    for (const { isUnknown, first, kind } of regions)
      if (isUnknown)
        throw new VmError('EINVAL', `this thread does not know kind ${kind} of the region`, {
          address: this.addressOf(first),
          advice: 'attach what the region maps (an arena), or call registerRegionKind() in this thread',
        });
  }

  /** Runs a call that changes regions or pages. When it throws, the regions are as they were. */
  call<R>(call: (call: RegionCall) => R): R {
    return this.lock.change(() => {
      // With the lock: before it, another thread may have changed the regions.
      const one: RegionCall = { changes: new RegionChanges(this.list), opened: [], closing: [] };
      let result: R;
      try {
        result = call(one);
      } catch (error) {
        one.changes.undo();
        for (const region of one.opened.reverse()) this.#closeQuietly(region);
        throw error;
      }
      // First, so that a thread that dies in `close` leaves no region whose operations think it gone.
      this.threads?.publish();
      this.close(one.closing);
      return result;
    });
  }

  /** Calls `close` of regions that went, and gives the pages of their objects back. @throws the first error. */
  close(regions: readonly RegionRecord[]): void {
    const errors: unknown[] = [];
    for (const region of regions) {
      try {
        region.operations?.close?.(this.handleOf(region));
      } catch (error) {
        errors.push(error);
      }
      region.object?.settle();
    }
    if (errors.length > 0) throw errors[0];
  }

  handleOf(record: RegionRecord): Region {
    if (record.handle === null) {
      const handle = new RegionHandle(this.face as RegionProcess, record, this.pageShift);
      record.handle = handle;
      registerRegion(handle, () => {
        this.requireRegion(record);
        return {
          kernel: this.half.space,
          start: handle.start,
          end: handle.end,
          insert: (at, frames) => this.insertAll(record, at, frames),
        };
      });
    }
    return record.handle;
  }

  /** Maps frames into a region. Set by `Process`, since it needs the calls. */
  insertAll: (record: RegionRecord, at: bigint, frames: Float64Array) => void = () => {};
  /** Unmaps pages of a region. Set by `Process`. */
  zap: RegionSpace['zap'] = () => 0;

  requireIdle(): void {
    this.lock.requireIdle();
  }

  /** @throws VmError `EINVAL` for a region that is gone. */
  requireRegion(record: RegionRecord): void {
    this.lock.requireLive();
    if (!record.isLive)
      throw new VmError('EINVAL', 'the region is gone', { address: this.addressOf(record.first) });
  }

  /** The address of a page. */
  addressOf(page: number): bigint {
    return BigInt(page) << BigInt(this.pageShift);
  }

  /** The page of an address, which may be any. */
  pageOf(address: bigint): number {
    return Number(address >> BigInt(this.pageShift));
  }

  /** Who counts a frame that a region maps; `null` for nobody. */
  countsOf(region: RegionRecord, pfn: number): PageReferences | null {
    if (pfn === this.half.zeroFrame) return null;
    const kernels = this.half.references.covers(pfn) ? this.half.references : null;
    const owner = this.references.covers(pfn) ? this.references : kernels;
    if ((region.bits & VM_PFNMAP) === 0) return owner;
    // Copies that writes made are the process's own in any private region (vm_normal_page).
    return !region.isShared && owner?.isAnonymous(pfn) === true ? owner : null;
  }

  /** The protection of a page of a region. */
  protectionOf(bits: number, { write, dirty, special }: PageMode): Protection {
    const rights = bits & (ACCESS | VM_SHARED);
    const key = rights | (write ? 16 : 0) | (dirty ? 32 : 0) | (special ? 64 : 0);
    let made = this.#protections.get(key);
    if (made === undefined) {
      const base = this.user.protections[rights] as Protection;
      const extra = special ? base.extra | this.half.specialBit : base.extra;
      made = protection({ ...base, write, dirty, extra });
      this.#protections.set(key, made);
    }
    return made;
  }

  /** A frame for a page, with one reference. @throws VmError `ENOMEM`. */
  takeFrame(isAnonymous: boolean): number {
    const { ram } = this.machine;
    const pfn = takeOne(ram);
    this.references.start(pfn, isAnonymous);
    return pfn;
  }

  #closeQuietly(region: RegionRecord): void {
    try {
      region.operations?.close?.(this.handleOf(region));
    } catch {
      // The error that ended the call is the one to report.
    }
  }
}

function takeOne(ram: FrameAllocator): number {
  const pfn = ram.tryAllocate();
  if (pfn >= 0) return pfn;
  throw new VmError('ENOMEM', 'no frame for a page of the process', {
    advice: 'give the allocator more frames, or unmap something',
  });
}

/**
 * Makes the space of a process.
 *
 * @param adopt - takes over the process of another thread.
 */
export function makeProcess(options: ProcessOptions, adopt: AdoptProcess | null = null): ProcessSpace {
  const half = KernelHalf.of(options.kernel);
  // The list of processes does not change between the choice of an asid and the new entry.
  return half.list.locked(() => new ProcessSpace(options, half, adopt));
}
