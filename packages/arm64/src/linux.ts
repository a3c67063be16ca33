import {
  flagOption,
  integerOption,
  type LinuxPolicy,
  type LinuxProtections,
  type LinuxUser,
  mmapBase,
  optionsOf,
  type Protection,
  protection,
  windowOption,
} from '@vmarea/core';
import { ARM64_BITS, type Granule, PAGE_SHIFTS, TYPE_TABLE } from './bits.js';
import { layoutOf, leastBits, type VmallocLayout, vmallocWindow } from './linux-window.js';
import { formatsOf } from './names.js';

/** The kernel's configuration and the machine it found. */
export interface Arm64LinuxOptions {
  /** Size of the base page in KiB (CONFIG_ARM64_4K_PAGES, _16K_PAGES or _64K_PAGES). */
  readonly granule: Granule;
  /** CONFIG_ARM64_VA_BITS: 39, 48, 52 (4K); 36, 47, 48, 52 (16K); 42, 48, 52 (64K). */
  readonly vaBits: number;
  /**
   * Bits that a kernel for 52 found at boot: `vabits_actual`. Without LVA or LPA2 it is 48, with the 16K granule 47. Default:
   * `vaBits`.
   */
  readonly actualVaBits?: number;
  /** Kernel page-table isolation, or KASLR that prepares for it: kernel mappings are not global. Default: false. */
  readonly kpti?: boolean;
  /** Leaf sizes include runs with the contiguous bit (contpte; needs CONFIG_HUGETLB_PAGE). Default: false. */
  readonly contiguous?: boolean;
  /** The processor has MTE and MAIR is `LINUX_MAIR_MTE`: `PAGE_KERNEL_TAGGED` is Normal-Tagged. Default: false. */
  readonly mte?: boolean;
  /**
   * `PAGE_KERNEL` and the other kernel protections have software bit 55 (PTE_DIRTY) set: in kernels before 5.4, and in kernels
   * since early 2026, including stable ones (6.1.192, 6.12.117). Default: false, as in the kernels between.
   */
  readonly softwareDirty?: boolean;
  /**
   * Entries that point to tables carry the access flag (PMD_TABLE_AF), for processors with FEAT_HAFT. Others
   * ignore it. Kernels do so since 6.13. Default: true.
   */
  readonly tableAccessFlag?: boolean;
  /**
   * Where vmalloc starts and ends, in bytes. Before 6.9 the window starts elsewhere. Default: that of a current kernel
   * without KASAN and with a `struct page` of 64 bytes.
   */
  readonly window?: { readonly start: bigint; readonly end: bigint };
  /** Unmapped pages after an area. Default: 1. */
  readonly guardPages?: number;
}

/** The kernel protections that arm64 names beyond the common ones. */
export interface Arm64Protections extends LinuxProtections {
  /** `pgprot_tagged(PAGE_KERNEL)`, MAIR index 1: the linear map. Without MTE it is plain Normal memory. */
  readonly PAGE_KERNEL_TAGGED: Protection;
  /** What `ioremap_np` uses: PROT_DEVICE_nGnRnE. */
  readonly IOREMAP_NP: Protection;
  /** What `ioremap_cache` uses: PROT_NORMAL. */
  readonly IOREMAP_CACHE: Protection;
}

/** Linux's policy for arm64. */
export interface Arm64LinuxPolicy extends LinuxPolicy {
  /** Entries that point to the kernel's tables: the user executes nothing below (PMD_TABLE_UXN). */
  readonly tableEntry: bigint;
  /**
   * Entries that point to a process's tables, in the lower half: the kernel executes nothing below
   * (PMD_TABLE_PXN). A `PageTable` of that half takes it as its option `tableEntry`.
   */
  readonly userTableEntry: bigint;
  /** Named protections, with this kernel's exact bits. */
  readonly protections: Arm64Protections;
}

