import type { Process } from './process.js';
import type { Region } from './region.js';

/** What an access wants of a page. An atomic read-modify-write is a `write`. */
export type FaultKind = 'read' | 'write' | 'execute';

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
  readonly process: Process;
  /** The region that holds the address. */
  readonly region: Region;
  /** First byte of the page. */
  readonly address: bigint;
  /** The page, counted from the start of the region's object. */
  readonly pgoff: number;
  /** What the access wants. The region allows it. */
  readonly kind: FaultKind;
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
   * @throws VmError `EINVAL` for a frame that fits no entry, or a frame of `ram` that is not allocated; `EBUSY`
   *   when the page maps another frame; `ENOMEM` for no frame. `handleFault` turns an `ENOMEM` that the
   *   handler lets pass into `OOM`.
   */
  mapFrame(pfn: number): void;
}

/** What is asked for an address (get_unmapped_area). */
export interface UnmappedAreaRequest {
  /** Who asks. */
  readonly process: Process;
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
