import { type Command, type Console, oneOf } from '@vmarea/cli';
import { type LeafItem, listLeaves } from '@vmarea/core';
import { DUMP_ARGUMENTS, RANGE_ARGUMENT, type RangeValues, ROOT_ARGUMENTS } from '../input/arguments.js';
import { pagesOf, rangeOf } from '../input/numbers.js';
import { type OpenRoot, openRoot } from '../input/open-root.js';
import { jsonOf } from '../output/json.js';
import { printRows } from '../output/lines.js';
import { coloursOf, leafLine, mergedLine, unlistedLine } from '../output/text.js';
import { titleOf } from '../output/title.js';
import { mergeRuns } from '../show/merge.js';
import { rowsOf } from '../show/rows.js';
import { inspectCommand } from './command.js';

interface ListValues extends RangeValues {
  readonly again?: string;
}

const ARGUMENTS = {
  ...DUMP_ARGUMENTS,
  ...ROOT_ARGUMENTS,
  ...RANGE_ARGUMENT,
  again: {
    type: 'string',
    valueHint: 'HOW',
    description: 'A table that is met again: list its leaves there, too, or name it in one row: list or name',
  },
} as const;

/** `leaves`: every run of leaves. */
export const leaves: Command = inspectCommand(
  'leaves',
  'List every run of leaves: addresses, size, level, rights, memory type, frames',
  ARGUMENTS,
  (values: ListValues, io) => runList(values, io, 'list', leafRows),
  [
    'leaves vmcore',
    'leaves vmcore --va ffffffff80000000-ffffffffbfffffff',
    'leaves vmcore --root process --json',
  ],
);

/** `dump`: merged runs. */
export const dump: Command = inspectCommand(
  'dump',
  'List what is mapped as ptdump does: merged runs with rights and the names of regions',
  ARGUMENTS,
  (values: ListValues, io) => runList(values, io, 'name', mergedRows),
  ['dump vmcore', 'dump memory.lime --cr3 0x2c22000', 'dump vmcore --json'],
);

type Rows = (open: OpenRoot, items: Iterable<LeafItem>, values: ListValues, io: Console) => Promise<void>;

async function runList(values: ListValues, io: Console, known: 'list' | 'name', rows: Rows): Promise<void> {
  const again = oneOf('--again', values.again, ['list', 'name'], known);
  const asked = values.va === undefined ? null : rangeOf('--va', values.va);
  const open = await openRoot(values, io);
  try {
    const { table } = open.chosen;
    const range = asked === null ? {} : pagesOf(table, asked);
    const items = listLeaves(table, { ...range, again });
    if (values.json !== true) io.stdout.write(`${titleOf(open)}\n`);
    await rows(open, items, values, io);
  } finally {
    open.close();
  }
}

function leafRows(
  { chosen, layout }: OpenRoot,
  items: Iterable<LeafItem>,
  { json }: ListValues,
  io: Console,
): Promise<void> {
  const colours = coloursOf(io);
  const rows = rowsOf(chosen.format, items, layout.regions);
  return printRows(io.stdout, rows, (row) => {
    if (json === true) return jsonOf(row);
    return row.kind === 'leaves' ? leafLine(row, colours) : unlistedLine(row, colours);
  });
}

function mergedRows(
  { chosen, layout }: OpenRoot,
  items: Iterable<LeafItem>,
  { json }: ListValues,
  io: Console,
): Promise<void> {
  const colours = coloursOf(io);
  const rows = mergeRuns(chosen.format, items, layout.regions);
  return printRows(io.stdout, rows, (row) => {
    if (json === true) return jsonOf(row);
    return row.kind === 'mapped' ? mergedLine(row, colours) : unlistedLine(row, colours);
  });
}
