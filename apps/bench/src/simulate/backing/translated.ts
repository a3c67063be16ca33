import type { VirtualRange } from '@vmarea/core';

/** Whether a root with this range translates an address. */
export function isTranslated({ bits, upper }: VirtualRange, va: bigint): boolean {
  const above = va >> BigInt(bits);
  const ones = (1n << BigInt(64 - bits)) - 1n;
  if (upper === 'zeros') return above === 0n;
  if (upper === 'ones') return above === ones;
  return above === (((va >> BigInt(bits - 1)) & 1n) === 0n ? 0n : ones);
}
