import {
  bigintOption,
  choiceOption,
  flagOption,
  integerOption,
  type LinuxPolicy,
  type LinuxProtections,
  type LinuxUser,
  type MemoryType,
  mmapBase,
  optionsOf,
  protection,
  VmError,
} from '@vmarea/core';
import { NAPOT_SHIFT, PAGE_SHIFT, PMD_SHIFT, PUD_SHIFT } from './bits.js';
import { MODES, type Riscv64Mode } from './format.js';

/** The kernel's configuration and the machine it found. */
export interface Riscv64LinuxOptions {
  /** The paging mode. Default: `sv48`. */
  readonly mode?: Riscv64Mode;
  /** The processor has Svnapot, and the kernel uses it (`CONFIG_RISCV_ISA_SVNAPOT`). Default: false. */
  readonly napot?: boolean;
  /** The processor has Svpbmt: device mappings say their memory type. Default: true. */
  readonly svpbmt?: boolean;
  /** PAGE_OFFSET in bytes: the direct mapping starts and the vmalloc window ends there. Default: that of 6.12. */
  readonly pageOffset?: bigint;
  /** Unmapped pages after an area. Default: 1. */
  readonly guardPages?: number;
}

/** Linux's policy for riscv64. */
export interface Riscv64LinuxPolicy extends LinuxPolicy {
  /** Named protections, with this kernel's exact bits. */
  readonly protections: LinuxProtections;
}

const NAMES = ['mode', 'napot', 'svpbmt', 'pageOffset', 'guardPages'] as const;

const GiB = 1n << 30n;

/** Software bit of entries without a `struct page` (_PAGE_SPECIAL, the lower bit of RSW). */
const PAGE_SPECIAL = 1n << 8n;

/**
 * PAGE_OFFSET, and the bytes of the vmalloc window below it: a quarter of the kernel's half, PTRS_PER_PGD / 2 × PGDIR_SIZE / 4.
 *
 * Source: Linux, `arch/riscv/include/asm/page.h` (PAGE_OFFSET_L3, _L4, _L5; that of Sv39 was 0xffffffd800000000 until its direct
 * mapping was made larger) and `pgtable.h` (KERN_VIRT_SIZE, VMALLOC_SIZE).
 */
const LAYOUTS: Readonly<Record<Riscv64Mode, Layout>> = {
  sv39: { vaBits: 39, pageOffset: 0xffffffd600000000n, vmallocBytes: 64n * GiB },
  sv48: { vaBits: 48, pageOffset: 0xffffaf8000000000n, vmallocBytes: 32768n * GiB },
  sv57: { vaBits: 57, pageOffset: 0xff60000000000000n, vmallocBytes: 16777216n * GiB },
};

interface Layout {
  /** Bits of a virtual address. */
  readonly vaBits: number;
  readonly pageOffset: bigint;
  readonly vmallocBytes: bigint;
}

/**
 * Linux's choices on riscv64.
 *
 * The window ends at PAGE_OFFSET, as in newer kernels. Older ones leave out its last byte.
 *
 * Without Svpbmt, the platform decides the memory type, and `IOREMAP` and `IOREMAP_WC` are `PAGE_KERNEL`.
 *
 * Source: Linux, `arch/riscv/include/asm/pgtable.h` (_PAGE_KERNEL, _PAGE_IOREMAP, pgprot_writecombine), `vmalloc.h`.
 *
 * @throws VmError `EINVAL` when an option is unknown or out of range, or the window does not fit.
 * @example
 * ```ts
 * const { PAGE_KERNEL } = riscv64Linux({ mode: 'sv39' }).protections;
 * toBigint(riscv64({ mode: 'sv39' }).encode(PAGE_KERNEL, 2)); // 0xe7n
 * ```
 */
