import {
  completeControls,
  flagOption,
  hex,
  integerOption,
  type Level,
  type MachineState,
  machineState,
  mask,
  optionsOf,
  type PageTableFormat,
  type Register,
  registerOption,
  type Translation,
  VmError,
  withHidden,
} from '@vmarea/core';
import type { Granule } from './bits.js';
import { ARM64_CONTROLS, type Arm64Controls } from './controls.js';
import { arm64 } from './format.js';
import { formatTypesOf, LINUX_MAIR, SHAREABILITY } from './memory-types.js';
import { withoutTag } from './permissions.js';
import { field, flag } from './register-fields.js';
import { type ExtendedRegisters, type Extensions, extensionsOf } from './tcr2.js';

/** The registers of EL1 that decide how an arm64 processor translates for EL1 and EL0. */
export interface Arm64Registers extends ExtendedRegisters {
  /** TCR_EL1. */
  readonly tcr: Register;
  /** TTBR0_EL1: the user's root. Without it, the lower half is `null`. */
  readonly ttbr0?: Register;
  /** TTBR1_EL1: the kernel's root. Without it, the upper half is `null`. */
  readonly ttbr1?: Register;
  /** SCTLR_EL1: M, EE, WXN and EPAN are used; with TCR2_EL1.PIE, only M and EE. */
  readonly sctlr: Register;
  /** MAIR_EL1. Default: `LINUX_MAIR`. */
  readonly mair?: Register;
  /** PSTATE.PAN. Default: true, as Linux runs its kernel. */
  readonly pan?: boolean;
  /** Bits of a physical address that the processor implements (ID_AA64MMFR0_EL1.PARange), 32 to 52. Default: 52. */
  readonly paBits?: number;
}

/** One half of the address space. A page table can be opened with its format, root and controls. */
export interface Arm64Half extends Translation<Arm64Controls> {
  /** TTBR.CnP (FEAT_TTCNP): the tables are common to all processors. */
  readonly cnp: boolean;
}

/** The translation that registers select. `for(va)` gives the half that translates an address, and the address without its tag. */
export interface Arm64State extends MachineState<Arm64Controls> {
  /** The lower half; `null` when it translates nothing, see `reasons`. */
  readonly ttbr0: Arm64Half | null;
  /** The upper half; `null` when it translates nothing, see `reasons`. */
  readonly ttbr1: Arm64Half | null;
  /** Why a half is `null`; `null` for a half that translates. */
  readonly reasons: { readonly ttbr0: string | null; readonly ttbr1: string | null };
  /** The address space identifier, from the TTBR that TCR.A1 selects; `null` when that was not given. */
  readonly asid: number | null;
}

/** Positions in TCR_EL1 that differ between the halves. */
interface HalfFields {
  readonly name: 'ttbr0' | 'ttbr1';
  readonly size: number;
  readonly disabled: number;
  readonly granule: number;
  /** The encodings differ between TG0 and TG1. */
  readonly granules: readonly (Granule | null)[];
  readonly tbi: number;
  readonly hpd: number;
  readonly tbid: number;
  readonly e0pd: number;
  readonly shareability: number;
}

/** Source: Arm ARM, D24.2, "TCR_EL1, Translation Control Register". */
const TTBR0: HalfFields = {
  name: 'ttbr0',
  size: 0,
  disabled: 7,
  granule: 14,
  granules: [4, 64, 16, null],
  tbi: 37,
  hpd: 41,
  tbid: 51,
  e0pd: 55,
  shareability: 12,
};
const TTBR1: HalfFields = {
  name: 'ttbr1',
  size: 16,
  disabled: 23,
  granule: 30,
  granules: [null, 16, 4, 64],
  tbi: 38,
  hpd: 42,
  tbid: 52,
  e0pd: 56,
  shareability: 28,
};
const TCR = { A1: 22, IPS: 32, AS: 36, HA: 39, HD: 40, DS: 59 };
/** IPS: bits of an intermediate physical address. 7 is 56 bits, which 64-bit descriptors cannot hold. */
const IPS_BITS = [32, 36, 40, 42, 44, 48, 52, null];
const SCTLR = { M: 0, WXN: 19, EE: 25, EPAN: 57 };
const NAMES = [
  ...(['tcr', 'ttbr0', 'ttbr1', 'sctlr', 'mair', 'tcr2', 'pan', 'paBits'] as const),
  ...(['pir', 'pire0', 'porEl0', 'porEl1'] as const),
];

