import { type Arm64Options, arm64, arm64FromRegisters, arm64Linux } from '@vmarea/arm64';
import type { PageTableFormat } from '@vmarea/core';
import { VmError } from '@vmarea/core';
import type { MakeFormat, Vmcoreinfo } from '@vmarea/image';
import type { KernelLayout, KnownFormat, Machine } from './machine.js';
import { region, TOP } from './region.js';

/** SCTLR_EL1 with the MMU on. */
const SCTLR = 1n;

/** arm64 with every granule. Each half has a root of its own. */
export const ARM64: Machine = {
  number: 183,
  name: 'arm64',
  formats: { arm64: arm64 as MakeFormat },
  roots: ['ttbr1', 'ttbr0'],
  others: ['tcr', 'sctlr', 'mair'],
  tables(registers, known) {
    const name = registers.has('ttbr1') ? 'ttbr1' : 'ttbr0';
    const sizes = known === null ? null : sizesOf(known);
    const tcr = registers.get('tcr') ?? (sizes === null ? null : tcrOf(sizes));
    if (tcr === null)
      return `${name.toUpperCase()} does not say granule and size: give --tcr, or --format, such as arm64-4k-48`;
    const mair = registers.get('mair');
    const state = arm64FromRegisters({
      tcr,
      [name]: registers.get(name) ?? 0n,
      sctlr: registers.get('sctlr') ?? SCTLR,
      ...(mair === undefined ? {} : { mair }),
    });
    const half = state[name];
    if (half === null) throw new VmError('EINVAL', state.reasons[name] ?? `${name} translates nothing`);
    return half;
  },
  registers(format, known, root) {
    const sizes = sizesOf(known);
    if (sizes === null) return `nobody knows the granule of ${known.name}`;
    const wide = sizes.outputBits === 52 ? ((root >> 48n) & 15n) << 2n : 0n;
    const name = format.range.upper === 'zeros' ? 'ttbr0' : 'ttbr1';
    return { [name]: (root & ((1n << 48n) - 1n)) | wide, tcr: tcrOf(sizes) };
  },
  regions,
};

/** What decides TCR_EL1. */
interface Sizes {
  readonly granule: 4 | 16 | 64;
  readonly vaBits: number;
  readonly outputBits: 48 | 52;
}

/** Sizes by the options of a candidate, else by the name of a format: `arm64-16k-47`. */
function sizesOf({ name, options }: KnownFormat): Sizes | null {
  const given = options as Partial<Arm64Options>;
  const named = /^arm64-(4|16|64)k-(\d\d)\b/.exec(name);
  const granule = given.granule ?? (named === null ? undefined : (Number(named[1]) as Sizes['granule']));
  const vaBits = given.vaBits ?? (named === null ? undefined : Number(named[2]));
  if (granule === undefined || vaBits === undefined) return null;
  return { granule, vaBits, outputBits: given.outputBits ?? (vaBits > 48 ? 52 : 48) };
}

/** Granules by their numbers in TG0 and TG1. Source: Arm ARM, D24.2, TCR_EL1. */
const TG0 = { 4: 0n, 64: 1n, 16: 2n };
const TG1 = { 16: 1n, 4: 2n, 64: 3n };
const INNER = 3n;

/** TCR_EL1 with both halves alike. Source: Arm ARM, D24.2, TCR_EL1: T0SZ, TG0, T1SZ, TG1, SH0, SH1, IPS, DS. */
function tcrOf({ granule, vaBits, outputBits }: Sizes): bigint {
  const size = BigInt(64 - vaBits);
  const isWide = outputBits === 52;
  return (
    size |
    (INNER << 12n) |
    (TG0[granule] << 14n) |
    (size << 16n) |
    (INNER << 28n) |
    (TG1[granule] << 30n) |
    ((isWide ? 6n : 5n) << 32n) |
    (isWide && granule !== 64 ? 1n << 59n : 0n)
  );
}

const MiB = 1n << 20n;
const GiB = 1n << 30n;

/**
 * Source: Linux arch/arm64/include/asm/memory.h and Documentation/arch/arm64/memory.rst; VMCOREINFO has most of it
 * (arch/arm64/kernel/vmcore_info.c). The map of 6.9 has vmemmap up to the last GiB, with PCI I/O and fixmap behind; before, they
 * are below vmemmap.
 */
function regions(format: PageTableFormat, info: Vmcoreinfo | null): KernelLayout {
  const { range, pageShift } = format;
  if (range.upper === 'zeros')
    return { regions: [region('user', 0n, 1n << BigInt(range.bits))], assumed: null };
  const granule = (2 ** pageShift / 1024) as Sizes['granule'];
  const least = range.bits > 48 ? (granule === 16 ? 47 : 48) : range.bits;
  const lowest = (bits: number): bigint => TOP - (1n << BigInt(bits));
  const usual = usualRanges(granule, range.bits);
  const number = (name: string): bigint | null => info?.number(name) ?? null;
  const modules = number('MODULES_VADDR') ?? lowest(least - 1);
  const vmalloc = number('VMALLOC_START') ?? usual?.vmalloc ?? modules + 2n * GiB;
  const vmallocEnd = number('VMALLOC_END') ?? usual?.vmallocEnd ?? TOP - GiB;
  const vmemmapEnd = number('VMEMMAP_END') ?? TOP - GiB;
  const vmemmap = number('VMEMMAP_START') ?? vmallocEnd;
  const offset = number('kimage_voffset');
  const isNew = vmemmapEnd === TOP - GiB;
  const pci = isNew ? vmemmapEnd + 8n * MiB : vmemmap - 24n * MiB;
  return {
    regions: [
      ...(offset === null
        ? []
        : [{ name: 'kernel text', start: modules, end: vmallocEnd, distance: BigInt.asUintN(64, offset) }]),
      region('direct map', lowest(range.bits), lowest(least - 1)),
      region('modules', modules, number('MODULES_END') ?? modules + 2n * GiB),
      region('vmalloc', vmalloc, vmallocEnd),
      region('PCI I/O', pci, pci + 16n * MiB),
      isNew
        ? region('fixmap', pci + 24n * MiB, TOP - 8n * MiB)
        : region('fixmap', vmallocEnd, vmemmap - 32n * MiB),
      region('vmemmap', vmemmap, vmemmapEnd),
      region('kernel', 1n << 63n, TOP),
    ],
    assumed: info?.has('NUMBER(VMEMMAP_END)') === true ? null : 'the map of Linux 6.9 and newer',
  };
}

/** The window of vmalloc, as the policy has it. Kernels have no other sizes than those of the policy. */
function usualRanges(
  granule: Sizes['granule'],
  vaBits: number,
): { readonly vmalloc: bigint; readonly vmallocEnd: bigint } | null {
  try {
    const { start, end } = arm64Linux({ granule, vaBits }).window;
    return { vmalloc: start, vmallocEnd: end };
  } catch (error) {
    if (error instanceof VmError) return null;
    throw error;
  }
}
