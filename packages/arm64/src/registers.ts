import {
  hex,
  type Level,
  mask,
  type PageTableFormat,
  type Register,
  registerValue,
  VmError,
} from '@vmarea/core';
import type { Granule } from './bits.js';
import { arm64 } from './format.js';
import { LINUX_MAIR } from './memory-types.js';
import type { Arm64Controls } from './permissions.js';
import { field, flag } from './register-fields.js';

/** The registers of EL1 that decide how an arm64 processor translates for EL1 and EL0. */
export interface Arm64Registers {
  /** TCR_EL1. */
  readonly tcr: Register;
  /** TTBR0_EL1: the user's root. A dump without it says nothing about that half. */
  readonly ttbr0?: Register;
  /** TTBR1_EL1: the kernel's root. A dump without it says nothing about that half. */
  readonly ttbr1?: Register;
  /** SCTLR_EL1: M, EE, WXN and EPAN are looked at. */
  readonly sctlr: Register;
  /** MAIR_EL1. Default `LINUX_MAIR`. */
  readonly mair?: Register;
  /** TCR2_EL1: what it can switch on is refused. Default 0. */
  readonly tcr2?: Register;
  /** PSTATE.PAN. Default true, as Linux runs its kernel. */
  readonly pan?: boolean;
  /** Bits of a physical address that the processor implements (ID_AA64MMFR0_EL1.PARange), 32 to 52. Default 52. */
  readonly paBits?: number;
}

/** One half of the address space. */
export interface Arm64Half {
  /** The format that TCR selects for it. */
  readonly format: PageTableFormat<Arm64Controls>;
  /** Physical address of the root table in bytes. */
  readonly root: bigint;
  /** The modes that are set for it. */
  readonly controls: Arm64Controls;
  /** TTBR.CnP (FEAT_TTCNP): the tables are common to all processors. */
  readonly cnp: boolean;
}

/** What registers say about translation. */
export interface Arm64State {
  /** The lower half; `null` when EPD0 disables its walks (each is a Translation fault of level 0) or TTBR0 was not given. */
  readonly ttbr0: Arm64Half | null;
  /** The upper half; `null` likewise. */
  readonly ttbr1: Arm64Half | null;
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
};
const TCR = { A1: 22, IPS: 32, AS: 36, HA: 39, HD: 40, DS: 59 };
/** IPS: bits of an intermediate physical address. 7 is 56 bits, which 64-bit descriptors cannot say. */
const IPS_BITS = [32, 36, 40, 42, 44, 48, 52, null];
const SCTLR = { M: 0, WXN: 19, EE: 25, EPAN: 57 };
const TCR2_REFUSED = [
  [0, 'PnCH', 'bit 52 of a descriptor means Protected, and no contiguous run'],
  [1, 'PIE', 'permissions come through PIR_EL1'],
  [2, 'E0POE', 'permissions of EL0 are overlaid by POR_EL0'],
  [3, 'POE', 'permissions of EL1 are overlaid by POR_EL1'],
  [4, 'AIE', 'memory types have four bits'],
  [5, 'D128', 'descriptors have 128 bits'],
  [11, 'HAFT', 'hardware sets an access flag in table entries, too'],
  [16, 'A2', 'each half has an address space identifier of its own'],
] as const;

/**
 * The formats, roots and modes of a processor.
 *
 * Bits of TTBR below the alignment of the root table are ignored, as hardware does. TBI and TBID are given in the
 * controls; a walk wants the address without its tag (`withoutTag`).
 *
 * Source: Arm ARM, D24.2, TCR_EL1, TTBR0_EL1, TTBR1_EL1, SCTLR_EL1, TCR2_EL1; D8.2, "Translation table base address".
 *
 * @throws VmError `EINVAL` naming register and field when the MMU is off, an encoding is reserved, or something is
 *   switched on that is not modelled (big-endian tables, permission indirection and overlays, 128-bit descriptors, and
 *   what else of TCR2 changes what a descriptor says).
 * @example
 * ```ts
 * const cpu = arm64FromRegisters({ tcr, ttbr0, ttbr1, mair, sctlr });
 * cpu.ttbr1?.format.name; // 'arm64-16k-47'
 * cpu.asid; // 0x16
 * ```
 */
