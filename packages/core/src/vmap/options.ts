import type { AddressWindow } from '../area/page-units.js';
import type { Controls } from '../format/access.js';
import type { LinuxPolicy } from '../format/linux-policy.js';
import type { PageTableFormat } from '../format/page-table-format.js';
import type { Protection } from '../format/protection.js';
import type { FrameAllocator } from '../memory/frames/frame-allocator.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import type { FlushSink } from '../table/state/flush-sink.js';

/**
 * Whose behaviour, where released kernels differ: `6.12`, or `2026`, the development tree of mid-2026 (vmap of contiguous runs with
 * larger leaves, vrealloc that frees tail pages, no 1 GiB leaves in vmapPagesRange).
 */
export type LinuxRelease = '6.12' | '2026';

/** An area that is there from the start (vm_area_add_early). */
export interface EarlyArea {
  /** First byte. */
  readonly address: bigint;
  /** Length in bytes, whole pages. */
  readonly bytes: bigint;
  /** VM_ flags. Default: 0. */
  readonly flags?: number;
  /** Physical address in bytes, where it shows one range. */
  readonly physical?: bigint;
  /** Who made it, as `%pS` prints it. */
  readonly caller?: string;
}

/** What a space is made of. */
export interface AddressSpaceOptions<C extends Controls = Controls> {
  /** The page-table format. */
  readonly format: PageTableFormat<C>;
  /** Linux's policy for it: window, guard, leaf sizes, protections. */
  readonly linux: LinuxPolicy;
  /** The memory that holds the tables, and the bytes of frames that have some. */
  readonly memory: PhysicalMemory;
  /** Where tables come from. */
  readonly frames: FrameAllocator;
  /** Where vmalloc takes its pages: needs no bytes behind it, and has no frame of `frames`, or is the same. Default: `frames`. */
  readonly ram?: FrameAllocator;
  /** Pages of memory that no call may exceed (totalram_pages). Default: the frames of `ram`. */
  readonly totalRamPages?: number;
  /** Physical address of an existing root in bytes, to go on with. Default: a new one. */
  readonly root?: bigint;
  /** Processor modes of walks and dumps that differ from `format.controls`. Default: none. */
  readonly controls?: Partial<C>;
  /** Address-space id that flushes name: see `FlushSink.flush`. 0 to 65535. Default: 0. */
  readonly asid?: number;
  /** Whose behaviour. Default: `6.12`. */
  readonly release?: LinuxRelease;
  /** Who must forget translations. */
  readonly sink?: FlushSink;
  /** Possible processors, 1 to 128. Default: 1. */
  readonly cpus?: number;
  /** Processors that are online, which decide how much may wait for a purge. Default: `cpus`. */
  readonly onlineCpus?: number;
  /** Pages of a block of `vmMapRam`; see `VmapBlocksOptions`. Default: 1024. */
  readonly blockPages?: number;
  /** Whether freeing purges by itself; see `VmapAreasOptions`. Default: true. */
  readonly autoPurge?: boolean;
  /** Areas that are there from the start, by address. */
  readonly early?: readonly EarlyArea[];
  /** Maps all of `ram` at `base + physical address` with PAGE_KERNEL: the alias that `setMemoryRo` and VM_FLUSH_RESET_PERMS act on. */
  readonly directMap?: { readonly base: bigint };
}

/** The names of `AddressSpaceOptions`. */
export const SPACE_OPTIONS: readonly (keyof AddressSpaceOptions)[] = [
  ...(['format', 'linux', 'memory', 'frames', 'ram', 'totalRamPages', 'root', 'controls', 'asid'] as const),
  ...(['release', 'sink', 'cpus', 'onlineCpus', 'blockPages', 'autoPurge', 'early', 'directMap'] as const),
];

/** The names of `EarlyArea`. */
export const EARLY_AREA = ['address', 'bytes', 'flags', 'physical', 'caller'] as const;

/** Choices of calls that reserve. */
export interface CallerOptions {
  /** Who asks, as `%pS` prints it: what vmallocinfo shows. */
  readonly caller?: string;
}

