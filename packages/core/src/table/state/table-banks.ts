import { VmError } from '../../errors.js';
import type { Bank } from '../../memory/bank.js';
import { addressOf } from '../page-range.js';
import type { TableContext } from './context.js';

/** The bank that holds a frame. The root's bank is tried first, then all banks are searched. */
export function bankOf({ root, memory, plan }: TableContext, pfn: number): Bank | null {
  if (root.pfn >= 0 && root.bank.wordOf(pfn, plan.pageShift) >= 0) return root.bank;
  return memory.bankOf(pfn, plan.pageShift);
}

/**
 * The bank that holds a table.
 *
 * @param page - index of the first page that the table translates, for the message.
 * @throws VmError `EFAULT` when the memory has no bytes there.
 */
export function bankOfTable(context: TableContext, pfn: number, page: number): Bank {
  const bank = bankOf(context, pfn);
  if (bank === null) throw noBytes(context, pfn, page);
  return bank;
}

/** The error of a call that needs a table without bytes. */
export function noBytes(context: TableContext, pfn: number, page: number): VmError {
  return new VmError('EFAULT', `the table at ${physical(context, pfn)} has no bytes`, {
    address: addressOf(context.plan.format, page),
  });
}

/**
 * The bank that holds a table which will be changed.
 *
 * @throws VmError `EFAULT` when the memory has no bytes there, `EPERM` when they are read-only.
 */
export function writableBankOfTable(context: TableContext, pfn: number, page: number): Bank {
  const bank = bankOfTable(context, pfn, page);
  if (!bank.writable) {
    throw new VmError('EPERM', `the table at ${physical(context, pfn)} is in read-only memory`, {
      address: addressOf(context.plan.format, page),
    });
  }
  return bank;
}

/** A frame's physical address for messages. */
export function physical(context: TableContext, pfn: number): string {
  return `physical 0x${(BigInt(pfn) << BigInt(context.plan.pageShift)).toString(16)}`;
}
