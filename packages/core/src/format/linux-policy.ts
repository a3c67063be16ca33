import type { PageTableFormat } from './page-table-format.js';
import type { Protection } from './protection.js';

/** The kernel protections that every architecture of Linux names. */
export interface LinuxProtections {
  /** Read and write, no execution: vmalloc, vmap. */
  readonly PAGE_KERNEL: Protection;
  /** Read only. */
  readonly PAGE_KERNEL_RO: Protection;
  /** Read and execute. */
  readonly PAGE_KERNEL_ROX: Protection;
  /** Read, write and execute. */
  readonly PAGE_KERNEL_EXEC: Protection;
  /** What plain `ioremap` uses. */
  readonly IOREMAP: Protection;
  /** What `ioremap_wc` uses (`pgprot_writecombine`). */
  readonly IOREMAP_WC: Protection;
}

/** Sizes of leaves and of runs (log2 bytes, base page first) that a mapping call of Linux may use. */
export interface LinuxLeaves {
  /** `vmalloc_huge` and `kvmalloc` (`VM_ALLOW_HUGE_VMAP`). Plain `vmalloc` uses base pages. */
  readonly vmalloc: readonly number[];
  /** `vmap` of page arrays. */
  readonly vmap: readonly number[];
  /** `ioremap` of physical ranges. */
  readonly ioremap: readonly number[];
  /**
   * True when a huge allocation takes runs only if its size is a multiple of theirs (riscv's
   * arch_vmap_pte_supported_shift). Default: false.
   */
  readonly wholeRunsOnly?: boolean;
}

/**
 * Linux's choices for the addresses of processes.
 *
 * Source: Linux 6.12, `include/asm/processor.h` of each architecture (TASK_SIZE, DEFAULT_MAP_WINDOW, TASK_UNMAPPED_BASE), and its
 * `protection_map`.
 */
export interface LinuxUser {
  /** Names of the formats of user addresses that it is for. A process refuses any other format. */
  readonly formats: readonly string[];
  /** The byte after the last user address (TASK_SIZE). */
  readonly taskSize: bigint;
  /** The byte after the last address that `mmap` gives when it is not asked for a higher one (DEFAULT_MAP_WINDOW). */
  readonly mapWindow: bigint;
  /**
   * True when a hint above `mapWindow` lets the search go up to `taskSize` (x86-64, arm64). False when hints may lie
   * anywhere below `taskSize`, and the search begins at the same place (riscv64).
   */
  readonly hintWidens: boolean;
  /** Where the search for free addresses begins, downwards (mm->mmap_base), without randomisation. */
  readonly mmapBase: bigint;
  /** Where a second search begins, upwards, when the first finds nothing (TASK_UNMAPPED_BASE). */
  readonly unmappedBase: bigint;
  /** The lowest address that a process may map (sysctl vm.mmap_min_addr). */
  readonly minAddress: bigint;
  /**
   * What pages allow, by the rights of their region (protection_map): 16 protections; bit 0 of the index is VM_READ, bit 1
   * VM_WRITE, bit 2 VM_EXEC, bit 3 VM_SHARED. Private pages get the right to write when they are the process's own.
   */
  readonly protections: readonly Protection[];
  /** Rights that let a process read: a mask of VM_READ (1), VM_WRITE (2) and VM_EXEC (4). The fault handler asks for one of them. */
  readonly readableBy: number;
  /** What Linux writes into entries that point to a process's tables, without the address. Default: the format's. */
  readonly tableEntry?: bigint;
}

/** Linux's choices for one architecture and configuration, within what the manual allows. */
export interface LinuxPolicy {
  /** For people: architecture and options, e.g. `Linux x86-64, PTI`. */
  readonly name: string;
  /**
   * Names of the formats that it is for (`PageTableFormat.name`). An address space refuses any other format: there the window
   * and the bits of `extra` would mean something else.
   */
  readonly formats: readonly string[];
  /**
   * The vmalloc window in bytes, as requests carry it: an area must satisfy `start <= address` and
   * `address + size <= end`.
   */
  readonly window: { readonly start: bigint; readonly end: bigint };
  /** Bytes kept unmapped after an area. */
  readonly guardBytes: number;
  /** log2 of the largest alignment that a `VM_IOREMAP` area gets. */
  readonly ioremapMaxOrder: number;
  /** Which leaf sizes each mapping call may use. */
  readonly leaves: LinuxLeaves;
  /** Named protections, with this kernel's exact bits. */
  readonly protections: LinuxProtections;
  /**
   * Bits of `extra` that belong to execution and are removed with it (pgprot_nx): arm64's guarded page.
   * Default: none.
   */
  readonly executeBits?: bigint;
  /** Bit of `extra` that marks an entry without a `struct page` (pte_mkspecial). Default: none. */
  readonly specialBit?: bigint;
  /**
   * What Linux writes into entries that point to its tables, without the address: arm64's kernel tables forbid
   * execution to the user. An address space writes it for the tables that it makes. Default: the format's.
   */
  readonly tableEntry?: bigint;
  /**
   * What set_memory_ro and its siblings may change. `any`: all mapped pages, splitting leaves. `vmalloc`:
   * only vmalloc memory without VM_ALLOW_HUGE_VMAP (arm64). Default: `any`.
   */
  readonly setMemory?: 'any' | 'vmalloc';
  /** What it chooses for processes. A `Process` needs it. Default: none. */
  readonly user?: LinuxUser;
}

/**
 * Where a process's search for free addresses begins (mmap_base), without randomisation: below the largest stack and
 * its guard gap, and 128 MiB below the end at least.
 *
 * The formula is `PAGE_ALIGN(end - gap)`, where `gap` is the limit of the stack (RLIMIT_STACK: 8 MiB) plus
 * `stack_guard_gap` (256 pages), at least 128 MiB and at most five sixths of `end`.
 *
 * Source: Linux 6.12, `mmap_base` in `mm/util.c` and `arch/x86/mm/mmap.c`.
 *
 * @param end - STACK_TOP in bytes.
 * @param pageShift - log2 of the page size in bytes.
 * @returns the address in bytes, a multiple of the page size.
 */
export function mmapBase(end: bigint, pageShift: number): bigint {
  const page = 1n << BigInt(pageShift);
  const wanted = (8n << 20n) + 256n * page;
  const least = 128n << 20n;
  const most = (end / 6n) * 5n;
  const gap = wanted < least ? least : wanted > most ? most : wanted;
  return (end - gap + page - 1n) & ~(page - 1n);
}

/**
 * A format with a Linux policy, ready to use. A format's package exports them as `configurations`, and tools
 * that compare architectures run them all.
 */
export interface Configuration {
  /** Unique short name: `x86-64`, `arm64-16k-47`. */
  readonly name: string;
  /** One line for people. */
  readonly title: string;
  /** The manual. */
  readonly format: PageTableFormat;
  /** The format of a process's addresses, where they have a root of their own (arm64's TTBR0). Default: `format`. */
  readonly userFormat?: PageTableFormat;
  /** Linux's policy. */
  readonly linux: LinuxPolicy;
}
