import { hex as hexOf, toBigint, type Words, words } from '@vmarea/core';

/** `0x` and 16 digits: what test failures are read in. */
export function hex(value: bigint | Words): string {
  return hexOf(typeof value === 'bigint' ? value : toBigint(value));
}

/** The entries of a path as words, from 64-bit values. */
export function pathOf(...entries: bigint[]): Words[] {
  return entries.map(words);
}
