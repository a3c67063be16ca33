import { type PageTableFormat, VmError, type Words, words } from '@vmarea/core';
import { ARM64_BITS, type Granule, PAGE_SHIFTS, TYPE_TABLE } from './bits.js';
import { needsBreak } from './break-before-make.js';
import { faultCodeOf } from './faults.js';
import { LeafCodec } from './leaf-codec.js';
import { addressFields, arm64Levels, descriptorFields, type Geometry } from './levels.js';
import { LINUX_MAIR, memoryTypesOf } from './memory-types.js';
import {
  ARM64_CONTROLS,
  type Arm64Controls,
  checkAccess,
  checkRoot,
  permissionsOf,
  touched,
} from './permissions.js';

/** What differs between processors and between their settings. */
export interface Arm64Options {
  /** Size of the base page in KiB (TCR_EL1.TG0, TG1). */
  readonly granule: Granule;
  /**
   * Bits of a virtual address, 64 − TnSZ: 16 (17 with the 64K granule) to 48, to 52 with the 64K granule (FEAT_LVA) or
   * with `outputBits: 52`. Below 25 needs FEAT_TTST.
   */
  readonly vaBits: number;
  /** The half of the address space that the root translates. Default `ttbr1`, the kernel's. */
  readonly half?: 'ttbr0' | 'ttbr1';
  /**
   * Bits of an output address that a descriptor can say. 52 is LPA2 (TCR_EL1.DS = 1) with the 4K and 16K granules, and
   * LPA with 64K. Default 52 where `vaBits` demands it (4K and 16K above 48), else 48.
   */
  readonly outputBits?: 48 | 52;
  /**
   * Bits of a physical address: TCR_EL1.IPS, or what the processor implements when that is less. An output address beyond
   * is an Address size fault. 32 to `outputBits`, the default.
   */
  readonly paBits?: number;
  /**
   * The processor implements 52-bit physical addresses (FEAT_LPA, ID_AA64MMFR0_EL1.PARange = 6): with the 64K granule blocks may
   * stand at level 1 then, and bits 15:12 of an entry are address bits 51:48 (an Address size fault where they are set), even where
   * TCR_EL1.IPS selects shorter addresses. Default: where `outputBits` is 52, which needs it.
   */
  readonly lpa?: boolean;
  /** MAIR_EL1. Default `LINUX_MAIR`. */
  readonly mair?: bigint;
  /**
   * The engine makes and keeps contiguous runs. Default true. When false the contiguous bit is one like others, which
   * `extra` carries: for a kernel that never sets it.
   */
  readonly contiguous?: boolean;
}

/**
 * The page tables of arm64, stage 1 of EL1 and EL0: one half of the address space.
 *
 * A protection becomes the entry that Linux writes for it. `extra` is the exclusive or of a leaf with that entry: 0 for
 * most leaves, software bits, GP and the like as they stand, and a difference where a leaf says the same in another way (a
 * second MAIR index with the same type, other shareability, a writable page without DBM, a user page that the kernel may
 * execute). Bits that make it another protection are refused.
 *
 * `write` is DBM or AP[2] clear; `dirty` of a writable page is AP[2] clear, of another one software bit 55, where Linux
 * keeps it. `read: false` with `user` and `execute` is Linux's execute-only page.
 *
 * Source: Arm ARM (DDI 0487), D8, "The AArch64 Virtual Memory System Architecture".
 *
 * @throws VmError `EINVAL` when an option is out of range or the options contradict each other.
 * @example
 * ```ts
 * const format = arm64({ granule: 16, vaBits: 47 });
 * toBigint(format.encode(protection({ write: true, global: true }), 2)); // 0x0068000000000703n
 * ```
 */
