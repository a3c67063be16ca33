import { type LinuxPolicy, type LinuxProtections, type Protection, protection, VmError } from '@vmarea/core';
import { PAGE_SHIFT, PMD_SHIFT, PUD_SHIFT } from './bits.js';

/** The kernel's configuration and the machine it found. */
export interface X8664LinuxOptions {
  /** Page-table isolation is on: the kernel leaves G out of its protections. Default false. */
  readonly pti?: boolean;
  /** The processor has NX and it is on. Default true; when false, every page is executable (`noexec=off`). */
  readonly nx?: boolean;
  /**
   * Where vmalloc starts (`vmalloc_base`) and ends, in bytes. KASLR randomises the start. The default is the
   * fixed address of a kernel without it; `end` defaults to the size of the layout.
   */
  readonly window?: { readonly start: bigint; readonly end?: bigint };
  /** Position of the C-bit when memory encryption is active, 32 to 51; kernel protections then carry it. */
  readonly encryptionBit?: number;
  /** Unmapped pages after an area. Default 1. */
  readonly guardPages?: number;
  /** The processor has leaves of 1 GiB. Default true. */
  readonly page1g?: boolean;
}

/** The kernel protections that x86-64 names beyond the common ones. */
export interface X8664Protections extends LinuxProtections {
  /** `PAGE_KERNEL` without G, whatever PTI says. */
  readonly PAGE_KERNEL_NOGLOBAL: Protection;
  /** `PAGE_KERNEL`, uncached (UC). */
  readonly PAGE_KERNEL_NOCACHE: Protection;
  /** `PAGE_KERNEL` without the encryption bit. */
  readonly PAGE_KERNEL_NOENC: Protection;
  /** What device mappings start from: `PAGE_KERNEL` without the encryption bit. */
  readonly PAGE_KERNEL_IO: Protection;
  /** What `ioremap_uc` uses (UC). */
  readonly IOREMAP_UC: Protection;
  /** What `ioremap_wt` uses (WT). */
  readonly IOREMAP_WT: Protection;
}

/** Linux's policy for x86-64. */
export interface X8664LinuxPolicy extends LinuxPolicy {
  /** Named protections, with this kernel's exact bits. */
  readonly protections: X8664Protections;
}

/** Where a layout of the kernel's address space has its vmalloc window. */
export interface X86Layout {
  /** Name of the architecture in the policy's name. */
  readonly name: string;
  /** VMALLOC_START without KASLR. */
  readonly vmallocStart: bigint;
  /** Bytes of the window. */
  readonly vmallocBytes: bigint;
}

const TiB = 1n << 40n;

/** Software bit of entries without a `struct page` (_PAGE_SPECIAL, _PAGE_BIT_SOFTW1). */
const PAGE_SPECIAL = 1n << 9n;

/**
 * Linux's choices on x86-64 with 4 levels.
 *
 * The window is VMALLOC_START to VMALLOC_END. On x86-64 that macro is the last byte of the window
 * (start + 32 TiB - 1), yet every user compares it as if it were the first byte behind, and so does this policy:
 * with `address + size <= end` no area can have the window's last page.
 *
 * `vmap` uses base pages, as in released kernels. `PAGE_KERNEL_LARGE` and `PAGE_KERNEL_LARGE_EXEC` are no names
 * here: encode `PAGE_KERNEL` and `PAGE_KERNEL_EXEC` at the PMD or PUD level.
 *
 * Source: `arch/x86/include/asm/pgtable_64_types.h`, `pgtable_types.h`, `vmalloc.h`;
 * `Documentation/arch/x86/x86_64/mm.rst`.
 *
 * @throws VmError `EINVAL` when the window is empty or misaligned, or the guard is no number of pages.
 * @example
 * ```ts
 * const { PAGE_KERNEL } = x8664Linux({ pti: true }).protections;
 * toBigint(x8664().encode(PAGE_KERNEL, 3)); // 0x8000000000000063n
 * ```
 */
