import { type Level, type PageTableFormat, VmError, words } from '@vmarea/core';
import { PA_BITS, PAGE_SHIFT, PPN_SHIFT, RISCV_BITS } from './bits.js';
import { LeafCodec } from './leaf-codec.js';
import { riscvLevels } from './levels.js';
import {
  checkAccess,
  faultCodeOf,
  permissionsOf,
  RISCV64_CONTROLS,
  type Riscv64Controls,
  touched,
} from './permissions.js';

/** Paging modes, by the name that the manual gives them; the number is that of address bits. */
export type Riscv64Mode = 'sv39' | 'sv48' | 'sv57';

/** Levels of each mode. */
const DEPTHS: Readonly<Record<Riscv64Mode, number>> = Object.freeze({ sv39: 3, sv48: 4, sv57: 5 });

/** What differs between processors; every default is a current one. */
export interface Riscv64Options {
  /** The paging mode: 39, 48 or 57 bits of virtual addresses. Default `sv48`. */
  readonly mode?: Riscv64Mode;
  /** The processor has Svnapot: runs of 64 KiB. Default true; when false, bit 63 is reserved. */
  readonly svnapot?: boolean;
  /** The processor has Svpbmt and it is on (menvcfg.PBMTE). Default true; when false, bits 62:61 are reserved. */
  readonly svpbmt?: boolean;
  /**
   * Width of a physical address in bits, 32 to 56. Default 56, what an entry can say. Mapping beyond is refused; an entry that
   * says more is sound, and who follows it finds no memory there: an access fault, which is the memory's to raise.
   */
  readonly paBits?: number;
}

/**
 * The page tables of riscv64: Sv39, Sv48 and Sv57, pages of 4 KiB and leaves at every level.
 *
 * `extra` of a protection may hold the software bits 9:8.
 *
 * Going between two valid entries needs no break: an SFENCE.VMA afterwards is enough, and until then either may be used, so
 * that both must be right (`needsBreak`).
 *
 * Source: RISC-V privileged specification, chapters on Sv39, Sv48 and Sv57, Svnapot, Svpbmt, Svade and Svadu.
 *
 * @param options - the processor; by default Sv48 with all of these.
 * @throws VmError `EINVAL` when an option is out of range.
 * @example
 * ```ts
 * const format = riscv64({ mode: 'sv39' });
 * toBigint(format.encode(protection({ write: true, global: true }), 2)); // 0xe7n
 * ```
 */
export function riscv64(options: Riscv64Options = {}): PageTableFormat<Riscv64Controls> {
  const { mode = 'sv48', svnapot = true, svpbmt = true, paBits = PA_BITS } = options;
  if (!Object.hasOwn(DEPTHS, mode)) {
    throw new VmError('EINVAL', `mode is ${String(mode)}, expected sv39, sv48 or sv57`);
  }
  if (!Number.isInteger(paBits) || paBits < 32 || paBits > PA_BITS) {
    throw new VmError('EINVAL', `paBits is ${paBits}, expected 32 to ${PA_BITS}`);
  }
  const levels = riscvLevels(DEPTHS[mode], { svnapot, svpbmt });
  const codec = new LeafCodec(svpbmt);
  const root = levels[0] as Level;

  return Object.freeze<PageTableFormat<Riscv64Controls>>({
    name: `riscv64-${mode}`,
    pageShift: PAGE_SHIFT,
    paBits,
    // "Bits 63–39 must all be equal to bit 38, or else a page-fault exception will occur"; alike for the others.
    range: Object.freeze({ bits: root.shift + root.bits, upper: 'sign' }),
    present: Object.freeze({ mask: VALID, value: VALID }),
    levels,
    address: Object.freeze([
      Object.freeze({ entryBit: PPN_SHIFT, paBit: PAGE_SHIFT, width: PA_BITS - PAGE_SHIFT }),
    ]),
    // Linux's _PAGE_TABLE: V alone.
    tableEntry: VALID,
    memoryTypes: codec.memoryTypes,
    controls: RISCV64_CONTROLS,
    encode: (wanted, level) => {
      requireLevel(levels, level);
      return codec.encode(wanted);
    },
    decode: (leaf) => codec.decode(leaf),
    change: (leaf, wanted) => codec.change(leaf, wanted),
    relevel: (leaf) => codec.relevel(leaf),
    needsBreak: () => false,
    permissions: permissionsOf,
    check: checkAccess,
    touch: (entry, _level, kind, access, controls) => touched(entry, kind, access, controls),
    faultCode: (fault, access) => faultCodeOf(fault, access),
  });
}

const VALID = Object.freeze(words(RISCV_BITS.V));

/** Refuses a level that is none; leaves stand at all others. */
function requireLevel(levels: readonly Level[], level: number): void {
  if (levels[level] !== undefined) return;
  throw new VmError('EINVAL', `level ${level} is none of the ${levels.length} levels`, {
    advice: `use 0 (${levels[0]?.name}) to ${levels.length - 1} (PTE)`,
  });
}
