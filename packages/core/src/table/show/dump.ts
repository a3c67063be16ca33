import { flagOption, integerOption } from '../../check/members.js';
import { type Given, optionsOf } from '../../check/options.js';
import { VmError } from '../../errors.js';
import type { Controls } from '../../format/access.js';
import type { LevelPlan } from '../../format/plan.js';
import { rangeOf } from '../arguments.js';
import type { PageRange } from '../page-range.js';
import type { ReadableTable } from '../readable-table.js';
import type { TableContext } from '../state/context.js';
import { contextOf } from '../state/registry.js';
import { items, type JudgedRun, type UnlistedTable } from '../walk/items.js';
import { rightsFor } from '../walk/leaf-list.js';
import { type LeafRun, leafRun } from '../walk/leaves.js';
import { MetTables } from '../walk/met-tables.js';
import type { EffectiveRights, JudgedLeaf } from '../walk/rights.js';
import { rootAddress } from '../walk/walk.js';
import { DumpText, endsOf, type LeftOut, leftOut } from './dump-text.js';
import { dumpTree } from './dump-tree.js';

/** Options of one dump. */
export interface DumpOptions<C extends Controls = Controls> {
  /** First address in bytes, with `bytes`. Default: everything that the root translates. */
  readonly va?: bigint;
  /** Length in bytes. */
  readonly bytes?: bigint | number;
  /** Whether to list the tables too, as a tree. Default: false. */
  readonly tables?: boolean;
  /**
   * How many levels of tables the tree shows with their contents, 1 or more. A table below them is a line
   * only. Allowed only with `tables`. Default: all.
   */
  readonly levels?: number;
  /**
   * Longest list, in lines, 1 or more. In a longer one, a single line replaces the middle. It tells how many
   * runs and tables are left out, and their size in the address space, rounded to one decimal. In the tree,
   * the contents of one table are a list: its runs, and its tables with what is below them. Default: no
   * limit.
   */
  readonly lines?: number;
  /**
   * Whether each line also names the bits that are set in its entries, by the manual's names: `bits P R/W A D G XD`. A wider
   * field has its value: `AttrIndx=4`. For a table, they are those of the entry that points to it. See `describeEntry`.
   * Default: false.
   */
  readonly bits?: boolean;
  /**
   * Processor modes for the effective rights that differ from those that the table was opened with. Default:
   * none.
   */
  readonly controls?: Partial<C>;
}

const NAMES = ['va', 'bytes', 'tables', 'levels', 'lines', 'bits', 'controls'] as const;

/** No limit. */
const MOST = Number.MAX_SAFE_INTEGER;

/**
 * Shows what is mapped as text, like the kernel's ptdump. Each run of leaves is one line, in the same form
 * for all formats.
 *
 * Equal tables give equal text, and lines differ only where the tables do.
 *
 * The first line names the format and the physical address of the root. Every other line is a run of
 * adjacent leaves of one size with equal flags, equal rights and adjacent frames:
 *
 * ```text
 * x86-64, root 0x0000000144218000
 * 0xffffc90000000000-0xffffc90000098fff        612K  PTE       153 x 4K    rw- k gad  normal           0x0000000001234000
 * ```
 *
 * - first and last address, size, level, number and size of the leaves;
 * - `rwx`: what all levels together allow the side that the page belongs to, under the controls;
 * - `k` or `u`: it belongs to the kernel, or to user mode;
 * - `g`, `a`, `d`: global, accessed, dirty, as the leaf says;
 * - the memory type, the physical address of the first byte;
 * - `cont` or `napot` when the leaves carry the mark of a run, `extra` and its bits when there are any.
 *
 * A memory dump may lack tables. A table without bytes is a line in its place, not an error. Otherwise the
 * runs are those of `leaves`, but a run ends where the tables above allow something else. Leaves that lie
 * only partly in the range are listed whole.
 *
 * Entries may share a table, and a table may point to itself. A table that was already listed whole, at the
 * same level and below the same flags, is not listed again: its line says where it was. A table without leaves
 * has no line. Below other flags it is listed again, since it may then allow something else: for 16 kinds of flags, and
 * until the dump has read 2^18 entries again. So a dump reads each table once for each level, and 2^18 entries more,
 * also where tables point to themselves.
 *
 * With `tables`, each table is a line with its range, its physical address, its slot and entry flags in the
 * table above, and how many of its entries are not 0. Its contents are indented below: leaves, entries that
 * the MMU ignores (`absent`) or refuses (`reserved`), and tables.
 *
 * @throws VmError `ERANGE`, `EINVAL` for an invalid range or option; `EINVAL` when the table was destroyed.
 * @example
 * ```ts
 * dumpTables(table);
 * // x86-64, root 0x0000000000000000
 * // 0xffffc90000000000-0xffffc90000002fff       12K  PTE       3 x 4K    rw- k gad  normal           0x0000000001234000
 * dumpTables(table, { bits: true }); // the same lines, with `bits P R/W A D G XD` at their ends
 * dumpTables(table, { tables: true, levels: 2 }); // as a tree: the root's table, and those it points to
 * ```
 */
