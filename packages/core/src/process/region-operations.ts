import type { PageTableReader } from '../table/page-table-reader.js';
import type { RegionFlags } from './region-flags.js';

/** A process, as its regions know it: a `Process`. */
export interface RegionProcess {
  /** Names it among all processes that its kernel has ever had; in all threads that share it. */
  readonly number: number;
  /** Address-space id of its flushes. */
  readonly asid: number;
  /** The tables of its root, for reading. */
  readonly table: PageTableReader;
  /** As `Process.insertPage`. */
  insertPage(region: Region, address: bigint, pfn: number): void;
}

/** What regions of several processes map, as a region knows it: a `RegionObject`. */
export interface MappedObject {
  /** Its name: a path; empty for none. */
  readonly name: string;
  /** Major and minor number of its device. */
  readonly device: readonly [major: number, minor: number];
  /** Inode number. */
  readonly inode: number;
  /** The regions that map it, of all processes (i_mmap). */
  readonly regions: readonly Region[];
  /** As `RegionObject.zapRange`. */
  zapRange(pgoff: number, pages: number): number;
  /** As `RegionObject.zapFrame`. */
  zapFrame(pfn: number): number;
}

/**
 * A range of user addresses with one set of rights (struct vm_area_struct). A call of the process that splits,
 * merges or moves regions may change it, or end its life.
 */
export interface Region {
  /** Whose region it is. */
  readonly process: RegionProcess;
  /** False when it was unmapped, or became a part of a neighbour. */
  readonly isLive: boolean;
  /** First byte (vm_start). */
  readonly start: bigint;
  /** The byte after the last one (vm_end). */
  readonly end: bigint;
  /** Offset of its first page in the object, in pages (vm_pgoff). Private anonymous memory has the number of its first page. */
  readonly pgoff: number;
  /** VM_READ. */
  readonly read: boolean;
  /** VM_WRITE. */
  readonly write: boolean;
  /** VM_EXEC. */
  readonly execute: boolean;
  /** VM_SHARED. */
  readonly shared: boolean;
  /** Its marks, complete. */
  readonly flags: Required<RegionFlags>;
  /** What it maps; `null` for private anonymous memory. */
  readonly object: MappedObject | null;
  /** What it does in its own way; `null` for memory. */
  readonly operations: RegionOperations | null;
  /** What `maps()` calls it; empty for nothing. */
  readonly name: string;
  /** Whatever the operations keep with it (vm_private_data). A split, a move and a fork copy the reference. */
  data: unknown;
  /**
   * Changes marks, as the mmap of a driver does with vm_flags_set and vm_flags_clear.
   *
   * @throws VmError `EINVAL` outside of `RegionOperations.mmap`, and for unknown marks; `EACCES` when they forbid a
   *   right that the region has.
   */
  setFlags(flags: RegionFlags): void;
}

/** What an access wants of a page. An atomic read-modify-write is a `write`. */
export type AccessKind = 'read' | 'write' | 'execute';

/**
 * What a fault came to.
 *
 * - `mapped`: the page is there. The access is made again, and succeeds.
 * - `retry`: nothing was done. The access is made again, and may fault again (VM_FAULT_RETRY).
 * - `SEGV`: the process gets SIGSEGV (VM_FAULT_SIGSEGV, or no region allows the access).
 * - `BUS`: the process gets SIGBUS (VM_FAULT_SIGBUS).
 * - `OOM`: there is no frame for the page or for a table (VM_FAULT_OOM).
 */
export type FaultResult = 'mapped' | 'retry' | 'SEGV' | 'BUS' | 'OOM';

/** One fault, as `RegionOperations.fault` gets it (struct vm_fault). It is valid during the call. */
export interface RegionFault {
  /** Whose fault it is. */
  readonly process: RegionProcess;
  /** The region that holds the address. */
  readonly region: Region;
  /** First byte of the page. */
  readonly address: bigint;
  /** The page, counted from the start of the region's object. */
  readonly pgoff: number;
  /** What the access wants. The region allows it. */
  readonly kind: AccessKind;
  /**
   * Maps a frame at the page (vmf_insert_page; vmf_insert_pfn in a region with `pfnMap`).
   *
   * A frame of the process's `ram` gets one more reference, which goes when the page is unmapped. Nothing
   * counts frames of others, and all frames of a region with `pfnMap`. A write to a private region gets a
   * copy of the frame.
   *
   * When the page maps the frame already, nothing happens.
   *
   * @param pfn - in base pages of the user's format.
   * @throws VmError `EINVAL` for a frame that fits no entry, or a frame of `ram` that is free or anonymous; `EBUSY`
   *   when the page maps another frame; `ENOMEM` for no frame. `handleFault` turns an `ENOMEM` that the
   *   handler lets pass into `OOM`.
   */
  mapFrame(pfn: number): void;
}

/** What is asked for an address (get_unmapped_area). */
export interface UnmappedAreaRequest {
  /** Who asks. */
  readonly process: RegionProcess;
  /** The hint, whole pages; 0n for none. With `fixed`, the address itself. */
  readonly address: bigint;
  /** Bytes, whole pages. */
  readonly length: bigint;
  /** Offset in the object, in pages. */
  readonly pgoff: number;
  /** True when the caller demands `address`. */
  readonly fixed: boolean;
  /** True for a shared mapping. */
  readonly shared: boolean;
  /**
   * Linux's own choice: the search from the top down (mm_get_unmapped_area).
   *
   * @param length - bytes to look for. Default: those of the request.
   * @throws VmError `ENOMEM` when nothing fits.
   */
  find(length?: bigint): bigint;
}

/**
 * What a region does in its own way (struct vm_operations_struct and the mmap and get_unmapped_area of
 * struct file_operations). Each member may be missing.
 *
 * A handler may look at the process, and may use the kernel's address space. A call in it that changes
 * the process is refused with `EBUSY`, except `setFlags` of the region in `mmap`.
 */
export interface RegionOperations {
  /** Called once by `mmap`, when the region is made. When it throws, the mmap is undone. It calls no `open`. */
  mmap?(region: Region): void;
  /**
   * A page is needed that is not mapped. Without this member the access is a `BUS`.
   *
   * @returns `mapped` after `mapFrame`; else what becomes of the access.
   */
  fault?(fault: RegionFault): FaultResult;
  /** A copy of the region came to be: by fork, by a split, or by a move. When it throws, the call is undone. */
  open?(region: Region): void;
  /**
   * A region goes: by munmap, a move or the end of the process. Its pages are gone. What it throws is thrown
   * when everything else is done.
   */
  close?(region: Region): void;
  /** Throws to refuse a split at an address (may_split). */
  maySplit?(region: Region, address: bigint): void;
  /** Throws to refuse a move (mremap). It gets the region at its new place. */
  mremap?(region: Region): void;
  /**
   * Chooses the address of an mmap, or throws to refuse it. What it returns is checked as in Linux: it must lie
   * below the end of user addresses, on a page.
   */
  getUnmappedArea?(request: UnmappedAreaRequest): bigint;
}
