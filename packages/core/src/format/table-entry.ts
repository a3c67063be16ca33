import { checkAddress } from '../check/address.js';
import { hex, VmError } from '../errors.js';
import { type Words, words } from '../words.js';
import { classify } from './classify.js';
import type { PageTableFormat } from './page-table-format.js';

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
  const address = format.address.reduce(
    (all, { entryBit, width }) => all | (((1n << BigInt(width)) - 1n) << BigInt(entryBit)),
    0n,
  );
  if ((entry & address) !== 0n)
    throw new VmError('EINVAL', `${what} ${hex(entry)} has the address bits ${hex(entry & address)}`, {
      advice: 'pass the other bits alone, such as PXNTable; the address is that of each table',
    });
  for (const level of format.levels)
    if (level.table !== null && classify(format.present, level, bits) !== 'table')
      throw new VmError(
        'EINVAL',
        `${what} ${hex(entry)} points to no table at level ${level.name} of ${format.name}`,
        {
          advice: `start from the format's tableEntry`,
        },
      );
  return Object.freeze(bits);
}
