/** `width` bits of a register from bit `low` on. */
export function field(register: bigint, low: number, width: number): bigint {
  return BigInt.asUintN(width, register >> BigInt(low));
}

/** True when a bit of a register is set. */
export function flag(register: bigint, bit: number): boolean {
  return field(register, bit, 1) !== 0n;
}
