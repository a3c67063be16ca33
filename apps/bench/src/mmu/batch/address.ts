import type { PageTableFormat } from '@vmarea/core';

/** The bits of an entry for a physical address, without its bits below `shift`. */
export function addressBits({ address }: PageTableFormat, pa: bigint, shift: number): bigint {
  let bits = 0n;
  for (const { entryBit, paBit, width } of address) {
    const skipped = BigInt(Math.max(0, shift - paBit));
    if (skipped >= width) continue;
    const piece = BigInt.asUintN(width, pa >> BigInt(paBit)) & ~((1n << skipped) - 1n);
    bits |= piece << BigInt(entryBit);
  }
  return bits;
}

/** The physical address in an entry. */
export function addressOf({ address }: PageTableFormat, entry: bigint): bigint {
  let pa = 0n;
  for (const { entryBit, paBit, width } of address) {
    pa |= BigInt.asUintN(width, entry >> BigInt(entryBit)) << BigInt(paBit);
  }
  return pa;
}

/** The bytes of a root table. */
export function rootBytes({ levels, pageShift }: PageTableFormat): bigint {
  return 1n << BigInt(Math.max(pageShift, (levels[0]?.bits ?? 0) + 3));
}

/** An address that a root translates, from its lower bits. The range determines the upper ones. */
export function inRange({ range: { bits, upper } }: PageTableFormat, low: bigint): bigint {
  const inside = BigInt.asUintN(bits, low);
  if (upper === 'zeros') return inside;
  if (upper === 'ones') return BigInt.asUintN(64, inside | (-1n << BigInt(bits)));
  return BigInt.asUintN(64, BigInt.asIntN(bits, inside));
}
