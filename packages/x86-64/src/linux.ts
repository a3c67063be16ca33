import {
  bigintOption,
  flagOption,
  integerOption,
  type LinuxPolicy,
  type LinuxProtections,
  type LinuxUser,
  mmapBase,
  optionsOf,
  type Protection,
  protection,
  textOption,
  windowOption,
} from '@vmarea/core';
import { PAGE_SHIFT, PMD_SHIFT, PUD_SHIFT } from './bits.js';

/** The kernel's configuration and the machine it found. */
export interface X8664LinuxOptions {
  /** Page-table isolation: kernel mappings are not global. Default: false. */
  readonly pti?: boolean;
  /** The processor has NX and it is on. When false, every page is executable (`noexec=off`). Default: true. */
  readonly nx?: boolean;
  /**
   * Where vmalloc starts (`vmalloc_base`) and ends, in bytes. KASLR randomises the start. Default: the fixed start of a
   * kernel without KASLR, and the end that follows from the start and the size of the layout's window.
   */
  readonly window?: { readonly start: bigint; readonly end?: bigint };
  /** Position of the C-bit, 32 to 51, when memory encryption is active: kernel protections carry it. Default: none. */
  readonly encryptionBit?: number;
  /** Position of the shared bit, 32 to 51, in a guest of Intel TDX: device mappings carry it. Default: none. */
  readonly sharedBit?: number;
  /** Unmapped pages after an area. Default: 1. */
  readonly guardPages?: number;
  /** The processor has leaves of 1 GiB. Default: true. */
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
  /** The base of device mappings: `PAGE_KERNEL` without the encryption bit. */
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

/** A layout of the kernel's address space. */
export interface X86Layout {
  /** Name of its format. The policy accepts no other. */
  readonly name: string;
  /** VMALLOC_START without KASLR. */
  readonly vmallocStart: bigint;
  /** Bytes of the window. */
  readonly vmallocBytes: bigint;
  /** Bits of a user address: 47 or 56. Default: 47. */
  readonly userBits?: number;
}

const TiB = 0x100_0000_0000n;

/** Software bit of entries without a `struct page` (_PAGE_SPECIAL, _PAGE_BIT_SOFTW1). */
const PAGE_SPECIAL = 0x200n;

/**
 * Linux's choices on x86-64 with 4 levels.
 *
 * The window is VMALLOC_START to VMALLOC_END. On x86-64 VMALLOC_END is the last byte of the window (start + 32 TiB - 1), and
 * all of Linux compares it as if it were the first byte after the window. This policy does the same: with
 * `address + size <= end` no area has the window's last page.
 *
 * `vmap` uses base pages, as in released kernels. There are no `PAGE_KERNEL_LARGE` and `PAGE_KERNEL_LARGE_EXEC`: encode
 * `PAGE_KERNEL` and `PAGE_KERNEL_EXEC` at the PMD or PUD level.
 *
 * Source: `arch/x86/include/asm/pgtable_64_types.h`, `pgtable_types.h`, `vmalloc.h`;
 * `Documentation/arch/x86/x86_64/mm.rst`.
 *
 * @throws VmError `EINVAL` when an option is unknown or out of range, or the window is empty or misaligned.
 * @example
 * ```ts
 * const { PAGE_KERNEL } = x8664Linux({ pti: true }).protections;
 * toBigint(x8664().encode(PAGE_KERNEL, 3)); // 0x8000000000000063n
 * ```
 */
export function x8664Linux(options?: X8664LinuxOptions): X8664LinuxPolicy {
  const layout = { name: 'x86-64', vmallocStart: 0xffffc90000000000n, vmallocBytes: 32n * TiB };
  return x86LinuxPolicy(layout, options, 'x8664Linux()');
}

const NAMES = ['pti', 'nx', 'window', 'encryptionBit', 'sharedBit', 'guardPages', 'page1g'] as const;

/**
 * Linux's policy for a layout of x86-64: `x8664Linux` is the one with 4 levels.
 *
 * @param what - the call in messages. Default: the name of the layout.
 * @throws VmError `EINVAL` as `x8664Linux`, and when the layout is wrong.
 */
export function x86LinuxPolicy(
  layout: X86Layout,
  options?: X8664LinuxOptions,
  what?: string,
): X8664LinuxPolicy {
  const { name, vmallocStart, vmallocBytes, userBits } = checkedLayout(layout);
  const given = optionsOf(options, NAMES, what ?? name);
  const kernel: Kernel = {
    pti: flagOption(given, 'pti', false),
    nx: flagOption(given, 'nx', true),
    encryptionBit: given.encryptionBit === undefined ? null : integerOption(given, 'encryptionBit', 32, 51),
    sharedBit: given.sharedBit === undefined ? null : integerOption(given, 'sharedBit', 32, 51),
  };
  const usual = { start: vmallocStart, end: (start: bigint) => start + vmallocBytes - 1n };
  const window = windowOption(given.window, what ?? name, usual, PAGE_SHIFT);
  const guardPages = integerOption(given, 'guardPages', 0, 2 ** 32 - 1, 1);
  const large = flagOption(given, 'page1g', true)
    ? [PAGE_SHIFT, PMD_SHIFT, PUD_SHIFT]
    : [PAGE_SHIFT, PMD_SHIFT];
  return Object.freeze({
    name: policyName(name, kernel),
    formats: Object.freeze([name]),
    window,
    guardBytes: guardPages * 2 ** PAGE_SHIFT,
    ioremapMaxOrder: PUD_SHIFT,
    leaves: Object.freeze({
      // VM_ALLOW_HUGE_VMAP stops at the PMD; ioremap may go up to the PUD; vmap passes PAGE_SHIFT.
      vmalloc: Object.freeze([PAGE_SHIFT, PMD_SHIFT]),
      vmap: Object.freeze([PAGE_SHIFT]),
      ioremap: Object.freeze(large),
    }),
    protections: namedProtections(kernel),
    specialBit: PAGE_SPECIAL,
    user: userPolicy(name, kernel, userBits),
  });
}

function checkedLayout(layout: X86Layout): Required<X86Layout> {
  const given = optionsOf(layout, ['name', 'vmallocStart', 'vmallocBytes', 'userBits'], 'the layout');
  return {
    name: textOption(given, 'name'),
    vmallocStart: bigintOption(given, 'vmallocStart'),
    vmallocBytes: bigintOption(given, 'vmallocBytes'),
    userBits: integerOption(given, 'userBits', USER_BITS, 56, USER_BITS),
  };
}

/** Bits of a user address with 4 levels. */
const USER_BITS = 47;
/** CONFIG_DEFAULT_MMAP_MIN_ADDR. */
const MIN_ADDRESS = 0x10000n;

/**
 * TASK_SIZE is one page less than half of the addresses, since SYSRET may not return to the last byte. With 5 levels, mmap
 * stays in 47 bits unless a hint asks for more.
 *
 * Source: Linux 6.12, `TASK_SIZE_MAX`, `DEFAULT_MAP_WINDOW` and `__TASK_UNMAPPED_BASE` in
 * `arch/x86/include/asm/page_64_types.h` and `processor.h`; `protection_map` in `arch/x86/mm/pgprot.c`; `access_error` in
 * `arch/x86/mm/fault.c`; `_PAGE_TABLE` in `pgtable_types.h`.
 */
function userPolicy(name: string, { nx, encryptionBit }: Kernel, userBits: number): LinuxUser {
  const page = 1n << BigInt(PAGE_SHIFT);
  const mapWindow = (1n << BigInt(USER_BITS)) - page;
  const extra = encryptionBit === null ? 0n : 1n << BigInt(encryptionBit);
  const third = mapWindow / 3n;
  return Object.freeze({
    formats: Object.freeze([name]),
    taskSize: (1n << BigInt(userBits)) - page,
    mapWindow,
    hintWidens: true,
    mmapBase: mmapBase(mapWindow, PAGE_SHIFT),
    unmappedBase: (third + page - 1n) & ~(page - 1n),
    minAddress: MIN_ADDRESS,
    protections: Object.freeze(
      Array.from({ length: 16 }, (_, rights) =>
        protection({
          // Only shared pages are writable at once. A page without rights belongs to the kernel.
          write: (rights & 10) === 10,
          dirty: false,
          execute: (rights & 4) !== 0 || (!nx && (rights & 7) !== 0),
          user: (rights & 7) !== 0,
          extra,
        }),
      ),
    ),
    // A region with any right is readable (vma_is_accessible).
    readableBy: 7,
    // P, RW, US, A and D, and the encryption bit.
    tableEntry: 0x67n | extra,
  });
}

/** What the kernel was built and booted with, defaults filled in. */
interface Kernel {
  readonly pti: boolean;
  readonly nx: boolean;
  readonly encryptionBit: number | null;
  readonly sharedBit: number | null;
}

function policyName(name: string, { pti, nx, encryptionBit, sharedBit }: Kernel): string {
  const parts = [`Linux ${name}`];
  if (pti) parts.push('PTI');
  if (!nx) parts.push('no NX');
  if (encryptionBit !== null) parts.push('memory encryption');
  if (sharedBit !== null) parts.push('TDX');
  return parts.join(', ');
}

function namedProtections({ pti, nx, encryptionBit, sharedBit }: Kernel): X8664Protections {
  const extra = encryptionBit === null ? 0n : 1n << BigInt(encryptionBit);
  // Linux masks bits that the processor lacks: NX through __supported_pte_mask, G through __default_kernel_pte_mask.
  const noExecute = { execute: !nx, global: !pti };
  const data = { ...noExecute, write: true };
  const io = protection(data);
  // pgprot_decrypted sets the shared bit; a page of the guest has none, and _PAGE_ENC is 0.
  const shared = sharedBit === null ? 0n : 1n << BigInt(sharedBit);
  const ioremap = (fields: Partial<Protection>): Protection =>
    protection({ ...io, extra: shared, ...fields });
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
