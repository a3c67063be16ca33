import { completeControls } from '../../check/controls.js';
import { choiceOption, flagOption } from '../../check/members.js';
import { type Given, optionsOf } from '../../check/options.js';
import { VmError } from '../../errors.js';
import type { Controls } from '../../format/access.js';
import { rangeOf } from '../arguments.js';
import type { PageRange } from '../page-range.js';
import type { ReadableTable } from '../readable-table.js';
import type { TableContext } from '../state/context.js';
import { contextOf } from '../state/registry.js';
import { completeFace, itemFace, type LeafItem, type LeafRun } from './leaves.js';
import { items, type ListFace } from './items.js';
import { MetTables } from './met-tables.js';
import { EffectiveRights, rightsOf } from './rights.js';

/** How a list of leaves goes on. */
export interface LeavesOptions<C extends Controls = Controls> {
  /**
   * Whether the list is complete, or ends with an error: `EFAULT` at a table without bytes, `ELOOP` at a table that
   * is met again too often. Else such a table is an item, and the list goes on. Default: true for `leaves` of a
   * `PageTable`, else false.
   */
  readonly complete?: boolean;
  /**
   * A table that several entries point to, or that points to itself: `name` gives it as one item of kind `again`. `list`
   * gives its leaves at each address, as the MMU translates them. It does so until the call has read 2^20 entries
   * again; then it names such tables, too. Default: `list` for `leaves`, `name` for `listLeaves`.
   */
  readonly again?: 'name' | 'list';
  /** Processor modes for `rights` that differ from those that the table was opened with. Default: none. */
  readonly controls?: Partial<C>;
}

/** Options of one listing. */
export interface ListOptions<C extends Controls = Controls> extends LeavesOptions<C> {
  /** First address in bytes, with `bytes`. Default: everything that the root translates. */
  readonly va?: bigint;
  /** Length in bytes. */
  readonly bytes?: bigint | number;
}

const HOW = ['complete', 'again', 'controls'] as const;
const NAMES = ['va', 'bytes', ...HOW] as const;

/**
 * Lists leaves in address order, as `leaves` of a table does, and goes on where a table has no bytes. That table
 * is an item of kind `missing`. It is for memory dumps, which may leave frames out, and for tables that somebody
 * else made.
 *
 * A table that is met again is an item of kind `again`. Such a table without leaves is no item. So the work is bounded,
 * also where tables point to themselves: each table is read once for each level, and up to 2^20 more entries where
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

/** The list that `leaves` of a table gives. */
export function leavesOf(
  context: TableContext,
  va: bigint | undefined,
  bytes: bigint | number | undefined,
  options: LeavesOptions | undefined,
): IterableIterator<LeafItem> {
  const given = optionsOf(options, HOW, 'leaves()');
  return listed(context, rangeOf(context.plan, { va, bytes }), given, context.records !== null, 'list');
}

function listed(
  context: TableContext,
  range: PageRange,
  given: Given<LeavesOptions>,
  isComplete: boolean,
  known: 'name' | 'list',
): IterableIterator<LeafItem> {
  const complete = flagOption(given, 'complete', isComplete);
  const again = choiceOption(given, 'again', ['name', 'list'], complete ? 'list' : known);
  if (complete && again === 'name')
    throw new VmError('EINVAL', 'again is name, but a complete list gives the leaves of every table', {
      advice: 'leave one of them out',
    });
  const face: ListFace<LeafItem> = complete ? completeFace(context) : itemFace(context);
  const tables = new MetTables(again === 'list');
  return items(context, range, { face, rights: rightsFor(context, given), tables, wanted: null });
}

/** Rights under the controls of a call; without any, those of the table. */
export function rightsFor(context: TableContext, { controls }: { readonly controls?: unknown }): EffectiveRights {
  const { plan } = context;
  if (controls === undefined) return rightsOf(context);
  const all = completeControls(context.controls, controls as Partial<Controls>, plan.format.name);
  return new EffectiveRights(plan, all);
}
