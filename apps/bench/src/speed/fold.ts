/**
 * Adds a result to a checksum, which depends on all results and their order.
 *
 * @param value - the low 32 bits count.
 * @returns a signed 32-bit number, as `sum` is.
 */
export function fold(sum: number, value: number): number {
  return (Math.imul(sum, 31) + value) | 0;
}
