import { checkAddress } from '../check/address.js';
import { hex, VmError } from '../errors.js';
import { joinWords, type Words, words } from '../words.js';
import { classify } from './classify.js';
import type { PageTableFormat } from './page-table-format.js';
import { leafAddressMask } from './plan.js';

/**
 * The words of an entry that a page table writes to point to its tables, without the address.
 *
 * @param entry - its bits, 0 to 2^64 - 1.
 * @param what - whose it is, for the message.
 * @throws VmError `EINVAL` when it is no bigint, has address bits, or is no table at a level that has tables;
 *   `ERANGE` when it is no 64-bit value.
 */
export function tableEntryOf(format: PageTableFormat, entry: bigint, what: string): Words {
  checkAddress(entry, what);
  const bits = words(entry);
  const why = whyNoTableEntry(format, bits);
  if (why !== null)
    throw new VmError('EINVAL', `${what} ${hex(entry)} ${why} of ${format.name}`, {
      advice: `start from the format's tableEntry: the bits besides the address of each table`,
    });
  return Object.freeze(bits);
}

/** Why bits cannot be those of every table entry besides its address; `null` when they can. */
export function whyNoTableEntry(format: PageTableFormat, bits: Words): string | null {
  const address = leafAddressMask(format, 0);
  const inside = joinWords(bits.lo & address.lo, bits.hi & address.hi);
  if (inside !== 0n) return `has the address bits ${hex(inside)}`;
  const level = format.levels.find(
    (one) => one.table !== null && classify(format.present, one, bits) !== 'table',
  );
  return level === undefined ? null : `points to no table at level ${level.name}`;
}