export function arm64(options: Arm64Options): PageTableFormat<Arm64Controls> {
  const geometry = geometryOf(options);
  const { granule, vaBits, outputBits, paBits } = geometry;
  const half = options.half ?? 'ttbr1';
  if (half !== 'ttbr0' && half !== 'ttbr1') {
    throw new VmError('EINVAL', `half is ${String(half)}, expected ttbr0 or ttbr1`);
  }
  const pageShift = PAGE_SHIFTS[granule];
  const levels = arm64Levels(geometry);
  const fields = addressFields(geometry);
  const types = memoryTypesOf(options.mair ?? LINUX_MAIR);
  const lpa2 = outputBits === 52 && granule !== 64;
  const codec = new LeafCodec({ levels, fields: descriptorFields(geometry), pageShift, lpa2, types });
  const last = levels.length - 1;

  return Object.freeze<PageTableFormat<Arm64Controls>>({
    name: nameOf(geometry, half),
    pageShift,
    paBits,
    range: Object.freeze({ bits: vaBits, upper: half === 'ttbr0' ? 'zeros' : 'ones' }),
    present: Object.freeze({ mask: frozen(ARM64_BITS.VALID), value: frozen(ARM64_BITS.VALID) }),
    levels,
    address: fields,
    tableEntry: frozen(tableEntryOf(half)),
    memoryTypes: codec.memoryTypes,
    controls: ARM64_CONTROLS,
    encode: (wanted, level) => codec.encode(wanted, level),
    decode: (leaf, level) => codec.decode(leaf, level),
    change: (leaf, wanted, level) => codec.change(leaf, wanted, level),
    relevel: (leaf, from, to) => codec.relevel(leaf, from, to),
    needsBreak: (before, after, level) => needsBreak(before, after, level === last, types),
    permissions: permissionsOf,
    checkRoot,
    check: checkAccess,
    touch: (entry, _level, kind, access, controls) => touched(entry, kind, access, controls),
    faultCode: (fault) => faultCodeOf(fault, levels.length),
  });
}

/**
 * What Linux puts into entries that point to tables: the kernel's tables forbid the user to execute, the user's tables
 * forbid the kernel. The access flag is there since about 6.13, for FEAT_HAFT; before it is ignored.
 *
 * Source: Linux, `pmd_populate_kernel` and `pmd_populate` in `arch/arm64/include/asm/pgalloc.h`.
 */
function tableEntryOf(half: 'ttbr0' | 'ttbr1'): bigint {
  const { AF, UXN_TABLE, PXN_TABLE } = ARM64_BITS;
  return TYPE_TABLE | AF | (half === 'ttbr1' ? UXN_TABLE : PXN_TABLE);
}

/** `arm64-4k-48`; what is unusual follows. */
function nameOf({ granule, vaBits, outputBits }: Geometry, half: string): string {
  const usual = vaBits > 48 ? 52 : 48;
  const output = outputBits === usual ? '' : `-oa${outputBits}`;
  return `arm64-${granule}k-${vaBits}${output}${half === 'ttbr0' ? '-ttbr0' : ''}`;
}

/**
 * The options with their defaults, checked.
 *
 * Source of the limits: Arm ARM, D8.2, "Supported virtual address ranges": TxSZ is 16 to 39, to 48 (47 with the 64K
 * granule) with FEAT_TTST, from 12 with FEAT_LVA or DS = 1.
 */
function geometryOf(options: Arm64Options): Geometry {
  const { granule, vaBits, contiguous = true } = options;
  if (granule !== 4 && granule !== 16 && granule !== 64) {
    throw new VmError('EINVAL', `granule is ${String(granule)}, expected 4, 16 or 64`);
  }
  const needsLpa2 = vaBits > 48 && granule !== 64;
  const outputBits = options.outputBits ?? (needsLpa2 ? 52 : 48);
  if (outputBits !== 48 && outputBits !== 52) {
    throw new VmError('EINVAL', `outputBits is ${String(outputBits)}, expected 48 or 52`);
  }
  const least = granule === 64 ? 17 : 16;
  if (!Number.isInteger(vaBits) || vaBits < least || vaBits > 52) {
    throw new VmError('EINVAL', `vaBits is ${vaBits}, expected ${least} to 52`);
  }
  if (needsLpa2 && outputBits === 48) {
    throw new VmError('EINVAL', `vaBits is ${vaBits}, but with the ${granule}K granule it is 48 at most`, {
      advice: 'more needs outputBits: 52 (LPA2)',
    });
  }
  const paBits = options.paBits ?? outputBits;
  if (!Number.isInteger(paBits) || paBits < 32 || paBits > outputBits) {
    throw new VmError('EINVAL', `paBits is ${paBits}, expected 32 to ${outputBits}`);
  }
  const { lpa = outputBits === 52 } = options;
  if (outputBits === 52 && !lpa) {
    throw new VmError('EINVAL', 'outputBits is 52, which needs a processor with lpa');
  }
  return { granule, vaBits, outputBits, paBits, contiguous, lpa };
}

function frozen(value: bigint): Words {
  return Object.freeze(words(value));
}
