import { type AreaStats, usageText } from '../area/areas-report.js';
import type { FrameList } from '../check/frames.js';
import { copyList } from '../check/list.js';
import { flagOption, integerOption } from '../check/members.js';
import { optionsOf } from '../check/options.js';
import { hex, VmError, wideHex } from '../errors.js';
import type { Controls } from '../format/access.js';
import type { LinuxPolicy } from '../format/linux-policy.js';
import type { Protection } from '../format/protection.js';
import type { FrameAllocator } from '../memory/frames/frame-allocator.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { printsItself } from '../prints.js';
import { type MappableRegion, registerKernel } from '../space/faces.js';
import type { SlotVisitor } from '../table/change/visit/slot.js';
import type { PageTableReader } from '../table/page-table-reader.js';
import type { Counters } from '../table/state/counters.js';
import type { FlushSink } from '../table/state/flush-sink.js';
import type { ThreadCalls } from '../threads/thread-calls.js';
import { vmallocinfoOf } from './areas/detail.js';
import { areaAt, areaHolding, liveArea } from './areas/places.js';
import { endFreeing, freeVmArea, pcpuGetVmAreas, reserve } from './areas/reserve.js';
import { isVmArea, type VmArea } from './areas/vm-area.js';
import { requireOwnHands } from './areas/vm-struct.js';
import { ioremapProt, iounmap } from './devices/ioremap.js';
import { VM_ALLOW_HUGE_VMAP, VM_FLUSH_RESET_PERMS, VM_USERMAP } from './flags.js';
import { KernelSpace } from './kernel-space.js';
import { getLazyArea, LazyArea } from './lazy/lazy-area.js';
import {
  type AddressSpaceOptions,
  AREA_REQUEST,
  CALLER_OPTIONS,
  type CallerOptions,
  LAZY_OPTIONS,
  type LazyAreaOptions,
  SPACE_OPTIONS,
  VMALLOC_OPTIONS,
  VMALLOC_REQUEST,
  type VmAreaRequest,
  type VmallocOptions,
  type VmallocRequest,
} from './options.js';
import * as look from './pages/lookup.js';
import * as ranges from './pages/map-ranges.js';
import { vmMapRam, vmUnmapRam } from './pages/ram.js';
import { remapVmallocRange } from './pages/remap.js';
import { vmap, vmapPfn, vunmap } from './pages/vmap.js';
import { setMemory } from './permissions/set-memory.js';
import { removeVmArea, vfree, vmallocNodeRange } from './vmalloc/vmalloc.js';
import { VREALLOC_OPTIONS, type VreallocOptions, vrealloc } from './vmalloc/vrealloc.js';

/**
 * The kernel's vmap subsystem over real page tables: vm areas at Linux's addresses, and the calls that map
 * into them.
 *
 * Names are Linux's in camelCase; `docs/api.md` lists each beside its twin. Where Linux would stop the
 * machine, warn, remove more than was named or hide an error, a call here is refused with a precise code
 * (`docs/linux-differences.md`).
 *
 * - **Nothing is written outside a live area**, whatever is passed in.
 * - **All or nothing**: a call that throws leaves tables, areas and frames as they were. A call whose purge
 *   may throw a sink's error after its work is done says so.
 * - **Frames are owned**: vmalloc memory and VM_MAP_PUT_PAGES areas free their frames. Nothing else frees
 *   any.
 * - Addresses are unsigned 64-bit bigints, sizes are bytes, frames are pfns in pages of the format.
 * - A sink or callback may look. A call in it that changes something is refused with `EBUSY`.
 *
 * @example
 * ```ts
 * const memory = PhysicalMemory.create({ bytes: 16 << 20 });
 * const frames = new FrameAllocator(memory);
 * const kernel = new AddressSpace({ format: x8664(), linux: x8664Linux(), memory, frames });
 *
 * const buffer = kernel.vmalloc(12 << 10); // 0xffffc90000000000n
 * const area = kernel.getVmArea(4n << 30n, VM_SPARSE);
 * area.map(0, [0x1234, 0x99, 0x7001]);
 * console.log(kernel.vmallocinfo());
 * kernel.vfree(buffer);
 * kernel.freeVmArea(area);
 * ```
 */
export class AddressSpace<C extends Controls = Controls> {
  readonly #space: KernelSpace;

