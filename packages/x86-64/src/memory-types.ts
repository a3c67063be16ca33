import { bigintOption, type MemoryAttributes, type MemoryType, VmError } from '@vmarea/core';
import { X86_BITS } from './bits.js';

/**
 * IA32_PAT as Linux programs it: WB, WC, UC-, UC, WB, WP, UC-, WT for indexes 0 to 7.
 *
 * Source: Linux, `arch/x86/mm/pat/memtype.c`, which prints the same eight at boot.
 */
export const LINUX_PAT = 0x0407050600070106n;

/**
 * IA32_PAT after a reset: WB, WT, UC-, UC, and the same four again.
 *
 * Source: SDM vol. 3A, Memory Cache Control, "Memory Type Setting of PAT Entries Following a Power-up
 * or Reset".
 */
export const RESET_PAT = 0x0007040600070406n;

/**
 * Memory types by their number in a PAT entry.
 *
 * Source: SDM vol. 3A, Memory Cache Control, "Memory Types That Can Be Encoded With PAT". 2 and 3 are reserved.
 */
const TYPE_OF_NUMBER: ReadonlyMap<number, MemoryType> = new Map([
  [0, 'uncached'], // UC
  [1, 'write-combining'], // WC
  [4, 'write-through'], // WT
  [5, 'write-protected'], // WP
  [6, 'normal'], // WB
  [7, 'device'], // UC-
]);

/**
 * The memory types that a value of the IA32_PAT register gives to the indexes 0 to 7.
 *
 * @param pat - the 64-bit register; byte `i` is the type of index `i`.
 * @throws VmError `EINVAL` when it is not a 64-bit value, or a byte is not a type; writing such a value raises #GP.
 * @example
 * ```ts
 * memoryTypesOf(LINUX_PAT)[1]; // 'write-combining'
 * ```
 */
export function memoryTypesOf(pat: bigint): readonly MemoryType[] {
  const register = bigintOption({ pat }, 'pat');
  return Object.freeze(
    Array.from({ length: 8 }, (_, index) => {
      const number = Number((register >> BigInt(8 * index)) & 0xffn);
      const type = TYPE_OF_NUMBER.get(number);
      if (type === undefined) {
        throw new VmError('EINVAL', `IA32_PAT entry ${index} is ${number}, which is not a memory type`, {
          advice: 'use 0 (UC), 1 (WC), 4 (WT), 5 (WP), 6 (WB) or 7 (UC-)',
        });
      }
      return type;
    }),
  );
}

/** What a leaf says of its memory: the PAT entry that its caching bits select. x86-64 is coherent and has no shareability. */
export function attributesOf(pat: bigint, caching: bigint): MemoryAttributes {
  const index = patIndexOf(caching);
  return { type: Number((pat >> BigInt(8 * index)) & 0xffn), index, shareability: null };
}

/** The bits that select a PAT index, as a 4 KiB leaf has them: PAT 7, PCD 4, PWT 3. */
export const CACHING: bigint = X86_BITS.PAT | X86_BITS.PCD | X86_BITS.PWT;

/** The caching bits of a 4 KiB leaf that select a PAT index, 0 to 7. */
export function cachingOf(index: number): bigint {
  return (
    ((index & 1) !== 0 ? X86_BITS.PWT : 0n) |
    ((index & 2) !== 0 ? X86_BITS.PCD : 0n) |
    ((index & 4) !== 0 ? X86_BITS.PAT : 0n)
  );
}

/**
 * The PAT index that the caching bits of a 4 KiB leaf select.
 *
 * Source: SDM vol. 3A, Paging, "Paging and Memory Typing When the PAT is Supported": i = 4*PAT + 2*PCD + PWT.
 */
export function patIndexOf(caching: bigint): number {
  return (
    ((caching & X86_BITS.PWT) !== 0n ? 1 : 0) |
    ((caching & X86_BITS.PCD) !== 0n ? 2 : 0) |
    ((caching & X86_BITS.PAT) !== 0n ? 4 : 0)
  );
}
