import { type LinuxPolicy, type LinuxProtections, type Protection, protection, VmError } from '@vmarea/core';
import { ARM64_BITS, type Granule, PAGE_SHIFTS } from './bits.js';
import { type VmallocLayout, vmallocWindow } from './linux-window.js';

/** The kernel's configuration and the machine it found. */
export interface Arm64LinuxOptions {
  /** Size of the base page in KiB (CONFIG_ARM64_4K_PAGES and its kin). */
  readonly granule: Granule;
  /** CONFIG_ARM64_VA_BITS: 39, 48, 52 (4K); 36, 47, 48, 52 (16K); 42, 48, 52 (64K). */
  readonly vaBits: number;
  /**
   * Bits that a kernel for 52 found: `vabits_actual`. Default `vaBits`. Without LVA or LPA2 it is 48, with the 16K granule
   * 47.
   */
  readonly actualVaBits?: number;
  /** Kernel page-table isolation, or KASLR that prepares for it: kernel mappings are not global. Default false. */
  readonly kpti?: boolean;
  /** Leaf sizes include runs with the contiguous bit (contpte; needs CONFIG_HUGETLB_PAGE). Default false. */
  readonly contiguous?: boolean;
  /** The processor has MTE and MAIR is `LINUX_MAIR_MTE`: `PAGE_KERNEL_TAGGED` is Normal-Tagged. Default false. */
  readonly mte?: boolean;
  /**
   * `PAGE_KERNEL` and its kin carry software bit 55 (PTE_DIRTY), as kernels write it since early 2026, stable ones among them
   * (6.1.192, 6.12.117), and as those before 5.4 did. Default false: the kernels between.
   */
  readonly softwareDirty?: boolean;
  /**
   * Where vmalloc starts and ends, in bytes. Default: that of a current kernel without KASAN and with a `struct page` of 64
   * bytes. Before 6.9 the window starts elsewhere.
   */
  readonly window?: { readonly start: bigint; readonly end: bigint };
  /** Unmapped pages after an area. Default 1. */
  readonly guardPages?: number;
}

/** The kernel protections that arm64 names beyond the common ones. */
export interface Arm64Protections extends LinuxProtections {
  /** `pgprot_tagged(PAGE_KERNEL)`, index 1: the linear map. Plain Normal memory without MTE. */
  readonly PAGE_KERNEL_TAGGED: Protection;
  /** PROT_DEVICE_nGnRnE, what `ioremap_np` uses. */
  readonly IOREMAP_NP: Protection;
  /** PROT_NORMAL, what `ioremap_cache` uses. */
  readonly IOREMAP_CACHE: Protection;
}

/** Linux's policy for arm64. */
export interface Arm64LinuxPolicy extends LinuxPolicy {
  /** Named protections, with this kernel's exact bits. */
  readonly protections: Arm64Protections;
}

/** log2 of what a contiguous run of pages maps (CONT_PTE_SHIFT). Runs of blocks are for the linear map and hugetlb. */
const CONT_PTE_SHIFTS: Readonly<Record<Granule, number>> = { 4: 16, 16: 21, 64: 21 };
/** log2 of what a block of level 2 maps. */
const PMD_SHIFTS: Readonly<Record<Granule, number>> = { 4: 21, 16: 25, 64: 29 };
/** log2 of what a block of level 1 maps, where Linux uses one (`pud_sect_supported`: the 4K granule alone). */
const PUD_SHIFT_4K = 30;

/** Software bit of entries without a `struct page` (PTE_SPECIAL). */
const PTE_SPECIAL = 1n << 56n;

/**
 * Linux's choices on arm64.
 *
 * The kernel's root is TTBR1's. `vmap` uses base pages, as in released kernels; `vmalloc_huge` goes up to the PMD,
 * `ioremap` to the PUD with the 4K granule. The larger blocks that 52-bit addresses permit are not used. With LPA2 the
 * same protections become entries without SH: that is the format's business.
 *
 * Source: Linux, `arch/arm64/include/asm/pgtable-prot.h`, `vmalloc.h`, `memory.h`, `pgtable.h` (6.12, and linux-mm of
 * mid-2026 for the window); `arch/arm64/mm/mmu.c`.
 *
 * @throws VmError `EINVAL` when the kernel has no such configuration, the window is empty or misaligned, or the guard is
 *   no number of pages.
 * @example
 * ```ts
 * const { PAGE_KERNEL } = arm64Linux({ granule: 4, vaBits: 48, kpti: true }).protections;
 * toBigint(arm64({ granule: 4, vaBits: 48 }).encode(PAGE_KERNEL, 3)); // 0x0068000000000f03n
 * ```
 */