export function dumpTables<C extends Controls>(table: ReadableTable<C>, options?: DumpOptions<C>): string {
  const context = contextOf(table);
  const { plan } = context;
  const given = optionsOf(options, NAMES, 'dumpTables()');
  const range = rangeOf(plan, given);
  const isTree = flagOption(given, 'tables', false);
  const levels = checkLevels(given);
  const lines = integerOption(given, 'lines', 1, MOST, MOST);
  const text = new DumpText(plan, flagOption(given, 'bits', false));
  const rights = rightsFor(context, given);
  const out = [text.title(rootAddress(context))];
  const met = new MetTables(false);
  if (isTree) dumpTree({ context, range, text, rights, lines, levels, out, met, used: new Map() });
  else dumpRuns(context, range, text, { rights, lines, out, tables: met });
  return `${out.join('\n')}\n`;
}

type Item = LeafRun | UnlistedTable;

/** What a list is made of, and its lines so far. */
interface RunList {
  readonly rights: EffectiveRights;
  readonly lines: number;
  readonly out: string[];
  readonly tables: MetTables;
}

function dumpRuns(
  context: TableContext,
  range: PageRange,
  text: DumpText,
  { rights, lines, out, tables }: RunList,
): void {
  const line = (item: Item): string =>
    'slot' in item ? text.table(item, text.reason(item)) : text.leaves(item);
  const face = {
    run: (run: JudgedRun): Item => leafRun(context.plan, run, run.judged as JudgedLeaf),
    table: (table: UnlistedTable): Item => table,
  };
  const { head, tail } = endsOf(lines);
  // The end of the list, as a ring. What falls out of it is left out.
  const kept: Item[] = [];
  const left: LeftOut = { runs: 0, tables: 0, again: 0, bytes: 0 };
  let met = 0;
  for (const item of items(context, range, { face, rights, tables, wanted: null })) {
    if (met < head) out.push(line(item));
    else {
      const at = (met - head) % (lines - head);
      const oldest = kept[at];
      if (oldest !== undefined) leave(context, left, oldest);
      kept[at] = item;
    }
    met++;
  }
  const later = met - Math.min(met, head);
  const isLeftOut = met > lines;
  // One more item gives its place to the line that says so.
  const first = isLeftOut ? later - tail : 0;
  if (isLeftOut) {
    leave(context, left, kept[(first - 1) % (lines - head)] as Item);
    out.push(leftOut(left, ' without bytes'));
  }
  for (let i = first; i < later; i++) out.push(line(kept[i % (lines - head)] as Item));
}

function leave(context: TableContext, left: LeftOut, item: Item): void {
  if ('slot' in item) {
    if (item.met === null) left.tables++;
    else left.again++;
    const level = context.plan.levels[item.level] as LevelPlan;
    left.bytes += level.pages * level.entries * 2 ** context.plan.pageShift;
  } else {
    left.runs++;
    left.bytes += item.count * 2 ** item.leafShift;
  }
}

/** Checks an option that only a tree has. */
function checkLevels(given: Given<DumpOptions>): number {
  if (given.levels !== undefined && given.tables !== true) {
    throw new VmError('EINVAL', 'levels has no effect on a list', {
      advice: 'pass tables: true with it for a tree',
    });
  }
  return integerOption(given, 'levels', 1, MOST, MOST);
}
