/**
 * The virtual addresses that one root translates.
 *
 * arm64's TTBR0 (`zeros`) and TTBR1 (`ones`) are two formats with a root each; x86-64 and riscv64 have one
 * root for both halves (`sign`).
 */
export interface VirtualRange {
  /** Bits of an address that the tables translate: the sum of the level bits and `pageShift`. At most 63. */
  readonly bits: number;
  /**
   * What all bits above must be: 0, 1, or copies of bit `bits - 1` (canonical addresses).
   *
   * Source: SDM vol. 1, "Canonical Addressing"; Arm ARM D8.2, input address ranges of TTBR0_EL1 and
   * TTBR1_EL1; RISC-V privileged specification, Sv39: bits 63–39 must equal bit 38.
   */
  readonly upper: 'zeros' | 'ones' | 'sign';
}

/**
 * True when an address lies in the range.
 *
 * @param va - unsigned 64-bit.
 */
export function holdsAddress({ bits, upper }: VirtualRange, va: bigint): boolean {
  const above = va >> BigInt(bits);
  const ones = (1n << BigInt(64 - bits)) - 1n;
  if (upper === 'zeros') return above === 0n;
  if (upper === 'ones') return above === ones;
  return above === (((va >> BigInt(bits - 1)) & 1n) === 0n ? 0n : ones);
}

/** The rule for the upper bits of an address in the range: `bits 63 to 48 must equal bit 47`. */
export function ruleOf({ bits, upper }: VirtualRange): string {
  const rule = { zeros: 'all be 0', ones: 'all be 1', sign: `equal bit ${bits - 1}` }[upper];
  return `bits 63 to ${bits} must ${rule}`;
}