  /**
   * @throws VmError `EINVAL` when options do not fit together; `ERANGE` when the root does not translate the
   *   policy's window; `ENOMEM` when there is no frame for the root or the direct map.
   */
  constructor(options: AddressSpaceOptions<C>) {
    const given = optionsOf<Partial<AddressSpaceOptions<C>>>(options, SPACE_OPTIONS, 'AddressSpace');
    const space = new KernelSpace(given as AddressSpaceOptions);
    this.#space = space;
    registerKernel(this, { space, linux: space.linux, isShared: space.threads !== null });
    printsItself(new.target.prototype);
  }

  /** What is behind it. @internal */
  static spaceOf(kernel: AddressSpace): KernelSpace {
    return kernel.#space;
  }

  /** The tables, for reading: `walk`, `translate`, `leaves`, and `dumpTables` or `diffTables` over it. */
  get table(): PageTableReader<C> {
    return this.#space.view as unknown as PageTableReader<C>;
  }

  /** Its format, root and window, and how many areas it has. */
  toString(): string {
    const { linux, table, release, lock } = this.#space;
    const what = `AddressSpace ${this.table.format.name}, as Linux ${release}`;
    if (lock.isDestroyed) return `${what}, destroyed`;
    return [
      `${what}, root ${hex(table.root)}`,
      `  vmalloc window ${hex(linux.window.start)}-${wideHex(linux.window.end)}`,
      `  ${usageText(this.stats())}`,
    ].join('\n');
  }

  /** The memory that holds the tables, and the bytes of the frames that have some. */
  get memory(): PhysicalMemory {
    return this.#space.memory;
  }

  /** Where vmalloc takes its pages: `ram` of the options. */
  get ram(): FrameAllocator {
    return this.#space.machine.ram;
  }

  /** True when several threads use the space: it was made with `threads`. */
  get isShared(): boolean {
    return this.#space.threads !== null;
  }

  /** The threads that use the space; `null` for one thread. */
  get threads(): ThreadCalls | null {
    return this.#space.calls;
  }

  /** Linux's policy for the space. */
  get linux(): LinuxPolicy {
    return this.#space.linux;
  }

  /**
   * Tells one more sink of flushes, also of those that other threads ask for: another processor uses the tables.
   *
   * @returns what ends it.
   * @throws VmError `EINVAL` for what is no sink.
   * @example
   * ```ts
   * const end = kernel.addSink(mmu.sink);
   * ```
   */
  addSink(sink: FlushSink): () => void {
    return this.#space.addSink(sink);
  }

  /** Exact work so far: tables read, entries written, flushes made (one for each call of the sink). */
  get counters(): Readonly<Counters> {
    return this.#space.counters();
  }

  /** The processor that calls: its pools and blocks are used. Default: 0. */
  get cpu(): number {
    return this.#space.cpu;
  }

  /** @throws VmError `EINVAL` for a processor that does not exist, and when the space was destroyed. */
  set cpu(cpu: number) {
    const space = this.#live;
    space.cpu = integerOption({ cpu }, 'cpu', 0, space.areas.cpus - 1);
  }

  /**
   * How the window is used, in bytes.
   *
   * @throws VmError `EINVAL` when the space was destroyed.
   */
  stats(): AreaStats {
    return this.#live.areas.stats();
  }

  // Areas

  /**
   * Reserves an area in the vmalloc window (get_vm_area). It changes no table.
   *
   * @param size - bytes, rounded up to pages.
   * @param flags - VM_ flags; VM_SPARSE for pages that come and go. Default: 0.
   * @throws VmError `EINVAL` for an invalid size or unknown flags; `ENOMEM` when nothing fits, however large the
   *   size is.
   * @example
   * ```ts
   * const area = kernel.getVmArea(4n << 30n, VM_SPARSE);
   * ```
   */
  getVmArea(size: number | bigint, flags: number = 0, options?: CallerOptions): VmArea {
    if (options === undefined && isSize(size) && typeof flags === 'number')
      return this.#space.change(() => this.#space.handleOf(reserve(this.#space, { size, flags })));
    const given = optionsOf(options, CALLER_OPTIONS, 'getVmArea()') as CallerOptions;
    return this.getVmAreaNode({ ...given, size, flags });
  }

