import { completeControls } from '../../check/controls.js';
import { choiceOption, flagOption } from '../../check/members.js';
import { type Given, optionsOf } from '../../check/options.js';
import { VmError } from '../../errors.js';
import type { Controls } from '../../format/access.js';
import { rangeOf } from '../arguments.js';
import type { PageRange } from '../page-range.js';
import type { TableContext } from '../state/context.js';
import { items, type ListFace } from './items.js';
import { completeFace, itemFace, type LeafItem } from './leaves.js';
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
   * gives its leaves at each address, as the MMU translates them. It does so until the call has read 2^21 entries
   * again; then it names such tables, too. Default: `list` for `leaves`, `name` for `listLeaves`.
   */
  readonly again?: 'name' | 'list';
  /** Processor modes for `rights` that differ from those that the table was opened with. Default: none. */
  readonly controls?: Partial<C>;
}

export const LEAVES_OPTIONS = ['complete', 'again', 'controls'] as const;

/** The list that `leaves` of a table gives. */
export function leavesOf(
  context: TableContext,
  va: bigint | undefined,
  bytes: bigint | number | undefined,
  options: LeavesOptions | undefined,
): IterableIterator<LeafItem> {
  const given = optionsOf(options, LEAVES_OPTIONS, 'leaves()');
  return listed(context, rangeOf(context.plan, { va, bytes }), given, context.records !== null, 'list');
}

/** A list under options whose names are checked. */
export function listed(
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
export function rightsFor(
  context: TableContext,
  { controls }: { readonly controls?: unknown },
): EffectiveRights {
  const { plan } = context;
  if (controls === undefined) return rightsOf(context);
  const all = completeControls(context.controls, controls as Partial<Controls>, plan.format.name);
  return new EffectiveRights(plan, all);
}
