import type { AddressWindow } from '../area/page-units.js';
import type { Controls } from '../format/access.js';
import type { LinuxPolicy } from '../format/linux-policy.js';
import type { PageTableFormat } from '../format/page-table-format.js';
import type { Protection } from '../format/protection.js';
import type { FrameAllocator } from '../memory/frames/frame-allocator.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import type { FlushSink } from '../table/state/flush-sink.js';
import type { SpaceSharing } from './space-sharing.js';

/**
 * Which kernel to follow where kernels differ. `6.12` is that release. `2026` is the development tree of
 * mid-2026: vmap maps contiguous runs with larger leaves, vrealloc frees tail pages, vmapPagesRange makes no
 * 1 GiB leaves.
 */
export type LinuxRelease = '6.12' | '2026';

/** An area that exists from the start (vm_area_add_early). */
export interface EarlyArea {
  /** First byte. */
  readonly address: bigint;
  /** Length in bytes, whole pages. */
  readonly bytes: number | bigint;
  /** VM_ flags. Default: 0. */
  readonly flags?: number;
  /** Physical address in bytes of the one range that it maps. Default: none. */
  readonly physical?: bigint;
  /** Who made it, as `%pS` prints it. Default: nobody. */
  readonly caller?: string;
}

/** What a space is made of. */
export interface AddressSpaceOptions<C extends Controls = Controls> {
  /** The page-table format. */
  readonly format: PageTableFormat<C>;
  /** Linux's policy for the format: window, guard, leaf sizes, protections. */
  readonly linux: LinuxPolicy;
  /** The memory that holds the tables, and the bytes of the frames that have some. */
  readonly memory: PhysicalMemory;
  /** Where tables come from. */
  readonly frames: FrameAllocator;
  /**
   * Where vmalloc takes its pages. It needs no bytes behind it. It is `frames` itself, or has no frame in
   * common with it. Default: `frames`.
   */
  readonly ram?: FrameAllocator;
  /** The most pages that a call may ask for (totalram_pages). Default: the frames of `ram`. */
  readonly totalRamPages?: number;
  /** Physical address in bytes of an existing root to use. Default: a new one. */
  readonly root?: bigint;
  /** Processor modes for walks and dumps that differ from `format.controls`. Default: none. */
  readonly controls?: Partial<C>;
  /** Address-space id for flushes, 0 to 65535; see `FlushSink.flush`. Default: 0. */
  readonly asid?: number;
  /** Which kernel to follow. Default: `6.12`. */
  readonly release?: LinuxRelease;
  /** Who must forget translations that change. Default: nobody. */
  readonly sink?: FlushSink;
  /** Possible processors, 1 to 128. Default: 1. */
  readonly cpus?: number;
  /** Processors that are online. They decide how much may wait for a purge. Default: `cpus`. */
  readonly onlineCpus?: number;
  /** Pages of a block of `vmMapRam`; see `VmapBlocksOptions`. Default: 1024. */
  readonly blockPages?: number;
  /** Whether freeing purges by itself; see `VmapAreasOptions`. Default: true. */
  readonly autoPurge?: boolean;
  /** Areas that exist from the start, by address. Default: none. */
  readonly early?: readonly EarlyArea[];
  /**
   * Maps all of `ram` at `base + physical address` with PAGE_KERNEL. `setMemoryRo` and VM_FLUSH_RESET_PERMS
   * also act on this alias. Default: no direct map.
   */
  readonly directMap?: { readonly base: bigint };
  /** Lets other threads use the space, too: a `Threads`. Default: one thread. */
  readonly threads?: SpaceSharing;
}

/** The names of `AddressSpaceOptions`. */
export const SPACE_OPTIONS: readonly (keyof AddressSpaceOptions)[] = [
  ...(['format', 'linux', 'memory', 'frames', 'ram', 'totalRamPages', 'root', 'controls', 'asid'] as const),
  ...(['release', 'sink', 'cpus', 'onlineCpus', 'blockPages', 'autoPurge', 'early', 'directMap'] as const),
  'threads',
];

/** The names of `EarlyArea`. */
export const EARLY_AREA = ['address', 'bytes', 'flags', 'physical', 'caller'] as const;

/** Options of calls that reserve. */
export interface CallerOptions {
  /**
   * Who asks, as `%pS` prints it: one word, such as `fork+0x1f/0x40`, or a word and `[module]`. vmallocinfo
   * shows it. Default: nobody.
   */
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
  /** The window it must lie in. Default: the vmalloc window. */
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

/** Options of a vmalloc call. */
export interface VmallocOptions extends CallerOptions {
  /** Whether to fill the pages with zeros, where they have bytes. Default: false. */
  readonly zero?: boolean;
  /**
   * Whether a request that finds no addresses purges and tries again. False is like GFP_NOWAIT. Default:
   * true.
   */
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
  /** The window it must lie in. Default: the vmalloc window. */
  readonly window?: AddressWindow;
  /** What the pages allow. Default: PAGE_KERNEL. */
  readonly protection?: Protection;
  /**
   * VM_ flags besides VM_ALLOC: VM_ALLOW_HUGE_VMAP, VM_USERMAP, VM_NO_GUARD, VM_FLUSH_RESET_PERMS … Default:
   * 0.
   */
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

/** Options of a lazy area. */
export interface LazyAreaOptions extends CallerOptions {
  /** What its pages allow. Default: PAGE_KERNEL. */
  readonly protection?: Protection;
  /**
   * log2 of the bytes that one use populates. With a leaf size of the policy's `leaves.vmalloc`, each chunk
   * is one leaf or run of that size, and takes one block of frames. Default: the page.
   */
  readonly chunkShift?: number;
  /**
   * Where its frames come from. The area owns them. The allocator has the format's page size, and no frame
   * in common with the space's, unless it has the same state. Default: the space's `ram`.
   */
  readonly frames?: FrameAllocator;
  /**
   * Replaces the allocator: returns the frames of a chunk, given the chunk's first page and its number of
   * pages. The frames stay the caller's. When it throws, nothing is populated, and the frames of chunks that
   * it returned earlier in the same call go to `release`. A list that is refused does not. One call asks for no
   * more pages than the machine has (`totalRamPages`). Default: none.
   */
  readonly populate?: (page: number, pages: number) => readonly number[] | Uint32Array | Float64Array;
  /**
   * Receives the frames of a chunk that `populate` returned. They are no longer mapped, and old translations
   * are flushed. What it throws comes out of the call, after everything was given back and freed. Default:
   * none.
   */
  readonly release?: (frames: Uint32Array | Float64Array, page: number) => void;
  /** The most bytes that may be populated at a time. Default: all. */
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
