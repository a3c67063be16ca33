import { type Command, type Console, plural, UsageError } from '@vmarea/cli';
import {
  DUMP_ARGUMENTS,
  RANGE_ARGUMENT,
  type RangeValues,
  ROOT_ARGUMENTS,
  type RootValues,
} from '../input/arguments.js';
import { pagesOf, rangeOf } from '../input/numbers.js';
import { type OpenRoot, openRoot, REGISTER_NAMES, withRoot } from '../input/open-root.js';
import { jsonOf } from '../output/json.js';
import { printRows } from '../output/lines.js';
import { coloursOf, differenceLine } from '../output/text.js';
import { titleOf } from '../output/title.js';
import { compareTables } from '../show/diff.js';
import { inspectCommand } from './command.js';

interface DiffValues extends RangeValues {
  readonly other?: string;
  readonly 'other-root'?: string;
  readonly touched?: boolean;
}

/** `diff`: what two roots translate differently. */
export const diff: Command = inspectCommand(
  'diff',
  'Compare what two dumps translate, or two roots of one dump',
  {
    ...DUMP_ARGUMENTS,
    other: {
      type: 'positional',
      required: false,
      valueHint: 'OTHER',
      description:
        'The other dump. --root, --format and registers then name the root of both, unless --other-root names its own; --map, --vmcoreinfo and --scan are for both, --parts for FILE. Without OTHER, --other-root is a root of FILE',
    },
    ...ROOT_ARGUMENTS,
    'other-root': {
      type: 'string',
      valueHint: 'ROOT',
      description: 'The other root, as --root; registers are not for it. Default: as for FILE',
    },
    ...RANGE_ARGUMENT,
    touched: { type: 'boolean', description: 'Accessed and dirty count, too' },
  },
  runDiff,
  [
    'diff before.kdump after.kdump',
    'diff vmcore --root 1 --other-root 2',
    'diff vmcore --other-root 0x533c000 --json',
  ],
);

async function runDiff(values: DiffValues, io: Console): Promise<void> {
  const { other, 'other-root': otherRoot } = values;
  if (other === undefined && otherRoot === undefined)
    throw new UsageError('diff needs two: name another dump, or another root of this one with --other-root');
  const range = values.va === undefined ? null : rangeOf('--va', values.va);
  const here = await openRoot(values, io);
  let there: OpenRoot | null = null;
  try {
    if (other !== undefined) there = await openRoot(valuesOfOther(values, other), io);
    else there = withRoot(here, { root: otherRoot as string }, io);
    const pages = range === null ? {} : pagesOf(here.chosen.table, range);
    if (range !== null) pagesOf(there.chosen.table, range);
    if (values.json !== true) io.stdout.write(`- ${titleOf(here)}\n+ ${titleOf(there)}\n`);
    const colours = coloursOf(io);
    const rows = compareTables(here.chosen.table, there.chosen.table, here.layout.regions, {
      touched: values.touched === true,
      ...pages,
    });
    let count = 0;
    await printRows(io.stdout, rows, (row) => {
      count++;
      return values.json === true ? jsonOf(row) : differenceLine(row, colours);
    });
    io.stderr.write(`${count === 0 ? 'no difference' : plural(count, 'difference')}\n`);
  } finally {
    here.close();
    there?.close();
  }
}

/** The other files of a split dump belong to the first one, and so does its root where the other one has its own. */
function valuesOfOther({ parts: _, ...values }: DiffValues, file: string): RootValues {
  const { 'other-root': root, format } = values;
  if (root === undefined) return { ...values, file };
  const registers = Object.fromEntries(REGISTER_NAMES.map((name) => [name, undefined]));
  // A format belongs to an address: other names have their own.
  return {
    ...values,
    ...registers,
    file,
    root,
    format: root.startsWith('0x') ? format : undefined,
  } as RootValues;
}