export function x8664Linux(options: X8664LinuxOptions = {}): X8664LinuxPolicy {
  const layout = { name: 'x86-64', vmallocStart: 0xffffc90000000000n, vmallocBytes: 32n * TiB };
  return x86LinuxPolicy(layout, options);
}

/**
 * Linux's policy for a layout of x86-64: `x8664Linux` is the one with 4 levels.
 *
 * @throws VmError `EINVAL` as `x8664Linux` does.
 */
export function x86LinuxPolicy(layout: X86Layout, options: X8664LinuxOptions = {}): X8664LinuxPolicy {
  const { guardPages = 1, page1g = true } = options;
  const pageBytes = 1n << BigInt(PAGE_SHIFT);
  const start = options.window?.start ?? layout.vmallocStart;
  const end = options.window?.end ?? start + layout.vmallocBytes - 1n;
  if (start % pageBytes !== 0n) {
    throw new VmError('EINVAL', 'the vmalloc window does not start on a page', { address: start });
  }
  if (end - start < pageBytes) {
    throw new VmError('EINVAL', 'the vmalloc window has no page before its end', { address: end });
  }
  if (!Number.isSafeInteger(guardPages) || guardPages < 0) {
    throw new VmError('EINVAL', `guardPages is ${guardPages}, expected a number of pages`);
  }
  const large = page1g ? [PAGE_SHIFT, PMD_SHIFT, PUD_SHIFT] : [PAGE_SHIFT, PMD_SHIFT];
  return Object.freeze({
    name: policyName(layout, options),
    window: Object.freeze({ start, end }),
    guardBytes: guardPages * Number(pageBytes),
    ioremapMaxOrder: PUD_SHIFT,
    leaves: Object.freeze({
      // VM_ALLOW_HUGE_VMAP stops at the PMD; ioremap may go up to the PUD; vmap passes PAGE_SHIFT.
      vmalloc: Object.freeze([PAGE_SHIFT, PMD_SHIFT]),
      vmap: Object.freeze([PAGE_SHIFT]),
      ioremap: Object.freeze(large),
    }),
    protections: namedProtections(options),
    specialBit: PAGE_SPECIAL,
  });
}

function policyName(layout: X86Layout, { pti, nx, encryptionBit }: X8664LinuxOptions): string {
  const parts = [`Linux ${layout.name}`];
  if (pti === true) parts.push('PTI');
  if (nx === false) parts.push('no NX');
  if (encryptionBit !== undefined) parts.push('memory encryption');
  return parts.join(', ');
}

function namedProtections({ pti, nx = true, encryptionBit }: X8664LinuxOptions): X8664Protections {
  const extra = encryptionBit === undefined ? 0n : 1n << BigInt(encryptionBit);
  // Linux masks what the processor lacks: NX through __supported_pte_mask, G through __default_kernel_pte_mask.
  const noExecute = { execute: !nx, global: pti !== true };
  const data = { ...noExecute, write: true };
  const io = protection(data);
  const ioremap = (fields: Partial<Protection>): Protection => protection({ ...io, ...fields });
  return Object.freeze({
    PAGE_KERNEL: protection({ ...data, extra }),
    PAGE_KERNEL_RO: protection({ ...noExecute, extra }),
    PAGE_KERNEL_ROX: protection({ ...noExecute, execute: true, extra }),
    PAGE_KERNEL_EXEC: protection({ ...data, execute: true, extra }),
    PAGE_KERNEL_NOGLOBAL: protection({ ...data, global: false, extra }),
    PAGE_KERNEL_NOCACHE: protection({ ...data, memory: 'uncached', extra }),
    PAGE_KERNEL_NOENC: io,
    PAGE_KERNEL_IO: io,
    IOREMAP: ioremap({ memory: 'device' }),
    IOREMAP_WC: ioremap({ memory: 'write-combining' }),
    IOREMAP_UC: ioremap({ memory: 'uncached' }),
    IOREMAP_WT: ioremap({ memory: 'write-through' }),
  });
}
