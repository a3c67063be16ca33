import type { PageTableReader } from '../table/page-table-reader.js';
import type { ForkOptions, MmapRequest, MremapOptions, ProcessOptions, RegionRights } from './options.js';
import type { FaultKind, FaultResult } from './region-operations.js';
import type { Region } from './region.js';

/** To be filled in: see the doc comments. */
export declare class Process {
  /**
   * @throws VmError `EINVAL` when options do not fit together, when the kernel's policy has no `user`, or for an
   *   asid that another process of the kernel has; `ENOMEM` when there is no frame for tables.
   */
  constructor(options: ProcessOptions);

  /** The tables of its root, for reading. On x86-64 and riscv64 the kernel's half is part of it. */
  readonly table: PageTableReader;
  /** Address-space id of its flushes. */
  readonly asid: number;

  /**
   * Maps a new region (mmap).
   *
   * @returns its first address.
   * @throws VmError in Linux's order: `EINVAL` length 0; `ENOMEM` too long; `EOVERFLOW` the offset; `ENOMEM` too many
   *   regions, or nothing fits; `EINVAL` an address that is not on a page; `EPERM` below the lowest address
   *   (mmap_min_addr); `EEXIST` with `noReplace`; `EACCES` rights that the marks forbid; what the operations throw.
   */
  mmap(request: MmapRequest): bigint;
  /** Removes what lies in a range (munmap). Regions are split where it ends inside one. Holes are allowed. */
  munmap(address: bigint, length: number | bigint): void;
  /** Changes the rights of a range (mprotect). */
  mprotect(address: bigint, length: number | bigint, rights: RegionRights): void;
  /** Makes a region shorter or longer, or moves it (mremap). @returns its first address. */
  mremap(address: bigint, oldLength: number | bigint, newLength: number | bigint, options?: MremapOptions): bigint;
  /** Gives the pages of a range back; later accesses find zeros, or the object's pages (MADV_DONTNEED). */
  madviseDontNeed(address: bigint, length: number | bigint): void;
  /** A new process with the same regions (fork): private pages are copied on write. */
  fork(options?: ForkOptions): Process;
  /** The region that holds an address (vma_lookup); `null` for none. */
  findRegion(address: bigint): Region | null;
  /** All regions, ascending. */
  regions(): Region[];
  /** The text of /proc/PID/maps. */
  maps(): string;
  /** Serves the fault of an access of user mode (handle_mm_fault, with the checks before it). */
  handleFault(address: bigint, kind: FaultKind): FaultResult;
  /** Maps a frame at a page of a region (vm_insert_page; vm_insert_pfn in a region with `pfnMap`). */
  insertPage(region: Region, address: bigint, pfn: number): void;
  /** Ends the process (exit_mmap): every frame goes back, `close` is called for each region. */
  destroy(): void;
}