/** log2 bytes of a contiguous run of pages (CONT_PTE_SHIFT). Linux uses runs of blocks for the linear map and hugetlb only. */
const CONT_PTE_SHIFTS: Readonly<Record<Granule, number>> = { 4: 16, 16: 21, 64: 21 };
/** log2 bytes of a block of level 2. */
const PMD_SHIFTS: Readonly<Record<Granule, number>> = { 4: 21, 16: 25, 64: 29 };
/** log2 bytes of a block of level 1, which Linux uses with the 4K granule only (`pud_sect_supported`). */
const PUD_SHIFT_4K = 30;

const NAMES = [
  ...(['granule', 'vaBits', 'actualVaBits', 'kpti', 'contiguous', 'mte', 'softwareDirty'] as const),
  ...(['tableAccessFlag', 'window', 'guardPages'] as const),
];

/** Software bit of entries without a `struct page` (PTE_SPECIAL). */
const PTE_SPECIAL = 1n << 56n;

/**
 * Linux's choices on arm64.
 *
 * The kernel's root is TTBR1's. `vmap` uses base pages, as in released kernels. `vmalloc_huge` goes up to the PMD, `ioremap`
 * up to the PUD with the 4K granule. Linux does not use the larger blocks that 52-bit addresses allow. With LPA2 the format
 * encodes the same protections without SH. Table entries of the kernel forbid execution to the user.
 *
 * Source: Linux, `arch/arm64/include/asm/pgtable-prot.h`, `pgtable-hwdef.h`, `pgalloc.h`, `vmalloc.h`, `memory.h`, `pgtable.h` (6.12, and linux-mm of
 * mid-2026 for the window); `arch/arm64/mm/mmu.c`.
 *
 * @throws VmError `EINVAL` when an option is unknown, missing or out of range, when the kernel has no such configuration, or
 *   when the window is empty or misaligned.
 * @example
 * ```ts
 * const { PAGE_KERNEL } = arm64Linux({ granule: 4, vaBits: 48, kpti: true }).protections;
 * toBigint(arm64({ granule: 4, vaBits: 48 }).encode(PAGE_KERNEL, 3)); // 0x0068000000000f03n
 * ```
 */
export function arm64Linux(options: Arm64LinuxOptions): Arm64LinuxPolicy {
  const given = optionsOf(options, NAMES, 'arm64Linux()');
  const layout = layoutOf(given);
  const { granule, actualVaBits } = layout;
  const kernel: Kernel = {
    kpti: flagOption(given, 'kpti', false),
    contiguous: flagOption(given, 'contiguous', false),
    mte: flagOption(given, 'mte', false),
    softwareDirty: flagOption(given, 'softwareDirty', false),
  };
  const pageShift = PAGE_SHIFTS[granule];
  const usual = vmallocWindow(layout);
  const window = windowOption(
    given.window,
    'arm64Linux()',
    given.window === undefined ? { start: usual.start, end: () => usual.end } : {},
    pageShift,
  );
  const table = TYPE_TABLE | (flagOption(given, 'tableAccessFlag', true) ? ARM64_BITS.AF : 0n);
  const guardPages = integerOption(given, 'guardPages', 0, 2 ** 32 - 1, 1);
  const huge = [pageShift, ...(kernel.contiguous ? [CONT_PTE_SHIFTS[granule]] : []), PMD_SHIFTS[granule]];
  return Object.freeze({
    name: policyName(layout, kernel),
    formats: formatsOf(granule, actualVaBits, 'ttbr1'),
    window,
    guardBytes: guardPages * 2 ** pageShift,
    ioremapMaxOrder: granule === 4 ? PUD_SHIFT_4K : PMD_SHIFTS[granule],
    leaves: Object.freeze({
      vmalloc: Object.freeze(huge),
      vmap: Object.freeze([pageShift]),
      ioremap: Object.freeze(granule === 4 ? [...huge, PUD_SHIFT_4K] : [...huge]),
    }),
    protections: namedProtections(kernel),
    // pmd_populate_kernel and pmd_populate in asm/pgalloc.h.
    tableEntry: table | ARM64_BITS.UXN_TABLE,
    userTableEntry: table | ARM64_BITS.PXN_TABLE,
    executeBits: ARM64_BITS.GP,
    specialBit: PTE_SPECIAL,
    setMemory: 'vmalloc',
    user: userPolicy(layout, table | ARM64_BITS.PXN_TABLE),
  });
}

