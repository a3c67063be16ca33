import {
  bigintOption,
  choiceOption,
  completeControls,
  flagOption,
  type Given,
  integerOption,
  optionsOf,
  type PageTableFormat,
  toBigint,
  VmError,
  type Words,
  words,
} from '@vmarea/core';
import { ARM64_BITS, type Granule, PAGE_SHIFTS, TYPE_TABLE } from './bits.js';
import { needsBreak } from './break-before-make.js';
import { ARM64_CONTROLS, type Arm64Controls } from './controls.js';
import { directEncoding } from './direct-encoding.js';
import { faultCodeOf } from './faults.js';
import { indirectEncoding } from './indirect-encoding.js';
import { type IndexRights, indirection } from './indirect-permissions.js';
import { LeafCodec } from './leaf-codec.js';
import { addressFields, arm64Levels, descriptorFields, type Geometry } from './levels.js';
import { attributesOf, formatTypesOf, LINUX_MAIR } from './memory-types.js';
import { formatName } from './names.js';
import { checkAccess, checkRoot, permissionsOf, touched } from './permissions.js';

/** What differs between processors and between their settings. */
export interface Arm64Options {
  /** Size of the base page in KiB (TCR_EL1.TG0, TG1). */
  readonly granule: Granule;
  /**
   * Bits of a virtual address, 64 − TnSZ: 16 (17 with the 64K granule) to 48. Up to 52 with the 64K granule (FEAT_LVA) or
   * with `outputBits: 52`. Less than 25 needs FEAT_TTST.
   */
  readonly vaBits: number;
  /** The half of the address space that the root translates; `ttbr1` is the kernel's. Default: `ttbr1`. */
  readonly half?: 'ttbr0' | 'ttbr1';
  /**
   * Bits of an output address that a descriptor holds. 52 is LPA2 (TCR_EL1.DS = 1) with the 4K and 16K granules, and
   * LPA with 64K. Default: 52 where `vaBits` needs it (4K and 16K, above 48), else 48.
   */
  readonly outputBits?: 48 | 52;
  /**
   * Bits of a physical address: TCR_EL1.IPS, or what the processor implements when that is less. 32 to `outputBits`. A larger
   * output address is an Address size fault. Default: `outputBits`.
   */
  readonly paBits?: number;
  /**
   * The processor implements 52-bit physical addresses (FEAT_LPA, ID_AA64MMFR0_EL1.PARange = 6). With the 64K granule this
   * allows blocks at level 1, and bits 15:12 of an entry are address bits 51:48, even where TCR_EL1.IPS selects shorter
   * addresses: there a set bit is an Address size fault. `outputBits: 52` needs it. Default: true where `outputBits` is 52.
   */
  readonly lpa?: boolean;
  /**
   * MAIR_EL1. A byte that the manual leaves unpredictable is the memory type `unpredictable`; at index 0 it is refused.
   * Default: `LINUX_MAIR`.
   */
  readonly mair?: bigint;
  /**
   * TCR_EL1.SH0 or SH1 of this half. It is the shareability of all leaves with LPA2, whose entries have no room for it. Otherwise
   * each leaf says its own. Default: `inner`.
   */
  readonly shareability?: 'none' | 'outer' | 'inner';
  /**
   * The engine makes and keeps contiguous runs. When false, `extra` carries the contiguous bit like any other: for a kernel
   * that never sets it. Default: true.
   */
  readonly contiguous?: boolean;
  /**
   * PIR_EL1, with TCR2_EL1.PIE (FEAT_S1PIE): what the kernel may do with a page, four bits for each index that a leaf selects with
   * UXN, PXN, DBM and AP[1]. Linux writes `LINUX_PIR`. Given together with `pire0`. Default: none; permissions are direct.
   */
  readonly pir?: bigint;
  /** PIRE0_EL1: what the user may do with a page, as `pir`. Linux writes `LINUX_PIRE0`. */
  readonly pire0?: bigint;
}

const NAMES = [
  ...(['granule', 'vaBits', 'half', 'outputBits', 'paBits', 'lpa'] as const),
  ...(['mair', 'shareability', 'contiguous', 'pir', 'pire0'] as const),
];

/**
 * The page tables of arm64, stage 1 of EL1 and EL0: one half of the address space.
 *
 * A table entry is valid and forbids nothing. What Linux forbids with its own is the policy's (`arm64Linux`).
 *
 * A protection becomes the entry that Linux writes for it. `extra` is the exclusive or of a leaf with that entry. It is 0
 * for most leaves. It holds software bits, GP and similar bits unchanged. It also holds the difference of a leaf that has the
 * same protection in another encoding: a second MAIR index with the same type, other shareability, a writable page without DBM,
 * a user page that the kernel may execute. Bits that would change the protection are refused.
 *
 * `write` means DBM set or AP[2] clear. `dirty` means AP[2] clear for a writable page, and software bit 55 for others, as in
 * Linux. `read: false` with `user` and `execute` is Linux's execute-only page.
 *
 * With `pir` and `pire0` permissions are indirect (PIE): UXN, PXN, DBM and AP[1] select an index, and AP[2] says that the page is
 * clean. `write` is then what the index grants. A protection that no index stands for is refused. With Linux's values, each
 * protection has the bits that it has without PIE. Overlays (`e0poe`, `poe`) are controls, like a processor's other modes.
 *
 * Source: Arm ARM (DDI 0487), D8, "The AArch64 Virtual Memory System Architecture".
 *
 * @throws VmError `EINVAL` when an option is unknown, missing or out of range, or options contradict each other.
 * @example
 * ```ts
 * const format = arm64({ granule: 16, vaBits: 47 });
 * toBigint(format.encode(protection({ write: true, global: true }), 2)); // 0x0068000000000703n
 * ```
 */