  /**
   * Reserves an area with an alignment, in a window (__get_vm_area_node).
   *
   * @throws VmError as `getVmArea`; `ERANGE` for a window outside 64 bits, or that the root does not translate.
   */
  getVmAreaNode(request: VmAreaRequest): VmArea {
    const given = optionsOf<Partial<VmAreaRequest>>(
      request,
      AREA_REQUEST,
      'getVmAreaNode()',
    ) as VmAreaRequest;
    return this.#space.change(() => this.#space.handleOf(reserve(this.#space, given)));
  }

  /**
   * Frees an area and removes what it maps (free_vm_area). Its frames stay with their owner.
   *
   * @throws VmError `EINVAL` when it was freed, belongs to another space, or owns pages (`vfree` frees
   *   those). What a sink throws in a purge: the area is freed all the same.
   */
  freeVmArea(area: VmArea): void {
    this.#space.change(() => endFreeing(this.#space, freeVmArea(this.#space, liveArea(this.#space, area))));
  }

  /**
   * Removes the area that begins at an address, and what it maps (remove_vm_area).
   *
   * A purge that is due is left to a later call.
   *
   * @returns its handle, which is no longer live. Frames that it owned are now the caller's:
   *   `ownedFrames()`. Those of a lazy area are freed.
   * @throws VmError `EINVAL` when no area begins there; `ERANGE` for an address outside 64 bits.
   */
  removeVmArea(address: bigint): VmArea {
    return this.#space.change(() => this.#space.handleOf(removeVmArea(this.#space, address)));
  }

