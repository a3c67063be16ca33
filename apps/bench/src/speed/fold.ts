/**
 * Takes one more result into a checksum that depends on all results and their order.
 *
 * @param value - its low 32 bits count.
 * @returns a signed 32-bit number, as is `sum`.
 */
export function fold(sum: number, value: number): number {
  return (Math.imul(sum, 31) + value) | 0;
}
