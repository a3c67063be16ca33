import type { PageTableFormat } from '@vmarea/core';
import type { MakeFormat, Vmcoreinfo } from '@vmarea/image';
import { riscv64, riscv64FromRegisters } from '@vmarea/riscv64';
import type { KernelLayout, Machine } from './machine.js';
import { region, TOP } from './region.js';

/** satp.MODE by the number of levels. Source: privileged specification, "Supervisor Address Translation and Protection (satp) Register". */
const MODES: readonly (bigint | undefined)[] = [undefined, undefined, undefined, 8n, 9n, 10n];

/** riscv64 with Sv39, Sv48 and Sv57. */
export const RISCV64: Machine = {
  number: 243,
  name: 'riscv64',
  formats: { riscv64: riscv64 as MakeFormat },
  roots: ['satp'],
  others: ['sstatus', 'menvcfg'],
  tables(registers) {
    const given = Object.fromEntries(this.others.flatMap((name) => entry(name, registers.get(name))));
    return riscv64FromRegisters({ satp: registers.get('satp') ?? 0n, ...given, svnapot: true });
  },
  registers({ levels }, _known, root) {
    return { satp: ((MODES[levels.length] ?? 0n) << 60n) | (root >> 12n) };
  },
  regions,
};

function entry(name: string, value: bigint | undefined): [string, bigint][] {
  return value === undefined ? [] : [[name, value]];
}

const MiB = 1n << 20n;

/** Starts of ranges, each up to the next one. */
interface Ranges {
  readonly vmemmap: bigint;
  readonly vmalloc: bigint;
  readonly directMap: bigint;
  readonly kasan: bigint;
}

/** Source: Linux Documentation/arch/riscv/vm-layout.rst, by the number of levels. */
const RANGES: readonly (Ranges | undefined)[] = [
  undefined,
  undefined,
  undefined,
  {
    vmemmap: 0xffffffc500000000n,
    vmalloc: 0xffffffc600000000n,
    directMap: 0xffffffd600000000n,
    kasan: 0xfffffff700000000n,
  },
  {
    vmemmap: 0xffff8d8000000000n,
    vmalloc: 0xffff8f8000000000n,
    directMap: 0xffffaf8000000000n,
    kasan: 0xffffef8000000000n,
  },
  {
    vmemmap: 0xff1c000000000000n,
    vmalloc: 0xff20000000000000n,
    directMap: 0xff60000000000000n,
    kasan: 0xffdf000000000000n,
  },
];
const MODULES = 0xffffffff00000000n;
const KERNEL = 0xffffffff80000000n;

/** The direct map ends before KASAN's shadow. VMCOREINFO has the bases (Linux arch/riscv/kernel/vmcore_info.c). */
function regions({ levels, range }: PageTableFormat, info: Vmcoreinfo | null): KernelLayout {
  const usual = RANGES[levels.length] as Ranges;
  const number = (name: string, otherwise: bigint): bigint => info?.number(name) ?? otherwise;
  const vmemmap = number('VMEMMAP_START', usual.vmemmap);
  const vmalloc = number('VMALLOC_START', usual.vmalloc);
  const directMap = number('PAGE_OFFSET', usual.directMap);
  const kernel = number('KERNEL_LINK_ADDR', KERNEL);
  return {
    regions: [
      region('user', 0n, 1n << BigInt(range.bits - 1)),
      region('fixmap', vmemmap - 22n * MiB, vmemmap - 16n * MiB),
      region('PCI I/O', vmemmap - 16n * MiB, vmemmap),
      region('vmemmap', vmemmap, number('VMEMMAP_END', vmalloc)),
      // The last byte before PAGE_OFFSET is no part of it in older kernels.
      region('vmalloc', vmalloc, directMap),
      region('direct map', directMap, usual.kasan),
      region('modules', MODULES, kernel),
      region('kernel text', kernel, TOP),
      region('kernel', 1n << 63n, TOP),
    ],
    assumed: info?.has('NUMBER(PAGE_OFFSET)') === true ? null : 'the map of Linux 6.12',
  };
}
