import type { LinuxPolicy } from '../format/linux-policy.js';
import type { PageTableFormat } from '../format/page-table-format.js';
import type { FrameAllocator } from '../memory/frames/frame-allocator.js';
import type { FlushSink } from '../table/state/flush-sink.js';
import type { RegionFlags, RegionRights } from './region-flags.js';
import type { RegionObject } from './region-object.js';
import type { RegionOperations } from './region-operations.js';

/** The kernel that a process belongs to: an `AddressSpace`. */
export interface ProcessKernel {
  /** Its policy. */
  readonly linux: LinuxPolicy;
}

/** What a process is made of. */
export interface ProcessOptions {
  /** Its kernel, an `AddressSpace`. The kernel's policy needs `user`. */
  readonly kernel: ProcessKernel;
  /**
   * The format of user addresses, where they have a root of their own: arm64's TTBR0
   * (`Configuration.userFormat`). Default: the kernel's format.
   */
  readonly userFormat?: PageTableFormat;
  /** Address-space id for flushes, 0 to 65535. Default: the lowest from 1 on that no process of the kernel has. */
  readonly asid?: number;
  /** Who must forget translations that change. Default: nobody. */
  readonly sink?: FlushSink;
  /** Where anonymous pages come from. Default: that of the kernel. */
  readonly ram?: FrameAllocator;
  /** Most regions, 1 to 2^31 - 1 (sysctl vm.max_map_count). Default: 65530. */
  readonly mostRegions?: number;
}

/** The names of `ProcessOptions`. */
export const PROCESS_OPTIONS = ['kernel', 'userFormat', 'asid', 'sink', 'ram', 'mostRegions'] as const;

/** What a forked process may have of its own. */
export interface ForkOptions {
  /** As `ProcessOptions.asid`. */
  readonly asid?: number;
  /** Default: that of the parent. */
  readonly sink?: FlushSink;
}

/** The names of `ForkOptions`. */
export const FORK_OPTIONS = ['asid', 'sink'] as const;

/** What `mmap` maps. */
export interface MmapRequest extends RegionRights {
  /** Bytes, rounded up to whole pages. */
  readonly length: number | bigint;
  /** A hint; with `fixed`, the address itself. Default: 0n, none. */
  readonly address?: bigint;
  /**
   * `false`: the address is a hint. `replace`: what is there is unmapped (MAP_FIXED). `noReplace`: refused
   * with `EEXIST` when something is there (MAP_FIXED_NOREPLACE). Default: false.
   */
  readonly fixed?: false | 'replace' | 'noReplace';
  /** True for MAP_SHARED, false for MAP_PRIVATE. Default: false. */
  readonly shared?: boolean;
  /** Offset in the object, in pages. Default: 0. */
  readonly pgoff?: number;
  /** What is mapped (a file's struct address_space). Default: none; a shared mapping without operations gets a new one. */
  readonly object?: RegionObject;
  /** What the region does in its own way. Default: memory. */
  readonly operations?: RegionOperations;
  /** Marks. Default: none. */
  readonly flags?: RegionFlags;
  /** What `maps()` shows, for people. Default: the name of the object. */
  readonly name?: string;
  /** Whatever the operations keep with the region (vm_private_data). Default: undefined. */
  readonly data?: unknown;
}

/** The names of `MmapRequest`. */
export const MMAP_REQUEST: readonly (keyof MmapRequest)[] = [
  ...(['length', 'address', 'fixed', 'shared', 'pgoff', 'object', 'operations', 'flags'] as const),
  ...(['name', 'data', 'read', 'write', 'execute'] as const),
];

/** How `mremap` may move a region. */
export interface MremapOptions {
  /** The region may move (MREMAP_MAYMOVE). Default: false. */
  readonly mayMove?: boolean;
  /** Where it must go; what is there is unmapped (MREMAP_FIXED). It needs `mayMove`. Default: anywhere. */
  readonly fixed?: bigint;
}

/** The names of `MremapOptions`. */
export const MREMAP_OPTIONS = ['mayMove', 'fixed'] as const;