/**
 * The formats, roots and modes of a processor.
 *
 * A half that is disabled, or that this package cannot model, is `null`, and `reasons` says why. The other half is not
 * affected. Each access to a disabled half is a Translation fault of level 0.
 *
 * Bits of TTBR below the alignment of the root table are ignored, as hardware does.
 *
 * Source: Arm ARM, D24.2, TCR_EL1, TTBR0_EL1, TTBR1_EL1, SCTLR_EL1, TCR2_EL1, PIR_EL1, PIRE0_EL1, POR_EL0, POR_EL1; D8.2,
 * "Translation table base address".
 *
 * @throws VmError `EINVAL` naming the member when a value is not a register; naming register and field when the MMU is off
 *   (addresses are then physical), or a feature for both halves is on that is not modelled: big-endian tables, 128-bit
 *   descriptors, and other bits of TCR2 that change the meaning of a descriptor; naming a register that TCR2 needs and that was
 *   not given.
 * @example
 * ```ts
 * const cpu = arm64FromRegisters({ tcr, ttbr0, ttbr1, mair, sctlr });
 * cpu.ttbr1?.format.name; // 'arm64-16k-47'
 * const tables = cpu.for(0xffffc00080004008n); // half and address without tag; null: ask cpu.whyNot
 * if (tables !== null) new PageTableReader({ ...tables, memory }).walk(tables.address);
 * ```
 */
export function arm64FromRegisters(registers: Arm64Registers): Arm64State {
  const given = optionsOf(registers, NAMES, 'arm64FromRegisters()');
  const tcr = registerOption(given, 'tcr');
  const sctlr = registerOption(given, 'sctlr');
  const mair = registerOption(given, 'mair', LINUX_MAIR);
  const pan = flagOption(given, 'pan', true);
  const implemented = integerOption(given, 'paBits', 32, 52, 52);
  const ttbr = (name: HalfFields['name']): bigint | null =>
    given[name] === undefined ? null : registerOption(given, name);
  const ttbrs = { ttbr0: ttbr('ttbr0'), ttbr1: ttbr('ttbr1') };
  refuseOthers(sctlr);
  const extensions = extensionsOf(given);
  // A wrong MAIR is refused even where no half uses it.
  formatTypesOf(mair);
  const ips = IPS_BITS[Number(field(tcr, TCR.IPS, 3))] ?? null;
  if (ips === null)
    throw new VmError('EINVAL', 'TCR.IPS is 7 (56 bits), which 64-bit descriptors cannot hold');

  const size = Math.min(ips, implemented);
  const machine: Machine = { tcr, sctlr, mair, pan, implemented, size, extensions };
  const lower = halfOf(TTBR0, ttbrs.ttbr0, machine);
  const upper = halfOf(TTBR1, ttbrs.ttbr1, machine);
  const asid = ttbrs[flag(tcr, TCR.A1) ? 'ttbr1' : 'ttbr0'];
  return machineState(
    {
      ttbr0: typeof lower === 'string' ? null : lower,
      ttbr1: typeof upper === 'string' ? null : upper,
      reasons: Object.freeze({
        ttbr0: typeof lower === 'string' ? lower : null,
        ttbr1: typeof upper === 'string' ? upper : null,
      }),
      // TCR.AS: 16 bits, else the upper 8 are ignored.
      asid: asid === null ? null : Number(field(asid, 48, flag(tcr, TCR.AS) ? 16 : 8)),
    },
    {},
    (va, kind) => {
      const isUpper = flag(va, HALF_BIT);
      const half = isUpper ? upper : lower;
      if (typeof half !== 'string') return { tables: half, address: withoutTag(va, half.controls, kind) };
      const name = isUpper ? 'TTBR1' : 'TTBR0';
      return `bit ${HALF_BIT} of ${hex(va)} selects ${name}, which translates nothing: ${half}`;
    },
    [lower, upper].filter((half) => typeof half !== 'string'),
  );
}

/** The bit of an address that selects the half, tagged or not. Source: Arm ARM, D8.8, "Address tagging". */
const HALF_BIT = 55;

