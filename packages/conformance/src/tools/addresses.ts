import type { PageTableFormat } from '@vmarea/core';

/**
 * First address of a format's range.
 *
 * @param half - of a range with two halves, the lower begins at 0; the upper is the kernel's. Default: `upper`.
 */
export function firstAddress(
  { range: { bits, upper } }: PageTableFormat,
  half: 'lower' | 'upper' = 'upper',
): bigint {
  if (upper === 'zeros' || (upper === 'sign' && half === 'lower')) return 0n;
  return (1n << 64n) - (1n << BigInt(upper === 'sign' ? bits - 1 : bits));
}

/** Bytes of a format's range; of one half where it has two. */
export function rangeBytes({ range: { bits, upper } }: PageTableFormat): bigint {
  return 1n << BigInt(upper === 'sign' ? bits - 1 : bits);
}

/** Frames that a root table takes: more than one where tables are joined, one where the root is small. */
export function rootFrames({ levels, pageShift }: PageTableFormat): number {
  return Math.max(1, 2 ** ((levels[0]?.bits ?? 0) + 3 - pageShift));
}
