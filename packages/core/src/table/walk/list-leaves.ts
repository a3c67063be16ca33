import { optionsOf } from '../../check/options.js';
import type { Controls } from '../../format/access.js';
import { rangeOf } from '../arguments.js';
import type { ReadableTable } from '../readable-table.js';
import { contextOf } from '../state/registry.js';
import { LEAVES_OPTIONS, type LeavesOptions, listed } from './leaf-list.js';
import type { LeafItem, LeafRun } from './leaves.js';

/** Options of one listing. */
export interface ListOptions<C extends Controls = Controls> extends LeavesOptions<C> {
  /** First address in bytes, with `bytes`. Default: everything that the root translates. */
  readonly va?: bigint;
  /** Length in bytes. */
  readonly bytes?: bigint | number;
}

const NAMES = ['va', 'bytes', ...LEAVES_OPTIONS] as const;

/**
 * Lists leaves in address order, as `leaves` of a table does, and goes on where a table has no bytes. That table
 * is an item of kind `missing`. It is for memory dumps, which may leave frames out, and for tables that somebody
 * else made.
 *
 * A table that is met again is an item of kind `again`. Such a table without leaves is no item. So the work is bounded,
 * also where tables point to themselves: each table is read once for each level, and up to 2^18 more entries where
 * a table is met below entries of other flags, since it then may allow something else.
 *
 * Leaves and tables that lie only partly in the range are listed whole. Do not change the table while iterating.
 * The arguments are checked at the call.
 *
 * @throws VmError `ERANGE`, `EINVAL` for an invalid range or option; `EINVAL` for anything that is not a page
 *   table, or for a destroyed one; with `complete`, as `leaves`.
 * @example
 * ```ts
 * for (const item of listLeaves(table)) {
 *   if (item.kind === 'leaves') console.log(hex(item.va), item.count, item.protection.memory, item.rights.write);
 *   else console.log(hex(item.va), item.kind, hex(item.pa), 'by the entry at', hex(item.address));
 * }
 * ```
 */
export function listLeaves<C extends Controls>(
  table: ReadableTable<C>,
  options: ListOptions<C> & { readonly complete: true },
): IterableIterator<LeafRun>;
export function listLeaves<C extends Controls>(
  table: ReadableTable<C>,
  options?: ListOptions<C>,
): IterableIterator<LeafItem>;
export function listLeaves<C extends Controls>(
  table: ReadableTable<C>,
  options?: ListOptions<C>,
): IterableIterator<LeafItem> {
  const context = contextOf(table);
  const given = optionsOf(options, NAMES, 'listLeaves()');
  return listed(context, rangeOf(context.plan, given), given, false, 'name');
}
