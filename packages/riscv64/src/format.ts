import {
  choiceOption,
  completeControls,
  flagOption,
  integerOption,
  type Level,
  optionsOf,
  type PageTableFormat,
  VmError,
  words,
} from '@vmarea/core';
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

/** Paging modes, by the manual's names. The number is the number of address bits. */
export type Riscv64Mode = 'sv39' | 'sv48' | 'sv57';

/** All modes. */
export const MODES: readonly Riscv64Mode[] = Object.freeze(['sv39', 'sv48', 'sv57']);

/** Levels of each mode. */
const DEPTHS: Readonly<Record<Riscv64Mode, number>> = Object.freeze({ sv39: 3, sv48: 4, sv57: 5 });

/** The differences between processors. The defaults are those of a current one. */
export interface Riscv64Options {
  /** The paging mode: 39, 48 or 57 bits of virtual addresses. Default: `sv48`. */
  readonly mode?: Riscv64Mode;
  /** The processor has Svnapot: runs of 64 KiB. When false, bit 63 is reserved. Default: true. */
  readonly svnapot?: boolean;
  /** The processor has Svpbmt and it is on (menvcfg.PBMTE). When false, bits 62:61 are reserved. Default: true. */
  readonly svpbmt?: boolean;
  /** The processor has Svrsw60t59b: bits 60:59 are for software, in tables and leaves. Default: false. */
  readonly svrsw60t59b?: boolean;
  /**
   * The processor is one of T-Head (C906, C910) whose entries hold a memory type in bits 63:59 (XTheadMae). It has neither Svnapot,
   * Svpbmt nor Svrsw60t59b. Default: false.
   */
  readonly thead?: boolean;
  /**
   * Width of a physical address in bits, 32 to 56. Mapping a larger address is refused. An existing entry with a larger address is
   * valid: its access fault comes from the memory, which has no bytes there. Default: 56, the width in an entry.
   */
  readonly paBits?: number;
}

const NAMES = ['mode', 'svnapot', 'svpbmt', 'paBits', 'svrsw60t59b', 'thead'] as const;

/**
 * The page tables of riscv64: Sv39, Sv48 and Sv57, pages of 4 KiB and leaves at every level.
 *
 * `extra` of a protection may hold the software bits: 9:8, and 60:59 with Svrsw60t59b. With `thead` it also holds where bits 63:59 say
 * the memory type in another way than Linux does.
 *
 * A change from one valid entry to another needs no break (`needsBreak`). An SFENCE.VMA afterwards is enough. Until then the
 * processor may use either entry, so both must be right.
 *
 * Source: RISC-V privileged specification, chapters on Sv39, Sv48 and Sv57, Svnapot, Svpbmt, Svade and Svadu.
 *
 * @param options - the processor. Default: Sv48 with Svnapot and Svpbmt.
 * @throws VmError `EINVAL` when an option is unknown or out of range.
 * @example
 * ```ts
 * const format = riscv64({ mode: 'sv39' });
 * toBigint(format.encode(protection({ write: true, global: true }), 2)); // 0xe7n
 * ```
 */
export function riscv64(options?: Riscv64Options): PageTableFormat<Riscv64Controls> {
  const given = optionsOf(options, NAMES, 'riscv64()');
  const mode = choiceOption(given, 'mode', MODES, 'sv48');
  const thead = flagOption(given, 'thead', false);
  const svnapot = flagOption(given, 'svnapot', !thead);
  const svpbmt = flagOption(given, 'svpbmt', !thead);
  const svrsw60t59b = flagOption(given, 'svrsw60t59b', false);
  for (const [extension, isOn] of Object.entries({ svnapot, svpbmt, svrsw60t59b }))
    if (thead && isOn)
      throw new VmError('EINVAL', `thead and ${extension} are both true, but they use the same bits`, {
        advice: 'T-Head has bits 63:59 for its memory types: leave the other out',
      });
  const paBits = integerOption(given, 'paBits', 32, PA_BITS, PA_BITS);
  const name = `riscv64-${mode}`;
  const modes = (controls: Riscv64Controls) => completeControls(RISCV64_CONTROLS, controls, name);
  const extensions = { svnapot, svpbmt, svrsw60t59b, thead };
  const levels = riscvLevels(DEPTHS[mode], extensions);
  const codec = new LeafCodec(extensions);
  const root = levels[0] as Level;

  return Object.freeze<PageTableFormat<Riscv64Controls>>({
    name,
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
    memoryAttributes: (leaf) => codec.attributes(leaf),
    change: (leaf, wanted) => codec.change(leaf, wanted),
    relevel: (leaf) => codec.relevel(leaf),
    needsBreak: () => false,
    permissions: (path, controls) => permissionsOf(path, modes(controls)),
    check: (path, access, controls) => checkAccess(path, access, modes(controls)),
    touch: (entry, _level, kind, access, controls) => touched(entry, kind, access, modes(controls)),
    isGlobal: (path, controls) => {
      modes(controls);
      return path.some(({ lo }) => (lo & GLOBAL) !== 0);
    },
    faultCode: (fault, access, controls) => {
      // The result does not depend on the controls. A misspelt one is still refused.
      modes(controls);
      return faultCodeOf(fault, access);
    },
  });
}

const VALID = Object.freeze(words(RISCV_BITS.V));
/** In an entry that points to a table, it holds for everything below. */
const GLOBAL = words(RISCV_BITS.G).lo;

/** Refuses a level that does not exist. All levels have leaves. */
function requireLevel(levels: readonly Level[], level: number): void {
  if (levels[level] !== undefined) return;
  throw new VmError('EINVAL', `level ${level} does not exist: there are ${levels.length} levels`, {
    advice: `use 0 (${levels[0]?.name}) to ${levels.length - 1} (PTE)`,
  });
}