export function arm64(options: Arm64Options): PageTableFormat<Arm64Controls> {
  const given = optionsOf(options, NAMES, 'arm64()');
  const geometry = geometryOf(given);
  const { granule, vaBits, outputBits, paBits } = geometry;
  const half = choiceOption(given, 'half', ['ttbr0', 'ttbr1'], 'ttbr1');
  const name = formatName({ ...geometry, half });
  const pageShift = PAGE_SHIFTS[granule];
  const fields = addressFields(geometry);
  const mair = bigintOption(given, 'mair', LINUX_MAIR);
  const types = formatTypesOf(mair);
  const lpa2 = outputBits === 52 && granule !== 64;
  const sh = choiceOption(given, 'shareability', ['none', 'outer', 'inner'], 'inner');
  const shared = lpa2 ? sh : null;
  const indexes = indexesOf(given);
  const rights = indexes === null ? directEncoding : indirectEncoding(indexes);
  const levels = arm64Levels(geometry, { types, isIndirect: indexes !== null });
  const codec = new LeafCodec({ levels, fields: descriptorFields(geometry), pageShift, lpa2, types, rights });
  const last = levels.length - 1;
  const modes = (controls: Arm64Controls) => completeControls(ARM64_CONTROLS, controls, name);

  return Object.freeze<PageTableFormat<Arm64Controls>>({
    name,
    pageShift,
    paBits,
    range: Object.freeze({ bits: vaBits, upper: half === 'ttbr0' ? 'zeros' : 'ones' }),
    present: Object.freeze({ mask: frozen(ARM64_BITS.VALID), value: frozen(ARM64_BITS.VALID) }),
    levels,
    address: fields,
    tableEntry: frozen(TYPE_TABLE),
    memoryTypes: codec.memoryTypes,
    controls: ARM64_CONTROLS,
    encode: (wanted, level) => codec.encode(wanted, level),
    decode: (leaf, level) => codec.decode(leaf, level),
    memoryAttributes: (leaf) => attributesOf(mair, shared, toBigint(leaf)),
    change: (leaf, wanted, level) => codec.change(leaf, wanted, level),
    relevel: (leaf, from, to) => codec.relevel(leaf, from, to),
    needsBreak: (before, after, level) => needsBreak(before, after, level === last, types),
    permissions: (path, controls) => permissionsOf(path, modes(controls), indexes),
    checkRoot: (access, controls) => checkRoot(access, modes(controls)),
    check: (path, access, controls) => checkAccess(path, access, modes(controls), indexes),
    touch: (entry, _level, kind, access, controls) => touched(entry, kind, access, modes(controls), indexes),
    faultCode: (fault, _access, controls) => {
      // The result does not depend on the controls. A misspelt one is still refused.
      modes(controls);
      return faultCodeOf(fault, levels.length);
    },
  });
}

/**
 * The options with their defaults, checked.
 *
 * Source of the limits: Arm ARM, D8.2, "Supported virtual address ranges": TxSZ is 16 to 39, to 48 (47 with the 64K
 * granule) with FEAT_TTST, from 12 with FEAT_LVA or DS = 1.
 */
function geometryOf(given: Given<Arm64Options>): Geometry {
  const granule = choiceOption(given, 'granule', [4, 16, 64]);
  const vaBits = integerOption(given, 'vaBits', granule === 64 ? 17 : 16, 52);
  const needsLpa2 = vaBits > 48 && granule !== 64;
  const outputBits = choiceOption(given, 'outputBits', [48, 52], needsLpa2 ? 52 : 48);
  if (needsLpa2 && outputBits === 48) {
    throw new VmError('EINVAL', `vaBits is ${vaBits}, but with the ${granule}K granule it is 48 at most`, {
      advice: 'more needs outputBits: 52 (LPA2)',
    });
  }
  const paBits = integerOption(given, 'paBits', 32, outputBits, outputBits);
  const contiguous = flagOption(given, 'contiguous', true);
  const lpa = flagOption(given, 'lpa', outputBits === 52);
  if (outputBits === 52 && !lpa) {
    throw new VmError('EINVAL', 'outputBits is 52, but lpa is false', {
      advice: 'only a processor with lpa has 52 bits of output address',
    });
  }
  return { granule, vaBits, outputBits, paBits, contiguous, lpa };
}

/** What each index of a leaf allows; `null` without PIE. */
function indexesOf(given: Given<Arm64Options>): readonly IndexRights[] | null {
  if (given.pir === undefined && given.pire0 === undefined) return null;
  for (const [name, other] of [
    ['pir', 'pire0'],
    ['pire0', 'pir'],
  ] as const)
    if (given[name] === undefined)
      throw new VmError('EINVAL', `${other} is given without ${name}`, {
        advice: 'PIE takes both: one for the kernel, one for the user',
      });
  return indirection(bigintOption(given, 'pir'), bigintOption(given, 'pire0'));
}

function frozen(value: bigint): Words {
  return Object.freeze(words(value));
}