/** Refuses a processor whose translation is off, or not modelled, for both halves. */
function refuseOthers(sctlr: bigint): void {
  if (!flag(sctlr, SCTLR.M)) {
    throw new VmError('EINVAL', 'SCTLR.M (bit 0) is clear', {
      advice: 'the MMU is off: addresses are physical, and there are no tables to read',
    });
  }
  if (flag(sctlr, SCTLR.EE)) {
    throw new VmError('EINVAL', 'SCTLR.EE (bit 25) is set', {
      advice: 'its tables are big-endian, which vmarea does not read',
    });
  }
}

/** The settings of both halves, checked. */
interface Machine {
  readonly tcr: bigint;
  readonly sctlr: bigint;
  readonly mair: bigint;
  readonly pan: boolean;
  /** Bits of a physical address that the processor implements. */
  readonly implemented: number;
  /** Bits of a physical address that TCR.IPS leaves of them. */
  readonly size: number;
  /** What TCR2 turns on. */
  readonly extensions: Extensions;
}

/** A half, or why it translates nothing. */
function halfOf(fields: HalfFields, ttbr: bigint | null, machine: Machine): Arm64Half | string {
  const { tcr, sctlr, mair, pan, implemented, size, extensions } = machine;
  const digit = fields.name === 'ttbr0' ? 0 : 1;
  if (ttbr === null) return `${fields.name} was not given`;
  if (flag(tcr, fields.disabled))
    return `TCR.EPD${digit} (bit ${fields.disabled}) is set: its walks are disabled`;
  const encoded = Number(field(tcr, fields.granule, 2));
  const granule = fields.granules[encoded] ?? null;
  if (granule === null) {
    const known = fields.granules.flatMap((one, i) => (one === null ? [] : `${i} (${one}K)`));
    return `TCR.TG${digit} is ${encoded}, which is reserved; it can be ${known.join(', ')}`;
  }
  // DS is for the smaller granules. With 64K the output size decides whether a descriptor holds 52 bits.
  const isWide = granule === 64 ? size === 52 : flag(tcr, TCR.DS);
  const tnsz = Number(field(tcr, fields.size, 6));
  const least = granule === 64 || isWide ? 12 : 16;
  const most = granule === 64 ? 47 : 48;
  if (tnsz < least || tnsz > most) {
    const ds = isWide && granule !== 64 ? 1 : 0;
    return (
      `TCR.T${digit}SZ is ${tnsz}, expected ${least} to ${most}; ` +
      `the ${granule}K granule with DS = ${ds} allows no other`
    );
  }
  const outputBits = isWide ? 52 : 48;
  const sh = SHAREABILITY[Number(field(tcr, fields.shareability, 2))] ?? 'reserved';
  const format = arm64({
    granule,
    vaBits: 64 - tnsz,
    half: fields.name,
    outputBits,
    lpa: implemented === 52,
    paBits: Math.min(size, outputBits),
    mair,
    ...extensions.options,
    // 0b01 is reserved; hardware may take it for anything.
    ...(sh === 'reserved' ? {} : { shareability: sh }),
  });
  const root = rootOf(ttbr, format, isWide);
  if (root >> BigInt(format.paBits) !== 0n) {
    const name = fields.name.toUpperCase();
    return `${name} ${hex(ttbr)} has its table beyond the ${format.paBits} bits of a physical address`;
  }
  const controls = completeControls(
    ARM64_CONTROLS,
    {
      ha: flag(tcr, TCR.HA),
      hd: flag(tcr, TCR.HD),
      wxn: flag(sctlr, SCTLR.WXN),
      pan,
      epan: flag(sctlr, SCTLR.EPAN),
      hpd: flag(tcr, fields.hpd),
      e0pd: flag(tcr, fields.e0pd),
      tbi: flag(tcr, fields.tbi),
      tbid: flag(tcr, fields.tbid),
      ...extensions.controls,
    } satisfies Arm64Controls,
    format.name,
  );
  return withHidden({ format, root, controls }, { cnp: flag(ttbr, 0) });
}

/** TTBR.BADDR: 47:1, and with wide addresses 51:48 in bits 5:2; aligned to the size of the table. */
function rootOf(ttbr: bigint, format: PageTableFormat<Arm64Controls>, isWide: boolean): bigint {
  const { bits } = format.levels[0] as Level;
  // A wide BADDR has no bits below 64 bytes.
  const align = Math.max(bits + 3, isWide ? 6 : 0);
  const base = ttbr & mask(1, 47) & ~((1n << BigInt(align)) - 1n);
  return isWide ? base | (field(ttbr, 2, 4) << 48n) : base;
}
