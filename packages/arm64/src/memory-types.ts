import { bigintOption, type MemoryAttributes, type MemoryType, VmError } from '@vmarea/core';
import { ARM64_BITS } from './bits.js';

/**
 * MAIR_EL1 as Linux programs it: Normal, Normal, Normal-NC, Device-nGnRnE, Device-nGnRE for the indexes 0 to 4.
 *
 * Index 1 is Linux's NORMAL_TAGGED, which is plain Normal without MTE.
 *
 * Source: Linux, `MAIR_EL1_SET` in `arch/arm64/mm/proc.S` and the attribute bytes in `asm/sysreg.h` (6.12).
 */
export const LINUX_MAIR = 0x0000_0004_0044_ffffn;

/**
 * MAIR_EL1 as Linux programs it on a processor with MTE: index 1 is Normal-Tagged.
 *
 * Source: Linux, `__cpu_setup` in `arch/arm64/mm/proc.S` (6.12).
 */
export const LINUX_MAIR_MTE = 0x0000_0004_0044_f0ffn;

/**
 * Attributes that are one value instead of a pair.
 *
 * Source: Arm ARM, D24.2, "MAIR_EL1, Memory Attribute Indirection Register".
 */
const WHOLE: ReadonlyMap<number, MemoryType> = new Map([
  [0x00, 'uncached'], // Device-nGnRnE
  [0x04, 'device'], // Device-nGnRE
  [0x08, 'device'], // Device-nGRE
  [0x0c, 'device'], // Device-GRE
  [0x01, 'uncached'], // Device-nGnRnE, FEAT_XS
  [0x05, 'device'], // Device-nGnRE, FEAT_XS
  [0x09, 'device'], // Device-nGRE, FEAT_XS
  [0x0d, 'device'], // Device-GRE, FEAT_XS
  [0x40, 'write-combining'], // Normal-NC, FEAT_XS
  [0xa0, 'write-through'], // Normal write-through, FEAT_XS
  [0xf0, 'tagged'], // Normal write-back, tagged, FEAT_MTE2
]);

/**
 * The memory types that a value of MAIR_EL1 gives to the indexes 0 to 7.
 *
 * A Normal attribute has an outer and an inner cacheability; the weaker one decides. All Device types with early
 * acknowledgement are `device`: they differ only in gathering and reordering.
 *
 * @param mair - the 64-bit register; byte `i` is the attribute of index `i`.
 * @throws VmError `EINVAL` when it is not a 64-bit value, or a byte is one that the manual leaves unpredictable.
 * @example
 * ```ts
 * memoryTypesOf(LINUX_MAIR)[2]; // 'write-combining'
 * ```
 */
export function memoryTypesOf(mair: bigint): readonly MemoryType[] {
  const register = bigintOption({ mair }, 'mair');
  return Object.freeze(
    Array.from({ length: 8 }, (_, index) => {
      const attribute = Number((register >> BigInt(8 * index)) & 0xffn);
      const type = typeOf(attribute);
      if (type === null) {
        throw new VmError(
          'EINVAL',
          `MAIR attribute ${index} is 0x${attribute.toString(16).padStart(2, '0')}, which the manual leaves unpredictable`,
          { advice: 'use 0xff (Normal), 0xf0 (tagged), 0x44 (Normal-NC), 0x00 or 0x04 (Device)' },
        );
      }
      return type;
    }),
  );
}

/**
 * The memory types of a format. A byte that the manual leaves unpredictable is the type `unpredictable`, since no entry may use
 * its index. Index 0 must be known: it is what an entry says that says nothing.
 *
 * @throws VmError `EINVAL` as `memoryTypesOf`, for index 0 alone.
 */
export function formatTypesOf(mair: bigint): readonly MemoryType[] {
  memoryTypesOf(mair & 0xffn);
  return Object.freeze(
    Array.from({ length: 8 }, (_, i) => typeOf(Number((mair >> BigInt(8 * i)) & 0xffn)) ?? 'unpredictable'),
  );
}

const { ATTR_INDX, SH } = ARM64_BITS;

/** SH[1:0]. Source: Arm ARM, D8.3, "Stage 1 Shareability attributes"; TCR_EL1.SH0 and SH1 are alike. */
export const SHAREABILITY = ['none', 'reserved', 'outer', 'inner'] as const;

/**
 * What a leaf says of its memory.
 *
 * @param shared - the shareability that TCR_EL1 says for all leaves, with LPA2; `null` where leaves say it.
 */
export function attributesOf(
  mair: bigint,
  shared: MemoryAttributes['shareability'],
  leaf: bigint,
): MemoryAttributes {
  const index = Number((leaf & ATTR_INDX) >> 2n);
  const shareability =
    shared ?? (SHAREABILITY[Number((leaf & SH) >> 8n)] as MemoryAttributes['shareability']);
  return { type: Number((mair >> BigInt(8 * index)) & 0xffn), index, shareability };
}

function typeOf(attribute: number): MemoryType | null {
  const whole = WHOLE.get(attribute);
  if (whole !== undefined) return whole;
  const outer = attribute >> 4;
  const inner = attribute & 15;
  // An outer or inner value of 0 is a Device type, or one of the single values above.
  if (outer === 0 || inner === 0) return null;
  if (outer === NON_CACHEABLE || inner === NON_CACHEABLE) return 'write-combining';
  return isWriteBack(outer) && isWriteBack(inner) ? 'normal' : 'write-through';
}

/** The other values below 0b1000 are the transient types: 0b00RW write-through, 0b01RW write-back. */
const NON_CACHEABLE = 0b0100;

function isWriteBack(nibble: number): boolean {
  return (nibble & 0b0100) !== 0;
}
