import { choiceOption } from '../../check/members.js';
import { optionsOf } from '../../check/options.js';
import type { Controls } from '../../format/access.js';
import type { LevelPlan } from '../../format/plan.js';
import { rangeOf } from '../arguments.js';
import { addressOf, type PageRange } from '../page-range.js';
import type { ReadableTable } from '../readable-table.js';
import type { TableContext } from '../state/context.js';
import { contextOf } from '../state/registry.js';
import { knownRuns, type LeafRun, type UnlistedTable } from './leaves.js';

/** Options of one listing. */
export interface ListOptions {
  /** First address in bytes, with `bytes`. Default: everything that the root translates. */
  readonly va?: bigint;
  /** Length in bytes. */
  readonly bytes?: bigint | number;
  /**
   * A table that several entries point to, or that points to itself: `name` gives it as one item of kind
   * `again`, `list` gives its leaves at each address, as `leaves` does. Default: `name`.
   */
  readonly again?: 'name' | 'list';
}

/** A run of leaves in a listing. */
export interface ListedRun extends LeafRun {
  readonly kind: 'leaves';
}

/** A table whose leaves a listing does not give at its place. */
export interface UnlistedSpan {
  /**
   * - `missing`: the memory has no bytes of the table, so nobody knows what it maps.
   * - `again`: the table was already listed whole as one of the same level. It has leaves, or tables without bytes.
   */
  readonly kind: 'missing' | 'again';
  /** First address that the table translates, in bytes. */
  readonly va: bigint;
  /** Length of what it translates, in bytes. */
  readonly bytes: bigint;
  /** Level of the table: an index into `format.levels`. */
  readonly level: number;
  /** Frame of the table. */
  readonly pfn: number;
  /** Physical address of the table. */
  readonly pa: bigint;
  /** The address at which the table was listed; `null` for a missing one. */
  readonly listedAt: bigint | null;
}

const NAMES = ['va', 'bytes', 'again'] as const;

/**
 * Lists leaves in address order, as `leaves` of a table does, and goes on where a table has no bytes. That table
 * is an item of kind `missing`. It is for memory dumps, which may leave frames out, and for tables that somebody
 * else made.
 *
 * A table that is met again is an item of kind `again`. So the work grows with the number of tables, also where
 * they point to themselves. Such a table without leaves is no item.
 *
 * Leaves and tables that lie only partly in the range are listed whole. Do not change the table while iterating.
 * The arguments are checked at the call.
 *
 * @throws VmError `ERANGE`, `EINVAL` for an invalid range or option; `EINVAL` for anything that is not a page
 *   table, or for a destroyed one.
 * @example
 * ```ts
 * for (const item of listLeaves(table)) {
 *   if (item.kind === 'leaves') console.log(hex(item.va), item.count, 2 ** item.leafShift);
 *   else console.log(hex(item.va), item.kind, hex(item.pa));
 * }
 * ```
 */
export function listLeaves<C extends Controls>(
  table: ReadableTable<C>,
  options?: ListOptions,
): IterableIterator<ListedRun | UnlistedSpan> {
  const context = contextOf(table);
  const given = optionsOf(options, NAMES, 'listLeaves()');
  const again = choiceOption(given, 'again', ['name', 'list'], 'name');
  return listed(context, rangeOf(context.plan, given), again === 'name');
}

/** As `listLeaves`, for a range that is checked. */
export function* listed(
  context: TableContext,
  range: PageRange,
  isOnce: boolean,
): Generator<ListedRun | UnlistedSpan, void, undefined> {
  for (const item of knownRuns(context, range, isOnce)) {
    yield 'slot' in item ? spanOf(context, item) : { kind: 'leaves', ...item };
  }
}

function spanOf({ plan }: TableContext, { level, page, pfn, met }: UnlistedTable): UnlistedSpan {
  const above = plan.levels[level - 1] as LevelPlan;
  return {
    kind: met === null ? 'missing' : 'again',
    va: addressOf(plan.format, page),
    bytes: BigInt(above.pages) << BigInt(plan.pageShift),
    level,
    pfn,
    pa: BigInt(pfn) << BigInt(plan.pageShift),
    listedAt: met === null ? null : addressOf(plan.format, met.page),
  };
}