/** The names of `CallerOptions`. */
export const CALLER_OPTIONS = ['caller'] as const;

/** What `getVmAreaNode` reserves. */
export interface VmAreaRequest extends CallerOptions {
  /** Bytes, rounded up to whole pages. */
  readonly size: number | bigint;
  /** VM_ flags. Default: 0. */
  readonly flags?: number;
  /** Alignment in bytes, a power of two. VM_IOREMAP overrides it. Default: 1. */
  readonly align?: bigint;
  /** log2 of the bytes that the size is rounded up to. Default: the page. */
  readonly shift?: number;
  /** Where it must lie. Default: the vmalloc window. */
  readonly window?: AddressWindow;
}

/** The names of `VmAreaRequest`. */
export const AREA_REQUEST: readonly (keyof VmAreaRequest)[] = [
  'caller',
  'size',
  'flags',
  'align',
  'shift',
  'window',
];

/** Choices of a vmalloc call. */
export interface VmallocOptions extends CallerOptions {
  /** Fills the pages with zeros where they have bytes. Default: false. */
  readonly zero?: boolean;
  /** Whether a request that finds no addresses purges and tries again; `false` as with GFP_NOWAIT. Default: true. */
  readonly mayPurge?: boolean;
}

/** The names of `VmallocOptions`. */
export const VMALLOC_OPTIONS = ['caller', 'zero', 'mayPurge'] as const;

/** What `vmallocNodeRange` allocates. */
export interface VmallocRequest extends VmallocOptions {
  /** Bytes. */
  readonly size: number | bigint;
  /** Alignment in bytes, a power of two. Default: 1. */
  readonly align?: bigint;
  /** Where it must lie. Default: the vmalloc window. */
  readonly window?: AddressWindow;
  /** What the pages allow. Default: PAGE_KERNEL. */
  readonly protection?: Protection;
  /** VM_ flags beside VM_ALLOC: VM_ALLOW_HUGE_VMAP, VM_USERMAP, VM_NO_GUARD, VM_FLUSH_RESET_PERMS … Default: 0. */
  readonly flags?: number;
}

/** The names of `VmallocRequest`. */
export const VMALLOC_REQUEST: readonly (keyof VmallocRequest)[] = [
  'caller',
  'zero',
  'mayPurge',
  'size',
  'align',
  'window',
  'protection',
  'flags',
];

/** How an area grows. */
export interface LazyAreaOptions extends CallerOptions {
  /** What its pages allow. Default: PAGE_KERNEL. */
  readonly protection?: Protection;
  /**
   * log2 of the bytes that one use populates: with a leaf size of the policy's `leaves.vmalloc` each chunk is one leaf or run of it, and takes
   * one block of frames. Default: the page.
   */
  readonly chunkShift?: number;
  /**
   * Where its frames come from, which the area owns: an allocator with the pages of the format, and no frame of those of the
   * space. Default: the space's `ram`.
   */
  readonly frames?: FrameAllocator;
  /**
   * In place of an allocator: gives the frames of a chunk, whose first page it is told; they stay the caller's. It may throw: then
   * nothing is populated. Frames of chunks that it gave before in the same call go to `release`; a list that is refused does not.
   */
  readonly populate?: (page: number, pages: number) => readonly number[] | Uint32Array | Float64Array;
  /**
   * Takes frames of a chunk back that `populate` gave: nothing shows them any more, and old translations are flushed. What it throws comes out
   * of the call when all is given back and freed all the same.
   */
  readonly release?: (frames: Uint32Array | Float64Array, page: number) => void;
  /** Most bytes that may be populated at a time. Default: all. */
  readonly limit?: number | bigint;
}

/** The names of `LazyAreaOptions`. */
export const LAZY_OPTIONS: readonly (keyof LazyAreaOptions)[] = [
  'caller',
  'protection',
  'chunkShift',
  'frames',
  'populate',
  'release',
  'limit',
];