export function arm64FromRegisters(registers: Arm64Registers): Arm64State {
  const tcr = registerValue('tcr', registers.tcr);
  const sctlr = registerValue('sctlr', registers.sctlr);
  const tcr2 = registerValue('tcr2', registers.tcr2 ?? 0);
  if (!flag(sctlr, SCTLR.M))
    throw new VmError('EINVAL', 'SCTLR.M (bit 0) is clear', { advice: 'the MMU is off' });
  if (flag(sctlr, SCTLR.EE)) {
    throw new VmError('EINVAL', 'SCTLR.EE (bit 25) is set', {
      advice: 'its tables are big-endian, which vmarea does not read',
    });
  }
  for (const [bit, name, advice] of TCR2_REFUSED) {
    if (flag(tcr2, bit)) throw new VmError('EINVAL', `TCR2.${name} (bit ${bit}) is set`, { advice });
  }
  const mair = registerValue('mair', registers.mair ?? LINUX_MAIR);
  const half = (fields: HalfFields): Arm64Half | null => {
    const register = registers[fields.name];
    if (register === undefined || flag(tcr, fields.disabled)) return null;
    return halfOf(fields, tcr, sctlr, registerValue(fields.name, register), mair, registers);
  };
  const name = flag(tcr, TCR.A1) ? 'ttbr1' : 'ttbr0';
  const named = registers[name];
  return Object.freeze({
    ttbr0: half(TTBR0),
    ttbr1: half(TTBR1),
    // TCR.AS: 16 bits, else the upper 8 are ignored.
    asid:
      named === undefined ? null : Number(field(registerValue(name, named), 48, flag(tcr, TCR.AS) ? 16 : 8)),
  });
}

function halfOf(
  fields: HalfFields,
  tcr: bigint,
  sctlr: bigint,
  ttbr: bigint,
  mair: bigint,
  { pan = true, paBits: implemented = 52 }: Arm64Registers,
): Arm64Half {
  const digit = fields.name === 'ttbr0' ? 0 : 1;
  const encoded = Number(field(tcr, fields.granule, 2));
  const granule = fields.granules[encoded] ?? null;
  if (granule === null) {
    const known = fields.granules.flatMap((size, i) => (size === null ? [] : `${i} (${size}K)`));
    throw new VmError('EINVAL', `TCR.TG${digit} is ${encoded}, which is reserved`, {
      advice: `it can be ${known.join(', ')}`,
    });
  }
  const ips = IPS_BITS[Number(field(tcr, TCR.IPS, 3))] ?? null;
  if (ips === null) throw new VmError('EINVAL', 'TCR.IPS is 7, which 64-bit descriptors do not have');
  if (!Number.isInteger(implemented) || implemented < 32 || implemented > 52) {
    throw new VmError('EINVAL', `paBits is ${implemented}, expected 32 to 52`);
  }
  const size = Math.min(ips, implemented);
  // DS is for the smaller granules; with 64K it is the output size that lets a descriptor say 52 bits.
  const isWide = granule === 64 ? size === 52 : flag(tcr, TCR.DS);
  const tnsz = Number(field(tcr, fields.size, 6));
  const least = granule === 64 || isWide ? 12 : 16;
  const most = granule === 64 ? 47 : 48;
  if (tnsz < least || tnsz > most) {
    throw new VmError('EINVAL', `TCR.T${digit}SZ is ${tnsz}, expected ${least} to ${most}`, {
      advice: `that is what the ${granule}K granule allows with DS = ${isWide && granule !== 64 ? 1 : 0}`,
    });
  }
  const outputBits = isWide ? 52 : 48;
  const format = arm64({
    granule,
    vaBits: 64 - tnsz,
    half: fields.name,
    outputBits,
    lpa: implemented === 52,
    paBits: Math.min(size, outputBits),
    mair,
  });
  return Object.freeze({
    format,
    root: rootOf(fields.name, ttbr, format, isWide),
    controls: Object.freeze({
      ha: flag(tcr, TCR.HA),
      hd: flag(tcr, TCR.HD),
      wxn: flag(sctlr, SCTLR.WXN),
      pan,
      epan: flag(sctlr, SCTLR.EPAN),
      hpd: flag(tcr, fields.hpd),
      e0pd: flag(tcr, fields.e0pd),
      tbi: flag(tcr, fields.tbi),
      tbid: flag(tcr, fields.tbid),
    }),
    cnp: flag(ttbr, 0),
  });
}

/** TTBR.BADDR: 47:1, and with wide addresses 51:48 in bits 5:2; aligned to the size of the table. */
function rootOf(name: string, ttbr: bigint, format: PageTableFormat<Arm64Controls>, isWide: boolean): bigint {
  const { bits } = format.levels[0] as Level;
  // A wide BADDR has no bits below 64 bytes.
  const align = Math.max(bits + 3, isWide ? 6 : 0);
  const base = ttbr & mask(1, 47) & ~((1n << BigInt(align)) - 1n);
  const root = isWide ? base | (field(ttbr, 2, 4) << 48n) : base;
  if (root >> BigInt(format.paBits) !== 0n) {
    throw new VmError(
      'EINVAL',
      `${name.toUpperCase()} ${hex(ttbr)} has its table beyond the ${format.paBits} bits of a physical address`,
    );
  }
  return root;
}
