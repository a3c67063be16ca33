import { choiceOption, type Given, integerOption, VmError } from '@vmarea/core';
import { type Granule, PAGE_SHIFTS } from './bits.js';

/** What the place of vmalloc depends on, checked; see `Arm64LinuxOptions`. */
export interface VmallocLayout {
  readonly granule: Granule;
  readonly vaBits: number;
  readonly actualVaBits: number;
}

/** CONFIG_ARM64_VA_BITS by page size: `arch/arm64/Kconfig` (6.12). */
const VA_BITS: Readonly<Record<Granule, readonly number[]>> = {
  4: [39, 48, 52],
  16: [36, 47, 48, 52],
  64: [42, 48, 52],
};

const MiB = 1n << 20n;
const GiB = 1n << 30n;
/** Bytes of a `struct page`. */
const STRUCT_PAGE = 64n;

/** The fewest address bits on which a kernel runs. A kernel for 52 also runs on processors with fewer. */
export function leastBits(granule: Granule, vaBits: number): number {
  if (vaBits < 52) return vaBits;
  return granule === 16 ? 47 : 48;
}

/**
 * The members of a kernel's configuration that decide its layout, checked.
 *
 * @throws VmError `EINVAL` when the kernel has no such configuration.
 */
export function layoutOf(given: Given<VmallocLayout>): VmallocLayout {
  const granule = choiceOption(given, 'granule', [4, 16, 64]);
  const known = VA_BITS[granule];
  const vaBits = integerOption(given, 'vaBits', 36, 52);
  if (!known.includes(vaBits)) {
    throw new VmError('EINVAL', `vaBits is ${vaBits}, which Linux does not support with ${granule}K pages`, {
      advice: `use ${known.join(', ')}`,
    });
  }
  const possible = [...new Set([vaBits, leastBits(granule, vaBits)])];
  return { granule, vaBits, actualVaBits: choiceOption(given, 'actualVaBits', possible, vaBits) };
}

/**
 * VMALLOC_START and VMALLOC_END. The window lies between the modules and the memory map. Its end is the first byte after it.
 *
 * Source: Linux, `arch/arm64/include/asm/memory.h` and `pgtable.h` (mid-2026; the same since 6.9).
 */
export function vmallocWindow({ granule, vaBits, actualVaBits }: VmallocLayout): {
  start: bigint;
  end: bigint;
} {
  // Linux counts from the addresses of the fewest bits.
  const least = leastBits(granule, vaBits);
  const shift = BigInt(PAGE_SHIFTS[granule]);
  const mapBytes = (bytes: bigint): bigint => (bytes >> shift) * STRUCT_PAGE;
  const pageOffset = lowest(vaBits);
  const modules = lowest(least - 1);
  const memoryMap = lowest(64) - GiB - mapBytes(modules - pageOffset);
  // Linux gives vmalloc the part of the memory map that describes unused addresses.
  const unused = mapBytes(lowest(actualVaBits) - pageOffset);
  return { start: modules + 2n * GiB, end: memoryMap + unused - 8n * MiB };
}

/** The lowest address whose bits from `bits` up are all 1; 2^64 for 64. */
function lowest(bits: number): bigint {
  return bits === 64 ? 1n << 64n : (1n << 64n) - (1n << BigInt(bits));
}
