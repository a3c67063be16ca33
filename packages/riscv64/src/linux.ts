import { type LinuxPolicy, type LinuxProtections, type MemoryType, protection, VmError } from '@vmarea/core';
import { NAPOT_SHIFT, PAGE_SHIFT, PMD_SHIFT, PUD_SHIFT } from './bits.js';
import type { Riscv64Mode } from './format.js';

/** The kernel's configuration and the machine it found. */
export interface Riscv64LinuxOptions {
  /** The paging mode. Default `sv48`. */
  readonly mode?: Riscv64Mode;
  /** The processor has Svnapot, and the kernel uses it (`CONFIG_RISCV_ISA_SVNAPOT`). Default false. */
  readonly napot?: boolean;
  /** The processor has Svpbmt: device mappings say their memory type. Default true. */
  readonly svpbmt?: boolean;
  /** PAGE_OFFSET, where the direct mapping starts, in bytes: the vmalloc window ends there. Default that of 6.12. */
  readonly pageOffset?: bigint;
  /** Unmapped pages after an area. Default 1. */
  readonly guardPages?: number;
}

/** Linux's policy for riscv64. */
export interface Riscv64LinuxPolicy extends LinuxPolicy {
  /** Named protections, with this kernel's exact bits. */
  readonly protections: LinuxProtections;
}

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
 * The window ends at PAGE_OFFSET, as in newer kernels; older ones left its last byte out.
 *
 * Without Svpbmt the platform's own attributes say what memory is: `IOREMAP` and `IOREMAP_WC` are then like `PAGE_KERNEL`.
 *
 * Source: Linux, `arch/riscv/include/asm/pgtable.h` (_PAGE_KERNEL, _PAGE_IOREMAP, pgprot_writecombine), `vmalloc.h`.
 *
 * @throws VmError `EINVAL` when an option is out of range.
 * @example
 * ```ts
 * const { PAGE_KERNEL } = riscv64Linux({ mode: 'sv39' }).protections;
 * toBigint(riscv64({ mode: 'sv39' }).encode(PAGE_KERNEL, 2)); // 0xe7n
 * ```
 */
export function riscv64Linux(options: Riscv64LinuxOptions = {}): Riscv64LinuxPolicy {
  const { mode = 'sv48', napot = false, svpbmt = true, guardPages = 1 } = options;
  if (!Object.hasOwn(LAYOUTS, mode)) {
    throw new VmError('EINVAL', `mode is ${String(mode)}, expected sv39, sv48 or sv57`);
  }
  const { vaBits, vmallocBytes, pageOffset } = LAYOUTS[mode];
  const end = options.pageOffset ?? pageOffset;
  if (end % (1n << BigInt(PAGE_SHIFT)) !== 0n) {
    throw new VmError('EINVAL', 'PAGE_OFFSET is not at a page', { address: end });
  }
  const lowest = (1n << 64n) - (1n << BigInt(vaBits - 1));
  if (end - vmallocBytes < lowest || end >> 64n !== 0n) {
    throw new VmError('EINVAL', 'PAGE_OFFSET leaves no room for the vmalloc window', {
      address: end,
      advice: `${mode} needs 0x${(lowest + vmallocBytes).toString(16)} or more`,
    });
  }
  if (!Number.isSafeInteger(guardPages) || guardPages < 0) {
    throw new VmError('EINVAL', `guardPages is ${guardPages}, expected a number of pages`);
  }
  const runs = napot ? [NAPOT_SHIFT] : [];
  return Object.freeze({
    name: `Linux riscv64, ${mode}${napot ? ', NAPOT' : ''}${svpbmt ? '' : ', no Svpbmt'}`,
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
  });
}

/**
 * _PAGE_KERNEL is V, R, W, A, D and G, whatever is taken from it: read-only pages are dirty too.
 *
 * Linux has no PAGE_KERNEL_RO here, and takes PAGE_KERNEL where one is asked for; what is read-only is PAGE_KERNEL_READ and
 * PAGE_KERNEL_READ_EXEC, the two below. Nor is there an ioremap_wc of its own: IOREMAP_WC is pgprot_writecombine(PAGE_KERNEL).
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