/** CONFIG_DEFAULT_MMAP_MIN_ADDR of arm64's default configuration. */
const MIN_ADDRESS = 0x8000n;

/**
 * TASK_SIZE is all of TTBR0's half. mmap stays in the addresses of the fewest bits unless a hint asks for more.
 *
 * Source: Linux 6.12, `TASK_SIZE_64`, `DEFAULT_MAP_WINDOW_64`, `TASK_UNMAPPED_BASE` and `arch_get_mmap_base` in
 * `arch/arm64/include/asm/processor.h`; `protection_map` in `arch/arm64/mm/mmap.c`; `do_page_fault` in `arch/arm64/mm/fault.c`.
 */
function userPolicy({ granule, vaBits, actualVaBits }: VmallocLayout, tableEntry: bigint): LinuxUser {
  const pageShift = PAGE_SHIFTS[granule];
  const page = 1n << BigInt(pageShift);
  const mapWindow = 1n << BigInt(leastBits(granule, vaBits));
  return Object.freeze({
    formats: formatsOf(granule, actualVaBits, 'ttbr0'),
    taskSize: 1n << BigInt(actualVaBits),
    mapWindow,
    hintWidens: true,
    mmapBase: mmapBase(mapWindow, pageShift),
    unmappedBase: (mapWindow / 4n + page - 1n) & ~(page - 1n),
    minAddress: MIN_ADDRESS < page ? page : MIN_ADDRESS,
    protections: Object.freeze(
      Array.from({ length: 16 }, (_, rights) =>
        protection({
          // Only shared pages are writable at once. A page without rights belongs to the kernel.
          write: (rights & 10) === 10,
          dirty: false,
          execute: (rights & 4) !== 0,
          user: (rights & 7) !== 0,
        }),
      ),
    ),
    // Write implies read; so does execution, without EPAN.
    readableBy: 7,
    tableEntry,
  });
}

/** What the kernel was built and booted with, defaults filled in. */
type Kernel = Required<Pick<Arm64LinuxOptions, 'kpti' | 'contiguous' | 'mte' | 'softwareDirty'>>;

function policyName({ granule, vaBits, actualVaBits }: VmallocLayout, kernel: Kernel): string {
  const parts = [`Linux arm64, ${granule}K pages, ${vaBits}-bit addresses`];
  if (actualVaBits !== vaBits) parts.push(`${actualVaBits} in use`);
  if (kernel.kpti) parts.push('KPTI');
  if (kernel.contiguous) parts.push('contiguous runs');
  if (kernel.mte) parts.push('MTE');
  return parts.join(', ');
}

function namedProtections({ kpti, mte, softwareDirty }: Kernel): Arm64Protections {
  const global = !kpti;
  const { SOFTWARE_DIRTY } = ARM64_BITS;
  // In a read-only page, the software bit is `dirty`.
  const data = { global, write: true, extra: softwareDirty ? SOFTWARE_DIRTY : 0n };
  const readOnly = { global, dirty: softwareDirty };
  const other = (fields: Partial<Protection>): Protection => protection({ global, write: true, ...fields });
  return Object.freeze({
    PAGE_KERNEL: protection(data),
    PAGE_KERNEL_RO: protection(readOnly),
    PAGE_KERNEL_ROX: protection({ ...readOnly, execute: true }),
    PAGE_KERNEL_EXEC: protection({ ...data, execute: true }),
    // MAIR index 1. Without MTE it has the type of index 0, so `extra` selects the index.
    PAGE_KERNEL_TAGGED: mte
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
