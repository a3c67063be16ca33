import { VmError } from '@vmarea/core';
import { type Granule, PAGE_SHIFTS } from './bits.js';

/** What the place of vmalloc depends on; see `Arm64LinuxOptions`. */
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

/**
 * VMALLOC_START and VMALLOC_END. The window lies between the modules and the memory map; its end is the first byte
 * behind.
 *
 * Source: Linux, `arch/arm64/include/asm/memory.h` and `pgtable.h` (mid-2026; the same since 6.9).
 *
 * @throws VmError `EINVAL` when the kernel has no such configuration.
 */
export function vmallocWindow(layout: VmallocLayout): { start: bigint; end: bigint } {
  const { granule, vaBits, actualVaBits } = layout;
  const known = VA_BITS[granule];
  if (known === undefined) {
    throw new VmError('EINVAL', `granule is ${String(granule)}, expected 4, 16 or 64`);
  }
  if (!known.includes(vaBits)) {
    throw new VmError('EINVAL', `vaBits is ${vaBits}, which Linux does not have with ${granule}K pages`, {
      advice: `it has ${known.join(', ')}`,
    });
  }
  // A kernel for 52 bits must also run where there are fewer: the addresses it counts from are those of the fewest.
  const least = vaBits < 52 ? vaBits : granule === 16 ? 47 : 48;
  if (actualVaBits !== vaBits && actualVaBits !== least) {
    throw new VmError('EINVAL', `actualVaBits is ${actualVaBits}, expected ${vaBits} or ${least}`);
  }
  const shift = BigInt(PAGE_SHIFTS[granule]);
  const mapBytes = (bytes: bigint): bigint => (bytes >> shift) * STRUCT_PAGE;
  const pageOffset = lowest(vaBits);
  const modules = lowest(least - 1);
  const memoryMap = lowest(64) - GiB - mapBytes(modules - pageOffset);
  // The part of the memory map that describes addresses which are not in use is given to vmalloc.
  const unused = mapBytes(lowest(actualVaBits) - pageOffset);
  return { start: modules + 2n * GiB, end: memoryMap + unused - 8n * MiB };
}

/** The lowest address whose bits from `bits` up are all 1; 2^64 for 64. */
function lowest(bits: number): bigint {
  return bits === 64 ? 1n << 64n : (1n << 64n) - (1n << BigInt(bits));
}
