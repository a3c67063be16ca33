import { bigintOption, type MemoryType, VmError } from '@vmarea/core';

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
