import { type Given, type Register, registerOption, VmError } from '@vmarea/core';
import { ARM64_CONTROLS, type Arm64Controls } from './controls.js';
import type { Arm64Options } from './format.js';
import { field, flag } from './register-fields.js';

/** TCR2_EL1, and the registers that its bits bring into use. */
export interface ExtendedRegisters {
  /** TCR2_EL1. PIE, POE and E0POE are used. Other bits that change what a descriptor means are refused. Default: 0. */
  readonly tcr2?: Register;
  /** PIR_EL1. Must be given when TCR2_EL1.PIE is set, else it is ignored. */
  readonly pir?: Register;
  /** PIRE0_EL1. Must be given when TCR2_EL1.PIE is set, else it is ignored. */
  readonly pire0?: Register;
  /** POR_EL0. Must be given when TCR2_EL1.E0POE is set, else it is ignored. */
  readonly porEl0?: Register;
  /** POR_EL1. Must be given when TCR2_EL1.POE is set, else it is ignored. */
  readonly porEl1?: Register;
}

/** Bits of TCR2_EL1 that are modelled. Source: Arm ARM, D24.2, "TCR2_EL1, Extended Translation Control Register". */
const TCR2 = { PIE: 1, E0POE: 2, POE: 3 };
const REFUSED = [
  [0, 'PnCH', 'bit 52 of a descriptor means Protected instead of contiguous'],
  [4, 'AIE', 'memory types have four bits'],
  [5, 'D128', 'descriptors have 128 bits'],
  [11, 'HAFT', 'hardware sets an access flag in table entries too'],
  [16, 'A2', 'each half has an address space identifier of its own'],
] as const;

/** What TCR2_EL1 turns on, for both halves. */
export interface Extensions {
  /** Options of the formats. */
  readonly options: Pick<Arm64Options, 'pir' | 'pire0'>;
  readonly controls: Pick<Arm64Controls, 'poe' | 'porEl1' | 'e0poe' | 'porEl0'>;
}

/**
 * @throws VmError `EINVAL` naming the bit when one is set that is not modelled, or that needs a register that was not given; naming
 *   the member when it is not a register.
 */
export function extensionsOf(given: Given<ExtendedRegisters>): Extensions {
  const tcr2 = registerOption(given, 'tcr2', 0n);
  for (const [bit, name, advice] of REFUSED)
    if (flag(tcr2, bit)) throw new VmError('EINVAL', `TCR2.${name} (bit ${bit}) is set`, { advice });

  const isOn = (name: keyof typeof TCR2): boolean => flag(tcr2, TCR2[name]);
  const needed = (
    name: 'pir' | 'pire0' | 'porEl0' | 'porEl1',
    by: keyof typeof TCR2,
    fallback = 0,
  ): bigint => {
    if (isOn(by) && given[name] === undefined)
      throw new VmError('EINVAL', `TCR2.${by} (bit ${TCR2[by]}) is set, but ${name} was not given`, {
        advice: 'without it, nobody knows what a page allows',
      });
    return registerOption(given, name, BigInt(fallback));
  };
  const [pir, pire0] = [needed('pir', 'PIE'), needed('pire0', 'PIE')];
  const [porEl1, porEl0] = [
    needed('porEl1', 'POE', ARM64_CONTROLS.porEl1),
    needed('porEl0', 'E0POE', ARM64_CONTROLS.porEl0),
  ];
  // A 64-bit descriptor has eight overlay indexes.
  const low = (por: bigint): number => Number(field(por, 0, 32));
  return {
    options: isOn('PIE') ? { pir, pire0 } : {},
    controls: { poe: isOn('POE'), porEl1: low(porEl1), e0poe: isOn('E0POE'), porEl0: low(porEl0) },
  };
}