  /**
   * The area that holds an address, its guard included (find_vm_area); `null` when there is none, or only a
   * range of `vmMapRam`.
   *
   * @throws VmError `EINVAL` for anything but a bigint; `ERANGE` for an address outside 64 bits.
   */
  findVmArea(address: bigint): VmArea | null {
    const vm = areaAt(this.#space, address);
    return vm === null ? null : this.#space.handleOf(vm);
  }

  /**
   * Bytes of an area without its guard (get_vm_area_size).
   *
   * @throws VmError `EINVAL` when it was freed.
   */
  getVmAreaSize(area: VmArea): bigint {
    return liveArea(this.#space, area).area.bytes;
  }

  // vmap

  /**
   * Maps frames into a new area (vmap). They are never executable.
   *
   * With VM_MAP_PUT_PAGES the area owns the frames, and `vfree` frees them. Pass VM_MAP so that vmallocinfo
   * says "vmap", as Linux's callers do.
   *
   * @param frames - one for each page.
   * @param flags - VM_ flags. Default: 0.
   * @param protection - what the pages allow. Default: PAGE_KERNEL.
   * @returns the first address.
   * @throws VmError `EINVAL` for VM_NO_GUARD, VM_FLUSH_RESET_PERMS, or frames that cannot be owned; `E2BIG`
   *   for more pages than the machine has; `ENOMEM`.
   */
  vmap(
    frames: FrameList,
    flags: number = 0,
    protection: Protection = this.#space.linux.protections.PAGE_KERNEL,
    options?: CallerOptions,
  ): bigint {
    const given = optionsOf(options, CALLER_OPTIONS, 'vmap()') as CallerOptions;
    return vmap(this.#space, frames, flags, protection, given).area.address;
  }

  /**
   * Maps frames that are not memory into a new, naturally aligned area (vmap_pfn).
   *
   * @throws VmError `EINVAL` for a frame of the machine's memory; `ENOMEM`.
   */
  vmapPfn(pfns: FrameList, protection: Protection, options?: CallerOptions): bigint {
    const given = optionsOf(options, CALLER_OPTIONS, 'vmapPfn()') as CallerOptions;
    return vmapPfn(this.#space, pfns, protection, given).area.address;
  }

  /**
   * Frees the area that begins at an address (vunmap). Its frames stay with their owner.
   *
   * @throws VmError `EINVAL` when no area begins there, or when it owns pages; `ERANGE` for an address outside
   *   64 bits.
   */
  vunmap(address: bigint): void {
    this.#space.change(() => vunmap(this.#space, address, 'vunmap'));
  }

  /**
   * Maps frames into a range of a live area (vmap_pages_range).
   *
   * @param start - first address, inside one area; `end` is the byte after the last one.
   * @param pageShift - log2 of bytes. It promises that frames come in aligned, adjacent chunks of this size,
   *   and it caps leaves. Default: the page.
   * @throws VmError `EINVAL` when no area holds the range, or frames break the promise; `ERANGE` when it
   *   leaves the area or 64 bits; `EBUSY` when a page is mapped; `ENOMEM`.
   */
  vmapPagesRange(
    start: bigint,
    end: bigint,
    protection: Protection,
    frames: FrameList,
    pageShift: number = this.#space.pageShift,
  ): void {
    ranges.vmapPagesRange(this.#space, start, end, protection, frames, pageShift);
  }

  /**
   * Removes what a range of a live area maps, with one flush (vunmap_range). A leaf or run that reaches
   * beyond the range is split.
   *
   * @throws VmError `EINVAL`, `ERANGE` as `vmapPagesRange`; `ENOMEM` for the table of a split.
   */
  vunmapRange(start: bigint, end: bigint): void {
    ranges.vunmapRange(this.#space, start, end);
  }

  // Sparse areas

  /**
   * Maps frames into a range of a VM_SPARSE area with PAGE_KERNEL (vm_area_map_pages).
   *
   * @throws VmError in Linux's order: `EINVAL` for VM_FLUSH_RESET_PERMS, VM_NO_GUARD, no VM_SPARSE; `E2BIG`
   *   for more pages than the machine has; `ERANGE` outside the area; `EBUSY` when a page is mapped;
   *   `ENOMEM`.
   */
  vmAreaMapPages(area: VmArea, start: bigint, end: bigint, frames: FrameList): void {
    ranges.vmAreaMapPages(this.#space, liveArea(this.#space, area), start, end, frames);
  }

  /**
   * Removes what a range of a VM_SPARSE area maps, with one flush (vm_area_unmap_pages). Holes are allowed.
   *
   * @throws VmError as `vmAreaMapPages`. Linux reports no error. A range up to 2^64 is `E2BIG`, since that
   *   check comes first in Linux too.
   */
  vmAreaUnmapPages(area: VmArea, start: bigint, end: bigint): void {
    ranges.vmAreaUnmapPages(this.#space, liveArea(this.#space, area), start, end);
  }

  // Entries

  /**
   * Calls back with the entry of every page in a range of a live area, empty ones included. Missing tables
   * are made (apply_to_page_range). See `applyToRange`.
   *
   * @param size - bytes, whole pages.
   * @returns what the callback returned to stop, or `undefined`.
   * @throws VmError `EINVAL`, `ERANGE` as `vmapPagesRange`; `EINVAL` for a leaf larger than a page;
   *   `ENOMEM`; what the callback throws.
   */
  applyToPageRange<T = undefined>(
    address: bigint,
    size: number | bigint,
    visit: SlotVisitor<T>,
  ): T | undefined {
    return ranges.applyToPages(this.#space, address, size, visit, true);
  }

  /**
   * Calls back with every entry of a range that is not empty. It makes no table
   * (apply_to_existing_page_range).
   *
   * @throws VmError as `applyToPageRange`.
   */
  applyToExistingPageRange<T = undefined>(
    address: bigint,
    size: number | bigint,
    visit: SlotVisitor<T>,
  ): T | undefined {
    return ranges.applyToPages(this.#space, address, size, visit, false);
  }

  // Devices

  /**
   * Maps a physical range into all of a VM_IOREMAP area, with the largest leaves (ioremap_page_range).
   *
   * @param physical - first physical address in bytes, a multiple of the page size.
   * @throws VmError `EINVAL` when the area is not VM_IOREMAP; `ERANGE` when the range is not all of it;
   *   `EBUSY`; `ENOMEM`.
   */
  ioremapPageRange(start: bigint, end: bigint, physical: bigint, protection: Protection): void {
    this.#space.changePages(
      () => areaHolding(this.#space, start),
      () => ranges.ioremapPageRange(this.#space, start, end, physical, protection),
    );
  }

  /**
   * Maps a physical range into part of a live area, with the largest leaves (vmap_page_range).
   *
   * @throws VmError as `vmapPagesRange`.
   */
  vmapPageRange(start: bigint, end: bigint, physical: bigint, protection: Protection): void {
    this.#space.changePages(
      () => areaHolding(this.#space, start),
      () => ranges.vmapPageRange(this.#space, start, end, physical, protection),
    );
  }

  /**
   * Maps a device's registers into a new area (ioremap).
   *
   * @param physical - physical address in bytes. It need not be the start of a page.
   * @param size - bytes.
   * @returns the address of the first register.
   * @throws VmError `EINVAL` for a range that does not fit the physical addresses, or that is memory; `ERANGE`
   *   for an address outside 64 bits; `ENOMEM`.
   */
  ioremap(physical: bigint, size: number | bigint, options?: CallerOptions): bigint {
    return this.ioremapProt(physical, size, this.#space.linux.protections.IOREMAP, options);
  }

  /** As `ioremap`, with a protection (ioremap_prot). */
  ioremapProt(
    physical: bigint,
    size: number | bigint,
    protection: Protection,
    options?: CallerOptions,
  ): bigint {
    const given = optionsOf(options, CALLER_OPTIONS, 'ioremap()') as CallerOptions;
    return this.#space.change(() => ioremapProt(this.#space, physical, size, protection, given));
  }

  /**
   * Frees a device range (iounmap).
   *
   * @param address - as `ioremap` returned it.
   * @throws VmError `EINVAL` when no device range begins in that page; `ERANGE` for an address outside 64
   *   bits.
   */
  iounmap(address: bigint): void {
    this.#space.change(() => iounmap(this.#space, address));
  }

  // Lookup

  /**
   * The frame at an address of the window or of an area, also inside a larger leaf (vmalloc_to_page); `null`
   * when nothing is mapped there.
   *
   * @throws VmError `EINVAL` for anything but a bigint; `ERANGE` for an address outside 64 bits.
   */
  vmallocToPage(address: bigint): number | null {
    return look.vmallocToPage(this.#live, address);
  }

  /**
   * The frame at an address (vmalloc_to_pfn).
   *
   * @throws VmError as `vmallocToPage`; `EFAULT` when nothing is mapped there.
   */
  vmallocToPfn(address: bigint): number {
    return look.vmallocToPfn(this.#live, address);
  }

  /**
   * True inside the vmalloc window (is_vmalloc_addr).
   *
   * @throws VmError `EINVAL` for anything but a bigint; `ERANGE` for an address outside 64 bits.
   */
  isVmallocAddr(address: bigint): boolean {
    return look.isVmallocAddr(this.#live, address);
  }

  /**
   * True when the pages of the area at an address were allocated as blocks for huge leaves
   * (is_vm_area_hugepages).
   *
   * @throws VmError `EINVAL` for anything but a bigint; `ERANGE` for an address outside 64 bits.
   */
  isVmAreaHugepages(address: bigint): boolean {
    return (areaAt(this.#space, address)?.owned?.order ?? 0) > 0;
  }

  /**
   * Copies the bytes that areas map (vread_iter). Holes, device ranges, sparse areas and pages without bytes
   * read as zeros.
   *
   * @param into - receives the bytes. It is filled, up to the end of the address space.
   * @returns the number of bytes written to it.
   * @throws VmError `EINVAL` for an address that is not a bigint, or bytes that are not a Uint8Array; `ERANGE`
   *   for an address outside 64 bits.
   */
  vread(address: bigint, into: Uint8Array): number {
    return look.vread(this.#live, address, into);
  }

  /**
   * The text of /proc/vmallocinfo. With `detail`, each area also shows how much of it is populated, and by
   * which leaves.
   *
   * @example
   * ```ts
   * kernel.vmallocinfo({ detail: true });
   * // 0xffffc90000005000-0xffffc90100006000 4294971392 sparse populated=3/1048576 4K=3
   * ```
   */
  vmallocinfo(options?: { readonly detail?: boolean }): string {
    const given = optionsOf(options, ['detail'], 'vmallocinfo()');
    return vmallocinfoOf(this.#live, flagOption(given, 'detail', false));
  }

  // vmalloc

  /**
   * Allocates memory with contiguous addresses and scattered frames (vmalloc), mapped by base pages.
   *
   * @param size - bytes, 1 or more.
   * @returns the first address.
   * @throws VmError `EINVAL` for an invalid size; `E2BIG` for more pages than the machine has; `ENOMEM` when
   *   addresses, pages or tables are used up.
   */
  vmalloc(size: number | bigint, options?: VmallocOptions): bigint {
    if (options === undefined && isSize(size))
      return this.#space.change(() => vmallocNodeRange(this.#space, { size }).area.address);
    return this.vmallocNodeRange({ ...choices(options, 'vmalloc()'), size });
  }

  /** As `vmalloc`, filled with zeros (vzalloc). */
  vzalloc(size: number | bigint, options?: VmallocOptions): bigint {
    return this.vmallocNodeRange({ ...choices(options, 'vzalloc()'), size, zero: true });
  }

  /** As `vzalloc`, for `remapVmallocRange` (vmalloc_user). */
  vmallocUser(size: number | bigint, options?: VmallocOptions): bigint {
    return this.vmallocNodeRange({
      ...choices(options, 'vmallocUser()'),
      size,
      zero: true,
      flags: VM_USERMAP,
    });
  }

  /**
   * As `vmalloc`, with the largest leaves of the policy that fit (vmalloc_huge). The size is rounded up to
   * them. Where there are no blocks of frames, it uses base pages.
   */
  vmallocHuge(size: number | bigint, options?: VmallocOptions): bigint {
    return this.vmallocNodeRange({ ...choices(options, 'vmallocHuge()'), size, flags: VM_ALLOW_HUGE_VMAP });
  }

  /**
   * The allocation behind the other vmalloc calls (__vmalloc_node_range).
   *
   * @returns the first address.
   * @throws VmError as `vmalloc`; `ERANGE` for a window outside 64 bits, or that the root does not translate.
   */
  vmallocNodeRange(request: VmallocRequest): bigint {
    const given = optionsOf<Partial<VmallocRequest>>(request, VMALLOC_REQUEST, 'vmallocNodeRange()');
    return this.#space.change(() => vmallocNodeRange(this.#space, given as VmallocRequest).area.address);
  }

  /**
   * Changes the size of vmalloc memory, in place where it can (vrealloc).
   *
   * @param address - 0n allocates.
   * @param size - bytes; 0 frees.
   * @returns its address, which may have changed; 0n when it was freed.
   * @throws VmError `EINVAL` when no vmalloc memory begins there, or when it is not aligned as asked; as
   *   `vmalloc`: the memory then stays as it is. With a size of 0, as `vfree`: when a sink throws in a purge, the
   *   memory is freed all the same.
   */
  vrealloc(address: bigint, size: number | bigint, options?: VreallocOptions): bigint {
    const given = optionsOf(options, VREALLOC_OPTIONS, 'vrealloc()') as VreallocOptions;
    return this.#space.change(() => {
      if (size === 0 || size === 0n) {
        if (address !== 0n) vfree(this.#space, address);
        return 0n;
      }
      if (address === 0n) return vmallocNodeRange(this.#space, { ...given, size }).area.address;
      return vrealloc(this.#space, address, size, given).area.address;
    });
  }

  /**
   * Frees vmalloc memory, or a VM_MAP_PUT_PAGES area, with its frames (vfree). 0n does nothing.
   *
   * Frames are free at once. Old translations are flushed at the next purge, as in Linux; `vmUnmapAliases`
   * flushes them now.
   *
   * @throws VmError `EINVAL` when no area begins at the address, it is a device range, or somebody else
   *   freed one of its frames; `ERANGE` for an address outside 64 bits; `ENOMEM` when its aliases in the direct map must be split and there is no
   *   frame for a table. What a sink throws in a purge, and `EINVAL` when it frees a frame of
   *   the area: the area and its frames are free all the same.
   */
  vfree(address: bigint): void {
    if (address === 0n) {
      this.#space.lock.requireLive();
      return;
    }
    this.#space.change(() => vfree(this.#space, address));
  }

  // Lazy areas

  /**
   * Reserves memory that gets pages only when it is used; see `LazyArea`.
   *
   * @param size - bytes, rounded up to chunks.
   * @throws VmError as `getVmArea`.
   */
  getLazyArea(size: number | bigint, options?: LazyAreaOptions): LazyArea {
    const given = optionsOf(options, LAZY_OPTIONS, 'getLazyArea()') as LazyAreaOptions;
    return this.#space.change(() => getLazyArea(this.#space, size, given));
  }

  /**
   * The lazy area that holds an address, its guard included; `null` when there is none. In a space of several
   * threads, another thread may have made it.
   *
   * @throws VmError `EINVAL` for anything but a bigint; `ERANGE` for an address outside 64 bits.
   */
  findLazyArea(address: bigint): LazyArea | null {
    const vm = areaAt(this.#space, address);
    return vm === null || vm.lazy === null ? null : new LazyArea(this.#space, vm, vm.lazy);
  }

  /**
   * Handles a fault on a kernel address for a simulator. It populates the page when the page belongs to a
   * lazy area and is missing.
   *
   * @returns true when the page is there now and the access can be repeated. False when nothing maps that
   *   page, or it was there before: then the fault has another cause, such as a missing right, and would
   *   come again.
   * @throws VmError `ENOMEM` when there are no frames; what `populate` throws; `EINVAL` for an address that is
   *   not a bigint; `ERANGE` for one outside 64 bits.
   */
  handleFault(address: bigint): boolean {
    const vm = areaAt(this.#space, address);
    if (vm === null || vm.lazy === null || address >= vm.area.address + vm.area.bytes) return false;
    const { lazy, area } = vm;
    const page = Number((address - area.address) >> BigInt(this.#space.pageShift));
    return this.#space.changePages(
      () => vm,
      () => lazy.touch(page),
    );
  }

  // Short mappings

  /**
   * Maps frames for a short time, without an area or guard. The addresses are cut from a block (vm_map_ram).
   *
   * @returns the first address.
   * @throws VmError `EINVAL` for an invalid frame; `E2BIG`; `ENOMEM`.
   */
  vmMapRam(frames: FrameList): bigint {
    return vmMapRam(this.#space, frames);
  }

  /**
   * Unmaps what `vmMapRam` mapped (vm_unmap_ram).
   *
   * @param count - pages, as they were mapped.
   * @throws VmError `EINVAL` when no such range begins there; `ERANGE` for an address outside 64 bits. What a sink throws in a purge: the range is
   *   unmapped all the same.
   */
  vmUnmapRam(address: bigint, count: number): void {
    this.#space.change(() => vmUnmapRam(this.#space, address, count));
  }

  /**
   * Flushes all that was freed, so that no old translation is left, and makes the addresses usable again
   * (vm_unmap_aliases).
   *
   * @throws what the sink throws: all of it then still waits.
   */
  vmUnmapAliases(): void {
    this.#space.change(() => this.#space.blocks.unmapAliases());
  }

  // Permissions

  /**
   * Marks an area (set_vm_flush_reset_perms). `vfree` then removes its pages' aliases from the direct map,
   * flushes, and gives them their usual permissions back before the pages are free.
   *
   * @throws VmError `EINVAL` when no area holds the address, or when it is a lazy area; `ERANGE` for an address
   *   outside 64 bits.
   */
  setVmFlushResetPerms(address: bigint): void {
    this.#space.change(() => {
      const vm = areaHolding(this.#space, address);
      // A lazy area flushes before its pages are freed, and never changes their aliases in the direct map.
      requireOwnHands(vm);
      vm.flags |= VM_FLUSH_RESET_PERMS;
    });
  }

  /**
   * Removes write permission from pages of an area, and from their aliases in the direct map
   * (set_memory_ro).
   *
   * @param address - a multiple of the page size.
   * @param numPages - 0 or more.
   * @throws VmError `EINVAL` when no area holds the address, or when the architecture does not change this
   *   kind of area; `ERANGE` when it leaves the area, or an address is outside 64 bits; `EFAULT` when a page is not mapped; `ENOMEM` for the
   *   table of a split.
   */
  setMemoryRo(address: bigint, numPages: number): void {
    this.#space.change(() => setMemory(this.#space, address, numPages, { write: false }));
  }

  /** Grants write permission (set_memory_rw). As `setMemoryRo`. */
  setMemoryRw(address: bigint, numPages: number): void {
    this.#space.change(() => setMemory(this.#space, address, numPages, { write: true }));
  }

  /** Makes pages executable (set_memory_x). As `setMemoryRo`, but aliases stay as they are. */
  setMemoryX(address: bigint, numPages: number): void {
    this.#space.change(() => setMemory(this.#space, address, numPages, { execute: true }));
  }

  /** Forbids execution (set_memory_nx). As `setMemoryX`. */
  setMemoryNx(address: bigint, numPages: number): void {
    this.#space.change(() => setMemory(this.#space, address, numPages, { execute: false }));
  }

  // Users and processors

  /**
   * Maps a VM_USERMAP area into all of a region of a process (remap_vmalloc_range). All pages are mapped, or none.
   * `vfree` may come before the process lets go: the last user of a page frees it.
   *
   * The region cannot grow afterwards (VM_DONTEXPAND), and a fork maps the pages, too.
   *
   * @param region - of a process: `Process.findRegion`.
   * @param address - a page of the area.
   * @param pgoff - pages to skip.
   * @throws VmError in Linux's order: `EINVAL` when an address is not on a page, when no area is there, when the area is
   *   not for users or is too short; then `EFAULT` when a page of it is not mapped, or lies outside of the region; `EBUSY`
   *   when a page of the region is mapped; `ENOMEM` for no table; `ERANGE` for an address outside 64 bits; `EINVAL` for a
   *   region that is gone.
   */
  remapVmallocRange(region: MappableRegion, address: bigint, pgoff: number = 0): void {
    this.#space.change(() => remapVmallocRange(this.#space, region, null, address, pgoff, null));
  }

  /**
   * Maps part of an area into part of a region of a process (remap_vmalloc_range_partial).
   *
   * @param at - first user address.
   * @param size - bytes, rounded up to pages.
   * @throws VmError as `remapVmallocRange`.
   */
  remapVmallocRangePartial(
    region: MappableRegion,
    at: bigint,
    address: bigint,
    pgoff: number,
    size: number | bigint,
  ): void {
    this.#space.change(() => remapVmallocRange(this.#space, region, at, address, pgoff, size));
  }

  /**
   * Reserves areas at fixed distances, from the top of the window, without guards (pcpu_get_vm_areas).
   *
   * @param offsets - of each from the base, in bytes: multiples of `align`.
   * @param sizes - of each, in bytes: multiples of `align`.
   * @param align - in bytes, a power of two of at least a page.
   * @throws VmError `EINVAL` when they are misaligned or overlap; `ENOMEM` when they fit nowhere.
   */
  pcpuGetVmAreas(
    offsets: readonly number[],
    sizes: readonly number[],
    align: bigint,
    options?: CallerOptions,
  ): VmArea[] {
    const given = optionsOf(options, CALLER_OPTIONS, 'pcpuGetVmAreas()') as CallerOptions;
    const { caller = 'pcpu_get_vm_areas' } = given;
    const [starts, lengths] = Object.entries({ offsets, sizes }).map(([name, list]) =>
      copyList(list, name, Number.isSafeInteger),
    );
    return this.#space.change(() =>
      pcpuGetVmAreas(this.#space, starts as number[], lengths as number[], align, caller).map((vm) =>
        this.#space.handleOf(vm),
      ),
    );
  }

  /**
   * Frees such areas (pcpu_free_vm_areas): all of them, or none when one is not live.
   *
   * @throws VmError `EINVAL`.
   */
  pcpuFreeVmAreas(areas: readonly VmArea[]): void {
    const list = copyList(areas, 'areas', isVmArea);
    this.#space.change(() => {
      const structs = list.map((area) => liveArea(this.#space, area));
      if (new Set(structs).size < structs.length) throw new VmError('EINVAL', 'an area is in the list twice');
      for (const vm of structs) {
        this.#space.threads?.close(vm);
        vm.lazy?.checkAllocated();
        if (vm.owned !== null)
          throw new VmError('EINVAL', 'an area in the list owns pages', {
            address: vm.area.address,
            advice: 'vfree it',
          });
      }
      endFreeing(
        this.#space,
        structs.flatMap((vm) => freeVmArea(this.#space, vm)),
      );
    });
  }

  /** Empties the pools of freed addresses, as Linux does when memory is short. */
  shrinkPools(): void {
    this.#space.change(() => this.#space.areas.shrink());
  }

  /**
   * Flushes everything and frees all that the space owns: frames of areas, tables, root.
   *
   * Afterwards every call is refused with `EINVAL`, also those that read, and those of `table`.
   *
   * @throws VmError `EINVAL` when the root was not made here, or when somebody else freed a frame of an
   *   area. Nothing is then changed. `EINVAL` too when the sink frees a frame of an area in the flush: everything
   *   else is then free.
   */
  destroy(): void {
    this.#space.destroy();
  }

  /** The space, for a call that reads. Calls that change something ask `ChangeLock.change`. */
  get #live(): KernelSpace {
    this.#space.look();
    return this.#space;
  }
}

/** True for what can be a size: it needs no check of options, only that of its value. */
function isSize(size: unknown): boolean {
  return typeof size === 'number' || typeof size === 'bigint';
}

function choices(options: VmallocOptions | undefined, call: string): VmallocOptions {
  return optionsOf(options, VMALLOC_OPTIONS, call) as VmallocOptions;
}
