/**
 * The processor modes at EL1 and EL0 that change what an arm64 translation allows.
 *
 * Indirect permissions (FEAT_S1PIE) are options of the format instead, `pir` and `pire0`, since they decide what the bits of a leaf
 * mean.
 *
 * Source: Arm ARM, D24.2, TCR_EL1, TCR2_EL1, SCTLR_EL1, POR_EL0 and POR_EL1; C5.2, PAN.
 */
export interface Arm64Controls {
  /** TCR_EL1.HA: hardware sets AF. When false, an access to a leaf with AF clear is an Access flag fault. */
  readonly ha: boolean;
  /**
   * TCR_EL1.HD, with `ha`: a write to a leaf with DBM set clears AP[2]. When false, AP[2] alone refuses writes. With PIE the bit is
   * nDirty: each leaf that grants a write is a candidate, and without `hd` a clean leaf refuses it.
   */
  readonly hd: boolean;
  /** SCTLR_EL1.WXN: writable pages are not executable. PIE ignores it. */
  readonly wxn: boolean;
  /** PSTATE.PAN: no kernel data accesses to pages that the user may read. */
  readonly pan: boolean;
  /** SCTLR_EL1.EPAN (FEAT_PAN3): with `pan`, also none to pages that the user may only execute. With PIE it is always on. */
  readonly epan: boolean;
  /** TCR_EL1.HPD0 or HPD1 of this half: APTable, PXNTable and UXNTable are ignored. PIE, `poe` and `e0poe` ignore them too. */
  readonly hpd: boolean;
  /** TCR_EL1.E0PD0 or E0PD1 of this half: every access by the user is a level 0 Translation fault. */
  readonly e0pd: boolean;
  /**
   * TCR_EL1.TBI0 or TBI1 of this half: bits 63:56 of an address are a tag. A walk takes the address without its tag, see
   * `withoutTag`; it does not look at this control.
   */
  readonly tbi: boolean;
  /** TCR_EL1.TBID0 or TBID1 of this half: `tbi` holds for data accesses only. */
  readonly tbid: boolean;
  /** TCR2_EL1.POE (FEAT_S1POE): `porEl1` overlays what the kernel may do. */
  readonly poe: boolean;
  /** POR_EL1, its low 32 bits: four for each POIndex of a leaf (62:60), which allow reads (1), fetches (2) and writes (4). */
  readonly porEl1: number;
  /** TCR2_EL1.E0POE (FEAT_S1POE): `porEl0` overlays what the user may do. */
  readonly e0poe: boolean;
  /** POR_EL0, its low 32 bits, in the form of `porEl1`. */
  readonly porEl0: number;
}

/**
 * The modes in which Linux runs its kernel on an Armv8.1 processor: HA, HD and PAN on.
 *
 * EPAN, E0PD and overlays are off; Linux turns them on where a later processor has them. TBI is off; it differs between the halves.
 * `arm64FromRegisters` gives the modes of a machine.
 *
 * POR_EL0 is the initial one of a process: POIndex 0 allows everything, the others nothing. POR_EL1 is alike.
 *
 * Source of POR_EL0: Linux, `POR_EL0_INIT` in `arch/arm64/include/asm/por.h` (6.12).
 */
export const ARM64_CONTROLS: Arm64Controls = Object.freeze({
  ha: true,
  hd: true,
  wxn: false,
  pan: true,
  epan: false,
  hpd: false,
  e0pd: false,
  tbi: false,
  tbid: false,
  poe: false,
  porEl1: 0x7,
  e0poe: false,
  porEl0: 0x7,
});