export function arm64Linux(options: Arm64LinuxOptions): Arm64LinuxPolicy {
  const { granule, vaBits, actualVaBits = vaBits, contiguous = false, guardPages = 1 } = options;
  const layout: VmallocLayout = { granule, vaBits, actualVaBits };
  const computed = vmallocWindow(layout);
  const { start, end } = options.window ?? computed;
  const pageShift = PAGE_SHIFTS[granule];
  const pageBytes = 1n << BigInt(pageShift);
  if (start % pageBytes !== 0n) {
    throw new VmError('EINVAL', 'the vmalloc window does not start on a page', { address: start });
  }
  if (end - start < pageBytes) {
    throw new VmError('EINVAL', 'the vmalloc window has no page before its end', { address: end });
  }
  if (!Number.isSafeInteger(guardPages) || guardPages < 0) {
    throw new VmError('EINVAL', `guardPages is ${guardPages}, expected a number of pages`);
  }
  const huge = [pageShift, ...(contiguous ? [CONT_PTE_SHIFTS[granule]] : []), PMD_SHIFTS[granule]];
  return Object.freeze({
    name: policyName(options),
    window: Object.freeze({ start, end }),
    guardBytes: guardPages * Number(pageBytes),
    ioremapMaxOrder: granule === 4 ? PUD_SHIFT_4K : PMD_SHIFTS[granule],
    leaves: Object.freeze({
      vmalloc: Object.freeze(huge),
      vmap: Object.freeze([pageShift]),
      ioremap: Object.freeze(granule === 4 ? [...huge, PUD_SHIFT_4K] : [...huge]),
    }),
    protections: namedProtections(options),
    executeBits: ARM64_BITS.GP,
    specialBit: PTE_SPECIAL,
    setMemory: 'vmalloc',
  });
}

function policyName(options: Arm64LinuxOptions): string {
  const { granule, vaBits, actualVaBits = vaBits } = options;
  const parts = [`Linux arm64, ${granule}K pages, ${vaBits}-bit addresses`];
  if (actualVaBits !== vaBits) parts.push(`${actualVaBits} in use`);
  if (options.kpti === true) parts.push('KPTI');
  if (options.contiguous === true) parts.push('contiguous runs');
  if (options.mte === true) parts.push('MTE');
  return parts.join(', ');
}

function namedProtections({ kpti, mte, softwareDirty }: Arm64LinuxOptions): Arm64Protections {
  const global = kpti !== true;
  const { SOFTWARE_DIRTY } = ARM64_BITS;
  // On a page that cannot be written, the software bit is what `dirty` means.
  const data = { global, write: true, extra: softwareDirty === true ? SOFTWARE_DIRTY : 0n };
  const readOnly = { global, dirty: softwareDirty === true };
  const other = (fields: Partial<Protection>): Protection => protection({ global, write: true, ...fields });
  return Object.freeze({
    PAGE_KERNEL: protection(data),
    PAGE_KERNEL_RO: protection(readOnly),
    PAGE_KERNEL_ROX: protection({ ...readOnly, execute: true }),
    PAGE_KERNEL_EXEC: protection({ ...data, execute: true }),
    // Index 1. Without MTE it has the type of index 0, which makes the index a matter of `extra`.
    PAGE_KERNEL_TAGGED:
      mte === true
        ? protection({ ...data, memory: 'tagged' })
        : protection({ ...data, extra: data.extra | TAGGED_INDEX }),
    IOREMAP: other({ memory: 'device' }),
    IOREMAP_WC: other({ memory: 'write-combining' }),
    IOREMAP_NP: other({ memory: 'uncached' }),
    IOREMAP_CACHE: other({}),
  });
}

/** AttrIndx of Linux's MT_NORMAL_TAGGED. */
const TAGGED_INDEX = 1n << 2n;