export function riscv64Linux(options?: Riscv64LinuxOptions): Riscv64LinuxPolicy {
  const given = optionsOf(options, NAMES, 'riscv64Linux()');
  const mode = choiceOption(given, 'mode', MODES, 'sv48');
  const napot = flagOption(given, 'napot', false);
  const svpbmt = flagOption(given, 'svpbmt', true);
  const guardPages = integerOption(given, 'guardPages', 0, 2 ** 32 - 1, 1);
  const { vaBits, vmallocBytes, pageOffset } = LAYOUTS[mode];
  const end = bigintOption(given, 'pageOffset', pageOffset);
  if (end % (1n << BigInt(PAGE_SHIFT)) !== 0n) {
    throw new VmError('EINVAL', 'pageOffset is not on a page', { address: end });
  }
  const lowest = (1n << 64n) - (1n << BigInt(vaBits - 1));
  if (end - vmallocBytes < lowest) {
    throw new VmError('EINVAL', 'pageOffset leaves no room for the vmalloc window', {
      address: end,
      advice: `${mode} needs 0x${(lowest + vmallocBytes).toString(16)} or more`,
    });
  }
  const runs = napot ? [NAPOT_SHIFT] : [];
  return Object.freeze({
    name: `Linux riscv64, ${mode}${napot ? ', NAPOT' : ''}${svpbmt ? '' : ', no Svpbmt'}`,
    formats: Object.freeze([`riscv64-${mode}`]),
    window: Object.freeze({ start: end - vmallocBytes, end }),
    guardBytes: guardPages * 2 ** PAGE_SHIFT,
    ioremapMaxOrder: PUD_SHIFT,
    leaves: Object.freeze({
      // VM_ALLOW_HUGE_VMAP stops at the PMD; ioremap may go up to the PUD; vmap passes PAGE_SHIFT.
      vmalloc: Object.freeze([PAGE_SHIFT, ...runs, PMD_SHIFT]),
      vmap: Object.freeze([PAGE_SHIFT]),
      ioremap: Object.freeze([PAGE_SHIFT, ...runs, PMD_SHIFT, PUD_SHIFT]),
      wholeRunsOnly: true,
    }),
    protections: namedProtections(svpbmt),
    specialBit: PAGE_SPECIAL,
    user: userPolicy(mode, vaBits),
  });
}

/** CONFIG_DEFAULT_MMAP_MIN_ADDR. */
const MIN_ADDRESS = 0x10000n;
/** Most bits of an address for which mmap chooses by itself (MMAP_VA_BITS_64). */
const MMAP_BITS = 48;

/**
 * TASK_SIZE is the lower half. The search for free addresses begins in the lower half of Sv48 also in Sv57. A hint may name any
 * address.
 *
 * Source: Linux 6.12, `TASK_SIZE_64` and `protection_map`'s PAGE_… in `arch/riscv/include/asm/pgtable.h`, `protection_map` in
 * `arch/riscv/mm/init.c`; `STACK_TOP`, `MMAP_VA_BITS`, `arch_get_mmap_end` and `TASK_UNMAPPED_BASE` in
 * `arch/riscv/include/asm/processor.h`; `access_error` in `arch/riscv/mm/fault.c`.
 */
function userPolicy(mode: Riscv64Mode, vaBits: number): LinuxUser {
  const page = 1n << BigInt(PAGE_SHIFT);
  const taskSize = 1n << BigInt(vaBits - 1);
  const mapWindow = 1n << BigInt(Math.min(vaBits, MMAP_BITS) - 1);
  return Object.freeze({
    formats: Object.freeze([`riscv64-${mode}`]),
    taskSize,
    mapWindow,
    hintWidens: false,
    mmapBase: mmapBase(mapWindow, PAGE_SHIFT),
    unmappedBase: (taskSize / 3n + page - 1n) & ~(page - 1n),
    minAddress: MIN_ADDRESS,
    protections: Object.freeze(
      Array.from({ length: 16 }, (_, rights) =>
        protection({
          // A leaf with W and without R is reserved. Execution alone does not let a process read.
          read: (rights & 7) !== 4,
          // Only shared pages are writable at once. A page without rights belongs to the kernel.
          write: (rights & 10) === 10,
          dirty: false,
          execute: (rights & 4) !== 0,
          user: (rights & 7) !== 0,
        }),
      ),
    ),
    // Write implies read.
    readableBy: 3,
  });
}

/**
 * _PAGE_KERNEL is V, R, W, A, D and G. Protections that remove W keep D: read-only pages are dirty too.
 *
 * Linux has no PAGE_KERNEL_RO on riscv64 and uses PAGE_KERNEL in its place. Here PAGE_KERNEL_RO is PAGE_KERNEL_READ, and
 * PAGE_KERNEL_ROX is PAGE_KERNEL_READ_EXEC. IOREMAP_WC is pgprot_writecombine(PAGE_KERNEL): riscv64 has no ioremap_wc.
 */
function namedProtections(svpbmt: boolean): LinuxProtections {
  const data = { write: true, global: true, dirty: true } as const;
  const io = (memory: MemoryType) => protection({ ...data, memory: svpbmt ? memory : 'normal' });
  return Object.freeze({
    PAGE_KERNEL: protection(data),
    PAGE_KERNEL_RO: protection({ ...data, write: false }),
    PAGE_KERNEL_ROX: protection({ ...data, write: false, execute: true }),
    PAGE_KERNEL_EXEC: protection({ ...data, execute: true }),
    IOREMAP: io('device'),
    IOREMAP_WC: io('write-combining'),
  });
}
