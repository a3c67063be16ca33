import { type LeafItem, listLeaves, type PageTableReader } from '@vmarea/core';

/** What `listAll` lists. */
export interface ListAllOptions {
  /** First address in bytes, with `bytes`. Default: everything that the root translates. */
  readonly va?: bigint;
  readonly bytes?: bigint;
  /** Tables that are listed once more before the rest is only named. Default: 65536. */
  readonly most?: number;
}

/** As many entries as 16 kernels of x86-64 have for their exception stacks: those share a few tables at 2050 places. */
const MOST_AGAIN = 65536;

/**
 * Lists leaves at every address, also below tables that are met again, as `leaves` of a table does, but with a higher bound: kernels
 * of x86-64 map the pages of their exception stacks at 65,536 addresses. Behind the bound, such a table is an item of kind `again`.
 *
 * @param table - what is listed.
 * @throws VmError `ERANGE` or `EINVAL` for an invalid range, at the first item.
 */
export function* listAll(table: PageTableReader, options: ListAllOptions = {}): IterableIterator<LeafItem> {
  const { va, bytes, most = MOST_AGAIN } = options;
  let left = most;
  const range = va === undefined ? {} : { va, bytes: bytes ?? 1n };
  const lists = [listLeaves(table, { ...range, again: 'list' })];
  for (;;) {
    const step = lists.at(-1)?.next();
    if (step === undefined) return;
    if (step.done === true) lists.pop();
    else if (step.value.kind !== 'again' || left === 0) yield step.value;
    else {
      left--;
      // In a list of its own, it is met for the first time. Tables below it are smaller, so this ends.
      lists.push(listLeaves(table, { va: step.value.va, bytes: step.value.bytes, again: 'list' }));
    }
  }
}
