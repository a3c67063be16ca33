import { type Command, type Console, count, textTable } from '@vmarea/cli';
import { DUMP_ARGUMENTS, ROOT_ARGUMENTS, type RootValues } from '../input/arguments.js';
import { openRoot } from '../input/open-root.js';
import { documentOf } from '../output/json.js';
import { type Colours, coloursOf, owned, size } from '../output/text.js';
import { titleOf } from '../output/title.js';
import { type RightsCount, type SizeCount, type TableStats, tableStats } from '../show/stats.js';
import { inspectCommand } from './command.js';

/** `stats`: numbers about all that a root maps. */
export const stats: Command = inspectCommand(
  'stats',
  'Count leaves by size and by rights, tables, and frames that several leaves map',
  { ...DUMP_ARGUMENTS, ...ROOT_ARGUMENTS },
  runStats,
  ['stats vmcore', 'stats vmcore --root process', 'stats vmcore --json'],
);

async function runStats(values: RootValues, io: Console): Promise<void> {
  const open = await openRoot(values, io);
  try {
    const shown = tableStats(open.chosen, open.image);
    if (values.json === true) io.stdout.write(`${documentOf(shown)}\n`);
    else io.stdout.write(`${titleOf(open)}\n\n${textOf(shown, coloursOf(io))}\n`);
  } finally {
    open.close();
  }
}

function textOf(
  { runs, leaves, mappedBytes, sizes, rights, tables, tableBytes, again, frames }: TableStats,
  colours: Colours,
): string {
  const bySize = textTable<SizeCount>(
    [
      { head: 'leaves of', align: 'left', cell: ({ leafBytes, level }) => `${size(leafBytes)} (${level})` },
      { head: 'leaves', align: 'right', cell: (one) => count(one.leaves) },
      { head: 'in contiguous runs', align: 'right', cell: ({ inRuns }) => count(inRuns) },
    ],
    sizes,
  );
  const byRights = textTable<RightsCount>(
    [
      { head: 'rights', align: 'left', cell: (one) => owned(one, colours) },
      { head: 'bytes', align: 'right', cell: ({ bytes }) => size(bytes) },
      { head: 'runs', align: 'right', cell: (one) => count(one.runs) },
    ],
    rights,
  );
  const byLevel = textTable<TableStats['tables'][number]>(
    [
      { head: 'tables', align: 'left', cell: ({ level }) => level },
      { head: 'in the dump', align: 'right', cell: (one) => count(one.tables) },
      { head: 'missing', align: 'right', cell: ({ missing }) => count(missing) },
    ],
    tables,
  );
  return [
    `${count(leaves)} leaves in ${count(runs)} runs map ${size(mappedBytes)}. Tables take ${size(tableBytes)}.`,
    ...(again > 0 ? [`${count(again)} tables were met again too often: what they map is not counted.`] : []),
    '',
    bySize,
    '',
    byRights,
    '',
    byLevel,
    '',
    `frames of the dump: ${count(frames.mapped)} mapped, ${count(frames.several)} by several leaves,`,
    `${count(frames.writableAndExecutable)} writable by one and executable by that or another`,
    ...(frames.isComplete
      ? []
      : ['The dump says that it has more memory than is counted: frames are left out.']),
  ].join('\n');
}
