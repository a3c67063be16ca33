import type { Vmcoreinfo } from '../notes/vmcoreinfo.js';
import { bit, lacks, type MachineKind, type Proposal, type Shape, wrapped } from './proposal.js';

/** Granules in KiB, and the sizes of Linux's kernel half with each: `VA_BITS` of arch/arm64/Kconfig. */
const SIZES: readonly (readonly [granule: number, vaBits: readonly number[]])[] = [
  [4, [48, 39, 52]],
  [16, [47, 48, 36, 52]],
  [64, [48, 42, 52]],
];
/** TCR_EL1: granule of each half by its number. Source: Arm ARM, D24.2, TG0 and TG1. */
const TG0 = [4, 64, 16, null];
const TG1 = [null, 16, 4, 64];

/** arm64 with every granule. A process's root has nothing of the kernel. */
export const ARM64: MachineKind = {
  number: 183,
  uts: 'aarch64',
  marks: ['NUMBER(kimage_voffset)', 'NUMBER(TCR_EL1_T1SZ)', 'NUMBER(KERNELPACMASK)', 'KERNELPACMASK'],
  fromVmcoreinfo,
  fromProcessor,
  shapes: SIZES.flatMap(([granule, sizes]) =>
    sizes.map(
      (vaBits): Shape => ({
        format: 'arm64',
        options: { granule, vaBits, half: 'ttbr1' },
        pageShift: Math.log2(granule * 1024),
        mark: null,
      }),
    ),
  ),
  kernelImage: null,
  sharedHalf: null,
};

/**
 * Source: Linux arch/arm64/kernel/vmcore_info.c. With the 64K granule, the tables are laid out for VA_BITS also where the
 * processor has 48 bits; T1SZ would name another root. Elsewhere VA_BITS is what the kernel was built for, and T1SZ what it uses.
 */
function fromVmcoreinfo(info: Vmcoreinfo): Proposal | string {
  const pgd = info.symbol('swapper_pg_dir');
  const offset = info.number('kimage_voffset');
  const built = info.number('VA_BITS');
  const { pageSize } = info;
  const missing = lacks({
    'SYMBOL(swapper_pg_dir)': pgd,
    'NUMBER(kimage_voffset)': offset,
    'NUMBER(VA_BITS)': built,
    PAGESIZE: pageSize,
  });
  if (missing !== null || pgd === null || offset === null || built === null || pageSize === null)
    return missing ?? '';
  const granule = pageSize / 1024;
  const t1sz = granule === 64 ? null : info.number('TCR_EL1_T1SZ');
  const vaBits = Number(t1sz === null ? built : 64n - t1sz);
  const text = info.symbol('_stext');
  return {
    format: 'arm64',
    // With the 64K granule, bits 15:12 of an entry are address bits 51:48, or 0.
    options: { granule, vaBits, half: 'ttbr1', ...(granule === 64 ? { outputBits: 52 } : {}) },
    controls: {},
    root: wrapped(pgd - offset),
    role: 'kernel',
    origin: 'vmcoreinfo',
    from: `SYMBOL(swapper_pg_dir) - NUMBER(kimage_voffset), of VMCOREINFO in ${info.from}`,
    expected: text === null ? [] : [{ what: '_stext', va: text, pa: wrapped(text - offset) }],
    vmcoreinfo: info,
  };
}

/** Source: Arm ARM, D24.2, TCR_EL1, TTBR0_EL1, TTBR1_EL1. */
function fromProcessor(registers: ReadonlyMap<string, bigint>, source: string): readonly Proposal[] {
  const tcr = registers.get('tcr');
  if (tcr === undefined) return [];
  const field = (at: number, bits: number): number =>
    Number((tcr >> BigInt(at)) & ((1n << BigInt(bits)) - 1n));
  const half = (name: 'ttbr0' | 'ttbr1', size: number, granule: number | null): Proposal[] => {
    const ttbr = registers.get(name);
    if (ttbr === undefined || granule === null || granule === undefined) return [];
    const vaBits = 64 - size;
    const outputBits = bit(tcr, 59) ? 52 : 48;
    return [
      {
        format: 'arm64',
        options: { granule, vaBits, half: name, outputBits },
        controls: {},
        root: rootOf(ttbr, granule, vaBits, outputBits),
        role: name === 'ttbr1' ? 'kernel' : 'process',
        origin: 'processor',
        from: `${name.toUpperCase()}_EL1 0x${ttbr.toString(16)} of a processor, from ${source}`,
        expected: [],
        vmcoreinfo: null,
      },
    ];
  };
  return [
    ...half('ttbr1', field(16, 6), TG1[field(30, 2)] ?? null),
    ...half('ttbr0', field(0, 6), TG0[field(14, 2)] ?? null),
  ];
}

/** TTBR without ASID and CnP, aligned to the size of the root table. */
function rootOf(ttbr: bigint, granule: number, vaBits: number, outputBits: number): bigint {
  const pageShift = Math.log2(granule * 1024);
  const perLevel = pageShift - 3;
  const above = vaBits - pageShift;
  const bits = above - perLevel * (Math.ceil(above / perLevel) - 1);
  const align = BigInt(Math.max(bits + 3, 6));
  const low = ((ttbr & 0xffff_ffff_fffen) >> align) << align;
  return outputBits === 52 ? low | (((ttbr >> 2n) & 15n) << 48n) : low;
}
