import type { PageTableFormat } from '@vmarea/core';
import type { MakeFormat, Vmcoreinfo } from '@vmarea/image';
import { x8664 } from '@vmarea/x86-64';
import { x8664AnyFromRegisters, x8664La57 } from '@vmarea/x86-64-la57';
import type { KernelLayout, Machine } from './machine.js';
import { least, region, TOP } from './region.js';

/** Registers of a current Linux, for those that nobody gave: paging on, and in CR4 what has no say in the number of levels. */
const CR0 = 0x80050033n;
const CR4 = 0x750ef0n;
const CR4_LA57 = 1n << 12n;
const EFER = 0xd01n;

/** x86-64 with 4 and 5 levels. */
export const X86_64: Machine = {
  number: 62,
  name: 'x86-64',
  formats: { 'x86-64': x8664 as MakeFormat, 'x86-64-la57': x8664La57 as MakeFormat },
  roots: ['cr3'],
  others: ['cr0', 'cr4', 'efer', 'pat'],
  tables(registers, known) {
    const cr4 = registers.get('cr4') ?? (known === null ? null : CR4 | (isFive(known.name) ? CR4_LA57 : 0n));
    if (cr4 === null)
      return 'CR3 does not say the number of levels: give --cr4, or --format x86-64 or x86-64-la57';
    const { encryptionBit } = (known?.options ?? {}) as { readonly encryptionBit?: number };
    const pat = registers.get('pat');
    return x8664AnyFromRegisters({
      cr0: registers.get('cr0') ?? CR0,
      cr3: registers.get('cr3') ?? 0n,
      cr4,
      efer: registers.get('efer') ?? EFER,
      ...(pat === undefined ? {} : { pat }),
      ...(encryptionBit === undefined ? {} : { encryptionBit }),
    });
  },
  registers({ levels }, { options }, root) {
    if (options.encryptionBit !== undefined)
      return 'registers do not say where the encryption bit of its entries is';
    return { cr0: CR0, cr3: root, cr4: CR4 | (levels.length === 5 ? CR4_LA57 : 0n) };
  },
  regions,
};

function isFive(name: string): boolean {
  return name === 'x86-64-la57';
}

const TiB = 1n << 40n;
const GiB = 1n << 30n;
/** What does not depend on the number of levels. */
const CPU_ENTRY_AREA = 0xfffffe0000000000n;
const KERNEL = 0xffffffff80000000n;
const FIXMAP = 0xffffffffff000000n;
const VSYSCALL = 0xffffffffff600000n;

/** Ranges of one number of levels, as without address-space randomisation. */
interface Ranges {
  readonly user: bigint;
  readonly ldt: bigint;
  readonly directMap: bigint;
  readonly vmalloc: bigint;
  readonly vmallocBytes: bigint;
  readonly vmemmap: bigint;
  readonly vmemmapBytes: bigint;
}

/** Source: Linux Documentation/arch/x86/x86_64/mm.rst, the maps with 4 and with 5 levels. */
const FOUR: Ranges = {
  user: 1n << 47n,
  ldt: 0xffff880000000000n,
  directMap: 0xffff888000000000n,
  vmalloc: 0xffffc90000000000n,
  vmallocBytes: 32n * TiB,
  vmemmap: 0xffffea0000000000n,
  vmemmapBytes: TiB,
};
const FIVE: Ranges = {
  user: 1n << 56n,
  ldt: 0xff10000000000000n,
  directMap: 0xff11000000000000n,
  vmalloc: 0xffa0000000000000n,
  vmallocBytes: 12800n * TiB,
  vmemmap: 0xffd4000000000000n,
  vmemmapBytes: 512n * TiB,
};

/**
 * With randomisation, the order of direct map, vmalloc and vmemmap stays, and their bases move. VMCOREINFO says the bases of the latter two
 * (Linux kernel/vmcore_info.c). The kernel's image and all above it are where the map says; the image may take KERNEL_IMAGE_SIZE,
 * and modules follow.
 *
 * Source: Linux Documentation/arch/x86/x86_64/mm.rst; arch/x86/include/asm/page_64_types.h (KERNEL_IMAGE_SIZE).
 */
function regions({ levels }: PageTableFormat, info: Vmcoreinfo | null): KernelLayout {
  const fixed = levels.length === 5 ? FIVE : FOUR;
  const image = KERNEL + (info?.number('KERNEL_IMAGE_SIZE') ?? GiB);
  const { ranges, assumed } = movable(fixed, info);
  return {
    regions: [
      region('user', 0n, fixed.user),
      region('LDT', fixed.ldt, fixed.directMap),
      ...ranges,
      region('cpu entry area', CPU_ENTRY_AREA, CPU_ENTRY_AREA + TiB / 2n),
      region('esp fixup stacks', 0xffffff0000000000n, 0xffffff8000000000n),
      region('EFI', 0xffffffef00000000n, 0xffffffff00000000n),
      region('kernel text', KERNEL, image),
      region('modules', image, FIXMAP),
      region('vsyscall', VSYSCALL, VSYSCALL + 4096n),
      region('fixmap', FIXMAP, VSYSCALL),
      region('kernel', 1n << 63n, TOP),
    ],
    assumed,
  };
}

function movable(
  fixed: Ranges,
  info: Vmcoreinfo | null,
): { readonly ranges: KernelLayout['regions']; readonly assumed: string | null } {
  const isFixed = info?.value('KERNELOFFSET') === '0';
  const vmalloc = info?.number('VMALLOC_START') ?? (isFixed ? fixed.vmalloc : null);
  const vmemmap = info?.symbol('vmemmap') ?? (isFixed ? fixed.vmemmap : null);
  if (vmalloc === null || vmemmap === null)
    return {
      ranges: [region('direct map, vmalloc or vmemmap', fixed.directMap, CPU_ENTRY_AREA)],
      assumed: 'the kernel does not say where its vmalloc and vmemmap begin',
    };
  return {
    ranges: [
      region('direct map', fixed.directMap, vmalloc),
      region('vmalloc', vmalloc, least(vmalloc + fixed.vmallocBytes, vmemmap)),
      region('vmemmap', vmemmap, least(vmemmap + fixed.vmemmapBytes, CPU_ENTRY_AREA)),
    ],
    assumed: null,
  };
}
